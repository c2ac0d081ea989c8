"""How long a market of millions of events takes, from its file to a model's matrix.

The events are made once and streamed into a Parquet file: users and items by popularity,
text ids, a time, a kind and a price, so that every step has its real work.  A child process
then does what an adaptation does before its first fit, with that market as the source of a
small target:

    check    open the market, and describe it as `acclimate check` does
    split    open the target too, cut it, and pose both as a problem
    indexed  fit the item encoder of the pooled arm and encode every sample

Peaks are those of the child, which does nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from acclimate.rng import Rng
from benchmarks.line import Line, peak_mb

MOST_SECONDS, MOST_MB = 60.0, 4000.0
STEPS = ("check", "split", "indexed")
_CHUNK = 500_000
_MOST_ITEMS = 50_000
_START, _DAYS = datetime(2024, 1, 1), 365
_TARGET_SHARE = 100  # the target has one event for so many of the source
_SCHEMA = {
    "customer_id": pl.String,
    "product_id": pl.String,
    "event_time": pl.Datetime("us"),
    "event_type": pl.String,
    "price": pl.Float64,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--events", type=int, default=10_000_000, help="of the source (10 M)")
    parser.add_argument("--ids", choices=("text", "int"), default="text", help="(text)")
    parser.add_argument("--seed", type=int, default=0, help="of the made events (0)")
    parser.add_argument("--folder", type=Path, help="keep the made files; use them again")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line a step, then one for all together."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        made = f"{args.events}-{args.ids}-{args.seed}.parquet"
        source, target = folder / f"source-{made}", folder / f"target-{made}"
        start = time.perf_counter()
        for path, events in (
            (source, args.events),
            (target, max(1000, args.events // _TARGET_SHARE)),
        ):
            if not path.exists():
                items = max(50, min(_MOST_ITEMS, args.events // 100))
                make(path, events, items, args.ids, Rng.of(args.seed).child(path.name))
        print(f"scale: made in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        steps = measure(source, target)
    base = Line("scale", data=f"made, {args.ids} ids", seed=args.seed, n=args.events)
    for step in steps:
        line = replace(base, arm=step.name, seconds=step.seconds, peak_mb=step.peak_mb)
        yield replace(line, metric="seconds", value=step.seconds)
        yield replace(line, metric="cpu_seconds", value=step.cpu)
    seconds, peak = round(sum(s.seconds for s in steps), 2), max(s.peak_mb for s in steps)
    whole = replace(base, arm="together", seconds=seconds, peak_mb=peak)
    yield replace(whole, metric="seconds", value=seconds, reference=MOST_SECONDS)
    yield replace(whole, metric="cpu_seconds", value=round(sum(s.cpu for s in steps), 2))
    yield replace(whole, metric="peak_mb", value=peak, reference=MOST_MB)


def make(path: Path, events: int, items: int, ids: str, rng: Rng) -> None:
    """Stream made events into a Parquet file, which stands there once it is whole.

    A tenth as many users as events.
    """
    users = max(50, events // 10)

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        for number, start in enumerate(range(0, events, _CHUNK)):
            n = min(_CHUNK, events - start)
            frame = _events(n, users, items, ids, rng.child(number))
            yield frame.select(columns) if columns else frame

    kind = pl.String() if ids == "text" else pl.Int64()
    schema = {**_SCHEMA, "customer_id": kind, "product_id": kind}
    part = path.with_suffix(".part")
    register_io_source(batches, schema=schema).sink_parquet(part)  # type: ignore[arg-type]
    part.replace(path)


def _events(n: int, users: int, items: int, ids: str, rng: Rng) -> pl.DataFrame:
    draw = rng.generator()
    # The square of a uniform number: some users and items are met far more often.
    user = (users * draw.random(n) ** 2).astype(np.int64)
    item = (items * draw.random(n) ** 3).astype(np.int64)
    seconds = draw.integers(0, _DAYS * 86_400, n)
    frame = pl.DataFrame(
        {
            "customer_id": user,
            "product_id": item,
            "event_time": np.datetime64(_START, "us") + seconds.astype("timedelta64[s]"),
            "event_type": np.array(["view", "cart", "order"])[draw.integers(0, 3, n)],
            "price": draw.integers(99, 20_000, n) / 100,
        }
    )
    if ids == "int":
        return frame
    return frame.with_columns(
        pl.format("C-{}", pl.col("customer_id").cast(pl.String).str.zfill(8)),
        pl.format("SKU{}", pl.col("product_id").cast(pl.String).str.zfill(6)),
    )


@dataclass(frozen=True)
class Step:
    """One step, measured.

    seconds  of the clock on the wall
    cpu      seconds of all cores, which other work on the machine hardly changes
    peak_mb  largest resident memory until its end
    """

    name: str
    seconds: float
    cpu: float
    peak_mb: float


def measure(source: Path, target: Path) -> list[Step]:
    """Each step in turn, in one child process."""
    command = [sys.executable, "-m", "benchmarks.scale", str(source), str(target)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [Step(**json.loads(line)) for line in done.stdout.splitlines()]


def work(source: Path, target: Path) -> Iterator[Step]:
    """The steps, in this process."""
    wall, cpu = time.perf_counter(), time.process_time()

    def step(name: str) -> Step:
        nonlocal wall, cpu
        wall_before, cpu_before = wall, cpu
        wall, cpu = time.perf_counter(), time.process_time()
        used = round(wall - wall_before, 2), round(cpu - cpu_before, 2)
        return Step(name, *used, round(peak_mb(), 1))

    from acclimate.cli.console import Console
    from acclimate.domains.checks import checked
    from acclimate.domains.market import open_market
    from acclimate.domains.problem import Statistics
    from acclimate.domains.split import Cut
    from acclimate.result import describe
    from acclimate.tasks.recommend import Recommend

    rich = checked(open_market(source), Rng.of(0))
    with redirect_stdout(StringIO()):
        Console(as_json=False).market(rich)
    json.dumps(describe(rich))
    yield step(STEPS[0])
    posed = Recommend().pose(open_market(target), [rich], Cut(), Rng.of(0).child("pose"))
    yield step(STEPS[1])
    problem = posed.problem.encoded(Statistics.BOTH)
    for sample in (problem.fit, *(each.sample for each in problem.sources)):
        problem.view(sample)
    yield step(STEPS[2])


if __name__ == "__main__":
    for found in work(Path(sys.argv[1]), Path(sys.argv[2])):
        print(json.dumps(asdict(found)), flush=True)

"""Whether a budget in seconds is kept, and every baseline finished within it.

Each run adapts in a process of its own, from markets on disk or in memory to the artifact and
the report; what is measured is the whole call.  Lines, one a run:

    over       (seconds − budget) / budget; below 0 where everything was tried before
    baselines  of target-only, source-only and pooled, how many of those that apply finished

and then the runs within 5 % of all, the most that one was over, and the runs with every
baseline.  Made markets of every form are run by themselves; real ones come as recipes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.line import Line

WITHIN = 0.05
BASELINES = ("target-only", "source-only", "pooled")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", action="append", default=[], help="a recipe; repeat")
    parser.add_argument("--made", action="append", choices=[*MADE], help="all without it")
    parser.add_argument(
        "--budget", type=float, action="append", help="seconds; repeat (15, 40)"
    )
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    import acclimate.strategies.catalogue
    import acclimate.workflow  # noqa: F401 - once for every fork

    made = [*MADE] if args.made is None else args.made
    within, worst, whole, runs = 0, -1.0, 0, 0
    for case in [*made, *args.recipe]:
        for budget in args.budget or (15.0, 40.0):
            print(f"{case} in {budget:g} s", file=sys.stderr)
            seconds, ended, refused = _run(case, budget, args.seed)
            over = (seconds - budget) / budget
            finished = [each for each in BASELINES if each in ended]
            missing = [each for each in BASELINES if each not in ended and each not in refused]
            runs, worst = runs + 1, max(worst, over)
            within += over <= WITHIN
            whole += not missing
            common: dict[str, Any] = {
                "benchmark": "budget",
                "data": Path(case).stem,
                "arm": f"budget {budget:g} s",
                "seed": args.seed,
                "seconds": round(seconds, 2),
            }
            why = f"missing: {', '.join(missing)}" if missing else None
            yield Line(**common, metric="over", value=over, reference=WITHIN)
            yield Line(**common, metric="baselines", value=float(len(finished)), why=why)
    every: dict[str, Any] = {"benchmark": "budget", "data": "all", "n": runs}
    yield Line(**every, metric="within", value=within / runs, reference=1.0)
    yield Line(**every, metric="worst", value=worst, reference=WITHIN)
    yield Line(**every, metric="with every baseline", value=whole / runs, reference=1.0)


def _run(case: str, budget: float, seed: int) -> tuple[float, set[str], set[str]]:
    """(seconds of the call, strategies with a finished arm, strategies that do not apply)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        child = os.fork()
        if not child:
            try:
                _adapted(case, budget, seed, out)
            except BaseException as error:
                (out / "error").write_text(f"{type(error).__name__}: {error}")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        if (out / "error").exists():
            print(f"  {(out / 'error').read_text()}", file=sys.stderr)
        seconds = float((out / "seconds").read_text())
        if not (out / "run.json").exists():
            return seconds, set(), set()
        from acclimate.reports.report import read_summary

        summary = read_summary(out)
        board = summary["leaderboard"]
        ended = {row["strategy"] for row in board if row["status"] == "done"}
        tried = {row["strategy"] for row in board}
        return seconds, ended, {each for each in BASELINES if each not in tried}


def _adapted(case: str, budget: float, seed: int, out: Path) -> None:
    import acclimate as ac

    given = out / "markets"
    given.mkdir()
    os.environ["ACCLIMATE_HOME"] = str(out / "home")
    if case in MADE:
        task, sources, target, options = MADE[case](seed, given)
    else:
        from acclimate.cli.asked import Asked, task_of

        asked = Asked.read(Path(case))
        sources, target = asked.markets()
        said = dict(asked.task)
        task = task_of(said.pop("kind", None), target, **said)
        of = asked.options()
        options = {"strategies": of.strategies, "models": of.models, "cut": of.cut}
    start = time.monotonic()
    try:
        ac.adapt(task, sources, target, out=out, budget_seconds=budget, seed=seed, **options)
    finally:
        (out / "seconds").write_text(str(time.monotonic() - start))


def _classified(seed: int, folder: Path) -> tuple[Any, list[Any], Any, dict[str, Any]]:
    import acclimate as ac
    from acclimate.domains.synthetic import make_rows
    from acclimate.rng import Rng

    key = Rng.of(seed)
    target = make_rows(key.child("t"), 1_500, numeric=8, text=True, name="target").domain
    sources = [make_rows(key.child(n), 5_000, numeric=8, text=True, name=n) for n in "ab"]
    return ac.Classify(), [each.domain for each in sources], target, {}


def _regressed(seed: int, folder: Path) -> tuple[Any, list[Any], Any, dict[str, Any]]:
    import numpy as np
    import polars as pl

    import acclimate as ac

    def made(name: str, n: int, shift: float, at: int) -> Path:
        drawn = np.random.default_rng([seed, at])
        x = drawn.normal(shift, 1, (n, 10))
        y = x @ np.linspace(1, 0, 10) + np.sin(x[:, 0]) + drawn.normal(0, 1, n)
        path = folder / f"{name}.csv"
        pl.DataFrame({f"x{i}": x[:, i] for i in range(10)} | {"price": y}).write_csv(path)
        return path

    sources = [made("near", 20_000, 0.2, 1), made("far", 20_000, 1.0, 2)]
    return ac.Regress(label="price"), sources, made("target", 1_000, 0.0, 0), {}


def _recommended(seed: int, folder: Path) -> tuple[Any, list[Any], Any, dict[str, Any]]:
    import acclimate as ac
    from acclimate.domains.synthetic import make_events
    from acclimate.rng import Rng

    key = Rng.of(seed)
    target = make_events(key.child("t"), 1_000, 800, name="target").domain
    sources = [make_events(key.child(n), 6_000, 800, name=n).domain for n in ("near", "far")]
    return ac.Recommend(), sources, target, {}


def _unlabelled(seed: int, folder: Path) -> tuple[Any, list[Any], Any, dict[str, Any]]:
    import acclimate as ac

    _, sources, target, options = _classified(seed, folder)
    for each in (target, *sources):
        rows = each.tables["rows"]
        rows = rows.drop("label") if each is target else rows
        rows.write_csv(folder / f"{each.name}.csv")
    paths = [folder / f"{each.name}.csv" for each in sources]
    return ac.Classify(label="label"), paths, folder / "target.csv", options


MADE = {
    "classify": _classified,
    "regress": _regressed,
    "recommend": _recommended,
    "unlabelled": _unlabelled,
}

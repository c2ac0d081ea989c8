"""One behaviour is predicted, with what else users do and without it.

A folder holds a file a behaviour, named by it, with a column of users and one of items, and a
time where there is one (or `--data` is one market whose events have a kind).  `--asked` is
recommended for, under the full ranking; the task, the plan and the verdict are those of
`acclimate adapt --behaviour`.  Arms that read what else users do stand beside those that know
the behaviour asked for alone.

Where files have no times, what users did with the very item that is judged is known, as in
the published protocols; `--strict` leaves out of the other behaviours every pair that has the
one asked for, so that they tell of other items alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Prediction, Truth
from acclimate.domains.market import open_market
from acclimate.domains.readers import is_table
from acclimate.domains.split import Cut
from acclimate.errors import UsageError
from acclimate.plans.budget import Budget
from acclimate.plans.plan import plan
from acclimate.plans.runner import interval
from acclimate.plans.runner import run as run_plan
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.tasks.recommend import Recommend
from benchmarks.judged import beside_ease, verdicts
from benchmarks.line import Line, peak_mb

NAME = "behaviours"
K = 10
ARMS = (
    "target-only/popularity",
    "target-only/item-knn",
    "target-only/ease",
    "target-only/stack",
    "pooled/popularity",
    "pooled/item-knn",
    "pooled/ease",
    "shared-users/ease",
    "behaviours/ease",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="files of behaviours")
    parser.add_argument("--asked", help="the behaviour to predict; that with fewest events")
    parser.add_argument("--arm", action="append", help="strategy/model; repeat; all without")
    parser.add_argument("--strict", action="store_true", help="no pair has two behaviours")
    parser.add_argument("--at-most", type=int, default=6000, help="items a model knows")
    parser.add_argument("--budget", type=float, default=3600.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line an arm and metric, then the verdict."""
    with threadpool_limits(settings().threads):
        yield from _lines(args)


def _lines(args: argparse.Namespace) -> Iterator[Line]:
    rng = Rng.of(args.seed)
    market = read(args.data)
    kinds = market.tables["events"]["kind"].value_counts().sort("count", "kind")
    asked = args.asked or str(kinds["kind"][0])
    if args.strict:
        market = strict(market, asked)
    task = Recommend(K, at_most=args.at_most, behaviour=asked)
    posed = task.pose(market, [], Cut(by="auto"), rng.child("pose"))
    for note in posed.notes:
        print(note, file=sys.stderr)
    trials = run_plan(
        plan(posed.problem, _arms(args.arm), []),
        task,
        posed.problem,
        posed.exam,
        Budget(args.budget),
        rng,
        lambda text, done, total: print(f"[{done}/{total}] {text}", file=sys.stderr),
    )
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": args.data.name + (" strict" if args.strict else ""),
        "source": "+".join(source.name for source in posed.problem.sources),
        "target": f"{market.name} {asked}",
        "seed": args.seed,
    }
    case = posed.exam.judge[0]
    answers: dict[str, list[tuple[Prediction, Truth]]] = {}
    done = [trial for trial in trials if trial.status == "done"]
    for trial in trials:
        if trial.status != "done":
            yield Line(arm=trial.arm.name, why=trial.why or trial.status, **common)
            continue
        start = time.monotonic()
        fitted = trial.arm.fit(posed.problem, rng.child("fit"))
        for fact in fitted.facts:
            print(f"{trial.arm.name}: {fact}", file=sys.stderr)
        answer = (fitted.answer(case), case.truth)
        answers[trial.arm.name] = [answer]
        value, low, high = interval(task, *answer, rng.child("interval"))
        line = Line(
            arm=trial.arm.name,
            metric=f"ndcg@{K}",
            value=value,
            low=low,
            high=high,
            n=case.truth.n_units,
            seconds=round(trial.seconds + time.monotonic() - start, 2),
            peak_mb=round(peak_mb()),
            **common,
        )
        yield line
        for k in (10, 20):
            recall = replace(task, k=k).metrics(*answer)[f"recall@{k}"]
            yield replace(line, metric=f"recall@{k}", value=recall, low=None, high=None)
    yield from verdicts(done, [(task, f"ndcg@{K}", case)], answers, common, rng)
    yield from beside_ease([(task, f"ndcg@{K}", case)], answers, common, rng)


def read(data: Path) -> Domain:
    """A market whose events have kinds: the files of a folder, or a market that has them."""
    files = sorted(path for path in data.iterdir() if is_table(path)) if data.is_dir() else []
    opened = {path.name.split(".")[0]: open_market(path) for path in files}
    if not opened or any("kind" in each.tables["events"].columns for each in opened.values()):
        whole = open_market(data)
        if "kind" not in whole.tables.get("events", pl.DataFrame()).columns:
            raise UsageError(
                f"Expected files of behaviours, or events with kinds, in {str(data)!r}; found "
                "neither."
            )
        return whole
    columns = ["user", "item", "kind"]
    if all("time" in each.tables["events"].columns for each in opened.values()):
        columns.append("time")
    frames = [
        each.tables["events"].with_columns(kind=pl.lit(kind)).select(columns)
        for kind, each in opened.items()
    ]
    first = next(iter(opened.values()))
    return replace(first, name=data.name, tables={"events": pl.concat(frames)})


def strict(market: Domain, asked: str) -> Domain:
    """Without other behaviours on a pair that has the one asked for."""
    events = market.tables["events"]
    pairs = events.filter(pl.col("kind") == asked).select("user", "item").unique()
    others = events.filter(pl.col("kind") != asked)
    apart = others.join(pairs, on=["user", "item"], how="anti", maintain_order="left")
    kept = pl.concat([events.filter(pl.col("kind") == asked), apart])
    return replace(market, tables={**market.tables, "events": kept})


def _arms(wanted: list[str] | None) -> list[Arm]:
    unknown = sorted(set(wanted or []) - set(ARMS))
    if unknown:
        raise UsageError(f"Expected arms among {', '.join(ARMS)}; found {', '.join(unknown)}.")
    kept = [name.split("/") for name in ARMS if wanted is None or name in wanted]
    return [Arm(named(strategy), models()[model]) for strategy, model in kept]

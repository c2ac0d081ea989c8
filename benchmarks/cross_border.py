"""One file or folder of several countries: each poor one learns from the rich one.

Markets are slices of one table, as a shop that sells abroad has them.  What is printed is
what `acclimate adapt` would answer: the best arm of each kind on `choose`, and the verdict.
An item that is no product (postage) is named with `--restrict`; without it, it stays, so
that both answers can be compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from acclimate.domains.domain import Domain
from acclimate.domains.markets import open_markets
from acclimate.errors import AcclimateError
from acclimate.options import Options
from acclimate.result import Result
from acclimate.tasks.recommend import Recommend
from acclimate.workflow import adapt
from benchmarks.line import Line, peak_mb

NAME = "cross_border"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="a file or a folder")
    parser.add_argument("--by", default="Country", help="the column that tells markets apart")
    parser.add_argument("--source", required=True, help="the rich market, a value of it")
    parser.add_argument("--target", required=True, action="append", help="repeat for several")
    parser.add_argument("--restrict", action="append", default=[], help="an item's id; repeat")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--budget", type=float, default=300.0, help="seconds a target")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line an arm of each target, then its verdict; one with `why` where there is none."""
    names = [args.source, *args.target]
    source, *targets = open_markets([f"{args.data}::{args.by}={name}" for name in names], None)
    for target in targets:
        yield from _lines(source, target, args)


def _lines(source: Domain, target: Domain, args: argparse.Namespace) -> Iterator[Line]:
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": args.data.name + "".join(f" without {item}" for item in args.restrict),
        "source": source.name,
        "target": target.name,
        "seed": args.seed,
    }
    print(f"{target.name} from {source.name}", file=sys.stderr)
    options = Options(budget_seconds=args.budget, seed=args.seed)
    try:
        found = adapt(
            Recommend(args.k), [source], restricted(target, args.restrict), options=options
        )
    except AcclimateError as error:
        yield Line(arm="verdict", why=str(error), **common)
        return
    yield from _scores(found, common)
    verdict = found.verdict
    yield Line(
        arm="verdict",
        metric=verdict.metric,
        value=verdict.effect,
        low=verdict.low,
        high=verdict.high,
        n=verdict.n,
        seconds=found.summary["seconds"],
        peak_mb=round(peak_mb()),
        verdict=verdict.as_row(),
        **common,
    )


def _scores(found: Result, common: dict[str, Any]) -> Iterator[Line]:
    for row in found.leaderboard.iter_rows(named=True):
        if row["status"] == "done":
            kept = {key: row[key] for key in ("arm", "value", "low", "high", "n", "seconds")}
            yield Line(metric=f"{row['metric']} on choose", **kept, **common)


def restricted(target: Domain, items: Sequence[str]) -> Domain:
    """The target with these items declared as never to be recommended."""
    declared = target.schema.declared
    declared = replace(declared, restricted=(*declared.restricted, *items))
    return replace(target, schema=replace(target.schema, declared=declared))

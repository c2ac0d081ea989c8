"""Adoptions from sources that know nothing, and from sources that know: what the placebo says.

Made markets.  A source of noise is one like the target whose labels, or items' ids, were
permuted in its table; a useful one is left as it is.  Each draw is a whole `adapt` with the
cheapest models of its task.  Two lines a kind and task follow its draws: the share of draws
that adopt, and the share of adoptions that the placebo calls owed to the sources.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import polars as pl
from scipy import stats

from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.options import Options
from acclimate.plans import examine, placebo
from acclimate.result import Result
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Task
from acclimate.verdicts.verdict import SHUFFLED, Verdict
from acclimate.workflow import adapt
from benchmarks.line import Line, peak_mb

ITEMS = 150
LABELS = 60
MODELS = {"rows": ("linear",), "events": ("popularity", "item-knn", "ease")}
TABLES = {"rows": "label", "events": "item"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--noise", type=int, default=20, help="draws of a source of noise (20)")
    parser.add_argument("--useful", type=int, default=10, help="draws of a useful source (10)")
    parser.add_argument("--form", choices=[*MODELS], action="append", help="default: both")
    parser.add_argument("--seed", type=int, default=0, help="of the first draw (0)")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line a draw, and two a kind of source."""
    for data in args.form or MODELS:
        for kind, draws in (("noise", args.noise), ("useful", args.useful)):
            found = []
            for seed in range(args.seed, args.seed + draws):
                start = time.perf_counter()
                result, extra = drawn(data, kind, seed)
                seconds = time.perf_counter() - start
                verdict = result.verdict
                found.append(verdict)
                print(f"{data} {kind} {seed}: {verdict.sentence}", file=sys.stderr)
                yield Line(
                    "placebo",
                    data,
                    kind,
                    arm=verdict.arm,
                    metric=verdict.metric,
                    value=verdict.effect,
                    low=verdict.low,
                    high=verdict.high,
                    n=verdict.n,
                    seed=seed,
                    seconds=round(seconds, 2),
                    peak_mb=round(peak_mb()),
                    verdict={**verdict.as_row(), "placebo_seconds": round(extra, 3)},
                )
            adopted = [each for each in found if each.answer == "adopt"]
            yield share("adopted", len(adopted), draws, data, kind)
            yield share("owed to sources", sum(map(owed, adopted)), len(adopted), data, kind)


def drawn(data: str, kind: str, seed: int) -> tuple[Result, float]:
    """One adaptation, and the seconds that its placebo took."""
    key = Rng.of(seed).child(f"{data}/{kind}")
    target, source = markets(data, key)
    if kind == "noise":
        table = source.tables[data]
        column = table[TABLES[data]]
        names = column.unique().sort()
        if data == "rows":
            mixed = pl.Series(key.child("noise").generator().permutation(column.to_numpy()))
        else:
            others = names.to_numpy()[key.child("noise").generator().permutation(len(names))]
            mixed = column.replace_strict(names.to_list(), others.tolist())
        tables = {**source.tables, data: table.with_columns(mixed.alias(TABLES[data]))}
        source = replace(source, tables=tables)
    task: Task = Classify() if data == "rows" else Recommend()
    cut = Cut(labels=LABELS, by="random") if data == "rows" else Cut(by="last")
    spent = [0.0]

    def timed(*given: object) -> object:
        start = time.perf_counter()
        answer = placebo.placebo(*given)  # type: ignore[arg-type]
        spent[0] += time.perf_counter() - start
        return answer

    with patch.object(examine, "placebo", timed):
        options = Options(models=MODELS[data], seed=seed, cut=cut)
        result = adapt(task, [source], target, options=options)
    return result, spent[0]


def markets(data: str, key: Rng) -> tuple[Domain, Domain]:
    """A target of 400 rows, or 60 users, and a source like it of 1,000."""
    mine, theirs = key.child("target"), key.child("source")
    if data == "rows":
        return (
            make_rows(mine, 400, name="target").domain,
            make_rows(theirs, 1000, name="source").domain,
        )
    return (
        make_events(mine, 60, ITEMS, name="target").domain,
        make_events(theirs, 1000, ITEMS, name="source").domain,
    )


def owed(verdict: Verdict) -> bool:
    """Whether the placebo is behind."""
    rows = [each for each in verdict.against if each.baseline == SHUFFLED]
    return any(each.low is not None and each.low > 0 for each in rows)


def share(arm: str, count: int, n: int, data: str, kind: str) -> Line:
    """A share of draws with its exact 95 % interval (Clopper & Pearson 1934)."""
    line = Line("placebo", data, kind, arm=arm, metric="share", n=n)
    if not n:
        return line
    interval = stats.binomtest(count, n).proportion_ci()
    return replace(line, value=count / n, low=float(interval.low), high=float(interval.high))

"""Spans in texts: one market's labelled titles teach another's, with few labels of its own.

The target is cut once; with `--labels` so many of its sentences may be learned and chosen
on.  Every arm is refitted and asked about the judged sentences; the verdict is the one
that `adapt` would give.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from acclimate.domains.markets import open_markets
from acclimate.domains.split import Cut
from acclimate.options import Options
from acclimate.plans.budget import Budget
from acclimate.plans.examine import examine
from acclimate.plans.plan import plan
from acclimate.plans.runner import interval
from acclimate.plans.runner import run as run_plan
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.catalogue import arms
from acclimate.tasks.tag import Tag
from acclimate.verdicts.ledger import Ledger
from benchmarks.line import Line, peak_mb

NAME = "tagging"
SHOWN = ("span-f1", "precision", "recall")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--source", action="append", required=True, help="a market; repeat")
    parser.add_argument("--target", required=True, help="the market to adapt to")
    parser.add_argument("--labels", type=int, help="labelled target sentences; all without")
    parser.add_argument("--budget", type=float, default=3600.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Each arm's micro F1, precision and recall on the judge, then the verdict."""
    with threadpool_limits(settings().threads):
        yield from _lines(args)


def _lines(args: argparse.Namespace) -> Iterator[Line]:
    rng = Rng.of(args.seed)
    target, *sources = open_markets([args.target, *args.source], None)
    options = Options(seed=args.seed, cut=Cut(labels=args.labels))
    posed = Tag().pose(target, sources, options.cut, rng.child("pose"))
    print("; ".join(posed.notes), file=sys.stderr)
    planned = plan(posed.problem, arms("tokens"), [])
    for refusal in planned.refused:
        print(f"{refusal.strategy}: {refusal.why}", file=sys.stderr)
    trials = run_plan(
        planned,
        posed.task,
        posed.problem,
        posed.exam,
        Budget(args.budget),
        rng,
        lambda text, done, total: print(f"[{done}/{total}] {text}", file=sys.stderr),
    )
    labels = "all" if args.labels is None else str(args.labels)
    common: dict[str, Any] = {
        "benchmark": NAME,
        "data": f"{Path(args.target).name.split('.')[0]}, {labels} labels",
        "source": "+".join(source.name for source in sources),
        "target": target.name,
        "seed": args.seed,
    }
    for trial in trials:
        if trial.status != "done":
            continue
        start = time.monotonic()
        fitted = trial.arm.fit(posed.problem, rng.child("fit"))
        answer = posed.task.join([(fitted.answer(c), c.truth) for c in posed.exam.judge])
        _, low, high = interval(posed.task, *answer, rng.child("interval"))
        scores = posed.task.metrics(*answer)
        seconds = round(trial.seconds + time.monotonic() - start, 2)
        for metric in SHOWN:
            first = metric == posed.task.metric.name
            yield Line(
                arm=trial.arm.name,
                metric=metric,
                value=scores[metric],
                low=low if first else None,
                high=high if first else None,
                n=answer[1].n_units,
                seconds=seconds,
                peak_mb=round(peak_mb()),
                **common,
            )
    with tempfile.TemporaryDirectory() as home:
        ledger = Ledger(Path(home) / "ledger.jsonl")
        verdict = examine(
            trials, posed.task, posed.problem, posed.exam, rng, ledger, NAME
        ).verdict
    yield Line(
        arm="verdict",
        metric=posed.task.metric.name,
        value=verdict.effect,
        low=verdict.low,
        high=verdict.high,
        n=verdict.n,
        verdict=verdict.as_row(),
        **common,
    )

"""Sentiment from one category to another that nobody labelled, by the published protocol.

For every ordered pair: the source's train rows with labels, the target's train rows
without, accuracy on the target's test rows, which nothing here has seen.  Every arm that
does without target labels is tuned on the source alone; `chosen` is what the vote of the
label-free validators would ship.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.plans.budget import Budget
from acclimate.plans.plan import plan
from acclimate.plans.runner import interval
from acclimate.plans.vote import vote
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.catalogue import EVERY, arms
from acclimate.tasks.classify import Classify
from acclimate.verdicts.verdict import Verdict
from benchmarks.blindly import once
from benchmarks.counts import Counts, read
from benchmarks.line import Line, peak_mb

NAME = "sentiment"
BASE = "source-only/linear"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, required=True, help="folder of svmlight files")
    parser.add_argument("--pair", action="append", help="SOURCE:TARGET; repeat; all without")
    parser.add_argument("--arm", action="append", help="a strategy; repeat; all without")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Each arm's accuracy for each pair, what the vote chose, and means over pairs."""
    with threadpool_limits(settings().threads):
        yield from _lines(args)


def _lines(args: argparse.Namespace) -> Iterator[Line]:
    recipe, categories = read(args.data)
    asked = [tuple(pair.split(":")) for pair in args.pair or ()]
    pairs = asked or list(permutations(categories, 2))
    found: dict[str, list[float]] = {}
    for source, target in pairs:
        start = time.monotonic()
        values, verdict = of_pair(
            recipe,
            categories[source][0],
            categories[target],
            (source, target),
            tuple(args.arm or (EVERY,)),
            Rng.of(args.seed).child(f"{source}/{target}"),
        )
        for arm, (value, low, high) in values.items():
            found.setdefault(arm, []).append(value)
            yield Line(
                benchmark=NAME,
                data=args.data.name,
                source=source,
                target=target,
                arm=arm,
                metric="accuracy",
                value=value,
                low=low,
                high=high,
                n=categories[target][1].n,
                seed=args.seed,
                seconds=round(time.monotonic() - start, 2),
                peak_mb=round(peak_mb()),
                verdict=verdict.as_row() if arm == "chosen" else None,
            )
    for arm, each in found.items():
        if len(each) == len(pairs) > 1:
            gain = np.subtract(each, found[BASE])
            common: dict[str, Any] = {"benchmark": NAME, "data": args.data.name, "arm": arm}
            common |= {"n": len(pairs), "seed": args.seed}
            yield Line(metric="mean accuracy", value=float(np.mean(each)), **common)
            if arm != BASE:
                yield Line(
                    metric="mean gain over source-only", value=float(gain.mean()), **common
                )
                yield Line(metric="least gain", value=float(gain.min()), **common)


def of_pair(
    recipe: Counts,
    theirs: Rows,
    mine: tuple[Rows, Rows],
    names: tuple[str, str],
    wanted: tuple[str, ...],
    rng: Rng,
) -> tuple[dict[str, tuple[float, float, float]], Verdict]:
    """Arm → accuracy on the target's test rows with its interval, and the vote's verdict.

    theirs  the source's labelled train rows
    mine    the target's train rows, whose labels are taken away, and its test rows
    """
    seen, test = mine
    nothing = seen.take(np.empty(0, np.int64))
    task = Classify("label", "accuracy")
    problem = Problem(
        names[1], nothing, (Source(names[0], theirs),), Claim.NEW, recipe, seen.unlabelled()
    )
    planned = plan(problem, arms("rows", wanted, ("linear",)), [])
    found = []
    for step in planned.steps:
        print(f"{names[0]} to {names[1]}: {step.arm.name}", file=sys.stderr)
        found.append(once(step, task, problem, rng))
    voted = vote([trial for trial, _ in found], task, problem, rng, Budget(1e9).tick)
    ships = voted.verdict.answer == "provisional" and voted.chosen is not None
    shipped = voted.chosen if ships else voted.baseline
    print(voted.votes, voted.verdict.sentence, file=sys.stderr)
    case = test.case()
    values = {}
    for trial, fitted in found:
        if fitted is not None:
            values[trial.arm.name] = interval(
                task, fitted.answer(case), case.truth, rng.child("interval")
            )
        else:
            print(f"{trial.arm.name}: {trial.why}", file=sys.stderr)
    assert shipped is not None
    values["chosen"] = values[shipped.arm.name]
    return values, voted.verdict

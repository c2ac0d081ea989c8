"""Networks alone: what aligning features and sharing a body add to doing without and pooling.

Every arm is the catalogue's network with its default settings; nothing is tuned, so that
nothing can be tuned on what is judged.  Each seed cuts the target anew.  An arm's line
holds the mean over the seeds; its interval is of the difference to `--against`, paired by
judged unit and resampled within each seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from acclimate.arrays import Array
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Prediction, Truth
from acclimate.domains.markets import open_markets
from acclimate.domains.split import Cut
from acclimate.models.mixed import MixedNetwork
from acclimate.posing import hints_of
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.tasks.classify import METRICS, Classify
from benchmarks.line import Line, peak_mb

NAME = "networks"
ARMS = (
    "target-only",
    "source-only",
    "pooled",
    "finetune",
    "dann",
    "adapter-dann",
    "hard-sharing",
    "hard-sharing + finetune-head",
    "hard-sharing + adapter-dann",
    "hard-sharing-labels",
)
REPLICATES = 400


@dataclass(frozen=True)
class Answer:
    """What one arm said on one cut."""

    task: Classify
    prediction: Prediction
    truth: Truth
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--source", action="append", required=True, help="a market; repeat")
    parser.add_argument("--target", required=True, help="the market to adapt to")
    parser.add_argument("--label", required=True)
    parser.add_argument("--also", action="append", default=[], help="another label; repeat")
    parser.add_argument("--labels", type=int, help="labelled target rows; all without")
    parser.add_argument("--split", default="auto", help="auto, time or random")
    parser.add_argument("--metric", action="append", help="log-loss and roc-auc without")
    parser.add_argument("--arm", action="append", help="a strategy or chain; repeat")
    parser.add_argument("--against", default="target-only", help="the arm to compare with")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--seeds", type=int, default=3, help="how many")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Each arm and metric: its mean, and the interval of its difference."""
    with threadpool_limits(settings().threads):
        yield from _lines(args)


def _lines(args: argparse.Namespace) -> Iterator[Line]:
    asked = Classify(args.label, also=tuple(args.also))
    target, *sources = open_markets([args.target, *args.source], hints_of(asked))
    names = [*dict.fromkeys([args.against, *(args.arm or ARMS)])]
    told: dict[str, list[Answer]] = {name: [] for name in names}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, answer in _answers(asked, target, sources, names, seed, args):
            told[name].append(answer)
    for name, answers in told.items():
        if not answers:
            continue
        for metric in args.metric or ("log-loss", "roc-auc"):
            values = [_score(each, metric, None)[0] for each in answers]
            low, high = _difference(answers, told[args.against], metric)
            yield Line(
                benchmark=NAME,
                data=f"{Path(args.target).name.split('.')[0]}, {args.labels or 'all'} labels",
                source="+".join(source.name for source in sources),
                target=target.name,
                arm=name,
                metric=metric,
                value=float(np.mean(values)),
                low=None if name == args.against else low,
                high=None if name == args.against else high,
                n=sum(each.truth.n_units for each in answers),
                seed=args.seed,
                seconds=round(sum(each.seconds for each in answers), 2),
                peak_mb=round(peak_mb()),
            )


def _answers(
    asked: Classify,
    target: Domain,
    sources: list[Domain],
    names: list[str],
    seed: int,
    args: argparse.Namespace,
) -> Iterator[tuple[str, Answer]]:
    """Every arm that applies, on one cut of the target."""
    rng = Rng.of(seed)
    cut = Cut(labels=args.labels, by=args.split)
    posed = asked.pose(target, sources, cut, rng.child("pose"))
    print(f"seed {seed}: {'; '.join(posed.notes)}", file=sys.stderr)
    assert isinstance(posed.task, Classify)
    for name in names:
        arm = Arm(named(name), MixedNetwork())
        if (why := arm.why_not(posed.problem)) is not None:
            print(f"{name}: {why}", file=sys.stderr)
            continue
        start = time.monotonic()
        fitted = arm.fit(posed.problem, rng.child("fit"))
        cases = [(fitted.answer(case), case.truth) for case in posed.exam.judge]
        prediction, truth = posed.task.join(cases)
        seconds = time.monotonic() - start
        print(f"seed {seed}: {name} {seconds:.1f} s", file=sys.stderr)
        yield name, Answer(posed.task, prediction, truth, seconds)


def _score(answer: Answer, metric: str, weight: Array | None) -> Array:
    """(replicates,) the metric, whatever the task is scored by."""
    assert metric in METRICS, metric
    task = Classify(answer.task.label, metric, answer.task.positive, answer.task.positive_at)
    return np.atleast_1d(task.score(answer.prediction, answer.truth, weight))


def _difference(ours: list[Answer], theirs: list[Answer], metric: str) -> tuple[float, float]:
    """The 95 % interval of the mean difference: units resampled within each seed, in pairs."""
    total = np.zeros(REPLICATES)
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        generator = Rng.of(number).child("resample").generator()
        n = mine.truth.n_units
        weight = generator.multinomial(n, np.full(n, 1 / n), REPLICATES).astype(np.float64)
        total += _score(mine, metric, weight) - _score(other, metric, weight)
    low, high = np.quantile(total / len(ours), [0.025, 0.975])
    return float(low), float(high)

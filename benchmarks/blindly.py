"""Arms on a target that shows no label: each tried, scored afterwards; a vote chooses one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.errors import AcclimateError
from acclimate.models.model import Model
from acclimate.plans.budget import Budget
from acclimate.plans.plan import Step, plan
from acclimate.plans.runner import interval
from acclimate.plans.trial import Trial
from acclimate.plans.tune import tune
from acclimate.plans.vote import vote
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import ALWAYS, EVERY, named, strategies
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.strategy import Strategy
from acclimate.tasks.classify import Classify
from acclimate.verdicts.verdict import Verdict
from benchmarks.line import Line, peak_mb

CHOSEN = "chosen"


@dataclass(frozen=True)
class Pair:
    """What a source's rows are asked to teach, and how rows are read.

    base    the model that every strategy goes with
    own     strategies beside the catalogue's
    """

    benchmark: str
    data: str
    source: str
    target: str
    recipe: Any
    base: Model
    own: tuple[Strategy, ...] = ()


def add_arms(parser: argparse.ArgumentParser) -> None:
    """Options that every benchmark without target labels has."""
    parser.add_argument("--arm", action="append", help="a strategy or chain; repeat; all")
    parser.add_argument("--seed", type=int, default=0)


def tried(
    pair: Pair,
    theirs: Rows,
    seen: Rows,
    asked: Rows,
    args: argparse.Namespace,
    *,
    voting: bool = True,
) -> Iterator[Line]:
    """A line an arm, and one for what the vote chose, where it is asked.

    theirs  labelled rows of the source
    seen    the target's rows that fitting and voting see, without their labels
    asked   the target's rows that accuracy is taken on
    """
    rng = Rng.of(args.seed).child(f"{pair.source}/{pair.target}")
    nothing = seen.take(np.empty(0, np.int64))
    source = Source(pair.source, theirs)
    problem = Problem(
        pair.target, nothing, (source,), Claim.NEW, pair.recipe, seen.unlabelled()
    )
    task, case = Classify("label", "accuracy"), asked.case()
    found = [*_tried(pair, problem, task, args.arm, rng)]
    shipped, verdict = _voted([trial for trial, _ in found], task, problem, rng, voting)
    common: dict[str, Any] = {
        "benchmark": pair.benchmark,
        "data": pair.data,
        "source": pair.source,
        "target": pair.target,
        "metric": "accuracy",
        "n": asked.n,
        "seed": args.seed,
    }
    for trial, fitted in found:
        start = time.monotonic()
        if fitted is None:
            yield Line(arm=trial.arm.name, why=trial.why or trial.status, **common)
            continue
        value, low, high = interval(task, fitted.answer(case), case.truth, rng.child("se"))
        spent = round(trial.seconds + time.monotonic() - start, 2)
        held: dict[str, Any] = {"value": value, "low": low, "high": high, "seconds": spent}
        yield Line(arm=trial.arm.name, peak_mb=round(peak_mb()), **held, **common)
        if verdict is not None and trial.arm.name == shipped:
            yield Line(arm=CHOSEN, verdict=verdict.as_row(), **held, **common)


def _voted(
    trials: list[Trial], task: Classify, problem: Problem, rng: Rng, voting: bool
) -> tuple[str, Verdict | None]:
    """The arm that would ship, and what is said of it; nothing where no vote is asked."""
    if not voting:
        return "", None
    voted = vote(trials, task, problem, rng, Budget(1e9).tick)
    ships = voted.verdict.answer == "provisional" and voted.chosen is not None
    shipped = voted.chosen if ships else voted.baseline
    assert shipped is not None
    for name, said in voted.votes.items():
        print(f"    {name}: {said}", file=sys.stderr)
    print(f"{problem.target}: {voted.verdict.sentence}", file=sys.stderr)
    return shipped.arm.name, voted.verdict


def _tried(
    pair: Pair, problem: Problem, task: Classify, wanted: list[str] | None, rng: Rng
) -> Iterator[tuple[Trial, Fitted | None]]:
    """Every strategy asked for with the base model, where it applies."""
    own = {strategy.kind: strategy for strategy in pair.own}
    names = dict.fromkeys((*ALWAYS, *(wanted or (*strategies(), *own))))
    names.pop(EVERY, None)
    arms = [Arm(own.get(name) or named(name), pair.base) for name in names]
    for step in plan(problem, arms, []).steps:
        print(f"{pair.source} to {pair.target}: {step.arm.name}", file=sys.stderr)
        yield once(step, task, problem, rng)


def once(step: Step, task: Classify, problem: Problem, rng: Rng) -> tuple[Trial, Fitted | None]:
    """The trial that `plans.runner.attempt` makes where no label is to be seen, and what it
    fitted, so that nothing has to be fitted again to be scored."""
    start, metric = time.monotonic(), task.metric.name
    try:
        encoded = step.arm.encoded(problem)
        arm = tune(step.arm, task, encoded, rng.child("tune"), cross_fit=False).arm
        fitted = arm.fit(encoded, rng.child("fit"))
    except AcclimateError as error:
        return Trial(step.arm, "failed", step.reason, metric, why=str(error)), None
    spent = time.monotonic() - start
    return Trial(arm, "done", step.reason, metric, seconds=spent, facts=fitted.facts), fitted


def means(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines, and behind them each arm's mean over the pairs where all of them ended."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(str(line.arm), []).append(line)
        yield line
    most = max((len(each) for each in found.values()), default=0)
    for arm, each in found.items():
        values = [line.value for line in each if line.value is not None]
        if len(values) == most > 1:
            yield Line(
                benchmark=each[0].benchmark,
                data=each[0].data,
                arm=arm,
                metric="mean accuracy",
                value=float(np.mean(values)),
                n=most,
                seed=each[0].seed,
            )

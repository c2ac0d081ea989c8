"""Solve a problem exhaustively: every arm that applies tuned, fitted and asked everything.

What is kept of an arm is its unit scores on `choose`, `judge` and `audit`, those of a
screening (default settings on two inner folds), what each setting scored in tuning, and
the processor's seconds of each.  Any way of choosing can then be replayed without a fit.

What answers `audit` is fitted on all labels of the budget, as what ships is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import numpy as np

import acclimate
from acclimate.arrays import Array
from acclimate.domains.exam import Case, Numbers, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.errors import AcclimateError, UsageError
from acclimate.plans import tune as tuning
from acclimate.plans.agreement import agreeing, agreements
from acclimate.plans.assess import assess
from acclimate.plans.plan import Step, plan
from acclimate.plans.prior import kind_of
from acclimate.plans.remedies import remedies
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import arms
from acclimate.tasks.task import Posed, Task
from benchmarks.choice_posed import Audited, Listed

PARTS = ("screen", "choose", "judge", "audit")


@dataclass(frozen=True)
class Solved:
    """A problem with every arm's results.

    about  the problem, its sizes, gaps and metric, as plain values
    arms   a row an arm, in the plan's order; those that ended have `at`, their row in `units`
    units  part → (arms that ended, n) unit scores; losses where lower is better
    """

    about: dict[str, Any]
    arms: list[dict[str, Any]]
    units: dict[str, Array] = field(repr=False)


def solve(listed: Listed, given: Audited, rng: Rng) -> Solved:
    """Every arm of the plan, and remedies where they are called for."""
    start = time.process_time()
    posed = given.posed
    task = posed.task
    gap = assess(task, posed.problem, rng.child("gap"))
    agreed = agreements(posed.problem, rng.child("agreement"))
    left_out = [each.sentence for each in agreed if each.contradicts]
    problem = agreeing(posed.problem, agreed)
    ships = agreeing(given.ships, agreed)
    known = arms(task.form, listed.strategies, listed.models)
    planned = plan(problem, known, gap, left_out)
    before = time.process_time() - start
    rows: list[dict[str, Any]] = []
    units: dict[str, list[Array]] = {part: [] for part in PARTS}
    trials: list[Trial] = []

    def attempt(step: Step) -> None:
        said = f"{listed.name} [{len(trials)}/{len(planned.steps)}] {step.arm.name}"
        row = _row(step)
        try:
            arm, found = _solved(step.arm, row, posed, problem, ships, given.audit, rng)
        except AcclimateError as error:
            rows.append({**row, "status": "failed", "why": str(error)})
            trials.append(Trial(step.arm, "failed", step.reason, task.metric.name))
            return
        rows.append({**row, "status": "done", "at": len(units["audit"])})
        for part, scores in found.items():
            units[part].append(scores)
        value = value_of(about_metric(task), found["choose"])
        trials.append(Trial(arm, "done", step.reason, task.metric.name, value))
        print(f"{said} {sum(_flat(row['seconds'])):.1f} s, {value:.4f}", file=sys.stderr)

    for step in planned.steps:
        attempt(step)
    for step in remedies(trials, task, problem):
        attempt(step)
        rows[-1]["remedy"] = True
    about = {
        "name": listed.name,
        "data": listed.data,
        "task": listed.task,
        "kind": kind_of(listed.task, problem),
        "labels": listed.labels,
        "harm": listed.harm,
        "metric": about_metric(task),
        "n_fit": problem.fit.n,
        "n_units": {part: len(each[0]) for part, each in units.items()},
        "sources": [{"name": s.name, "n": s.n} for s in problem.sources],
        "left_out": left_out,
        "gap": [each.as_row() for each in gap],
        "agreement": [each.gap().as_row() for each in agreed],
        "refused": len(planned.refused),
        "seconds_before": round(before, 3),
        "seconds": round(time.process_time() - start, 2),
        "version": acclimate.__version__,
    }
    return Solved(about, rows, {part: np.array(each) for part, each in units.items()})


def about_metric(task: Task) -> dict[str, Any]:
    """The metric as plain values; `root` where the score is the root of a mean over units."""
    metric = task.metric
    root = metric.name == "rmse"
    if not (metric.mean or root):
        raise UsageError(f"Expected a metric that is a mean over units; found {metric.name}.")
    return {"name": metric.name, "sign": metric.sign, "delta": metric.delta, "root": root}


def value_of(metric: dict[str, Any], units: Array) -> float:
    """The score that unit scores make."""
    mean = float(np.mean(units, dtype=np.float64))
    return float(np.sqrt(mean)) if metric["root"] else mean


def units_of(task: Task, prediction: Prediction, truth: Truth) -> Array:
    """(n_units,) each unit's score; of a root mean square its mean square."""
    if task.metric.mean:
        return task.unit_scores(prediction, truth)
    assert isinstance(prediction, Numbers) and truth.label is not None
    squares = np.bincount(truth.units, (truth.label - prediction.y) ** 2)
    found: Array = squares / np.bincount(truth.units)
    return found


def _row(step: Step) -> dict[str, Any]:
    arm = step.arm
    return {
        "arm": arm.name,
        "strategy": arm.strategy.kind,
        "model": arm.model.kind,
        "transfers": arm.strategy.transfers,
        "complexity": arm.strategy.complexity,
        "effort": arm.effort,
        "reason": step.reason,
        "remedy": False,
        "seconds": {},
        "tried": [],
    }


def _solved(
    arm: Arm,
    row: dict[str, Any],
    posed: Posed,
    problem: Problem,
    ships: Problem,
    audit: Case,
    rng: Rng,
) -> tuple[Arm, dict[str, Array]]:
    """The tuned arm and its unit scores of every part; times go into the row."""
    task, exam, seconds = posed.task, posed.exam, row["seconds"]
    found: dict[str, Array] = {}
    encoded = arm.encoded(problem)
    found["screen"], seconds["screen"] = screened(arm, task, encoded, rng)
    cross_fit = not exam.choose
    with _timed(seconds, "tune"), _watched(task, row["tried"]):
        tuned = tuning.tune(arm, task, encoded, rng.child("tune"), cross_fit=cross_fit)
    with _timed(seconds, "fit"):
        fitted = tuned.arm.fit(encoded, rng.child("fit"))
        answers = [(fitted.answer(case), case.truth) for case in exam.choose]
    if cross_fit:
        assert tuned.prediction is not None and tuned.truth is not None
        answers = [(tuned.prediction, tuned.truth)]
    with _timed(seconds, "judge"):
        judged = [(fitted.answer(case), case.truth) for case in exam.judge]
    with _timed(seconds, "ship"):
        again = fitted if ships.fit is problem.fit else tuned.arm.fit(ships, rng.child("ship"))
    found["choose"] = units_of(task, *task.join(answers))
    found["judge"] = units_of(task, *task.join(judged))
    found["audit"] = units_of(task, again.answer(audit), audit.truth)
    row["settings"] = tuned.arm.settings
    return tuned.arm, found


def screened(arm: Arm, task: Task, problem: Problem, rng: Rng) -> tuple[Array, list[float]]:
    """Unit scores of default settings on the first two folds of tuning, and seconds of each."""
    key = rng.child("tune")
    count = tuning._fold_count(problem)
    scores: list[Array] = []
    seconds: list[float] = []
    for inner, held in problem.inner(count, key.child("folds"))[:2]:
        start = time.process_time()
        seed = key.child(f"protocol/{len(seconds)}").seed
        held = task.protocol(held, inner.onto(problem.fit), seed)
        answer = arm.fit(inner, key.child("fit")).answer(held)
        scores.append(units_of(task, answer, held.truth))
        seconds.append(round(time.process_time() - start, 4))
    return np.concatenate(scores) if scores else np.empty(0), seconds


@contextmanager
def _timed(seconds: dict[str, Any], name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    seconds[name] = round(time.process_time() - start, 4)


@contextmanager
def _watched(task: Task, tried: list[dict[str, Any]]) -> Iterator[None]:
    """Write down what tuning scores each setting with, and how long that takes."""
    own: Callable[..., tuple[Prediction, Truth]] = tuning._out_of_fold

    def watched(arm: Arm, *rest: Any) -> tuple[Prediction, Truth]:
        start = time.process_time()
        answer = own(arm, *rest)
        score = value_of(about_metric(task), units_of(task, *answer))
        spent = round(time.process_time() - start, 4)
        tried.append({"score": score, "seconds": spent, "folds": len(rest[2])})
        return answer

    with patch.object(tuning, "_out_of_fold", watched):
        yield


def _flat(seconds: dict[str, Any]) -> list[float]:
    found: list[float] = []
    for each in seconds.values():
        found += each if isinstance(each, list) else [each]
    return found


def thinned(solved: Solved) -> Solved:
    """Unit scores as parts of target-only's mean in half precision: what is stored.

    Errors of rounding are 5e-4 of one unit's score and average out over units.
    """
    scale = float(np.mean(solved.units["audit"][0])) or 1.0
    units: dict[str, Any] = {
        part: np.clip(each / scale, -6e4, 6e4).astype(np.float16)
        for part, each in solved.units.items()
    }
    return replace(solved, about={**solved.about, "scale": scale}, units=units)

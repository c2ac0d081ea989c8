"""Tune one arm on inner folds of `fit`; every arm gets the same grids and the same folds.

The model's settings are tried first, under the strategy's default, then the
strategy's under the best model.  What the folds predicted out of fold is kept:
where `choose` is made by cross-fitting, it is the arm's answer.

A target without labels has no folds; `plans.blind` then tunes the model on the sources.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acclimate.domains.exam import Case, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder
from acclimate.models.model import Tick, idle
from acclimate.plans.blind import blind
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.tasks.task import Task

# Above this many rows behind one fit, settings are compared on two folds instead of all:
# the folds then differ little, and five fits of 40,000 rows buy nothing.
LARGE = 5_000
MANY_ITEMS = 1_000


@dataclass(frozen=True)
class Tuned:
    """An arm with the settings its folds preferred.

    prediction, truth  what the folds answered out of fold; None without folds
    tried              number of settings compared
    """

    arm: Arm
    prediction: Prediction | None
    truth: Truth | None
    tried: int


def tune(
    arm: Arm,
    task: Task,
    problem: Problem,
    rng: Rng,
    tick: Tick = idle,
    *,
    cross_fit: bool,
    settled: bool = False,
) -> Tuned:
    """Choose the settings of an arm by out-of-fold score.

    problem    encoded with the arm's statistics
    rng        the same for every arm, so that all see the same folds
    cross_fit  whether the answers on all folds are wanted
    settled    whether the arm has its settings, and none are compared
    """
    folds, few = _folds(task, problem, rng)
    models = arm.strategy.models(arm.model)
    variants = len(models) + len(arm.strategy.grid(problem)) - 1
    if not problem.labelled:
        arm, tried = blind(arm, task, problem, rng.child("blind"), tick)
        return Tuned(arm, None, None, tried)
    if not folds:
        return Tuned(arm, None, None, 0)
    if variants > 1 and not settled:
        arm = _best([arm.with_model(model) for model in models], task, problem, few, rng, tick)
        strategies = arm.strategy.grid(problem)
        arm = _best(
            [arm.with_strategy(each) for each in strategies], task, problem, few, rng, tick
        )
    if not cross_fit:
        return Tuned(arm, None, None, variants)
    prediction, truth = _out_of_fold(arm, task, problem, folds, rng, tick)
    return Tuned(arm, prediction, truth, variants)


def compare(arm: Arm, task: Task, problem: Problem, rng: Rng, tick: Tick = idle) -> float:
    """The out-of-fold score by which `tune` would compare the arm as it is.

    problem  encoded with the arm's statistics
    rng      as in `tune`, so that the folds are the same

    NaN where the target is too small for folds, or they cannot be scored.
    """
    _, few = _folds(task, problem, rng)
    return _score(arm, task, problem, few, rng, tick) if few else float("nan")


def first_fold(task: Task, problem: Problem, rng: Rng) -> tuple[Problem, Case] | None:
    """The first of the folds that tuning compares settings on; None where there are none."""
    folds, _ = _folds(task, problem, rng)
    return folds[0] if folds else None


def _folds(
    task: Task, problem: Problem, rng: Rng
) -> tuple[list[tuple[Problem, Case]], list[tuple[Problem, Case]]]:
    """All folds, and those on which settings are compared."""
    rows = not isinstance(problem.fit, Interactions)
    folds = list[tuple[Problem, Case]]()
    for inner, held in problem.inner(_fold_count(problem), rng.child("folds")):
        seed = rng.child(f"protocol/{len(folds)}").seed
        folds.append((inner, task.protocol(held, inner.onto(problem.fit), seed)))
    behind = problem.fit.n + sum(source.n for source in problem.sources)
    few = folds[:2] if rows and behind > LARGE else folds
    return folds, few


def _fold_count(problem: Problem) -> int:
    """Five folds of rows or sentences; of users as many as give 2,000 held-out answers, 2 to 5.

    Above 1,000 items a fold costs seconds, and two have to do.
    """
    if not isinstance(problem.fit, Interactions):
        return 5
    encoder = problem.encoder
    if isinstance(encoder, ItemEncoder) and len(encoder.known) > MANY_ITEMS:
        return 2
    return min(5, max(2, -(-2000 // max(len(problem.fit.users), 1))))


def _best(
    arms: list[Arm],
    task: Task,
    problem: Problem,
    folds: list[tuple[Problem, Case]],
    rng: Rng,
    tick: Tick,
) -> Arm:
    if len(arms) == 1:
        return arms[0]
    scores = []
    for arm in arms:
        scores.append(task.metric.sign * _score(arm, task, problem, folds, rng, tick))
    # A fold without positives has no PR-AUC; such a setting is not preferred.
    return arms[int(np.argmax(np.nan_to_num(scores, nan=-np.inf)))]


def _score(
    arm: Arm,
    task: Task,
    problem: Problem,
    folds: list[tuple[Problem, Case]],
    rng: Rng,
    tick: Tick,
) -> float:
    prediction, truth = _out_of_fold(arm, task, problem, folds, rng, tick)
    return float(task.score(prediction, truth)[0])


def _out_of_fold(
    arm: Arm,
    task: Task,
    problem: Problem,
    folds: list[tuple[Problem, Case]],
    rng: Rng,
    tick: Tick,
) -> tuple[Prediction, Truth]:
    answers = []
    tick()
    # By the clock, each fold's sources are other ones.
    again = arm.strategy.reads_fit or problem.clocked
    once = None if again else arm.fit(problem, rng.child("fit"), tick)
    for inner, held in folds:
        tick()
        fitted = once or arm.fit(inner, rng.child("fit"), tick)
        answers.append((fitted.answer(held), held.truth))
    return task.join(answers)

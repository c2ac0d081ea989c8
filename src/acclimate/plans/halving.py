"""Screen the ways to transfer before any of them is tuned; only the promising go on.

Tuning is most of what an arm takes: its settings times the folds.  One fit of its default
settings without the first of these folds, asked about that fold, takes a thirtieth of it
and tells which arms are near the best.  This is successive halving (Karnin, Koren & Somekh,
ICML 2013; Jamieson & Talwalkar, AISTATS 2016) in one rung, with folds and settings as what
is spent.  Departure: one goes on and not a half, for source-only and pooled, which are
simpler, are tuned in any case: they and what must be beaten are never screened.

Before: `prior` knows what is not worth its time.  After: `runner` tries what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from acclimate.domains.problem import Problem
from acclimate.errors import AcclimateError
from acclimate.models.model import Tick, idle
from acclimate.plans.budget import OutOfBudget
from acclimate.plans.plan import Plan, PutOff, Step
from acclimate.plans.prior import Prior, kind_of
from acclimate.plans.trial import Trial
from acclimate.plans.tune import first_fold
from acclimate.rng import Rng
from acclimate.tasks.task import Task

ALWAYS = ("target-only", "source-only", "pooled")
GOING_ON = 1  # of those screened
SCREENING = 0.1  # of the budget at most: what must be beaten comes after it


def halved(
    planned: Plan,
    prior: Prior,
    task: Task,
    problem: Problem,
    rng: Rng,
    tick: Tick = idle,
    report: Callable[[str], None] = lambda arm: None,
) -> Plan:
    """The plan without what experience puts off and without what a screening stops.

    prior   what other problems taught; a kind of problem it does not know is tried whole
    rng     the runner's, so that what is held out is tuning's first fold
    report  hears the name of each arm before it is screened

    An arm that cannot be screened, or not in the time that `tick` allows, stays: trying it
    tells why.
    """
    kind = kind_of(task.kind, problem)
    if kind not in prior.kinds or not problem.labelled:
        return planned
    kept: list[Step] = []
    put_off = list(planned.put_off)
    trials: dict[int, Trial] = {}
    for number, step in enumerate(planned.steps):
        strategy = step.arm.strategy
        why = prior.why_put_off(kind, step.arm) if strategy.transfers else None
        if why is not None:
            put_off.append(PutOff(step.arm.name, why))
            continue
        kept.append(step)
        if strategy.kind not in ALWAYS:
            report(step.arm.name)
            trial = screened(step, task, problem, rng, tick)
            if trial is not None:
                trials[number] = trial
    best = going_on([*trials.values()], task)
    stopped = {
        id(planned.steps[number]): PutOff(trial.arm.name, _behind(trial, best[0]))
        for number, trial in trials.items()
        if not any(trial is each for each in best)
    }
    steps = tuple(step for step in kept if id(step) not in stopped)
    return replace(planned, steps=steps, put_off=(*put_off, *stopped.values()))


def screened(
    step: Step, task: Task, problem: Problem, rng: Rng, tick: Tick = idle
) -> Trial | None:
    """One fit with default settings and its answer on the first fold.

    None where there is no fold, it cannot be fitted, or its answer has no score.
    """
    arm, key = step.arm, rng.child("tune")
    try:
        tick()
        fold = first_fold(task, arm.encoded(problem), key)
        if fold is None:
            return None
        inner, held = fold
        answer = arm.fit(inner, key.child("fit"), tick).answer(held)
    except (AcclimateError, OutOfBudget):
        return None
    value = float(task.score(answer, held.truth)[0])
    if not np.isfinite(value):
        return None
    trial = Trial(arm, "done", step.reason, task.metric.name, value)
    return replace(trial, n=held.truth.n_units, answer=(answer, held.truth))


def going_on(trials: Sequence[Trial], task: Task) -> list[Trial]:
    """Of screened ways to transfer those that are worth tuning, the best first."""
    order = sorted(trials, key=lambda trial: -task.metric.sign * trial.value)
    return order[:GOING_ON]


def _behind(trial: Trial, best: Trial) -> str:
    return (
        f"stopped early: with default settings its {trial.metric} was {trial.value:.4g} on "
        f"{trial.n:,} held-out units of the target, that of {best.arm.name} {best.value:.4g}"
    )

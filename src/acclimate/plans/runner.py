"""Try the arms of a plan in order until the budget is spent, and pick on `choose`.

Before: `plan` said what to try.  After: `verdicts` decides whether the pick may
replace target-only.  Nothing here knows the task it serves, and nothing here
looks at `judge`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Exam, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.errors import AcclimateError, BudgetError, StrategyError
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.plan import Plan, Step
from acclimate.plans.pool import EachOf, in_turn
from acclimate.plans.trial import Ended, Keeps, Trial, kept, kind_of, unheard
from acclimate.plans.tune import compare, tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.tasks.task import Task

REPLICATES = 400


Report = Callable[[str, int, int], None]
"""Called with (the arm that begins, arms ended, arms in all)."""


def run(
    plan: Plan,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    report: Report = lambda text, done, total: None,
    store: Keeps | None = None,
    each_of: EachOf = in_turn,
    ended: Ended = unheard,
) -> list[Trial]:
    """Every step's trial, in the plan's order.

    store    what was finished before is taken from there, and what is finished kept
    each_of  in turn, or several at once
    ended    hears every trial as it ends

    Raises BudgetError if not even one target-only arm could finish.
    """

    def one(numbered: tuple[int, Step]) -> Trial:
        number, step = numbered
        report(step.arm.name, number, len(plan.steps))
        trial = attempt(step, task, problem, exam, budget, rng, store)
        ended(trial)
        return trial

    trials = each_of(one, [*enumerate(plan.steps)])
    if not problem.labelled:
        return _with_source_only(trials)
    require_comparable(trials, plan, budget)
    return trials


def require_comparable(trials: Sequence[Trial], plan: Plan, budget: Budget) -> None:
    """Raises where not even one target-only arm finished: there is nothing to compare with."""
    alone = [t for t in trials if not t.arm.strategy.transfers]
    if not _done(alone):
        refused = [r.why for r in plan.refused if r.strategy == "target-only"]
        whys = "; ".join(dict.fromkeys([*refused, *(t.why for t in alone)]))
        if whys and all(t.status == "failed" for t in alone):
            raise StrategyError(
                f"Expected at least one target-only arm that can be fitted; found: {whys}. "
                "Mend the target's data: transfer is judged against doing without."
            )
        raise BudgetError(
            f"Expected at least one target-only arm within {budget.seconds:g} s; none "
            "finished. Raise --budget: transfer cannot be judged before doing without is known."
        )


def _with_source_only(trials: list[Trial]) -> list[Trial]:
    """The trials of a target without labels, where source-only is what there is to beat."""
    alone = [t for t in trials if t.arm.strategy.kind == "source-only"]
    if not _done(alone):
        whys = "; ".join(dict.fromkeys(t.why or t.status for t in alone)) or "no source fits"
        raise StrategyError(
            "Expected at least one source-only arm for a target without labels; found none "
            f"that could be fitted: {whys}. Mend the sources, or raise --budget."
        )
    return trials


def attempt(
    step: Step,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    store: Keeps | None = None,
    *,
    settled: bool = False,
) -> Trial:
    """Tune one arm, fit it and answer `choose`; a mistake of the data is a failed trial.

    settled  whether the arm has its settings, and is not tuned
    """

    def trial() -> Trial:
        return _tried(step, task, problem, exam, budget, rng, settled)

    return kept(step.arm, problem, budget, store, "settled" if settled else "tuned", trial)


def compared(
    arm: Arm,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    store: Keeps | None = None,
) -> Trial:
    """One arm as it is, scored on the folds by which arms are tuned; without an answer."""

    def trial() -> Trial:
        start, metric = time.monotonic(), task.metric.name
        try:
            budget.tick()
            encoded = arm.encoded(problem)
            value = compare(arm, task, encoded, rng.child("tune"), budget.tick)
        except OutOfBudget:
            return Trial(arm, "abandoned", "", metric, seconds=time.monotonic() - start)
        except AcclimateError as error:
            spent = time.monotonic() - start
            return Trial(arm, "failed", "", metric, seconds=spent, why=str(error))
        return Trial(arm, "done", "", metric, value, seconds=time.monotonic() - start)

    return kept(arm, problem, budget, store, "folds", trial)


def _tried(
    step: Step,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    settled: bool = False,
) -> Trial:
    start = time.monotonic()
    metric = task.metric.name
    try:
        budget.tick()
        arm, facts, answer, fit_seconds = _answer(
            step.arm, task, problem, exam, budget, rng, settled
        )
    except OutOfBudget:
        spent = time.monotonic() - start
        return Trial(step.arm, "abandoned", step.reason, metric, seconds=spent)
    except AcclimateError as error:
        spent = time.monotonic() - start
        return Trial(step.arm, "failed", step.reason, metric, seconds=spent, why=str(error))
    spent = time.monotonic() - start
    done = Trial(arm, "done", step.reason, metric, seconds=spent, facts=facts)
    done = replace(done, fit_seconds=fit_seconds)
    if answer is None or not answer[1].n_units:
        return done
    value, low, high = interval(task, *answer, rng.child("interval"))
    n, spent = answer[1].n_units, time.monotonic() - start
    return replace(done, value=value, low=low, high=high, n=n, seconds=spent, answer=answer)


def _answer(
    arm: Arm,
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    settled: bool,
) -> tuple[Arm, tuple[str, ...], tuple[Prediction, Truth] | None, float]:
    """The tuned arm, its facts, its answer on `choose`, and what its last fit took.

    No answer where the target is too small for one.
    """
    begun = time.monotonic()
    encoded = arm.encoded(problem)
    encoding = time.monotonic() - begun
    cross_fit = not exam.choose
    tuned = tune(
        arm,
        task,
        encoded,
        rng.child("tune"),
        budget.tick,
        cross_fit=cross_fit,
        settled=settled,
    )
    begun = time.monotonic()
    with budget.fitting(kind_of(arm), encoding):
        fitted = tuned.arm.fit(encoded, rng.child("fit"), budget.tick)
        answers = [(fitted.answer(case), case.truth) for case in exam.choose]
    took = time.monotonic() - begun + encoding
    if not cross_fit:
        return tuned.arm, fitted.facts, task.join(answers), took
    if tuned.prediction is None or tuned.truth is None:
        return tuned.arm, fitted.facts, None, took
    return tuned.arm, fitted.facts, (tuned.prediction, tuned.truth), took


def interval(
    task: Task, prediction: Prediction, truth: Truth, rng: Rng
) -> tuple[float, float, float]:
    """The primary metric with a 95 % percentile bootstrap over units."""
    value = float(task.score(prediction, truth)[0])
    if truth.n_units < 2 or not np.isfinite(value):
        return value, float("nan"), float("nan")
    replicates = task.score(prediction, truth, _weights(truth.n_units, rng))
    known = replicates[np.isfinite(replicates)]
    if len(known) < 0.9 * len(replicates):
        return value, float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return value, float(low), float(high)


def best_baseline(trials: Sequence[Trial], metric_sign: float) -> Trial:
    """The best target-only arm: what transfer must beat."""
    return _best([t for t in _done(trials) if not t.arm.strategy.transfers], metric_sign)


def pick(trials: Sequence[Trial], task: Task, rng: Rng) -> Trial | None:
    """The simplest transfer arm within one standard error of the best, or None.

    Simple is the strategy first, then the model: a closed form before trees before networks.
    The standard error is that of the paired difference to the best arm.  Where none
    has a value, nothing tells them apart and the simplest is taken.
    """
    candidates = [t for t in _done(trials) if t.arm.strategy.transfers]
    if not candidates:
        return None
    best = _best(candidates, task.metric.sign)
    near = _near(candidates, best, task, rng)
    sign = task.metric.sign
    return min(near, key=lambda t: (t.arm.strategy.complexity, t.arm.effort, -sign * t.value))


def tied(trials: Sequence[Trial], task: Task, rng: Rng) -> list[Trial]:
    """Of all arms with a value, those within one standard error of the best, itself included.

    The standard error is that of the paired difference, as in `pick`.  None where one arm
    stands alone or nothing could be scored.
    """
    known = [t for t in _done(trials) if np.isfinite(t.value) and t.answer is not None]
    if not known:
        return []
    best = _best(known, task.metric.sign)
    near = _near(known, best, task, rng)
    return near if len(near) > 1 else []


def best_of(trials: Sequence[Trial], strategy: str, metric_sign: float) -> Trial | None:
    """The best arm of one strategy, or None where none was finished."""
    found = [t for t in _done(trials) if t.arm.strategy.kind == strategy]
    return _best(found, metric_sign) if found else None


def forget_answers(trials: Sequence[Trial]) -> list[Trial]:
    """The trials without their predictions, which nothing after the pick needs."""
    return [replace(trial, answer=None) for trial in trials]


def _near(trials: Sequence[Trial], best: Trial, task: Task, rng: Rng) -> list[Trial]:
    """Those within one standard error of the best, of the paired difference to it."""
    if not np.isfinite(best.value) or len(trials) < 2:
        return list(trials)
    assert best.answer is not None
    weights = _weights(best.answer[1].n_units, rng.child("pick"))
    mark = task.score(*best.answer, weights)

    def near(trial: Trial) -> bool:
        if trial is best:
            return True
        assert trial.answer is not None
        gaps = mark - task.score(*trial.answer, weights)
        known = gaps[np.isfinite(gaps)]
        error = float(known.std()) if len(known) else 0.0
        return task.metric.sign * (best.value - trial.value) <= error

    return [trial for trial in trials if near(trial)]


def _weights(units: int, rng: Rng) -> Array:
    """(REPLICATES, units) multinomial bootstrap weights."""
    generator = rng.generator()
    return generator.multinomial(units, np.full(units, 1 / units), REPLICATES).astype(float)


def _done(trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if t.status == "done"]


def _best(trials: Sequence[Trial], sign: float) -> Trial:
    """The highest; where nothing could be scored, the first."""
    return max(trials, key=lambda t: sign * t.value if np.isfinite(t.value) else -np.inf)

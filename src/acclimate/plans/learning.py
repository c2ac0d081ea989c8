"""Fit arms on more and more of the target's labels, and score them on labels kept apart.

Before: a run chose an arm.  After: `verdicts.curve` reads off what transfer is worth.

Each draw puts the units of `fit` in an order that keeps classes in proportion; a fit on n
labels takes the first n of it, so that within a draw more labels contain fewer.  Settings
are tuned again for every fit, on its own labels, as if no others were there.  What is
scored on is `choose`, or, where a small target has none, a fifth of `fit` that is taken
out before; `judge` is not looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Case, Exam
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions, Rows, Sample, strata
from acclimate.domains.sentences import Sentences
from acclimate.errors import AcclimateError, BudgetError, StrategyError, UsageError
from acclimate.models.model import Tick
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.tasks.task import Task, unit_of_task

SIZES = 6
DRAWS = 10
FEWEST = 10  # labels of the smallest fit
SPREAD = 64  # times as many labels has the largest fit as the smallest, at most
REPLICATES = 200
HELD = 5  # one of so many folds is kept to score on, where there is no `choose`

Report = Callable[[str, int, int], None]
"""Called with (what is fitted, fits ended, fits in all that are known of)."""


@dataclass(frozen=True)
class Fits:
    """Errors of arms by number of labels; lower is better.

    labels    (s,) units fitted on, rising; the last is all there are
    unit      plural word for them
    errors    role → (draws, s, 1 + REPLICATES): on all that is scored on, then on bootstrap
              draws of its units, the same for every fit
    seconds   role → (s,) mean seconds of a fit, its tuning included
    scored    units scored on
    where     "choose", or "fit" where they were taken out of that
    left_out  numbers of labels that an arm cannot be fitted on → why
    """

    labels: Ints
    unit: str
    errors: Mapping[str, Array]
    seconds: Mapping[str, Array]
    scored: int
    where: str
    left_out: Mapping[int, str] = field(default_factory=dict)

    @property
    def draws(self) -> int:
        return len(next(iter(self.errors.values())))


def learn(
    arms: Mapping[str, Arm],
    task: Task,
    problem: Problem,
    exam: Exam,
    budget: Budget,
    rng: Rng,
    sizes: Sequence[int] = (),
    draws: int = DRAWS,
    report: Report = lambda text, done, total: None,
) -> Fits:
    """Fit every arm on every number of labels, draw after draw until the budget ends.

    arms   role → arm; one that does not read `fit` is fitted once
    sizes  numbers of labels; none: six, evenly apart on a log scale
    draws  ≥ 1, at most

    Raises BudgetError where not even one draw could be finished, UsageError where there are
    too few labels, or sizes that they do not hold.
    """
    cases, problem = scored_on(problem, exam, rng.child("held"))
    unit_of = units(problem.fit)
    here = int(unit_of.max(initial=-1)) + 1
    asked = wanted(sizes, here, problem.fit)
    unit = unit_of_task(task, problem.fit)
    scorer = _Scorer(task, cases, rng.child("units"))
    roles = [role for role, arm in arms.items() if arm.strategy.reads_fit]
    total, done = len(asked) * len(roles) * draws, 0
    whole: dict[str, _Fit] = {}  # on every label: each draw would be the same fit
    rows: list[list[dict[str, _Fit]]] = []
    missing: dict[int, str] = {}
    try:
        for role in arms:
            report(f"{role} on all {here:,} {unit}", done, total)
            whole[role] = scorer.fit(arms[role], problem, rng.child("draw/0"), budget.tick)
        for draw in range(draws):
            key, before = rng.child(f"draw/{draw}"), budget.spent
            order = in_proportion(problem.fit, unit_of, key.child("order"))
            row: list[dict[str, _Fit]] = []
            for size in asked:
                some = problem.with_fit(first(problem.fit, unit_of, order[:size]))
                found = {}
                for role in roles:
                    report(f"{role} on {size:,} {unit}", done, total)
                    done += 1
                    if size == here or size in missing:
                        found[role] = whole[role]
                        continue
                    try:
                        found[role] = scorer.fit(arms[role], some, key, budget.tick)
                    except AcclimateError as error:
                        missing[size] = str(error)
                        found[role] = whole[role]
                row.append(found)
            rows.append(row)
            if budget.left < budget.spent - before:
                break
    except OutOfBudget:
        pass
    if not rows:
        raise BudgetError(
            f"Expected to fit {len(roles)} arms on {len(asked)} numbers of labels within "
            f"{budget.seconds:g} s; the time ended before. Raise --budget, or name fewer "
            "with --labels."
        )
    kept = [at for at, size in enumerate(asked) if size not in missing]
    fits = {
        role: [[(row[at] if role in roles else whole)[role] for at in kept] for row in rows]
        for role in arms
    }
    errors = {r: np.array([[one.errors for one in row] for row in fits[r]]) for r in arms}
    seconds = {r: np.array([[one.seconds for one in row] for row in fits[r]]) for r in arms}
    return Fits(
        np.array(asked)[kept],
        unit,
        errors,
        {role: each.mean(axis=0) for role, each in seconds.items()},
        scorer.n,
        "choose" if exam.choose else "fit",
        missing,
    )


@dataclass(frozen=True)
class _Fit:
    errors: Array  # (1 + REPLICATES,)
    seconds: float


class _Scorer:
    """Fits an arm and scores it, under the same bootstrap weights of units every time."""

    def __init__(self, task: Task, cases: Sequence[Case], rng: Rng) -> None:
        self.task, self.cases = task, cases
        self.n = sum(case.truth.n_units for case in cases)
        share = np.full(self.n, 1 / max(self.n, 1))
        self.weights = rng.generator().multinomial(self.n, share, REPLICATES).astype(float)

    def fit(self, arm: Arm, problem: Problem, rng: Rng, tick: Tick) -> _Fit:
        tick()
        start = time.monotonic()
        if (why := arm.why_not(arm.selected(problem))) is not None:
            raise StrategyError(why)
        encoded = arm.encoded(problem)
        tuned = tune(arm, self.task, encoded, rng.child("tune"), tick, cross_fit=False)
        fitted = tuned.arm.fit(encoded, rng.child("fit"), tick)
        answer = self.task.join([(fitted.answer(case), case.truth) for case in self.cases])
        score = np.r_[self.task.score(*answer), self.task.score(*answer, self.weights)]
        return _Fit(-self.task.metric.sign * score, time.monotonic() - start)


def scored_on(problem: Problem, exam: Exam, rng: Rng) -> tuple[Sequence[Case], Problem]:
    """What arms are scored on, and the problem without it."""
    if any(case.truth.n_units for case in exam.choose):
        return exam.choose, problem
    folds = problem.inner(HELD, rng) if problem.labelled else []
    if not folds:
        raise UsageError(
            "Expected labels of the target to draw a curve of; found too few to set any "
            "apart. Label more rows first."
        )
    inner, held = folds[0]
    return (held,), inner


def wanted(sizes: Sequence[int], here: int, fit: Sample) -> list[int]:
    """Numbers of labels to fit on, rising; the last is all there are.

    Raises UsageError for numbers that are not there, and where no curve could be seen.
    """
    if strange := [size for size in sizes if not 2 <= size <= here]:
        raise UsageError(
            f"Expected numbers of labels from 2 to {here:,}, which are there to fit on; found "
            f"{', '.join(map(str, strange))}. Leave --labels out to have them chosen."
        )
    if sizes:
        return sorted({*sizes, here})
    fewest = max(FEWEST, here // SPREAD)
    label = getattr(fit, "label", None)
    if isinstance(fit, Rows) and not fit.numbers and label is not None:
        # Two of the rarest class, so that folds have one.
        rarest = float(np.unique(label, return_counts=True)[1].min()) / len(label)
        fewest = max(fewest, math.ceil(2 / rarest))
    if here < 2 * fewest:
        raise UsageError(
            f"Expected {2 * fewest:,} labels to fit on at least, twice the fewest that a fit "
            f"can use here; found {here:,}. A curve cannot be seen yet: gather more labels."
        )
    return sorted({round(size) for size in np.geomspace(fewest, here, SIZES)})


def units(fit: Sample) -> Ints:
    """(n,) the unit that each observation is drawn with: its entity, its user, or itself."""
    if isinstance(fit, Interactions):
        return np.unique(fit.user, return_inverse=True)[1].astype(np.int64)
    return fit.units()


def in_proportion(fit: Sample, unit_of: Ints, rng: Rng) -> Ints:
    """(units,) units in a random order whose beginnings hold classes in proportion."""
    shuffled = rng.generator().permutation(int(unit_of.max(initial=-1)) + 1)
    if isinstance(fit, Interactions):
        return shuffled
    of = fit.strata if isinstance(fit, Sentences) else strata(fit.label)  # type: ignore[arg-type]
    _, one = np.unique(unit_of, return_index=True)
    group = of[one][shuffled]
    place = np.empty(len(shuffled))
    for each in np.unique(group):
        members = np.flatnonzero(group == each)
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return shuffled[np.argsort(place, kind="stable")]


def first(fit: Sample, unit_of: Ints, kept: Ints) -> Sample:
    """The observations of these units, in their own order."""
    if isinstance(fit, Interactions):
        return fit.of_users(np.unique(fit.user)[np.sort(kept)])
    return fit.take(np.flatnonzero(np.isin(unit_of, kept)))

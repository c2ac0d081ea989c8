"""Do a source's labels mean what the target's mean?  A source that orders the target's
rows backwards is left out, and its owner told.

Before: a task posed the problem.  After: the plan is made with the sources that agree.
A model of a contradicting source still knows what matters, and a new head on top of it
may even turn its answer round; but labels that point the other way are a mistake of
somebody's far more often than knowledge, and nobody should ship on them unasked.

Classes are ordered by an area under the ROC curve, numbers by Spearman's rank correlation.

Sources of the errors: Hanley & McNeil, Radiology 1982, eq. 2–4; for the correlation Bonett &
Wright, Psychometrika 2000: Fisher's z = artanh ρ has variance (1 + ρ²/2) / (n − 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array, Bools
from acclimate.domains.exam import Numbers, Probabilities
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.gaps.gap import Gap
from acclimate.models.linear import Linear
from acclimate.models.model import Tick, idle
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.strategy import tells_others
from acclimate.tasks.scores import roc_auc

# One-sided 0.5 %: a source is only left out where chance hardly explains it.
Z = 2.576
# Fewer rows of a class than this say nothing about how it is ordered.
LEAST = 5
# Fewer rows than this say nothing about how numbers are ordered.
LEAST_NUMBERS = 10


@dataclass(frozen=True)
class Agreement:
    """How a model of one source alone orders the target's `fit` rows.

    value    classes: 0 … 1, mean over classes of the area under the ROC curve, one class
             against the rest; numbers: −1 … 1, Spearman's rank correlation
    chance   what no order at all gives: ½, or 0
    low, high  95 % interval of `value`
    most     what `value` is below with 99.5 % confidence
    """

    source: str
    target: str
    value: float
    chance: float
    low: float
    high: float
    most: float
    n_source: int
    n_target: int

    @property
    def contradicts(self) -> bool:
        """Whether the source orders the target's rows backwards beyond chance."""
        return self.most < self.chance

    @property
    def may_contradict(self) -> bool:
        """Whether the order is more than a standard error below chance, and no more is sure."""
        error = (self.high - self.value) / 1.96
        return not self.contradicts and self.value < self.chance - error

    @property
    def sentence(self) -> str:
        how = "with" if not self.contradicts else "backwards, with"
        advice = "; left out: check whether its labels mean the opposite" * self.contradicts
        if self.may_contradict:
            advice = (
                "; it may be backwards, which so few target labels cannot settle: check "
                "whether its labels mean the opposite"
            )
        if self.chance:
            return (
                f"{self.source}'s labels alone order {self.target}'s rows {how} an AUC of "
                f"{self.value:.2f} (0.50 is chance){advice}"
            )
        return (
            f"{self.source}'s labels alone order {self.target}'s rows {how} a rank correlation "
            f"of {self.value:.2f} (0.00 is chance){advice}"
        )

    def gap(self) -> Gap:
        """As one of the measures of the gap."""
        return Gap(
            measure="label-agreement",
            source=self.source,
            target=self.target,
            value=self.value,
            low=self.low,
            high=self.high,
            p=None,
            null_low=None,
            null_high=None,
            n_source=self.n_source,
            n_target=self.n_target,
            sentence=self.sentence,
        )


def agreements(problem: Problem, rng: Rng, tick: Tick = idle) -> list[Agreement]:
    """The agreement of each source that has one; none for tasks without row labels."""
    fit = problem.fit
    if not isinstance(fit, Rows) or fit.label is None or not fit.n:
        return []
    found = [_agreement(problem, source, fit, rng, tick) for source in problem.sources]
    return [each for each in found if each is not None]


def agreeing(problem: Problem, found: Sequence[Agreement]) -> Problem:
    """The problem with the sources that do not contradict it."""
    dropped = {each.source for each in found if each.contradicts}
    return problem.with_sources([s for s in problem.sources if s.name not in dropped])


def _agreement(
    problem: Problem, source: Source, fit: Rows, rng: Rng, tick: Tick
) -> Agreement | None:
    if not source.seen or tells_others(source):
        return None
    assert fit.label is not None
    alone = problem.with_sources([source])
    text = any(kind == "text" for kind in fit.types.values())
    arm = Arm(SourceOnly(), Linear() if text else Trees())
    answer = arm.fit(alone, rng.child(source.name), tick).predict(fit.unlabelled())
    sizes = (source.n, fit.n)
    if isinstance(answer, Numbers):
        found = rank_agreement(answer.y, np.asarray(fit.label, np.float64))
        return None if found is None else Agreement(source.name, problem.target, *found, *sizes)
    assert isinstance(answer, Probabilities)
    areas, errors = [], []
    classes = range(len(fit.classes)) if len(fit.classes) > 2 else (1,)
    for each in classes:
        positive = fit.label == each
        if min(positive.sum(), (~positive).sum()) < LEAST:
            continue
        area = float(roc_auc(answer.p[:, each], positive, np.ones((1, fit.n)))[0])
        areas.append(area)
        errors.append(standard_error(area, positive))
    if not areas:
        return None
    # Classes share rows: the mean of their errors is an upper bound of the mean's error.
    value, error = float(np.mean(areas)), float(np.mean(errors))
    low, high, most = value - 1.96 * error, value + 1.96 * error, value + Z * error
    return Agreement(source.name, problem.target, value, 0.5, low, high, most, *sizes)


def rank_agreement(guess: Array, y: Array) -> tuple[float, float, float, float, float] | None:
    """Spearman's ρ of two lists of numbers, 0, its 95 % interval and its 99.5 % upper bound.

    guess, y  (n,)
    None for fewer than 10 rows, and where one side is a single number.
    """
    if len(y) < LEAST_NUMBERS or np.ptp(guess) == 0 or np.ptp(y) == 0:
        return None
    from scipy.stats import rankdata

    value = float(np.corrcoef(rankdata(guess), rankdata(y))[0, 1])
    z = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12))
    error = math.sqrt((1 + value**2 / 2) / (len(y) - 3))
    low, high, most = (math.tanh(z + times * error) for times in (-1.96, 1.96, Z))
    return value, 0.0, low, high, most


def standard_error(area: float, positive: Bools) -> float:
    """Standard error of an area under the ROC curve (Hanley & McNeil 1982).

    area      0 … 1
    positive  (n,), at least one of each class
    """
    ones, zeros = int(positive.sum()), int((~positive).sum())
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (ones - 1) * (q1 - area**2) + (zeros - 1) * (q2 - area**2)
    return math.sqrt(max(spread, 0.0) / (ones * zeros))

"""Density ratio: weigh source rows by how much likelier the target is to hold them.

    w(x) = p_target(x) / p_source(x) = (n_s / n_t) · P(target | x) / P(source | x)

Source: Bickel, Brückner & Scheffer, JMLR 2009, section 3, with the logistic
regression that tells the domains apart.  Departures: the classifier is cross-fitted,
so that no row is weighed by a model that has seen it; weights are clipped so that
none is above `at_most` times the mean of what is left, and scaled to mean 1 (Cortes,
Mansour & Mohri, 2010, on why unbounded ratios break down).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Problem
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views, take_rows
from acclimate.models.linear import Linear
from acclimate.models.model import Model, Tick, idle
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Strategy, Weigh

FOLDS = 5
FEW = 2 * FOLDS  # rows of a side, below which nothing tells it from the other
LEAST = 1e-12  # of either domain's probability, before their ratio


@dataclass(frozen=True)
class DensityRatio(Weigh):
    """Correct covariate shift.  Needs no target labels; useless where labels mean other things.

    penalty  > 0, of the logistic regression that tells the domains apart
    at_most  > 1, in mean weights: what one row may weigh
    """

    penalty: float = 1.0
    at_most: float = 20.0

    kind: ClassVar[str] = "density-ratio"
    complexity: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not (0 < self.penalty < math.inf and 1 < self.at_most < math.inf):
            raise StrategyError(
                "Expected a finite penalty above 0 and a finite at_most above 1, found "
                f"{self.penalty} and {self.at_most}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := super().refuses(problem, model)) is not None:
            return why
        return cannot_tell_apart(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, penalty=100.0), replace(self, at_most=5.0))

    def weigh(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        target, weights = target_view(problem), {}
        for source in problem.sources:
            tick()
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            key = rng.child(source.name)
            weights[source.name] = ratios(view, target, self.penalty, self.at_most, key, tick)
        return problem.weighed(weights).knowing(*worth(weights))


def cannot_tell_apart(problem: Problem, model: Model) -> str | None:
    """Why the sources' rows cannot be compared with the target's, or None."""
    if model.form != "rows":
        return f"{model.kind} reads no rows whose domains could be told apart"
    rows = problem.fit.n + (problem.unlabelled.n if problem.unlabelled is not None else 0)
    if min(rows, *(source.n for source in problem.sources)) < FEW:
        return f"a side has fewer than {FEW} rows to tell the domains apart by"
    return None


def ratios(
    source: RowView,
    target: RowView,
    penalty: float,
    at_most: float,
    rng: Rng,
    tick: Tick = idle,
) -> Array:
    """(n_source,) weights with mean 1, each from a classifier that has not seen its row."""
    rows = np.repeat([0, 1], [source.n, target.n])
    both = replace(
        stack_views([replace(source, label=None), replace(target, label=None)]),
        label=rows,
        n_classes=2,
    )
    generator = rng.generator()
    fold = np.concatenate(
        [generator.permutation(np.arange(n) % FOLDS) for n in (source.n, target.n)]
    )
    learner, odds = Linear(penalty), np.empty(source.n)
    for each in range(FOLDS):
        tick()
        seen = take_rows(both, np.flatnonzero(fold != each))
        fitted = learner.fit(learner.prepare(seen), rng=rng, tick=tick)
        asked = np.flatnonzero(fold[: source.n] == each)
        answer = fitted.predict(replace(take_rows(source, asked), label=None))
        assert isinstance(answer, Probabilities)
        p = np.maximum(answer.p, LEAST)
        odds[asked] = p[:, 1] / p[:, 0]
    return clipped(odds, at_most)


def clipped(weight: Array, at_most: float) -> Array:
    """Weights scaled to mean 1, the largest cut until none is above `at_most`.

    weight   (n,) ≥ 0
    at_most  > 1
    returns  (n,) > 0, mean 1, in the order of `weight`

    Cutting at `at_most` means of what came in would not do: what is cut lowers the
    mean, and one row that outweighs all others would still do so.  A weight of 0 counts as
    1e-12 of the largest, because nothing else keeps one row of many below the limit where it
    alone has any; where none has, all are equal.
    """
    n, largest = len(weight), float(weight.max())
    weight = np.maximum(weight, LEAST * largest) if largest > 0 else np.ones(n)
    falling = np.sort(weight)[::-1]
    rest = np.cumsum(falling[::-1])[::-1]  # (n,) sum from each position on
    # With the first `cut` rows at c and all others as they are, c is at_most means.
    for cut in range(min(n, math.ceil(n / at_most))):
        most = float(rest[cut]) / (n / at_most - cut)
        if falling[cut] <= most:
            break
    lowered = np.minimum(weight, most)
    scaled: Array = lowered / lowered.mean()
    return scaled


def worth(weights: Mapping[str, Array]) -> list[str]:
    """A sentence for each source on how many of its rows weighting leaves.

    weights  source → (n,) ≥ 0
    """
    return [
        f"{name}: weighted, its {number_of(len(weight), 'row is', 'rows are')} worth "
        f"{number_of(round(effective_rows(weight)), 'equal one')}"
        for name, weight in weights.items()
    ]


def effective_rows(weight: Array) -> float:
    """Kish's effective sample size (Σw)² / Σw²: how many equal rows weigh as much."""
    return float(weight.sum() ** 2 / (weight @ weight))

"""Evidence weights: what a source's rows are worth, by how well held-out target rows are told.

    minimise  Σ_folds loss of the target's held-out rows under a fit to
              its other rows, weight 1, and the rows of source s, weight k·w_s
    over      w ≥ 0, Σ w = 1   (k sources: at w = 1/k it is `pooled`)

The fit is that of `linear`, whatever model the weights are for: dozens of fits are needed.
From equal weights on, one source's weight at a time is doubled, halved or set to 0 and all
are scaled to sum 1; the best step that lowers the loss by more than two standard errors is
taken while there is one, so that sources which are alike stay alike.

Source: weights of whole sources by their error on the target are Ben-David et al., Machine
Learning 79 (2010), section 6 (the α-weighted error); their search by cross-validation is
ours.  The search is greedy: the objective is not convex in w, as the fit moves with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import positions
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, spread
from acclimate.domains.source import Derived
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views
from acclimate.models.ensemble import LEAST, content
from acclimate.models.linear import Linear
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.strategy import Strategy, Weigh

FEW = 10
MOST_STEPS = 20
FACTORS = (0.0, 0.5, 2.0)

_WEIGHTS = Derived(2**24)


@dataclass(frozen=True)
class EvidenceWeights(Weigh):
    """Share out weight between sources; one that harms gets none.

    folds    ≥ 2, of the target's labelled rows
    errors   ≥ 0, standard errors by which a step must lower the loss
    penalty  > 0, of the linear model that is fitted
    """

    folds: int = 3
    errors: float = 2.0
    penalty: float = 1.0

    kind: ClassVar[str] = "evidence-weights"
    complexity: ClassVar[int] = 1
    needs_labels: ClassVar[bool] = True
    reads_fit: ClassVar[bool] = True
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        right = 0 <= self.errors < math.inf and 0 < self.penalty < math.inf
        if self.folds < 2 or not right:
            raise StrategyError(
                "Expected at least 2 folds, finite errors of at least 0 and a finite penalty "
                f"above 0, found {self.folds}, {self.errors} and {self.penalty}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := super().refuses(problem, model)) is not None:
            return why
        if model.form != "rows":
            return f"{model.kind} reads no rows whose sources could be weighed"
        if (why := teaches_nothing(problem)) is not None:
            return why
        if len(problem.sources) < 2:
            return (
                "there is one source, and no other to weigh it against; "
                "density-ratio weighs rows"
            )
        if not isinstance(problem.fit, Rows) or problem.fit.units().max() < FEW - 1:
            return (
                f"the target's labelled rows are of fewer than {FEW} entities to weigh "
                "sources by"
            )
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, errors=0.5))

    def weigh(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        found = len(problem.sources) * self.shares(problem, rng, tick)
        pairs = [*zip(problem.sources, found.tolist(), strict=True)]
        facts = [f"{s.name}: a row counts {each:.2f} of one of the target" for s, each in pairs]
        return problem.weighed(
            {source.name: np.full(source.n, each) for source, each in pairs}
        ).knowing(*facts)

    def shares(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Array:
        """(k,) ≥ 0, sum 1: the weight of each source.

        rng  only its seed is used, so that every setting of a model sees the same weights;
             they are worked out once
        """
        encoder = problem.encoder
        assert encoder is not None, "call encoded() before shares()"
        seed = rng.key.partition("/")[0]
        prints = [source.fingerprint for source in problem.sources]
        key = (problem.fit.fingerprint, encoder.fingerprint, *prints, repr(self), seed)

        def compute() -> Array:
            told = losses_of(problem, self, Rng(seed).child("evidence-weights"), tick)
            return descended(told, len(problem.sources), self.errors)

        return _WEIGHTS.get(key, compute)


def losses_of(
    problem: Problem, settings: EvidenceWeights, rng: Rng, tick: Tick = idle
) -> Callable[[Array], Array]:
    """w (k,) → (units,) the loss of each of the target's units while it is held out."""
    fit = problem.fit
    assert isinstance(fit, Rows) and fit.label is not None
    label = fit.label
    own, *theirs = (
        rows_view(view)
        for view in (problem.view(fit), *map(problem.source_view, problem.sources))
    )
    learner, units = Linear(settings.penalty), fit.units()
    fold = spread(units, label, settings.folds, rng)
    prepared = learner.prepare(stack_views([own, *theirs]))
    before = [np.ones(s.n) if s.weight is None else s.weight for s in problem.sources]
    bare = replace(own, label=None)
    last: dict[int, Linear] = {}

    def losses(w: Array) -> Array:
        each = np.empty(fit.n)
        factors = len(w) * w
        parts = [factor * weight for factor, weight in zip(factors, before, strict=True)]
        for number in range(int(fold.max()) + 1):
            tick()
            weight = np.concatenate([(fold != number).astype(float), *parts])
            # From the last weights' fit the next one's is near.
            start = last.get(number)
            last[number] = learner.fit(prepared, weight=weight, start=start, rng=rng, tick=tick)
            asked = fold == number
            each[asked] = row_losses(content(last[number].predict(bare)), label)[asked]
        total: Array = np.bincount(units, each).astype(np.float64)
        return total

    return losses


def row_losses(answer: Array, label: Array | Ints) -> Array:
    """(n,) log loss of chances (n, n_classes), squared error of numbers (n,)."""
    if answer.ndim == 1:
        return np.square(answer - label)
    true = positions(label)
    found: Array = -np.log(np.maximum(answer[np.arange(len(answer)), true], LEAST))
    return found


def descended(losses: Callable[[Array], Array], k: int, errors: float) -> Array:
    """(k,) weights ≥ 0 with sum 1 from which no step lowers the losses clearly.

    losses  w (k,) → (units,)
    errors  ≥ 0, standard errors of the units' differences that a step must gain
    """
    w = np.full(k, 1 / k)
    here = losses(w)
    for _ in range(MOST_STEPS):
        best, to = 1e-9 * abs(float(here.sum())), None
        for after in neighbours(w):
            there = losses(after)
            gain = here - there
            error = float(gain.std(ddof=1) * np.sqrt(len(gain)))
            # Of clear steps the longest, not the clearest: halving is always surer than 0.
            if gain.sum() > max(best, errors * error):
                best, to = float(gain.sum()), (after, there)
        if to is None:
            break
        w, here = to
    return w


def neighbours(w: Array) -> list[Array]:
    """The weights with one source's doubled, halved or 0, scaled to sum 1."""
    found = []
    for source in np.flatnonzero(w):
        for factor in FACTORS:
            after = w.copy()
            after[source] *= factor
            if after.sum() > 0 and not np.allclose(after / after.sum(), w):
                found.append(after / after.sum())
    return found


def rows_view(view: object) -> RowView:
    """The view as that of rows."""
    assert isinstance(view, RowView)
    return view

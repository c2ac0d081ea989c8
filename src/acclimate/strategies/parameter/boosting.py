"""Boosting that goes on: the sources' trees with more of the target's, or with its leaves.

    boosting         F(x) = F_source(x) + η Σ_{m ≤ rounds} h_m(x)
    boosting-refit   each leaf of F_source becomes decay·old + (1 − decay)·new

Every h_m is fitted to the gradient of the target's loss at what stands so far, the
first at F_source; no row of a source is read again.  Formulas of leaves in
`models.boosted`.

Source: Friedman, Annals of Statistics 2001, algorithm 1, whose F₀ is the sources' model
in the place of a constant; refitted leaves as LightGBM's `refit` describes them.
Departures: learning begins at F_source and not at the share of classes; a leaf
without target rows stays as it was.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Bools
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.model import Grows, Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.given import learned_elsewhere, serves_fitted, unlike
from acclimate.strategies.parameter.pretrain import begun
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.strategy import Adapt, Strategy


class FromTrees(Adapt):
    """Start from trees of the sources: fitted here, handed on, or of an artifact."""

    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES
    unasked: ClassVar[bool] = False

    def why_not_source(self, source: Source) -> str | None:
        return None if serves_fitted(source) else super().why_not_source(source)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Grows):
            return f"{model.kind} has no trees that others could follow or whose leaves move"
        if (why := unlike(problem, model)) is not None:
            return why
        known = _classes_elsewhere(problem)
        if known is None:
            if (why := teaches_nothing(problem)) is not None:
                return why
            known = _values(problem)
            if len(known) < 2:
                return "the rows of the sources hold a single label, which no tree explains"
        fit = problem.fit
        assert isinstance(fit, Rows)
        held = [] if fit.numbers or fit.label is None else np.unique(fit.label).tolist()
        lacking = [fit.classes[each] for each in held if each not in known]
        if lacking:
            return f"the sources' trees know no {', '.join(lacking)}, which the target has"
        return None

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        start = begun(problem, model, rng, tick)
        assert isinstance(start, Grows)
        return self.follow(start, problem, rng.child(self.kind), tick)

    @abstractmethod
    def follow(self, start: Grows, problem: Problem, rng: Rng, tick: Tick) -> Model:
        """What the target's rows make of the sources' trees."""


@dataclass(frozen=True)
class Boosting(FromTrees):
    """The sources' trees, and behind them trees fitted to what they leave of the target.

    rounds  ≥ 0, trees more (times the number of classes, beyond two); 0 is source-only
    """

    rounds: int = 50

    kind: ClassVar[str] = "boosting"
    complexity: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if self.rounds < 0:
            raise StrategyError(f"Expected 0 rounds or more, found {self.rounds}.")

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, rounds=rounds) for rounds in (50, 15, 150))

    def follow(self, start: Grows, problem: Problem, rng: Rng, tick: Tick) -> Model:
        return start.grown(problem.view(problem.fit), self.rounds, rng=rng, tick=tick)


@dataclass(frozen=True)
class RefitLeaves(FromTrees):
    """The sources' splits with leaves drawn to what the target's rows say.

    decay  0 … 1, what stays of a leaf; 1 is source-only
    """

    decay: float = 0.9

    kind: ClassVar[str] = "boosting-refit"
    complexity: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= 1:
            raise StrategyError(f"Expected a decay from 0 to 1, found {self.decay}.")

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, decay=decay) for decay in (0.9, 0.7, 0.98))

    def follow(self, start: Grows, problem: Problem, rng: Rng, tick: Tick) -> Model:
        return start.releaved(problem.view(problem.fit), self.decay, tick=tick)


def _classes_elsewhere(problem: Problem) -> list[float] | None:
    """The classes that a fitted model among the sources tells apart; None: it gives rows."""
    learned = learned_elsewhere(problem)
    if learned is None:
        return None
    known: Bools = learned.fitted.classes  # type: ignore[attr-defined]
    return [float(each) for each in np.flatnonzero(known)]


def _values(problem: Problem) -> list[float]:
    """The distinct labels of the sources' rows."""
    samples = (source.sample for source in problem.sources)
    labels = [s.label for s in samples if isinstance(s, Rows) and s.label is not None]
    found: list[float] = np.unique(np.concatenate(labels)).tolist()
    return found

"""A Strategy: one way of using sources for a target, or why it does not apply.

Before: the runner encoded the problem with the statistics the strategy names.
After: the runner scores what it returns on data the strategy never saw.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from acclimate.domains.problem import Problem, Statistics
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng


class Strategy(ABC):
    """Adapt: (problem, model) → fitted model.  Subclasses are frozen dataclasses.

    kind        its name in the catalogue
    reads       what it needs of each source: ⊆ {rows, moments, gram, fitted, gradients}
    statistics  whose rows the encoder is fitted on
    complexity  order of simplicity; the plan takes the simplest arm within one
                standard error of the best
    transfers   whether a source is used at all
    reads_fit   whether the target's own labels are; tuning fits the others once
    """

    kind: ClassVar[str]
    reads: ClassVar[frozenset[str]] = frozenset()
    statistics: ClassVar[Statistics]
    complexity: ClassVar[int]
    transfers: ClassVar[bool] = True
    reads_fit: ClassVar[bool] = True

    def why_not(self, problem: Problem, model: Model) -> str | None:
        """A reason this strategy does not apply here, or None.

        Checks the sources and what they share, then asks `refuses`.
        """
        if self.transfers and not problem.sources:
            return "there is no source"
        for source in problem.sources if self.transfers else ():
            missing = sorted(self.reads - source.shares)
            if missing:
                return f"source {source.name!r} does not share its {' or '.join(missing)}"
        return model.why_not() or self.refuses(problem, model)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        """What this strategy needs of this model or problem and does not find, or None."""
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        """The settings that tuning may try, in order, the default among them."""
        return (self,)

    @abstractmethod
    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        """Fit `model` for the target of an encoded problem."""

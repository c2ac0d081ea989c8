"""A Strategy: one way of using sources for a target, or why it does not apply.

Before: the runner encoded the problem with the statistics the strategy names.
After: the runner scores what it returns on data the strategy never saw.

A step reshapes (views of the sources, and a map for the target's rows), weighs
(rows or whole sources) or adapts (fits, or goes on fitting, a model).  Steps
compose in a `chain`; one that only reshapes or weighs needs one behind it that
adapts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.sentences import Sentences
from acclimate.domains.source import Source
from acclimate.models.model import Model, ReadsText, Tick, Weighted, idle
from acclimate.rng import Rng


class Strategy(ABC):
    """(problem, model) → (problem, model).  Subclasses are frozen dataclasses.

    kind         its name in the catalogue
    reads        what it needs of each source: ⊆ {rows, moments, gram, fitted, gradients}
    statistics   whose rows the encoder is fitted on
    complexity   order of simplicity; the plan takes the simplest arm within one
                 standard error of the best
    transfers    whether a source is used at all
    reads_fit    whether the target's own labels are; tuning fits the others once
    needs_labels whether it is nothing without them
    hands_on     whether the next step of a chain can go on from the model it fits
    unasked      whether a plan tries it without being told to; the others wait for their
                 name, or "every", among the strategies asked for
    moves        whether it reshapes views, of which models of text read nothing
    relates      whether it learns from sources that tell other classes apart
    """

    kind: ClassVar[str]
    reads: ClassVar[frozenset[str]] = frozenset()
    statistics: ClassVar[Statistics]
    complexity: ClassVar[int]
    transfers: ClassVar[bool] = True
    reads_fit: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    hands_on: ClassVar[bool] = True
    unasked: ClassVar[bool] = True
    relates: ClassVar[bool] = False
    moves: ClassVar[bool] = False

    def why_not(self, problem: Problem, model: Model) -> str | None:
        """A reason this strategy does not apply here, or None.

        Checks labels, the sources and what they share, then asks `refuses`.
        """
        if problem.numbers and not getattr(model, "takes_numbers", False):
            return f"{model.kind} predicts no numbers"
        if isinstance(model, ReadsText):
            if not _has_text(problem):
                return f"{model.kind} reads text, and the rows have no column of it"
            if self.moves:
                return f"{model.kind} reads texts as they are written, which no step moves"
        if self.needs_labels and not problem.labelled:
            return "the target has no labelled rows to fit on"
        if self.transfers and not problem.sources:
            return "there is no source"
        for source in problem.sources if self.transfers else ():
            if (why := self.why_not_source(source) or teaches_nothing(source)) is not None:
                return why
        return model.why_not() or self.refuses(problem, model)

    def why_not_source(self, source: Source) -> str | None:
        """Why a source cannot be used, or None: by default what it does not share.

        A strategy that does with a fitted model instead of rows says so here.
        """
        missing = sorted(self.reads - source.shares)
        if missing:
            return f"source {source.name!r} does not share its {' or '.join(missing)}"
        if not self.relates and tells_others(source):
            return (
                f"source {source.name!r} tells other classes apart than the target, which "
                "co-tuning alone learns from"
            )
        return None

    def refuses(self, problem: Problem, model: Model) -> str | None:
        """What this strategy needs of this model or problem and does not find, or None."""
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        """The settings that tuning may try, in order, the default among them."""
        return (self,)

    def models(self, model: Model) -> tuple[Model, ...]:
        """The settings of the model that tuning may try under this strategy.

        All of its grid; a strategy that fits many models for one answers with fewer.
        """
        return model.grid()

    @abstractmethod
    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        """Take an encoded problem and a model one step on."""


def _has_text(problem: Problem) -> bool:
    return isinstance(problem.fit, Rows) and ColumnType.TEXT in problem.fit.types.values()


def tells_others(source: Source) -> bool:
    """Whether a source tells other classes apart than the target, and none of its own."""
    return source.seen and isinstance(source.sample, Rows) and source.sample.elsewhere


def teaches_nothing(source: Source) -> str | None:
    """Why sentences of a source hold nothing to learn, or None."""
    if source.seen and isinstance(source.sample, Sentences):
        why = source.sample.why_nothing()
        return None if why is None else f"source {source.name!r} {why}"
    return None


class Reshape(Strategy):
    """Move the numeric or sparse columns of views; codes pass through."""

    moves: ClassVar[bool] = True
    statistics: ClassVar[Statistics] = Statistics.BOTH
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    needs_labels: ClassVar[bool] = False
    reads_fit: ClassVar[bool] = False

    @abstractmethod
    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        """The problem as `Problem.reshaped` gives it back."""

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        return self.reshape(problem, rng, tick), model


class Weigh(Strategy):
    """Give rows of sources, or whole sources, weights."""

    statistics: ClassVar[Statistics] = Statistics.BOTH
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    needs_labels: ClassVar[bool] = False
    reads_fit: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Weighted) or not model.takes_weights:
            return f"{model.kind} takes no row weights"
        return None

    @abstractmethod
    def weigh(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        """The problem as `Problem.weighed` gives it back."""

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        return self.weigh(problem, rng, tick), model


class Adapt(Strategy):
    """Fit a model for the target, from the start or from one that was handed on."""

    @abstractmethod
    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        """Fit `model` for the target of an encoded problem.

        model  a specification, or the fitted model of the step before; a strategy that
               begins anew fits over it
        """

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        return problem, self.adapt(problem, model, rng, tick)

"""Start from a network that the sources taught: handed on, from an artifact, or pretrained.

Before: the encoder took its statistics from the sources alone, so that the same
network serves every fold of the target and every setting of a strategy.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

from acclimate.arrays import Tensor
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.source import Derived, Source
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.given import learned_elsewhere, serves_fitted, unlike
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt

M = TypeVar("M", bound=Model)

_PRETRAINED = Derived(2**28)


class GoOn(Adapt):
    """Go on training, with the target's rows, a network that sources taught."""

    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES

    def why_not_source(self, source: Source) -> str | None:
        return None if serves_fitted(source) else super().why_not_source(source)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return no_start(problem, model)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        start: Any = begun(problem, model, rng, tick)
        prepared = start.prepare(problem.view(problem.fit))
        key = rng.child("finetune")
        for number, tuning in enumerate(self.stages(start)):
            own = key.child(f"{number}") if number else key
            start = start.tune(prepared, tuning, start=start, rng=own, tick=tick)
        fitted: Model = start
        return fitted

    def stages(self, start: Trainable) -> tuple[Tuning, ...]:
        """Trainings one after the other, each from where the one before ended."""
        return (self.tuning(start),)

    @abstractmethod
    def tuning(self, start: Trainable) -> Tuning:
        """What this changes about training that begins at `start`."""


def begun(problem: Problem, model: M, rng: Rng, tick: Tick = idle) -> M:
    """The network to go on from: the step before's, an artifact's, or one pretrained here."""
    if getattr(model, "fitted", None) is not None:
        return model
    learned = learned_elsewhere(problem)
    if learned is not None:
        assert isinstance(learned, type(model))
        return learned
    return pretrained(problem, model, rng, tick)


def pretrained(problem: Problem, model: M, rng: Rng, tick: Tick = idle) -> M:
    """`model` fitted on the rows of all sources, by their weights.

    rng  only its seed is used: which fold or setting asked first must not matter.

    Computed once for the same sources, encoder, settings of the model and seed.
    """
    assert problem.encoder is not None, "call encoded() first"
    seed = rng.key.partition("/")[0]
    sources = [source.fingerprint for source in problem.sources]
    key = (*sources, problem.encoder.base.fingerprint, repr(model), seed)

    def compute() -> tuple[M, tuple[Tensor, ...]]:
        prepared = model.prepare(stack(source_views(problem)))
        weight, own = row_weights(problem.sources), Rng(seed).child("pretrain")
        fitted = model.fit(prepared, weight=weight, rng=own, tick=tick)
        # The arrays stand beside the model for the cache to see their size.
        return fitted, tuple(fitted.state().tensors.values())  # type: ignore[return-value]

    return _PRETRAINED.get(key, compute)[0]


def no_start(problem: Problem, model: Model) -> str | None:
    """Why there is no network to start from, or None."""
    if not isinstance(model, Trainable):
        return (
            f"{model.kind} has no layers that training could start from or hold: not a network"
        )
    if (why := unlike(problem, model)) is not None:
        return why
    return None if learned_elsewhere(problem) is not None else no_labels(problem)


def no_labels(problem: Problem) -> str | None:
    """Why the sources have no labelled rows to pretrain on, or None."""
    for source in problem.sources:
        sample = source.sample
        if not isinstance(sample, Rows) or sample.label is None or not sample.n:
            return f"source {source.name!r} has no labelled rows to pretrain on"
    return None

"""Pretrain: a network fitted on all source rows, once for all that start from it.

Before: the encoder took its statistics from the sources alone, so that the same
network serves every fold of the target and every setting of a strategy.
"""

from __future__ import annotations

from typing import TypeVar

from acclimate.arrays import Tensor
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Derived
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Trainable
from acclimate.rng import Rng
from acclimate.strategies.stacking import source_views, stack

M = TypeVar("M", bound=Model)

_PRETRAINED = Derived(2**28)


def pretrained(problem: Problem, model: M, rng: Rng, tick: Tick = idle) -> M:
    """`model` fitted on the rows of all sources.

    rng  only its seed is used: which fold or setting asked first must not matter.

    Computed once for the same sources, encoder, settings of the model and seed.
    """
    assert problem.encoder is not None, "call encoded() first"
    seed = rng.key.partition("/")[0]
    sources = [source.sample.fingerprint for source in problem.sources]
    key = (*sources, problem.encoder.fingerprint, repr(model), seed)

    def compute() -> tuple[M, tuple[Tensor, ...]]:
        prepared = model.prepare(stack(source_views(problem)))
        fitted = model.fit(prepared, rng=Rng(seed).child("pretrain"), tick=tick)
        # The arrays stand beside the model for the cache to see their size.
        return fitted, tuple(fitted.state().tensors.values())  # type: ignore[return-value]

    return _PRETRAINED.get(key, compute)[0]


def no_start(problem: Problem, model: Model) -> str | None:
    """Why there is no pretrained network to start from, or None."""
    if not isinstance(model, Trainable):
        return (
            f"{model.kind} has no layers that training could start from or hold: not a network"
        )
    for source in problem.sources:
        sample = source.sample
        if not isinstance(sample, Rows) or sample.label is None or not sample.n:
            return f"source {source.name!r} has no labelled rows to pretrain on"
    if not isinstance(problem.fit, Rows) or problem.fit.label is None or not problem.fit.n:
        return "the target has no labelled rows to fine-tune on"
    return None

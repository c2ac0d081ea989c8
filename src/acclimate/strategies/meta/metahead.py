"""A meta-learned head on a body that is held: the last step of a longer recipe.

    body and adapter held;  minimise over the head h
    mean over tasks of  L(h − α ∇L(h; support); query), with features of the held body

Source: the inner loop is ANIL's: Raghu, Raghu, Bengio & Vinyals, ICLR 2020
(arXiv:1909.09157), section 4.
Departure: the outer loop moves the head alone too, so that what earlier steps made of
the body (shared across tasks, aligned with the target) comes back bit for bit.  Features
are then the same at every step, and made once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from acclimate.domains.episodes import WAYS, Episodes
from acclimate.domains.problem import Problem
from acclimate.models.model import Tick
from acclimate.models.network import Batch, Params, Trainable
from acclimate.rng import Rng
from acclimate.strategies.meta.inner import Loss
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.strategy import Strategy

AT_ONCE = 8192  # rows whose features are made together
FEATURES = "features"


@dataclass(frozen=True)
class MetaHead(Maml):
    """Meta-learn the head of the network that was handed on, or that the sources taught.

    Settings as those of `Maml`; the inner loop is the head's.  Where tasks by `by` are too
    few, as with one source, they are users, or else values of a category.
    """

    inner: Literal["all", "head"] = "head"

    kind: ClassVar[str] = "meta-head"
    complexity: ClassVar[int] = 7

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, alpha=5 * self.alpha))

    def episodes(self, problem: Problem, rng: Rng) -> Episodes:
        ways = (self.by, *(way for way in WAYS if way != self.by))
        found = [Maml.episodes(replace(self, by=way), problem, rng) for way in ways]
        return next((each for each in found if each.why_not() is None), found[0])

    def outer(self, model: Trainable) -> frozenset[str] | None:
        return model.heads()

    def descending(self, model: Trainable, params: Params) -> frozenset[str]:
        return model.heads()

    def seen(
        self, model: Trainable, params: Params, prepared: Any, tick: Tick
    ) -> tuple[dict[str, Any], Loss]:
        """Features of the held body and labels."""
        import torch

        tensors = model.stream(prepared).tensors
        pieces = []
        with torch.no_grad():
            for first in range(0, prepared.n, AT_ONCE):
                tick()
                rows = slice(first, first + AT_ONCE)
                batch = {name: value[rows] for name, value in tensors.items()}
                pieces.append(model.features(params, batch))

        def loss(params: Params, batch: Batch) -> torch.Tensor:
            return model.cost(params, batch[FEATURES], batch)

        return {FEATURES: torch.cat(pieces), "label": tensors["label"]}, loss

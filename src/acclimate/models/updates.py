"""How gradients move parameters.

Before: `network.train` combined the gradients of a step.  After: it goes on with
the parameters that come back.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from acclimate.models.streams import Params

if TYPE_CHECKING:
    import torch


class Update(Protocol):
    """How gradients move parameters."""

    def begin(self, params: Params) -> Any:
        """Whatever it must remember between steps."""
        ...

    def __call__(self, params: Params, grads: Params, memory: Any, progress: float) -> Params:
        """The next parameters; it may write into these, which belong to the loop."""
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv:1412.6980) whose rate falls to zero along a half cosine.

    rate          > 0, at the first step
    penalty       ≥ 0, λ of loss + (λ/2)·‖θ‖², so that training rests where that sum does.
                  Decoupled decay has no such place: at a small rate it hardly holds what
                  few rows move
    multipliers   parameter → factor on its rate, 1 where absent
    penalties     parameter → its own λ, in place of `penalty`
    anchored      parameters without the penalty: those another one already holds.  Vectors
                  (biases) have none either.
    """

    rate: float = 2e-3
    penalty: float = 0.0
    multipliers: Mapping[str, float] = field(default_factory=dict)
    penalties: Mapping[str, float] = field(default_factory=dict)
    anchored: Collection[str] = frozenset()

    def begin(self, params: Params) -> torch.optim.Optimizer:
        import torch

        groups: dict[tuple[float, float], list[torch.Tensor]] = {}
        for name, value in params.items():
            held = value.ndim > 1 and name not in self.anchored
            penalty = self.penalties.get(name, self.penalty) if held else 0.0
            key = (self.multipliers.get(name, 1.0), penalty)
            groups.setdefault(key, []).append(value)
        return torch.optim.Adam(
            [
                # PyTorch's Adam adds its weight_decay · θ to the gradient.
                {"params": values, "multiplier": multiplier, "weight_decay": penalty}
                for (multiplier, penalty), values in groups.items()
            ],
            lr=self.rate,
            fused=True,
        )

    def __call__(
        self, params: Params, grads: Params, memory: torch.optim.Optimizer, progress: float
    ) -> Params:
        rate = self.rate * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in memory.param_groups:
            group["lr"] = rate * group["multiplier"]
        for name, value in params.items():
            # The fused kernel reads memory in order and ignores strides, without a word.
            value.grad = grads[name].contiguous()
        memory.step()
        return params

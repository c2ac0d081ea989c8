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
class AdamW:
    """Decoupled AdamW whose rate falls to zero along a half cosine.

    rate          > 0, at the first step
    weight_decay  ≥ 0, multiplied by the rate as in the paper (arXiv:1711.05101)
    multipliers   parameter → factor on its rate, 1 where absent
    anchored      parameters without weight decay: those a penalty already holds.
                  Vectors (biases) never decay.
    """

    rate: float = 2e-3
    weight_decay: float = 0.0
    multipliers: Mapping[str, float] = field(default_factory=dict)
    anchored: Collection[str] = frozenset()

    def begin(self, params: Params) -> torch.optim.Optimizer:
        import torch

        groups: dict[tuple[float, float], list[torch.Tensor]] = {}
        for name, value in params.items():
            decay = 0.0 if value.ndim < 2 or name in self.anchored else self.weight_decay
            groups.setdefault((self.multipliers.get(name, 1.0), decay), []).append(value)
        return torch.optim.AdamW(
            [
                {"params": values, "multiplier": multiplier, "weight_decay": decay}
                for (multiplier, decay), values in groups.items()
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

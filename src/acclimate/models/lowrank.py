"""Changes of low rank beside a network's matrices, by name: W + scale · B A.

Source: Hu et al., ICLR 2022 (arXiv:2106.09685), section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from acclimate.models.streams import Params, torch_generator
from acclimate.rng import Rng

DOWN, UP = "lora.down.", "lora.up."  # A and B of the matrix whose name follows


@runtime_checkable
class KeepsFactors(Protocol):
    """A network that is run, trained and kept with A and B beside its matrices."""

    def why_no_factors(self) -> str | None:
        """What is missing for that, or None."""
        ...

    def matrices(self) -> list[str]:
        """Names of the matrices of its body that may have some."""
        ...


def factors(params: Params, names: Sequence[str], rank: int, rng: Rng) -> Params:
    """Fresh A and B of these matrices; their product is 0."""
    import torch

    found: Params = {}
    for name in names:
        generator = torch_generator(rng.child(name))
        outputs, inputs = params[name].shape
        drawn = torch.rand(rank, inputs, generator=generator) * 2 - 1
        found[DOWN + name] = drawn * math.sqrt(3.0 / inputs)
        found[UP + name] = torch.zeros(outputs, rank)
    return found


def merged(params: Params, scale: float) -> Params:
    """The network's own parameters, W + scale · B A in the place of W."""
    own = {name: v for name, v in params.items() if not name.startswith((DOWN, UP))}
    low = {
        name: scale * params[UP + name] @ params[DOWN + name]
        for name in own
        if UP + name in params
    }
    return own | {name: own[name] + change for name, change in low.items()}


def scaled(params: Params, scale: float) -> Params:
    """The same with scale · B in the place of B: what is merged at scale 1."""
    return {n: scale * value if n.startswith(UP) else value for n, value in params.items()}

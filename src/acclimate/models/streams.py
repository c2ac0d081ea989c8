"""Named tensors, and the rows that batches of them are drawn from.

Before: a model made tensors of a view.  After: `network.train` takes a batch from
every stream at each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

Params: TypeAlias = "dict[str, torch.Tensor]"
Batch: TypeAlias = "Mapping[str, torch.Tensor]"
Noise: TypeAlias = "Callable[[int, torch.Generator], Batch]"


@dataclass(frozen=True)
class Stream:
    """Rows that batches are drawn from.

    tensors  name → (n, …)
    size     > 0, rows a batch; fewer where that makes the batches of a pass even
    noise    (rows, generator) → further tensors of a batch, such as dropout masks
    mass     > 0, the sum of the rows' weights as they were given; 0 for that of equal ones
    """

    tensors: Batch
    size: int
    noise: Noise | None = None
    mass: float = 0.0

    @property
    def n(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __post_init__(self) -> None:
        if not self.mass:
            object.__setattr__(self, "mass", float(self.n))

    @property
    def batches_a_pass(self) -> int:
        return max(1, math.ceil(self.n / self.size))

    def draw(self, rng: Rng) -> Iterator[Batch]:
        """Batches without end, reshuffled at each pass."""
        import torch

        generator = torch_generator(rng)
        size = math.ceil(self.n / self.batches_a_pass)
        while True:
            whole = size == self.n
            order = torch.arange(0) if whole else torch.randperm(self.n, generator=generator)
            for first in range(0, self.n, size):
                rows = order[first : first + size]
                batch = {k: v if whole else v[rows] for k, v in self.tensors.items()}
                length = self.n if whole else len(rows)
                yield batch | dict(self.noise(length, generator) if self.noise else {})


def together(streams: Mapping[str, Stream], rng: Rng) -> Iterator[dict[str, Batch]]:
    """A batch from every stream at each step; a short stream starts over on its own.

    Each stream has its own key, so that adding one changes no other's order.
    """
    drawn = {name: stream.draw(rng.child(name)) for name, stream in streams.items()}
    while True:
        yield {name: next(batches) for name, batches in drawn.items()}


def torch_generator(rng: Rng) -> torch.Generator:
    """A PyTorch generator from a key."""
    import torch

    return torch.Generator().manual_seed(rng.seed)

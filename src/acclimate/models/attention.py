"""Task attention: one network for all tasks, and masks by which each picks its features.

    a¹ = σ(h¹(g¹(u¹))),  a² = σ(h²(g²([u²; f(a¹ ⊙ p¹)]))),  features a² ⊙ p²

with uʲ a shared hidden layer before and pʲ after its activation; g and f linear layers
with ReLU, h a linear one; g, h and f are the task's own.

Source: Liu, Johns & Davison, CVPR 2019, eq. 1–2 (MTAN, arXiv:1803.10704).
Departures: dense layers where the paper has convolutions; no batch normalisation, whose
running statistics would mix tasks; two blocks, as the network has two layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from acclimate.models.joint import JointNetwork, layer
from acclimate.models.layers import inputs, linear, names
from acclimate.models.streams import Batch, Params

if TYPE_CHECKING:
    import torch

MASKS = ("mask1.down", "mask1.up", "join", "mask2.down", "mask2.up")


@dataclass(frozen=True)
class Mtan(JointNetwork):
    """A shared body and attention of each task on it.

    units  > 0, of the layer inside a mask
    """

    kind: ClassVar[str] = "mtan-network"

    units: int = 32

    def parts(self, inputs: int, generator: torch.Generator) -> Params:
        width, units = self.width, self.units
        sizes = {
            "hidden1": (inputs, width),
            "hidden2": (width, width),
            "mask1.down": (width, units),
            "join": (width, width),
            "mask2.down": (2 * width, units),
        }
        params: Params = {}
        for name, (before, after) in sizes.items():
            params |= layer(name, before, after, generator)
        for name in ("mask1.up", "mask2.up"):
            params |= layer(name, units, width, generator, gain=1.0)
        return params

    def private(self) -> frozenset[str]:
        return names(*MASKS)

    def features_of(
        self, views: Sequence[Params], batch: Batch, tasks: Sequence[int]
    ) -> list[torch.Tensor]:
        import torch
        import torch.nn.functional as F

        shared = views[0]
        u1 = linear(shared, "hidden1", inputs(shared, batch))
        p1 = F.gelu(u1)
        if "keep.hidden1" in batch:
            p1 = p1 * batch["keep.hidden1"]
        u2 = linear(shared, "hidden2", p1)
        p2 = F.gelu(u2)
        if "keep.hidden2" in batch:
            p2 = p2 * batch["keep.hidden2"]
        found = []
        for view in views:
            mask1 = torch.sigmoid(
                linear(view, "mask1.up", F.relu(linear(view, "mask1.down", u1)))
            )
            joined = torch.cat([u2, F.relu(linear(view, "join", mask1 * p1))], -1)
            inner = F.relu(linear(view, "mask2.down", joined))
            found.append(torch.sigmoid(linear(view, "mask2.up", inner)) * p2)
        return found

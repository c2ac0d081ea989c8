"""Cross-stitch networks: a network for each task, whose layers mix what all of them made.

    x̃_k = Σ_j α_kj ⊙ x_j     after each hidden layer, α_kj one number a unit, learned

Source: Misra, Shrivastava, Gupta & Hebert, CVPR 2016, eq. 1 (arXiv:1604.03539), with one
α a channel.  α begins at `mine` on the task itself and the rest in equal parts on the
others, as section 4 does.  Departures: embeddings of columns are shared by all tasks; the
networks begin at random and not at networks of the single tasks; α learns at the
network's rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from acclimate.models.joint import JointNetwork, fresh
from acclimate.models.layers import inputs
from acclimate.models.streams import Batch, Params

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class CrossStitch(JointNetwork):
    """Towers side by side, stitched after each layer.

    mine  0 … 1, what a task begins with of its own units; 1: networks apart
    """

    kind: ClassVar[str] = "cross-stitch-network"

    mine: float = 0.9

    def parts(self, inputs: int, generator: torch.Generator) -> Params:
        import torch

        tasks, width = self.tasks, self.width
        rest = (1.0 - self.mine) / max(tasks - 1, 1)
        even = torch.full((tasks, tasks), rest)
        even.fill_diagonal_(self.mine if tasks > 1 else 1.0)
        stitch = even.unsqueeze(2).repeat(1, 1, width)  # (to, from, width)
        return {
            "towers.first": fresh((tasks * width, inputs), inputs, generator),
            "towers.first.bias": torch.zeros(tasks * width),
            "towers.second": fresh((tasks, width, width), width, generator),
            "towers.second.bias": torch.zeros(tasks * width),
            # Flat, so that no penalty draws what a task takes from another to 0.
            "stitch.first": stitch.flatten(),
            "stitch.second": stitch.flatten(),
        }

    def private(self) -> frozenset[str]:
        return frozenset()

    def features_of(
        self, views: Sequence[Params], batch: Batch, tasks: Sequence[int]
    ) -> list[torch.Tensor]:
        import torch
        import torch.nn.functional as F

        params = views[0]
        x = inputs(params, batch)
        first = F.gelu(F.linear(x, params["towers.first"], params["towers.first.bias"]))
        first = first.view(len(x), self.tasks, -1).transpose(0, 1)  # (tasks, n, width)
        if "keep.hidden1" in batch:
            first = first * batch["keep.hidden1"]
        first = self.stitched(params["stitch.first"], first)
        bias = params["towers.second.bias"].view(self.tasks, 1, -1)
        second = F.gelu(torch.baddbmm(bias, first, params["towers.second"]))
        if "keep.hidden2" in batch:
            second = second * batch["keep.hidden2"]
        second = self.stitched(params["stitch.second"], second)
        return [second[task] for task in tasks]

    def stitched(self, stitch: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """(tasks, n, width) each task's units, mixed from those of all."""
        import torch

        alpha = stitch.view(self.tasks, self.tasks, -1)
        return torch.einsum("kjw,jnw->knw", alpha, x)

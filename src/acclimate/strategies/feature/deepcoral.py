"""Deep CORAL: features whose covariances are alike on both sides.

    minimise  mean label loss + strength · ‖C_s − C_t‖²_F / (4d²)

Source: Sun & Saenko, ECCV workshops 2016, equations 1–3 (arXiv:1607.01719).
Departures: the features below the head instead of its scores, as in a market of two
classes there are but two of these; the target's labelled rows, where there are any, count
in the label's loss; covariances count rows by their weights, with the unbiased divisor
Σw − Σw²/Σw, which is n − 1 for equal ones.

Means are not aligned: where markets differ by a mean, see `dan` or `dann`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from acclimate.domains.problem import Problem
from acclimate.models.network import Batch, Losses, Params, Step, Trainable
from acclimate.rng import Rng
from acclimate.strategies.feature.aligning import Align, Shape, foreign_weights
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DeepCoral(Align):
    """Draw the covariances of both sides' features together.

    strength  ≥ 0, factor on ‖C_s − C_t‖²_F / (4d²); 0 is `pooled`
    """

    strength: float = 10.0

    kind: ClassVar[str] = "deep-coral"
    complexity: ClassVar[int] = 6
    unasked: ClassVar[bool] = False

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        weaker, stronger = self.strength / 10, self.strength * 10
        return (self, replace(self, strength=weaker), replace(self, strength=stronger))

    def against(self, model: Trainable, shape: Shape, rng: Rng) -> Step:
        """The label's loss, and how far apart the two covariances are."""
        import torch

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            rows = batches["rows"]
            theirs = model.features(params, rows)
            ours = model.features(params, batches["target"])
            apart = coral_loss(theirs, ours, foreign_weights(rows), torch.ones_like(ours[:, 0]))
            label = model.cost(params, theirs, rows)
            return {"label": label, "apart": self.strength * apart}

        return step


def coral_loss(
    theirs: torch.Tensor,
    ours: torch.Tensor,
    weight: torch.Tensor,
    own_weight: torch.Tensor,
) -> torch.Tensor:
    """‖C_s − C_t‖²_F / (4d²); 0 where a side has fewer than two rows of weight.

    theirs, ours        (m, d) and (n, d) features
    weight, own_weight  (m,) and (n,) ≥ 0
    """
    import torch

    enough = ((weight > 0).sum() > 1) & ((own_weight > 0).sum() > 1)
    apart = covariance(theirs, weight) - covariance(ours, own_weight)
    loss = apart.square().sum() / (4.0 * theirs.shape[1] ** 2)
    return torch.where(enough, loss, torch.zeros_like(loss))


def covariance(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(d, d) the unbiased covariance of rows that count by their weights."""
    total = weight.sum().clamp_min(1e-12)
    away = x - weight @ x / total
    divisor = (total - weight.square().sum() / total).clamp_min(1e-6)
    return (away * weight.unsqueeze(1)).T @ away / divisor

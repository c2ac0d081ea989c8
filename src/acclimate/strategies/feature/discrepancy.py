"""DAN and JAN: features whose kernel means are alike on both sides.

    minimise  mean label loss + strength · MMD²(sources, target)

    MMD² = Σ_{i≠j} k(s_i, s_j)/(m(m−1)) + Σ_{i≠j} k(t_i, t_j)/(n(n−1)) − 2 Σ k(s_i, t_j)/(mn)

DAN: k(x, y) is a mean of Gaussians exp(−‖x − y‖²/γ_u) of the features, with γ_u the mean
squared distance of a batch times ¼, ½, 1, 2 and 4.
JAN: k is that of the features times that of the answers, softmax or number; strength
rises as DANN's λ does.

Source: DAN, Long, Cao, Wang & Jordan, ICML 2015 (arXiv:1502.02791); JAN, Long, Zhu, Wang
& Jordan, ICML 2017 (arXiv:1605.06636).  The estimate is the unbiased quadratic one of
Gretton et al., JMLR 13 (2012), lemma 6, over each pair of batches; it may be negative and
is never clamped, so that its gradient is right where the sides are alike.
Departures: that estimate instead of the linear-time one, as a batch is small; one layer of
features, the last; equal weights of the kernels, which DAN learns; the mean squared
distance instead of the median, without a gradient; the target's labelled rows, where there
are any, count in the label's loss; pairs count by the product of their rows' weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from acclimate.domains.problem import Problem
from acclimate.models.network import Batch, Losses, Params, Step, Trainable
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import ramp
from acclimate.strategies.feature.aligning import Align, Shape, answers, foreign_weights
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch

KERNELS = 5  # each twice as wide as the one before; the middle one at the mean distance


@dataclass(frozen=True)
class Dan(Align):
    """Draw together what a kernel sees of the features of both sides.

    strength  ≥ 0, factor on MMD²; 0 is `pooled`
    """

    kind: ClassVar[str] = "dan"
    complexity: ClassVar[int] = 7
    unasked: ClassVar[bool] = False

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        weaker, stronger = self.strength / 3, self.strength * 3
        return (self, replace(self, strength=weaker), replace(self, strength=stronger))

    def factor(self, progress: float) -> float:
        """What MMD² counts at this point of the training."""
        return self.strength

    def kernel(
        self,
        model: Trainable,
        params: Params,
        both: torch.Tensor,
        pairs: torch.Tensor,
        classes: int,
    ) -> torch.Tensor:
        """(rows, rows) the kernel of the features of both sides."""
        return gaussians(both, pairs)

    def against(self, model: Trainable, shape: Shape, rng: Rng) -> Step:
        """The label's loss, and how far apart the two sides' features are."""
        import torch

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            rows = batches["rows"]
            theirs = model.features(params, rows)
            ours = model.features(params, batches["target"])
            weight, own_weight = foreign_weights(rows), torch.ones_like(ours[:, 0])
            both, each = torch.cat([theirs, ours]), torch.cat([weight, own_weight])
            kernel = self.kernel(model, params, both, pairs_of(each), shape.classes)
            apart = discrepancy(kernel, weight, own_weight)
            label = model.cost(params, theirs, rows)
            return {"label": label, "apart": self.factor(progress) * apart}

        return step


@dataclass(frozen=True)
class Jan(Dan):
    """Draw together features and answers jointly."""

    kind: ClassVar[str] = "jan"
    complexity: ClassVar[int] = 8

    def factor(self, progress: float) -> float:
        return self.strength * ramp(progress)

    def kernel(
        self,
        model: Trainable,
        params: Params,
        both: torch.Tensor,
        pairs: torch.Tensor,
        classes: int,
    ) -> torch.Tensor:
        said = answers(model, params, both, classes)
        return gaussians(both, pairs) * gaussians(said, pairs)


def discrepancy(
    kernel: torch.Tensor, weight: torch.Tensor, own_weight: torch.Tensor
) -> torch.Tensor:
    """MMD² of weighted rows, unbiased; 0 where a side has fewer than two rows of weight.

    kernel      (m + n, m + n), the m rows of the sources first
    weight      (m,) ≥ 0
    own_weight  (n,) ≥ 0
    """
    import torch

    m = len(weight)
    theirs, ours = pairs_of(weight), pairs_of(own_weight)
    enough = (theirs.sum() > 0) & (ours.sum() > 0)

    def mean(block: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        return (block * pairs).sum() / pairs.sum().clamp_min(1e-12)

    across = weight.unsqueeze(1) * own_weight
    value = (
        mean(kernel[:m, :m], theirs)
        + mean(kernel[m:, m:], ours)
        - 2.0 * mean(kernel[:m, m:], across)
    )
    return torch.where(enough, value, torch.zeros_like(value))


def pairs_of(weight: torch.Tensor) -> torch.Tensor:
    """(n, n) w_i · w_j, 0 where i = j."""
    import torch

    outer = weight.unsqueeze(1) * weight
    return outer - torch.diag(outer.diagonal())


def gaussians(x: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """(n, n) the mean of five Gaussian kernels around the mean squared distance.

    x      (n, d)
    pairs  (n, n) ≥ 0, what each pair counts in the mean distance
    """
    squares = x.square().sum(1)
    distance = (squares.unsqueeze(1) + squares - 2.0 * x @ x.T).clamp_min(0.0)
    mean = (distance.detach() * pairs).sum() / pairs.sum().clamp_min(1e-12)
    # The widest first: half the width is its square.
    kernel = (-distance / (mean.clamp_min(1e-12) * 2.0 ** (KERNELS // 2))).exp()
    total = kernel
    for _ in range(KERNELS - 1):
        kernel = kernel.square()
        total = total + kernel
    return total / KERNELS

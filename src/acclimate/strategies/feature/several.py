"""MDAN: a discriminator for each of several sources, the worst source counting most.

    minimise over body and head  (1/γ) log Σ_i exp(γ(ε_i − λ·L_i))
    each discriminator minimises its own L_i

with ε_i the mean label loss of source i and L_i its discriminator's loss against the
target.  So source i counts softmax_i(γ(ε_i − λ·L_i)): more where its labels are learned
badly or it is told from the target easily.

Source: Zhao et al., NeurIPS 2018, "Adversarial multiple source domain adaptation", soft
version of the bound (arXiv:1705.09684).  Chosen before moment matching (M³SDA, Peng et
al. 2019), which serves a head for each source: this one leaves one plain network.
Departures: λ rises as DANN's; discriminators learn at full rate whatever their source
counts, as the maximum over them stands inside the bound; a source counts in a step where
its batch holds rows of it; the target's labelled rows, where there are any, count by
their share of the batch's weight beside the sources.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.model import Model
from acclimate.models.network import Batch, Losses, Params, Step, Trainable
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import (
    Dann,
    discriminator,
    domain_loss,
    ramp,
    reverse,
)
from acclimate.strategies.feature.aligning import Shape
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Mdan(Dann):
    """Train on several sources, each against its own discriminator.

    gamma  > 0, how much the worst source counts: near 0 all alike, large it alone
    """

    gamma: float = 10.0

    kind: ClassVar[str] = "mdan"
    complexity: ClassVar[int] = 8
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gamma < math.inf:
            raise StrategyError(
                f"Expected a finite gamma above 0, found {self.gamma}. "
                "Near 0 all sources count alike."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := super().refuses(problem, model)) is not None:
            return why
        if len(problem.sources) < 2:
            return "there is one source, which dann and deep-coral align; mdan aligns several"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, strength=1.0), replace(self, gamma=1.0))

    def beside(self, shape: Shape, rng: Rng) -> Params:
        return {
            named(number, name): value
            for number in range(1, shape.sources + 1)
            for name, value in discriminator(
                shape.width, self.hidden, rng.child(f"discriminator/{number}")
            ).items()
        }

    def against(self, model: Trainable, shape: Shape, rng: Rng) -> Step:
        """The sources' label losses as they count, and the discriminators'."""
        import torch

        told_by = [*discriminator(shape.width, self.hidden, rng)]

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            rows = batches["rows"]
            theirs = model.features(params, rows)
            ours = model.features(params, batches["target"])
            weight = rows["weight"] if "weight" in rows else torch.ones_like(theirs[:, 0])
            scale = self.strength * ramp(progress)
            masks = [weight * (rows["market"] == each) for each in range(shape.sources + 1)]
            own, *others = (weighed_cost(model, params, theirs, rows, mask) for mask in masks)
            label = torch.stack(others)
            discriminators = [
                {name: params[named(each, name)] for name in told_by}
                for each in range(1, shape.sources + 1)
            ]
            with torch.no_grad():
                apart = torch.stack(
                    [
                        domain_loss(held, theirs, ours, mask)
                        for held, mask in zip(discriminators, masks[1:], strict=True)
                    ]
                )
                there = torch.stack([mask.sum() > 0 for mask in masks[1:]])
                counts = shares(label - scale * apart, there, self.gamma)
            mine = masks[0].sum() / weight.sum()
            counts = (1.0 - mine) * counts
            told = [
                domain_loss(
                    held, reverse(theirs, scale * count), reverse(ours, scale * count), mask
                )
                for held, mask, count in zip(discriminators, masks[1:], counts, strict=True)
            ]
            learned = mine * own + (counts * label).sum()
            return {"label": learned, "domain": (there * torch.stack(told)).sum()}

        return step


def weighed_cost(
    model: Trainable,
    params: Params,
    features: torch.Tensor,
    batch: Batch,
    weight: torch.Tensor,
) -> torch.Tensor:
    """The mean label loss of rows by their weights, 0 where all weights are."""
    mean = weight.mean().clamp_min(1e-12)
    return model.cost(params, features, {**batch, "weight": weight / mean})


def shares(loss: torch.Tensor, there: torch.Tensor, gamma: float) -> torch.Tensor:
    """(k,) softmax of γ · loss over the sources that are there; 0 for the others.

    loss   (k,) ε_i − λ·L_i
    there  (k,) whether the batch holds rows of the source
    """
    import torch

    held = torch.where(there, gamma * loss, torch.full_like(loss, -1e30))
    return torch.softmax(held, 0) * there


def named(source: int, name: str) -> str:
    """What the parameter of a source's own discriminator is called."""
    return f"source{source}.{name}"

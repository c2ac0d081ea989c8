"""CDAN: DANN's discriminator sees what the features say together with the answer.

    h = f ⊗ g   g = softmax(head(f)), held: no gradient of the discriminator passes it
    with entropy:  rows weigh w = 1 + e^(−H(g)) in the discriminator's loss

Source: Long, Cao, Wang & Jordan, NeurIPS 2018 (arXiv:1705.10667): the multilinear map and,
above 4,096 products, the randomised one T = (R_f f) ⊙ (R_g g)/√d of equation 6 with d =
1,024 and entries of variance 1, drawn once; entropy conditioning (CDAN+E); λ as DANN's.
Departures: those of `adversarial`; each side's weights are scaled to sum 1, as the loss is
a mean for each side; the weights are held too, so that the head does not learn to be
unsure where the discriminator is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from acclimate.domains.problem import Problem
from acclimate.models.model import Model
from acclimate.models.network import Batch, Losses, Params, Step, Trainable, torch_generator
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import (
    Dann,
    discriminator,
    domain_loss,
    ramp,
    reverse,
)
from acclimate.strategies.feature.aligning import Shape, answers, foreign_weights

if TYPE_CHECKING:
    import torch

MOST_PRODUCTS = 4096
RANDOM_PRODUCTS = 1024

Products: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"


@dataclass(frozen=True)
class Cdan(Dann):
    """Align features for each answer, so that classes do not mix while sides do.

    entropy  whether rows of sure answers count more; "cdan-e" in the catalogue
    """

    entropy: bool = False

    kind: ClassVar[str] = "cdan"
    complexity: ClassVar[int] = 8
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.entropy:
            # One class, two entries of the catalogue, as the paper has two methods.
            object.__setattr__(self, "kind", "cdan-e")

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if problem.numbers:
            return (
                f"the label is a number, and {self.kind} aligns by classes; dann does without"
            )
        return super().refuses(problem, model)

    def beside(self, shape: Shape, rng: Rng) -> Params:
        return discriminator(products(shape), self.hidden, rng.child("discriminator"))

    def against(self, model: Trainable, shape: Shape, rng: Rng) -> Step:
        """The two losses of a step; λ grows with progress."""
        product = multilinear(shape, rng.child("map"))

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            rows = batches["rows"]
            theirs = model.features(params, rows)
            ours = model.features(params, batches["target"])
            said, asked = (
                answers(model, params, f, shape.classes).detach() for f in (theirs, ours)
            )
            weight, own_weight = foreign_weights(rows), None
            if self.entropy:
                weight, own_weight = weight * sureness(said), sureness(asked)
            scale = self.strength * ramp(progress)
            told = domain_loss(
                params,
                product(reverse(theirs, scale), said),
                product(reverse(ours, scale), asked),
                weight,
                own_weight,
            )
            return {"label": model.cost(params, theirs, rows), "domain": told}

        return step


def products(shape: Shape) -> int:
    """What the discriminator sees of a row: all products, or so many random ones."""
    whole = shape.width * shape.classes
    return whole if whole <= MOST_PRODUCTS else RANDOM_PRODUCTS


def multilinear(shape: Shape, rng: Rng) -> Products:
    """(features (n, width), answers (n, classes)) → (n, products)."""
    import torch

    size = products(shape)
    if size == shape.width * shape.classes:
        return lambda f, g: (g.unsqueeze(2) * f.unsqueeze(1)).flatten(1)
    generator = torch_generator(rng)
    of_features = torch.randn(shape.width, size, generator=generator)
    of_answers = torch.randn(shape.classes, size, generator=generator)
    return lambda f, g: (f @ of_features) * (g @ of_answers) / math.sqrt(size)


def sureness(p: torch.Tensor) -> torch.Tensor:
    """(n,) 1 + e^(−H), H = −Σ p ln p: from 1 + 1/classes, all alike, to 2, one certain."""
    import torch

    return 1.0 + torch.exp(torch.special.xlogy(p, p).sum(-1))

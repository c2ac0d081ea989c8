"""A step along other tasks' gradients, by learned attention.

    θ_i = θ − α Σ_j a_ij ∇L_j(θ; support_j)        a = softmax_j(q_i · k_j / √d)
    q_i = Φ_q e_i,   k_j = Φ_k e_j                  masked: j ≠ i

What tells a task, e: the mean of the body's features over its support, and the gradient
of its support loss with respect to the head, each at θ and of length 1.  The first
says which rows a task has, the second what their labels ask for.

Scaled dot products as in Vaswani et al., NeurIPS 2017, equation 1 (arXiv:1706.03762).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from acclimate.models.network import Batch, Losses, Params, Step
from acclimate.strategies.meta.boards import BOARD, one
from acclimate.strategies.meta.inner import Loss, side

if TYPE_CHECKING:
    import torch

Features: TypeAlias = "Callable[[Params, Batch], torch.Tensor]"

QUERY, KEY = "attention.query", "attention.key"
LEAST = 1e-12


@dataclass(frozen=True)
class Told:
    """What support rows say of tasks.

    summary    (tasks, e)
    gradients  name → (tasks, …), of the support loss at θ
    """

    summary: torch.Tensor
    gradients: Params


@dataclass(frozen=True)
class Attention:
    """How a task is adapted by the gradients of others.

    loss      of parameters and a batch
    features  (rows, width) of parameters and a batch
    heads     names of the head's parameters
    moving    names of the parameters that are adapted
    alpha     > 0, α
    masked    whether a task is kept from its own gradient
    """

    loss: Loss
    features: Features
    heads: Collection[str]
    moving: Collection[str]
    alpha: float
    masked: bool

    def told(self, params: Params, support: Batch) -> tuple[torch.Tensor, Params]:
        """Of one task: the mean features of its rows, and the gradient of its loss."""
        import torch

        moving = {name: params[name] for name in sorted({*self.moving, *self.heads})}
        gradients = torch.func.grad(lambda own: self.loss(params | own, support))(moving)
        found = self.features(params, support)
        weight = support["weight"].unsqueeze(-1) if "weight" in support else 1.0
        return (found * weight).mean(0), gradients

    def summed(self, features: torch.Tensor, gradients: Params) -> Told:
        """What many tasks told.

        features   (tasks, width)
        gradients  name → (tasks, …)
        """
        import torch

        read = torch.cat([gradients[name].flatten(1) for name in sorted(self.heads)], 1)
        kept = {name: gradients[name] for name in sorted(self.moving)}
        return Told(torch.cat([unit(features), unit(read)], 1), kept)

    def all_told(self, params: Params, supports: Batch) -> Told:
        """What every task of a board tells, side by side."""
        import torch

        return self.summed(*torch.func.vmap(lambda rows: self.told(params, rows))(supports))

    def adapted(
        self, params: Params, phi: Params, supports: Batch
    ) -> tuple[Params, torch.Tensor]:
        """name → (tasks, …), each task's own parameters; and (tasks, tasks) attention."""
        told = self.all_told(params, supports)
        a = attention(told.summary @ phi[QUERY].T, told.summary @ phi[KEY].T, self.masked)
        return moved(params, told.gradients, a, self.alpha), a


def unit(x: torch.Tensor) -> torch.Tensor:
    """Rows of length 1; a row of zeros stays one."""
    return x * (x.square().sum(-1, keepdim=True) + LEAST).rsqrt()


def attention(query: torch.Tensor, key: torch.Tensor, masked: bool) -> torch.Tensor:
    """(n, m) a_ij, rows sum to 1; masked and alone, a task attends to nobody.

    query   (n, d)
    key     (m, d)
    masked  j = i is left out; n = m then
    """
    import torch

    scores = query @ key.T / key.shape[1] ** 0.5
    if masked and len(key) == 1:
        return torch.zeros_like(scores)
    if masked:
        own = torch.eye(len(key), dtype=torch.bool)
        scores = scores.masked_fill(own, -torch.inf)
    return torch.softmax(scores, 1)


def moved(params: Params, gradients: Params, a: torch.Tensor, alpha: float) -> Params:
    """name → (n, …): θ_i = θ − α Σ_j a_ij g_j.

    gradients  name → (m, …)
    a          (n, m)
    """
    return {
        name: params[name]
        - alpha * (a @ each.reshape(len(each), -1)).reshape(-1, *each.shape[1:])
        for name, each in gradients.items()
    }


def attending(attention: Attention, names: Collection[str], rows: Batch) -> Step:
    """The step of the outer loop: the mean query loss of a board, in θ and φ together.

    names  of the network's own parameters; the others are φ
    rows   name → (n, …), the rows that episodes point at
    """
    import torch

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        board = one(batches[BOARD])
        own = {name: params[name] for name in names}
        ends, _ = attention.adapted(own, params, side(rows, board, "support"))

        def alone(end: Params, query: Batch) -> torch.Tensor:
            return attention.loss(own | end, query)

        return {"query": torch.func.vmap(alone)(ends, side(rows, board, "query")).mean()}

    return step

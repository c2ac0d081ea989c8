"""Look one step ahead: how a task's gradient step changes the loss of another.

    θ′ = θ − α ∇L_i(θ) over the shared parameters, heads as they are

Before: `sharing` gave each task a loss.  After: `autolambda` learns weights from it, and
`affinity` measures which tasks belong together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from acclimate.models.network import Params

if TYPE_CHECKING:
    import torch


def gradient(loss: torch.Tensor, params: Params, names: Collection[str]) -> Params:
    """The gradient over the named parameters, 0 where the loss does not depend on one."""
    import torch

    moving = {name: params[name] for name in names if params[name].requires_grad}
    found = torch.autograd.grad(loss, [*moving.values()], retain_graph=True, allow_unused=True)
    return {
        name: torch.zeros_like(value) if grad is None else grad
        for (name, value), grad in zip(moving.items(), found, strict=True)
    }


def stepped(params: Params, gradients: Params, rate: float) -> Params:
    """The parameters after a plain step, as constants."""
    return {
        name: (value - rate * gradients[name] if name in gradients else value).detach()
        for name, value in params.items()
    }


def summed(gradients: Mapping[str, Params], weights: Mapping[str, float]) -> Params:
    """Σ_k w_k g_k."""
    first = next(iter(gradients.values()))
    return {
        name: sum(
            (weights[task] * each[name] for task, each in gradients.items()),
            start=0 * first[name],
        )
        for name in first
    }


def dot(one: Params, other: Params) -> float:
    """The inner product of two gradients."""
    return float(sum(float((value * other[name]).sum()) for name, value in one.items()))

"""Sinusoid regression: the made tasks that meta-learners are compared on.

Finn, Abbeel & Levine 2017, section 5.1 (arXiv:1703.03400): a task is y = A sin(x − φ) with
A ~ U[0.1, 5], φ ~ U[0, π], x ~ U[−5, 5]; ten labels, mean squared error, a network of two
hidden layers of 40 ReLU units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from acclimate.arrays import Array
from acclimate.models.network import Batch, Params, Step, train
from acclimate.models.updates import Update
from acclimate.strategies.meta.attention import KEY, QUERY, Attention, attending, moved
from acclimate.strategies.meta.boards import BOARD
from acclimate.strategies.meta.compiled import compiled, compiler
from acclimate.strategies.meta.inner import EPISODES, Inner, across
from acclimate.strategies.meta.reptile import Towards, toward

HIDDEN = ("hidden1", "hidden2")


@dataclass(frozen=True)
class Constant:
    """Adam at a rate that does not fall, as in the experiment."""

    rate: float

    def begin(self, params: Params) -> torch.optim.Optimizer:
        return torch.optim.Adam(list(params.values()), lr=self.rate, fused=True)

    def __call__(self, params: Params, grads: Params, memory: Any, progress: float) -> Params:
        for name, value in params.items():
            value.grad = grads[name].contiguous()
        memory.step()
        return params


def fresh(seed: int, width: int = 40) -> Params:
    """The network at random, as PyTorch begins linear layers."""
    torch.manual_seed(seed)
    sizes = {"hidden1": (1, width), "hidden2": (width, width), "head": (width, 1)}
    layers = {name: torch.nn.Linear(*size) for name, size in sizes.items()}
    return {
        f"{name}.{part}": getattr(layer, part).detach()
        for name, layer in layers.items()
        for part in ("weight", "bias")
    }


def features(params: Params, batch: Batch) -> torch.Tensor:
    """(n, width)"""
    x = batch["x"]
    for layer in HIDDEN:
        x = torch.relu(F.linear(x, params[f"{layer}.weight"], params[f"{layer}.bias"]))
    return x


def loss(params: Params, batch: Batch) -> torch.Tensor:
    """The mean squared error."""
    found = F.linear(features(params, batch), params["head.weight"], params["head.bias"])
    return (found - batch["y"]).square().mean()


def tasks(n: int, shots: int, queries: int, seed: int) -> tuple[Batch, Batch]:
    """Support and query of n tasks, x and y (n, rows, 1) each."""
    g = torch.Generator().manual_seed(seed)
    amplitude = torch.rand(n, 1, 1, generator=g) * 4.9 + 0.1
    phase = torch.rand(n, 1, 1, generator=g) * math.pi
    x = torch.rand(n, shots + queries, 1, generator=g) * 10 - 5
    y = amplitude * torch.sin(x - phase)
    return {"x": x[:, :shots], "y": y[:, :shots]}, {"x": x[:, shots:], "y": y[:, shots:]}


class Drawn:
    """Batches of fresh tasks: the rows change under positions that stay."""

    def __init__(self, n: int, shots: int, queries: int, seed: int) -> None:
        self.n, self.shots, self.queries, self.seed = n, shots, queries, seed
        self.rows: dict[str, torch.Tensor] = {}
        at = torch.arange(n * (shots + queries)).reshape(n, -1)
        self.at = {
            "support": at[:, :shots],
            "query": at[:, shots:],
            "support_weight": torch.ones(n, shots),
            "query_weight": torch.ones(n, queries),
        }

    def batches(self) -> Iterator[Mapping[str, Batch]]:
        """Without end, each of new tasks."""
        board = {name: value[None, None] for name, value in self.at.items()}
        while True:
            sides = tasks(self.n, self.shots, self.queries, self.seed)
            for name in ("x", "y"):
                both = torch.cat([side[name] for side in sides], 1)
                self.rows[name] = both.reshape(-1, 1)
            yield {EPISODES: self.at, BOARD: board}
            self.seed += 1


def maml(
    params: Params, drawn: Drawn, alpha: float, descent: int, order: int, steps: int
) -> Params:
    """θ after so many steps of MAML."""
    make = across if compiler() is None else compiled
    step = make(loss, Inner(alpha, descent, order), list(params), drawn.rows)
    return train(step, params, batches=drawn.batches(), steps=steps, update=Constant(1e-3))


def reptile(
    params: Params,
    drawn: Drawn,
    inside: Update,
    descent: int,
    epsilon: float,
    steps: int,
) -> Params:
    """θ after so many steps of Reptile, whose descents move as `inside` says."""
    step = toward(loss, inside, descent, drawn.rows)
    return train(step, params, batches=drawn.batches(), steps=steps, update=Towards(epsilon))


def attentive(params: Params, alpha: float, masked: bool) -> Attention:
    """How AML adapts this network."""
    heads = [name for name in params if name.startswith("head.")]
    return Attention(loss, features, heads, list(params), alpha, masked)


def aml(params: Params, drawn: Drawn, how: Attention, steps: int) -> Params:
    """θ and φ after so many steps of AML."""
    size = params["head.weight"].shape[1] * 2 + 1
    g = torch.Generator().manual_seed(0)
    phi = {name: torch.randn(16, size, generator=g) * 0.5**0.5 for name in (QUERY, KEY)}
    step: Step = attending(how, list(params), drawn.rows)
    return train(
        step, params | phi, batches=drawn.batches(), steps=steps, update=Constant(1e-3)
    )


def descended(params: Params, support: Batch, alpha: float, steps: int) -> Params:
    """name → (n, …), each task's own parameters after a descent on its support."""
    inner = Inner(alpha, steps, order=1)
    return torch.func.vmap(lambda rows: inner.adapted(loss, params, list(params), rows))(
        support
    )


def descended_by(update: Update, params: Params, support: Batch, steps: int) -> Params:
    """`descended`, as `update` says."""

    def alone(rows: Batch) -> Params:
        fast, memory = params, update.begin(params)
        for _ in range(steps):
            fast = update(fast, torch.func.grad(loss)(fast, rows), memory, 0.0)
        return fast

    return torch.func.vmap(alone)(support)


def errors(own: Params, query: Batch) -> Array:
    """(n,) the mean squared error of each task under its own parameters."""
    with torch.no_grad():
        found: Array = torch.func.vmap(loss)(own, query).numpy().astype("float64")
    return found


def attended(both: Params, how: Attention, support: Batch, kept: int = 32) -> Params:
    """name → (n, …), each task's own parameters by AML, from the gradients of tasks kept."""
    params = {name: value for name, value in both.items() if name not in (QUERY, KEY)}
    theirs = how.all_told(params, tasks(kept, 10, 0, 10_000)[0])
    mine = how.all_told(params, support)
    query, keys = mine.summary @ both[QUERY].T, theirs.summary @ both[KEY].T
    scores = query @ keys.T / keys.shape[1] ** 0.5
    if how.masked:
        return moved(params, theirs.gradients, torch.softmax(scores, 1), how.alpha)
    own = (query * (mine.summary @ both[KEY].T)).sum(1, keepdim=True) / keys.shape[1] ** 0.5
    a = torch.softmax(torch.cat([scores, own], 1), 1)
    ends = moved(params, theirs.gradients, a[:, :-1], how.alpha)
    weight = how.alpha * a[:, -1]
    return {
        name: value - weight.reshape(-1, *[1] * (value.ndim - 1)) * mine.gradients[name]
        for name, value in ends.items()
    }

"""Balance tasks: weigh their losses, or mend gradients that conflict.

    equal        Σ_k ℓ_k
    uncertainty  Σ_k [ ℓ_k / σ_k² + share_k · log σ_k ],  ℓ_k / (2 σ_k²) where the label
                 is a number.  Kendall, Gal & Cipolla, CVPR 2018, eq. 7 and 10
                 (arXiv:1705.07115)
    gradnorm     Σ_k w_k ℓ_k, w learned so that the tasks' gradients keep pace.  Chen,
                 Badrinarayanan, Lee & Rabinovich, ICML 2018, eq. 2 (arXiv:1711.02257)
    pcgrad       `pcgrad`.  Yu et al., NeurIPS 2020 (arXiv:2001.06782)
    cagrad       `cagrad`.  Liu, Liu, Jin, Stone & Liu, NeurIPS 2021 (arXiv:2110.14048)
    nash         `nash`.  Navon et al., ICML 2022 (arXiv:2202.01017)

ℓ_k is a task's mean loss times its share, as `sharing` sets it.  σ_k² = exp(s_k), s_k
starts at 0 and is learned with the network; the share multiplies log σ_k too, so that the
best σ_k does not depend on it.  The last three read the gradients of the shared
parameters alone; what a task has of its own follows its own gradient.

Departures: GradNorm's step is divided by the mean norm, so that its rate has no unit;
the weights of CAGrad are times K, so that c = 0 is the plain sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from acclimate.arrays import Array
from acclimate.models.network import Batch, Combine, Losses, Params, Step, total
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

Balance = Literal["equal", "uncertainty", "gradnorm", "pcgrad", "cagrad", "nash"]
BALANCES: tuple[Balance, ...] = get_args(Balance)
Weigh = Callable[[Array], Array]
"""(K, K) inner products of the tasks' gradients → (K,) what each counts in the sum."""

RADIUS = 0.5  # c of CAGrad: section 5 of the paper tries 0.2 … 0.8
PACE = 1.5  # α of GradNorm: section 5.1 of the paper
RATE = 0.025  # of GradNorm's weights: the same section
RIDGE = 1e-6


@dataclass(frozen=True)
class Balancing:
    """What balancing changes about the one loop.

    step     wraps the step that gives the tasks' losses
    combine  how the gradients of the losses become one, None for their sum
    beside   parameters it learns with the network's
    """

    step: Callable[[Step], Step] = lambda step: step
    combine: Combine | None = None
    beside: Params = field(default_factory=dict)


def balancing(
    balance: Balance,
    shares: Mapping[str, float],
    *,
    shared: Collection[str],
    upper: Collection[str],
    numbers: Collection[str],
    rng: Rng,
) -> Balancing:
    """What a balance changes about learning these tasks.

    shares   task → the share that its loss was multiplied by
    shared   the parameters that every task has
    upper    those of the last shared layer
    numbers  the tasks whose label is a number
    """
    tasks = [name for name, share in shares.items() if share > 0]
    if balance == "equal" or len(tasks) < 2:
        return Balancing()
    if balance == "uncertainty":
        return uncertain({name: shares[name] for name in tasks}, numbers)
    if balance == "gradnorm":
        norms = GradNorm(tuple(tasks), frozenset(upper))
        return Balancing(norms.step, norms.combine)
    generator = rng.generator()
    weigh: dict[str, Weigh] = {
        "pcgrad": lambda gram: pcgrad(gram, generator),
        "cagrad": cagrad,
        "nash": nash,
    }
    return Balancing(combine=weighing(weigh[balance], tasks, frozenset(shared)))


# ── weights of losses ───────────────────────────────────────────────────────


def uncertain(shares: Mapping[str, float], numbers: Collection[str]) -> Balancing:
    """Losses divided by a learned variance, and the price of its logarithm."""
    import torch

    def wrap(step: Step) -> Step:
        def priced(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            losses = step(params, batches, progress)
            for name, share in shares.items():
                s = params[f"uncertainty/{name}"]  # log σ²
                half = 0.5 if name in numbers else 1.0
                losses[name] = half * torch.exp(-s) * losses[name] + share * 0.5 * s
            return losses

        return priced

    return Balancing(wrap, beside={f"uncertainty/{name}": torch.zeros(()) for name in shares})


class GradNorm:
    """Weights of tasks that follow how fast each learns.

        G_k = ‖∇_W w_k ℓ_k‖      W: the last shared layer
        target_k = mean G · r_k^α,  r_k = (ℓ_k / ℓ_k(0)) / mean of these ratios
        w ← w − η ∇_w Σ_k |G_k − target_k|, targets held, then scaled to sum K

    It remembers the first losses and the weights: one for each training.
    """

    def __init__(self, tasks: tuple[str, ...], layer: frozenset[str]) -> None:
        self.tasks = tasks
        self.layer = layer
        self.weights = np.ones(len(tasks))
        self.first: Array | None = None
        self.now: Array = np.ones(len(tasks))

    def step(self, step: Step) -> Step:
        def watched(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            losses = step(params, batches, progress)
            self.now = np.array([float(losses[name].detach()) for name in self.tasks])
            if self.first is None:
                self.first = np.maximum(self.now, 1e-12)
            return losses

        return watched

    def combine(self, gradients: Mapping[str, Params]) -> Params:
        scaled = dict(gradients)
        for name, weight in zip(self.tasks, self.weights, strict=True):
            scaled[name] = {k: float(weight) * v for k, v in gradients[name].items()}
        norms = np.array([self._norm(gradients[name]) for name in self.tasks])
        self.weights = self.after(norms)
        return total(scaled)

    def targets(self, norms: Array) -> Array:
        """(K,) the norm that each task's gradient should have.

        norms  (K,) ‖∇_W ℓ_k‖, before weights
        """
        assert self.first is not None
        ratio = self.now / self.first
        pace: Array = ratio / max(float(ratio.mean()), 1e-12)
        wanted: Array = (self.weights * norms).mean() * pace**PACE
        return wanted

    def after(self, norms: Array) -> Array:
        """(K,) the weights of the next step, positive, of sum K."""
        scale = max(float((self.weights * norms).mean()), 1e-12)
        slope = np.sign(self.weights * norms - self.targets(norms)) * norms / scale
        moved = np.maximum(self.weights - RATE * slope, 1e-3)
        weights: Array = moved * len(moved) / moved.sum()
        return weights

    def _norm(self, gradient: Params) -> float:
        squares = [float(v.square().sum()) for k, v in gradient.items() if k in self.layer]
        return math.sqrt(sum(squares))


# ── weights of gradients ────────────────────────────────────────────────────


def weighing(weigh: Weigh, tasks: Collection[str], shared: frozenset[str]) -> Combine:
    """A combine that weighs the tasks' gradients of shared parameters, and sums the rest."""
    import torch

    def combine(gradients: Mapping[str, Params]) -> Params:
        summed = total(gradients)
        names = [name for name in summed if name in shared]
        parts = [gradients[task] for task in tasks]
        gram = np.zeros((len(parts), len(parts)))
        stacked: dict[str, torch.Tensor] = {}
        for name in names:
            rows = torch.stack([part[name].flatten() for part in parts])  # (K, size)
            stacked[name] = rows
            gram += (rows @ rows.T).double().numpy()
        alive = np.diag(gram) > 0
        weight = np.ones(len(parts))
        if alive.sum() > 1:
            weight[alive] = weigh(gram[np.ix_(alive, alive)])
        extra = torch.from_numpy((weight - 1.0).astype(np.float32))
        for name in names:
            # The sum has every task once, and penalties, which are no tasks.
            summed[name] = summed[name] + (extra @ stacked[name]).reshape(summed[name].shape)
        return summed

    return combine


def pcgrad(gram: Array, generator: np.random.Generator) -> Array:
    """(K,) weights of gradients, each projected off those that it conflicts with.

        for j ≠ i in random order:  g_i ← g_i − min(0, g_i·g_j / ‖g_j‖²) g_j

    Yu et al., Algorithm 1, on inner products alone: g_i is a sum of given gradients.
    """
    tasks = len(gram)
    weights = np.zeros(tasks)
    for i in range(tasks):
        mine = np.eye(tasks)[i]
        for j in generator.permutation(tasks):
            if j != i:
                mine[j] -= min(0.0, float(gram[j] @ mine)) / gram[j, j]
        weights += mine
    return weights


def cagrad(gram: Array, radius: float = RADIUS) -> Array:
    """(K,) K times the weights of the direction that helps the worst-off task most.

        d = g₀ + (√φ / ‖g_w‖) g_w,  g₀ the mean gradient, √φ = c ‖g₀‖
        w = argmin over the simplex of  g_w·g₀ + √φ ‖g_w‖

    Liu et al., Algorithm 1.  Where ‖g_w‖ vanishes no direction helps every task, and
    none is taken.
    """
    from scipy.optimize import minimize

    tasks = len(gram)
    unit = gram / np.diag(gram).mean()
    even = np.full(tasks, 1.0 / tasks)
    reach = radius * math.sqrt(max(float(even @ unit @ even), 0.0))

    def norm(w: Array) -> float:
        return math.sqrt(max(float(w @ unit @ w), 0.0) + 1e-16)

    minimal: Any = minimize
    found = minimal(
        lambda w: float(w @ unit @ even) + reach * norm(w),
        even,
        jac=lambda w: unit @ even + reach * (unit @ w) / norm(w),
        bounds=[(0.0, 1.0)] * tasks,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: 0 * w + 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 200},
    )
    w = np.clip(found.x, 0.0, None)
    if norm(w) < 1e-4:
        return np.zeros(tasks)
    weights: Array = tasks * (even + reach / norm(w) * w)
    return weights


def nash(gram: Array) -> Array:
    """(K,) α > 0 with  G α = 1 / α,  G the inner products of the gradients.

    Navon et al., claim 3.2: the bargaining solution is d = Σ α_k g_k, of norm √K.
    Departure: the paper solves a sequence of convex problems; G α = 1/α is where
    ½ αᵀGα − Σ log α is least, which damped Newton steps find whatever G (Nesterov, 2004,
    section 4.1.5).  Where gradients cancel, a ridge on their cosines keeps α finite.
    """
    length = np.sqrt(np.diag(gram))
    unit = gram / np.outer(length, length) + RIDGE * np.eye(len(gram))  # cosines
    alpha = np.full(len(gram), 1.0 / math.sqrt(len(gram)))
    for _ in range(200):
        slope = unit @ alpha - 1.0 / alpha
        step = np.linalg.solve(unit + np.diag(alpha**-2.0), slope)
        decrement = math.sqrt(max(float(slope @ step), 0.0))
        if decrement < 1e-10:
            break
        alpha = alpha - step / (1.0 + decrement)
    found: Array = alpha / length
    return found

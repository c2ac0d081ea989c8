"""The inner loop: plain gradient descent on a few rows, and losses taken behind it.

    θ′ = θ − α ∇L(θ; support), a number of times        loss of a task: L(θ′; query)

Meta-learning differentiates the loss with respect to θ, through the descent (order 2)
or as if its gradients were constants (order 1).  The descent that serves a target is
the same one, in the one training loop, for as many steps as held-out rows bear.

Rows are shown as they are: dropout would make each descent another function of θ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.episodes import Drawn
from acclimate.errors import StrategyError
from acclimate.models.model import Tick, idle
from acclimate.models.network import Batch, Losses, Params, Step, Stream, together, train
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

Loss: TypeAlias = "Callable[[Params, Batch], torch.Tensor]"

EPISODES = "episodes"
STOPS = (0, 1, 2, 4, 8, 16, 32, 64)
AT_ONCE = 1024  # rows a step of the descent that serves


@dataclass(frozen=True)
class Inner:
    """How a learner descends on a task.

    rate   ≥ 0, α; 0 stands still
    steps  ≥ 0
    order  2: gradients of the meta-loss go through the descent; 1: around it
    """

    rate: float
    steps: int
    order: int = 2

    def adapted(
        self, loss: Loss, params: Params, moving: Collection[str], support: Batch
    ) -> Params:
        """All parameters, those that move where the descent ends."""
        import torch

        # In first order no graph of the descent is kept, however many its steps.
        held = params if self.order == 2 else detached(params)
        fast = {name: params[name] for name in sorted(moving)}

        def own(fast: Params) -> torch.Tensor:
            return loss(held | fast, support)

        for _ in range(self.steps):
            gradient = torch.func.grad(own)(fast if self.order == 2 else detached(fast))
            fast = {name: value - self.rate * gradient[name] for name, value in fast.items()}
        return params | fast


def detached(params: Params) -> Params:
    """The same values, as constants."""
    return {name: value.detach() for name, value in params.items()}


def across(loss: Loss, inner: Inner, moving: Collection[str], rows: Batch) -> Step:
    """The step of the outer loop: the mean loss of a batch of episodes, each adapted to.

    rows  name → (n, …), the rows that episodes point at
    """
    import torch

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        drawn = batches[EPISODES]

        def alone(support: Batch, query: Batch) -> torch.Tensor:
            return loss(inner.adapted(loss, params, moving, support), query)

        sides = [side(rows, drawn, name) for name in ("support", "query")]
        return {"query": torch.func.vmap(alone)(*sides).mean()}

    return step


def side(rows: Batch, drawn: Batch, name: str) -> Params:
    """name → (tasks, rows, …): one side of a batch of episodes, its weights among it."""
    found = {each: value[drawn[name]] for each, value in rows.items()}
    return found | {"weight": drawn[f"{name}_weight"]}


def episode_stream(drawn: Drawn, tasks: int) -> Stream:
    """Episodes as a stream of the one loop, so many tasks a batch."""
    import torch

    tensors = {
        "support": torch.from_numpy(drawn.support),
        "query": torch.from_numpy(drawn.query),
        "support_weight": torch.from_numpy(drawn.support_weight.astype(np.float32)),
        "query_weight": torch.from_numpy(drawn.query_weight.astype(np.float32)),
    }
    return Stream(tensors, tasks)


# ── on the target ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Descent:
    """Plain gradient descent; it remembers nothing, so that it can be taken up again."""

    rate: float

    def begin(self, params: Params) -> None:
        return None

    def __call__(self, params: Params, grads: Params, memory: Any, progress: float) -> Params:
        return {name: value - self.rate * grads[name] for name, value in params.items()}


@dataclass
class Moments:
    """Of Adam: the steps so far, and the second moment of each parameter's gradient."""

    steps: int
    second: Params


@dataclass(frozen=True)
class Adam:
    """Adam without first moments (β₁ = 0), a pure function of tensors: safe in `vmap`.

        v ← β₂ v + (1 − β₂) g²      θ ← θ − α g / (√(v / (1 − β₂ᵗ)) + 10⁻⁸)

    Source: Kingma & Ba, ICLR 2015, Algorithm 1 (arXiv:1412.6980).
    """

    rate: float
    decay: float = 0.999

    def begin(self, params: Params) -> Moments:
        return Moments(0, {name: value.detach() * 0 for name, value in params.items()})

    def __call__(
        self, params: Params, grads: Params, memory: Moments, progress: float
    ) -> Params:
        memory.steps += 1
        memory.second = {
            name: self.decay * value + (1 - self.decay) * grads[name].square()
            for name, value in memory.second.items()
        }
        unbiased = 1 - self.decay**memory.steps
        return {
            name: value
            - self.rate * grads[name] / ((memory.second[name] / unbiased).sqrt() + 1e-8)
            for name, value in params.items()
        }


@dataclass(frozen=True)
class Learner:
    """What descends on the target's rows.

    loss    of parameters and a batch
    moving  names of the parameters that descend
    rate    ≥ 0, α
    most    ≥ 0, steps
    update  how it descends, None for plain gradient descent
    """

    loss: Loss
    moving: frozenset[str]
    rate: float
    most: int = STOPS[-1]
    update: Descent | Adam | None = None

    def descend(
        self, params: Params, rows: Batch, steps: int, rng: Rng, tick: Tick = idle
    ) -> Params:
        """The parameters after so many steps; at most `AT_ONCE` rows a step."""

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            return {"rows": self.loss(params, batches["rows"])}

        return train(
            step,
            params,
            batches=together({"rows": Stream(rows, AT_ONCE)}, rng),
            steps=steps,
            update=Descent(self.rate) if self.update is None else self.update,
            trainable=self.moving,
            tick=tick,
        )

    def best_stop(
        self, params: Params, rows: Batch, fold: Ints, rng: Rng, tick: Tick = idle
    ) -> int:
        """The number of steps of `STOPS` after which rows that were left out fit best.

        fold     (n,) fold of each row of the target, from 0
        returns  the fewest of equally good ones, `most` at most; 1 at most where there is a
                 single fold
        """
        import torch

        folds = int(fold.max(initial=0)) + 1
        stops = [stop for stop in STOPS if stop <= self.most]
        if folds < 2:
            return min(1, stops[-1])
        total = np.zeros(len(stops))
        forgets = not isinstance(self.update, Adam)  # so that it can be taken up again
        for number in range(folds):
            tick()
            rest, held = (
                {name: value[torch.from_numpy(at)] for name, value in rows.items()}
                for at in (np.flatnonzero(fold != number), np.flatnonzero(fold == number))
            )
            now, done, own = params, 0, rng.child(number)
            for at, stop in enumerate(stops):
                if not forgets:
                    now, done = params, 0
                try:
                    now = self.descend(now, rest, stop - done, own.child(stop), tick)
                except StrategyError:
                    total[at:] = np.inf  # it ran away, and so it would further on
                    break
                done = stop
                with torch.no_grad():
                    loss = float(self.loss(now, held)) * int((fold == number).sum())
                total[at] += loss if np.isfinite(loss) else np.inf
        return stops[int(np.argmin(total))]

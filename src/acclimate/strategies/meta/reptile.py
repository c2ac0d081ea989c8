"""Reptile: move the start towards where descents on tasks end.

    θ̃_i = U^k_i(θ)   k steps of SGD or Adam on task i
    θ ← θ + ε (mean_i θ̃_i − θ)

Source: Nichol, Achiam & Schulman 2018, Algorithms 1 and 2 (arXiv:1803.02999); Adam with
β₁ = 0 inside and ε falling linearly to 0 are those of its experiments (appendix A).
Departures: the steps of a descent take the two halves of an episode in turn, which are
disjoint mini-batches of the task; Adam's second moments begin anew at each task; θ
begins at the network that pooled sources taught, unless asked to begin at random; the
number of steps on the target is the one that held-out rows bear, which may be 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.model import Tick
from acclimate.models.network import Batch, Losses, Params, Step, Trainable, together, train
from acclimate.models.updates import Update
from acclimate.rng import Rng
from acclimate.strategies.meta.episodic import Episodic, Lessons
from acclimate.strategies.meta.inner import (
    EPISODES,
    Adam,
    Descent,
    Learner,
    Loss,
    episode_stream,
    side,
)
from acclimate.strategies.strategy import Strategy


@dataclass(frozen=True)
class Towards:
    """θ ← θ − ε (1 − progress) · gradient, where the gradient is θ − mean θ̃."""

    epsilon: float

    def begin(self, params: Params) -> None:
        return None

    def __call__(self, params: Params, grads: Params, memory: Any, progress: float) -> Params:
        step = self.epsilon * (1.0 - progress)
        return {name: value - step * grads[name] for name, value in params.items()}


def toward(loss: Loss, update: Update, steps: int, rows: Batch) -> Step:
    """The step of the outer loop: ½‖θ − mean θ̃‖², whose gradient is θ − mean θ̃.

    update  how a descent moves parameters
    steps   ≥ 1, of a descent
    rows    name → (n, …), the rows that episodes point at

    No graph is kept of any descent: memory does not grow with its steps.
    """
    import torch

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        start = {name: value.detach() for name, value in params.items()}

        def alone(support: Batch, query: Batch) -> Params:
            fast, memory = start, update.begin(start)
            for number in range(steps):
                batch = query if number % 2 else support
                fast = update(fast, torch.func.grad(loss)(fast, batch), memory, 0.0)
            return fast

        sides = [side(rows, batches[EPISODES], name) for name in ("support", "query")]
        ends = torch.func.vmap(alone)(*sides)
        apart = [(params[name] - end.mean(0)).square().sum() for name, end in ends.items()]
        return {"apart": 0.5 * torch.stack(apart).sum()}

    return step


@dataclass(frozen=True)
class Reptile(Episodic):
    """Meta-learn where to start by following descents, and descend on the target's rows.

    alpha      > 0, rate of the descent
    descent    ≥ 1, k
    epsilon    0 < ε ≤ 1, of the first step of the outer loop; it falls linearly to 0
    optimiser  "sgd", or "adam": Adam with β₁ = 0; of descents, on the target's rows too

    The other settings as those of `Episodic`; `rate` is not used, for ε is the rate.
    """

    descent: int = 5
    epsilon: float = 1.0
    optimiser: Literal["sgd", "adam"] = "sgd"

    kind: ClassVar[str] = "reptile"
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.epsilon <= 1 or self.optimiser not in ("sgd", "adam"):
            raise StrategyError(
                "Expected an epsilon above 0 and at most 1, and the optimiser 'sgd' or 'adam'; "
                f"found {self.epsilon} and {self.optimiser!r}."
            )

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, alpha=5 * self.alpha), replace(self, fresh=True))

    def inside(self) -> Adam | Descent:
        """How a descent moves parameters."""
        return Adam(self.alpha) if self.optimiser == "adam" else Descent(self.alpha)

    def learner(self, loss: Loss, moving: frozenset[str]) -> Learner:
        return Learner(loss, moving, self.alpha, self.most, self.inside())

    def learned(self, model: Trainable, lessons: Lessons, rng: Rng, tick: Tick) -> Any:
        drawn = lessons.episodes.draw(max(1, self.rounds) * self.tasks)
        stream = episode_stream(drawn, self.tasks)
        trained = train(
            toward(lessons.loss, self.inside(), self.descent, lessons.rows),
            lessons.params,
            batches=together({EPISODES: stream}, rng.child("batches")),
            steps=self.rounds,
            update=Towards(self.epsilon),
            tick=tick,
        )
        return model.holding(lessons.prepared, trained)

"""Auto-λ: weights of tasks, learned by what a step on each does to held-out rows.

    θ′ = θ − α ∇_θ Σ_k λ_k ℓ_k(θ)
    λ_k ← λ_k + β · g_k·v / (‖g_k‖ ‖v‖),  g_k = ∇ℓ_k(θ),  v = ∇L_held(θ′)

for −α g_k·v is the gradient of L_held(θ′) with respect to λ_k.

Source: Liu, James, Davison & Johns, TMLR 2022, eq. 4–6 (arXiv:2202.03091), with the
served task alone as primary one.
Departures: the paper approximates g_k·v by a finite difference; here it is exact, and
divided by both lengths, so that β has no unit.  λ of the served task stays 1, the others
begin at 1 and stay at least 0.  Held-out rows are folds of the target's own: λ is
learned once for each fold left out, and the mean of its second half, over all folds,
then weighs the tasks of a training on every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.models.joint import SERVED, of_task, task_names
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Losses, Params, Step, Trainable
from acclimate.rng import Rng
from acclimate.strategies.multitask.lessons import Lesson, lessons_of, rows_view
from acclimate.strategies.multitask.lookahead import dot, gradient, stepped, summed
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.strategy import Strategy

FOLDS = 3
EVERY = 2  # steps between updates of λ: it moves slowly, and each costs a pass more


@dataclass(frozen=True)
class AutoLambda(HardSharing):
    """Labels as tasks where the rows have other labels, markets elsewhere.

    rate  > 0, β
    """

    rate: float = 0.05

    kind: ClassVar[str] = "auto-lambda"
    complexity: ClassVar[int] = 7
    unasked: ClassVar[bool] = False

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, others=0.3))

    def lessons(self, problem: Problem) -> list[Lesson]:
        return self.shared(lessons_of(problem))

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        assert isinstance(model, Trainable)
        weights = self.weights(problem, model, rng.child("weights"), tick)
        lessons = self.lessons(problem)
        facts = [
            f"{lesson.name}: its rows count {weight:.2f} times as much as the label's own"
            for lesson, weight in zip(lessons[1:], weights[1:], strict=True)
        ]
        weighed = [
            replace(lesson, share=lesson.share * weight)
            for lesson, weight in zip(lessons, weights, strict=True)
        ]
        return problem.knowing(*facts), self.taught(weighed, model, rng, tick).serve()

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]

    def weights(
        self, problem: Problem, model: Trainable, rng: Rng, tick: Tick = idle
    ) -> Sequence[float]:
        """λ of each task, the served one's first and 1; all 1 without a fold to hold out."""
        folds = self.folds(problem, rng.child("folds"))
        found = self.learned(folds, model, rng, tick)
        return found or [1.0] * len(self.lessons(problem))

    def folds(self, problem: Problem, rng: Rng) -> Iterator[tuple[list[Lesson], RowView]]:
        """The lessons without a fold of the target's rows, and that fold."""
        for rest, held in problem.inner(FOLDS, rng):
            assert isinstance(held.query, Rows)
            asked = replace(held.query, label=held.truth.label)
            yield self.lessons(rest), rows_view(problem.view(asked))

    def learned(
        self,
        folds: Iterable[tuple[list[Lesson], RowView]],
        model: Trainable,
        rng: Rng,
        tick: Tick = idle,
    ) -> list[float]:
        """λ of each lesson, the mean over folds; none without a fold."""
        found = []
        for number, (lessons, held) in enumerate(folds):
            rows = model.stream(model.prepare(held)).tensors
            watcher = Lambda(task_names(len(lessons)), model, rows, self)
            watched = replace(_Watched(**_plain(self)), watcher=watcher)
            watched.taught(lessons, model, rng.child(f"fold/{number}"), tick)
            found.append(watcher.mean())
        mean: list[float] = np.mean(found, axis=0).tolist() if found else []
        return mean


def _plain(strategy: AutoLambda) -> dict[str, Any]:
    return {
        "others": strategy.others,
        "epochs": strategy.epochs,
        "balance": strategy.balance,
    }


@dataclass(frozen=True)
class _Watched(HardSharing):
    """Hard sharing whose losses are weighed as they are watched."""

    watcher: Any = field(default=None, compare=False)

    def losses(
        self, model: Trainable, shares: Mapping[str, float], private: frozenset[str]
    ) -> Step:
        step: Step = self.watcher.watching(super().losses(model, shares, private), private)
        return step


class Lambda:
    """The weights while they are learned: one for each training."""

    def __init__(
        self, names: Sequence[str], model: Trainable, held: Batch, strategy: AutoLambda
    ) -> None:
        self.names = names
        self.model = model
        self.held = held
        self.rate = strategy.rate
        self.now = dict.fromkeys(names, 1.0)
        self.past: list[list[float]] = []

    def watching(self, step: Step, private: frozenset[str]) -> Step:
        """The step, with λ moved before its losses are weighed."""
        taken = 0

        def weighed(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            nonlocal taken
            losses = step(params, batches, progress)
            if taken % EVERY == 0:
                self.move(losses, params, private)
            taken += 1
            return {name: self.now[name] * loss for name, loss in losses.items()}

        return weighed

    def move(self, losses: Losses, params: Params, private: frozenset[str]) -> None:
        """One update of λ."""
        import torch

        shared = [name for name in params if "/" not in name and name not in private]
        gradients = {name: gradient(loss, params, shared) for name, loss in losses.items()}
        rate = float(getattr(self.model, "rate", 1e-3))
        ahead = stepped(params, summed(gradients, self.now), rate)
        moving = {name: value.requires_grad_() for name, value in ahead.items()}
        loss = self.model.loss(of_task(moving, SERVED, private), self.held)
        found = torch.autograd.grad(loss, [moving[name] for name in shared], allow_unused=True)
        held = {
            name: torch.zeros_like(params[name]) if grad is None else grad
            for name, grad in zip(shared, found, strict=True)
        }
        for name in self.names[1:]:
            self.now[name] = self.after(self.now[name], gradients[name], held)
        self.past.append([self.now[name] for name in self.names])

    def after(self, weight: float, mine: Params, held: Params) -> float:
        """λ_k after a step along the cosine of its gradient and the held-out one."""
        length = (dot(mine, mine) * dot(held, held)) ** 0.5
        return max(0.0, weight + self.rate * dot(mine, held) / length) if length else weight

    def mean(self) -> list[float]:
        """λ of each task, the mean of its second half."""
        late = self.past[len(self.past) // 2 :] or [[1.0] * len(self.names)]
        found: list[float] = np.mean(late, axis=0).tolist()
        return found

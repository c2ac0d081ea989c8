"""Task affinity: leave out the tasks whose steps make the served task worse.

    Z_{i→j} = 1 − L_j(θ_s − α ∇L_i(θ), head_j) / L_j(θ_s, head_j)

the share of task j's loss that a step on task i's takes away, on the same batch, over the
shared parameters θ_s; averaged over a training of all tasks together.

Source: Fifty et al., NeurIPS 2021, eq. 1 (TAG, arXiv:2109.04617).
Departures: j is the served task alone, and no grouping is searched: tasks whose mean
affinity to it is below 0 by more than `sure` standard errors over the steps measured are
left out, and the rest is trained anew.  The look-ahead is a plain gradient step at the
network's rate, where training uses AdamW.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.joint import SERVED, of_task, task_names
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Losses, Params, Step, Trainable
from acclimate.rng import Rng
from acclimate.strategies.multitask.lessons import Lesson, lessons_of
from acclimate.strategies.multitask.lookahead import gradient, stepped
from acclimate.strategies.multitask.sharing import HardSharing

EVERY = 10  # steps between measurements, as in section 4.2 of the paper


@dataclass(frozen=True)
class AffinitySharing(HardSharing):
    """Labels as tasks where the rows have other labels, markets elsewhere.

    sure  ≥ 0, standard errors by which an affinity must lie below 0
    """

    sure: float = 2.0

    kind: ClassVar[str] = "affinity-sharing"
    complexity: ClassVar[int] = 6
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.sure) and self.sure >= 0):
            raise StrategyError(
                f"Expected at least 0 standard errors to be sure, found {self.sure}. At 0 "
                "every task of negative affinity is left out."
            )

    def lessons(self, problem: Problem) -> list[Lesson]:
        return self.shared(lessons_of(problem))

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        assert isinstance(model, Trainable)
        kept, facts = self.kept(self.lessons(problem), model, rng.child("affinity"), tick)
        return problem.knowing(*facts), self.taught(kept, model, rng, tick).serve()

    def kept(
        self, lessons: list[Lesson], model: Trainable, rng: Rng, tick: Tick = idle
    ) -> tuple[list[Lesson], list[str]]:
        """The lessons that are left in, the served one first, and what was measured."""
        seen = Affinity(tuple(task_names(len(lessons))), model)
        measured = _Measured(self.others, self.epochs, self.balance, seen)
        measured.taught(lessons, model, rng, tick)
        kept, facts = [lessons[0]], []
        for lesson, name in zip(lessons[1:], seen.names[1:], strict=True):
            mean, error = seen.of(name)
            out = mean + self.sure * error < 0
            kept += [] if out else [lesson]
            facts.append(
                f"{lesson.name}: affinity {mean:+.2g} ± {error:.1g}, left out"
                if out
                else f"{lesson.name}: affinity {mean:+.2g} ± {error:.1g}, kept"
            )
        return kept, facts

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]


@dataclass(frozen=True)
class _Measured(HardSharing):
    """Hard sharing that is watched and not changed."""

    watcher: Any = field(default=None, compare=False)

    def losses(
        self, model: Trainable, shares: Mapping[str, float], private: frozenset[str]
    ) -> Step:
        step: Step = self.watcher.watching(
            super().losses(model, shares, private), dict(shares), private
        )
        return step


class Affinity:
    """Z_{i→served} of each task, step by step: one for each training."""

    def __init__(self, names: tuple[str, ...], model: Trainable) -> None:
        self.names = names
        self.model = model
        self.rate = float(getattr(model, "rate", 1e-3))
        self.measured: dict[str, list[float]] = {name: [] for name in names}

    def watching(
        self, step: Step, shares: Mapping[str, float], private: frozenset[str]
    ) -> Step:
        """The step, looked ahead of now and then."""
        taken = 0

        def watched(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            nonlocal taken
            losses = step(params, batches, progress)
            if taken % EVERY == 0:
                for name, loss in losses.items():
                    if shares[name] > 0:
                        z = self.affinity(loss / shares[name], params, batches, private)
                        self.measured[name].append(z)
            taken += 1
            return losses

        return watched

    def affinity(
        self,
        loss: Any,
        params: Params,
        batches: Mapping[str, Batch],
        private: frozenset[str],
    ) -> float:
        """1 − L_served after a step on this loss / L_served before it."""
        import torch

        shared = [name for name in params if "/" not in name and name not in private]
        ahead = stepped(params, gradient(loss, params, shared), self.rate)
        with torch.no_grad():
            before = self.model.loss(of_task(params, SERVED, private), batches[SERVED])
            after = self.model.loss(of_task(ahead, SERVED, private), batches[SERVED])
        return 1.0 - float(after) / max(float(before), 1e-12)

    def of(self, name: str) -> tuple[float, float]:
        """The mean over the steps measured, and its standard error; 0 and 0 without any."""
        values = np.array(self.measured[name])
        if len(values) < 2:
            return (float(values.mean()) if len(values) else 0.0), 0.0
        return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))

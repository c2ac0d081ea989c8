"""Joint training that stops on the target where held-out rows say, as meta-learners do.

`Episodic` descends on the target for as many steps as five folds of its rows bear, none
among them.  Fine-tuning at its defaults takes every step it has.  Beside each other the
two tell what stopping is worth, and not what a meta-learned start is.  So here are

    finetune-stopped  fine-tuning whose passes and rate the same folds choose
    joint-descent     the pooled sources' network under the very descent of MAML
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, spread
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Trainable
from acclimate.rng import Rng
from acclimate.strategies.catalogue import named
from acclimate.strategies.meta.episodic import FOLDS
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.pretrain import begun
from acclimate.strategies.strategy import Strategy

# (passes over the target, factor on the rate)
CHOICES = ((0, 0.3), (1, 0.1), (1, 0.3), (3, 0.3), (8, 0.3))


@dataclass(frozen=True)
class Stopped(FineTune):
    """Fine-tuning with the passes and the rate that held-out rows of the target bear."""

    choices: tuple[tuple[int, float], ...] = CHOICES

    kind: ClassVar[str] = "finetune-stopped"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind", "finetune-stopped")

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        start = begun(problem, model, rng, tick)
        chosen = self.best(problem, start, rng.child("stops"), tick)
        return self.onward(problem, chosen, start, None, rng.child("finetune"), tick)

    def best(
        self, problem: Problem, start: Trainable, rng: Rng, tick: Tick = idle
    ) -> tuple[int, float]:
        """Of `choices`, the first that fits rows that were left out best."""
        import torch

        fit = problem.fit
        assert isinstance(fit, Rows) and fit.label is not None
        fold = spread(fit.units(), fit.label, FOLDS, rng.child("folds"))
        if not fold.max(initial=0) or len(self.choices) == 1:
            return self.choices[0]
        rows = start.stream(start.prepare(problem.view(fit))).tensors
        total = np.zeros(len(self.choices))
        for number in range(int(fold.max()) + 1):
            rest, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            asked = {name: value[torch.from_numpy(held)] for name, value in rows.items()}
            for at, choice in enumerate(self.choices):
                found = self.onward(problem, choice, start, rest, rng.child(number), tick)
                with torch.no_grad():
                    # In the units of the network that all begin at.
                    loss = start.loss(found.parameters(), asked)  # type: ignore[attr-defined]
                total[at] += float(loss) * len(held)
        return self.choices[int(np.argmin(np.where(np.isfinite(total), total, np.inf)))]

    def onward(
        self,
        problem: Problem,
        choice: tuple[int, float],
        start: Trainable,
        rows: Ints | None,
        rng: Rng,
        tick: Tick,
    ) -> Model:
        """`start`, trained on some of the target's rows by one of the choices."""
        fit = problem.fit if rows is None else problem.fit.take(rows)
        epochs, rate = choice
        tuning = replace(self, epochs=epochs, rate=rate).tuning(start)
        prepared = start.prepare(problem.view(fit))
        return start.tune(prepared, tuning, start=start, rng=rng, tick=tick)


def strategy(name: str) -> Strategy:
    """Of the catalogue, or one of those above."""
    own: dict[str, Strategy] = {
        "finetune-stopped": Stopped(),
        "joint-descent": Maml(rounds=0),
    }
    return own[name] if name in own else named(name)

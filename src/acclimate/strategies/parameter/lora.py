"""LoRA: the source network is held, and matrices of low rank are learned on top of it.

    W' = W + (α/r) · B A      A (r, inputs) random, B (outputs, r) 0 at first

Source: Hu et al., ICLR 2022 (arXiv:2106.09685), section 4.1.  W is each matrix of the body:
what is served is W', a plain network of the same size.  A transformer is trained and kept
with A and B beside W, which PEFT runs.
Departures: the head is trained whole, from the source's; A starts uniform with variance
1/inputs instead of normal; A and B decay as the network's own matrices do, which draws W'
to W.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.lowrank import DOWN, UP, KeepsFactors, factors, merged, scaled
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Losses, Params, Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.parameter.pretrain import GoOn, begun
from acclimate.strategies.strategy import Strategy


@dataclass(frozen=True)
class Lora(GoOn):
    """Go on from a source network by changes of low rank, and a head.

    rank    r ≥ 1; what a matrix of m × n entries learns has r · (m + n)
    alpha   > 0; its changes count α/r, so that another rank needs no other rate
    rate    > 0, factor on the network's own rate
    epochs  ≥ 0, passes over the target, or None for the network's own number, with which
            few labels are learned by heart
    """

    rank: int = 4
    alpha: float = 8.0
    rate: float = 0.3
    epochs: int | None = 2

    kind: ClassVar[str] = "lora"
    complexity: ClassVar[int] = 5
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.rank < 1 or not (0 < self.alpha < math.inf and 0 < self.rate < math.inf):
            raise StrategyError(
                "Expected a rank of at least 1 and a finite alpha and rate above 0, found "
                f"{self.rank}, {self.alpha} and {self.rate}. To train the head alone, take "
                "finetune-head."
            )

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def refuses(self, problem: Problem, model: Model) -> str | None:
        why = super().refuses(problem, model)
        if why is None and isinstance(model, KeepsFactors):
            return model.why_no_factors()
        return why

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, rank=1), replace(self, rate=1.0))

    def tuning(self, start: Trainable) -> Tuning:
        """What this changes about training that begins at `start`."""
        factors = [part + name for name in matrices(start) for part in (DOWN, UP)]
        moving = start.heads() | frozenset(factors)
        return Tuning(moving, dict.fromkeys(moving, self.rate), epochs=self.epochs)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        start = begun(problem, model, rng, tick)
        prepared = start.prepare(problem.view(problem.fit))
        tuning = self.tuning(start)
        rows = start.stream(prepared, None, tuning.trainable)
        # What an adapter before this one learned is held with the rest.
        held = merged(start.begin(prepared, start, rng), 1.0)
        key = rng.child("finetune")
        applied = scaled if isinstance(start, KeepsFactors) else merged

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            return {"rows": start.loss(applied(params, self.scale), batches["rows"])}

        fitted = start.learn(
            prepared,
            step,
            {"rows": rows},
            tuning,
            begun=held | factors(held, matrices(start), self.rank, key.child("factors")),
            steps=start.steps(rows, self.epochs),
            rng=key,
            tick=tick,
        )
        assert isinstance(fitted, Trainable)
        return start.holding(prepared, applied(fitted.parameters(), self.scale))


def matrices(model: Trainable) -> list[str]:
    """The body's weight matrices; tables of embeddings, looked up row by row, are none."""
    if isinstance(model, KeepsFactors):
        return model.matrices()
    params = model.parameters()
    return [
        name
        for name in sorted(model.body())
        if name.endswith(".weight") and params[name].ndim == 2
    ]

"""DELTA: fine-tune while what matters of the source network's features stays as it was.

    minimise  mean target loss + α · mean_i Σ_j W_j (f_j(x_i) − f⁰_j(x_i))² + (β/2)‖w_head‖²
    W = softmax_j of  L(source network without unit j) − L(source network)

Source: Li, Xiong, Wang, Rao, Liu & Huan, ICLR 2019 (arXiv:1901.09229): behaviour instead of
parameters is regularised, with attention to what the loss on the target misses.
Departures: units of the last layer below the head instead of channels of convolutions; the
source network's own head is asked, as both sides share their classes; the losses' rises are
told in their standard deviations, as those of a mean loss are near 0 and a softmax of them
is near even; the same units are silenced by dropout on both sides of a difference; AdamW,
which decays nothing of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import (
    Batch,
    Losses,
    Params,
    Step,
    Stream,
    Trainable,
    Tuning,
    torch_generator,
)
from acclimate.rng import Rng
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import sum_of_squares
from acclimate.strategies.parameter.pretrain import GoOn, begun
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch

MOST_ROWS = 4096  # of the target, drawn at random, for the attention


@dataclass(frozen=True)
class Delta(GoOn):
    """Fine-tune, and hold on to the features that the source network's answers rest on.

    alpha   ≥ 0, on the scale of mean loss: pull of the features to the source network's
    beta    ≥ 0, on the same scale: pull of the head to 0
    rate    > 0, factor on the network's own rate
    epochs  ≥ 0, passes over the target, or None for the network's own number, with which
            few labels are learned by heart
    """

    alpha: float = 1.0
    beta: float = 0.01
    rate: float = 0.3
    epochs: int | None = 2

    kind: ClassVar[str] = "delta"
    complexity: ClassVar[int] = 6
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.alpha < math.inf and 0 <= self.beta < math.inf and self.rate > 0):
            raise StrategyError(
                "Expected a finite alpha and beta of at least 0 and a rate above 0, found "
                f"{self.alpha}, {self.beta} and {self.rate}. Both at 0 is fine-tuning "
                "without weight decay."
            )

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, alpha=0.1), replace(self, alpha=10.0))

    def tuning(self, start: Trainable) -> Tuning:
        """What this changes about training that begins at `start`."""
        heads = start.heads()

        def shrink(params: Params) -> torch.Tensor:
            return 0.5 * self.beta * sum_of_squares(params, heads)

        return replace(
            FineTune("all", self.rate, epochs=self.epochs).tuning(start),
            anchored=start.body() | heads,
            penalties={"shrink": shrink},
        )

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        start = begun(problem, model, rng, tick)
        prepared = start.prepare(problem.view(problem.fit))
        rows = start.stream(prepared)
        anchor = start.begin(prepared, start, rng)
        weight = attention(start, anchor, drawn(rows, rng.child("attention")), tick)
        return start.learn(
            prepared,
            self.held_to(start, anchor, weight),
            {"rows": rows},
            self.tuning(start),
            begun=anchor,
            steps=start.steps(rows, self.epochs),
            rng=rng.child("finetune"),
            tick=tick,
        )

    def held_to(self, model: Trainable, anchor: Params, weight: torch.Tensor) -> Step:
        """The label's loss, and how far the features went from those of `anchor`.

        weight  (width,) ≥ 0, of the units
        """
        import torch

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            rows = batches["rows"]
            features = model.features(params, rows)
            with torch.no_grad():
                before = model.features(anchor, rows)
            away = ((features - before).square() @ weight).mean()
            return {
                "rows": model.cost(params, features, rows),
                "behaviour": self.alpha * away,
            }

        return step


def attention(
    model: Trainable, params: Params, batch: Batch, tick: Tick = idle
) -> torch.Tensor:
    """(width,) what each unit of the features is worth on labelled rows; sum 1.

    A unit is taken away by setting it to 0 for the head.
    """
    import torch

    with torch.no_grad():
        features = model.features(params, batch)
        whole = model.cost(params, features, batch)
        rises = []
        for unit in range(features.shape[-1]):
            tick()
            without = features.clone()
            without[:, unit] = 0.0
            rises.append(model.cost(params, without, batch) - whole)
        rise = torch.stack(rises)
        # Where no unit matters more than another, all count alike.
        spread = rise.std(correction=0).clamp_min(1e-12)
        return torch.softmax((rise - rise.mean()) / spread, 0)


def drawn(rows: Stream, rng: Rng) -> Batch:
    """A batch of so many rows, without dropout."""
    import torch

    at = torch.randperm(rows.n, generator=torch_generator(rng))[:MOST_ROWS]
    return {name: value[at] for name, value in rows.tensors.items()}

"""Train a network on labels while its features of two sides are drawn together.

Before: `domains.problem` holds labelled rows of the sources, and rows of the target with
labels or without.  After: a plain network, whatever its features were held against.

Every method here has the same two streams: rows with labels (the sources' and, where
there are any, the target's), on which the label is learned as `pooled` learns it, and
all rows of the target, without their labels.  What differs is the step.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.problem import Problem, Statistics
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Params, Step, Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.seen import own_rows, teaches_nothing
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Shape:
    """What a step needs to know of the network it aligns.

    width    > 0, features of a row
    classes  ≥ 0, that the head tells apart; 0: it answers with a number
    sources  > 0, how many
    """

    width: int
    classes: int
    sources: int


@dataclass(frozen=True)
class Align(Adapt):
    """Train on labels, and on what tells the two sides' features apart.

    A source's row weights count in both: what is aligned is what is learned from.

    strength  ≥ 0, factor on what tells them apart; 0 is `pooled`
    epochs    ≥ 0, passes over the labelled rows, or None for the network's own number
    """

    strength: float = 1.0
    epochs: int | None = None

    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    needs_labels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise StrategyError(
                f"Expected a finite strength of at least 0, found {self.strength}. "
                "Strength 0 aligns nothing."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Trainable):
            return f"{model.kind} has no features that training could align: not a network"
        if (why := teaches_nothing(problem)) is not None:
            return why
        if not own_rows(problem):
            return "the target has no rows that the sources' could be aligned with"
        return None

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        start = model if getattr(model, "fitted", None) is not None else None
        return self.align(problem, model, start, None, rng, tick)

    @abstractmethod
    def against(self, model: Trainable, shape: Shape, rng: Rng) -> Step:
        """The losses of a step over the streams `rows` and `target`.

        A batch of `rows` also tells by `market` where each row comes from: 0 for the
        target's own, 1 … for the sources in order.
        """
        ...

    def beside(self, shape: Shape, rng: Rng) -> Params:
        """Parameters that train in the same loop and are not kept; by default none."""
        return {}

    def tuning(self, beside: Params, trainable: frozenset[str] | None) -> Tuning:
        """What this changes about training."""
        return Tuning(trainable, epochs=self.epochs)

    def align(
        self,
        problem: Problem,
        model: Trainable,
        start: Any,
        trainable: frozenset[str] | None,
        rng: Rng,
        tick: Tick,
    ) -> Model:
        """Train `model` from `start`, or anew.

        trainable  the network's parameters that may move, None for all
        """
        import torch

        tick()
        own = [problem.view(problem.fit)] if problem.labelled else []
        mine = problem.fit.n if own else 0
        weight = row_weights(problem.sources, mine)
        labelled = stack([*own, *source_views(problem)])
        prepared = model.prepare(labelled)
        rows = model.stream(prepared, weight, trainable)
        market = markets(problem, mine)
        # The stream leaves rows of weight 0 out.
        market = market if weight is None else market[weight > 0]
        rows = replace(rows, tensors={**rows.tensors, "market": torch.from_numpy(market)})
        seen = [problem.view(sample) for sample in own_rows(problem)]
        target = model.stream(model.prepare(stack(seen)), None, trainable)
        params = model.begin(prepared, start, rng)
        width = model.features(params, {k: v[:1] for k, v in rows.tensors.items()}).shape[-1]
        classes = len(getattr(problem.fit, "classes", ()))
        shape = Shape(width, classes, len(problem.sources))
        beside = self.beside(shape, rng)
        return model.learn(
            prepared,
            self.against(model, shape, rng),
            {"rows": rows, "target": target},
            self.tuning(beside, trainable),
            begun=params,
            beside=beside,
            rows=rows.mass,
            steps=model.steps(rows, self.epochs),
            rng=rng,
            tick=tick,
        )


def markets(problem: Problem, mine: int) -> Ints:
    """(n,) 0 for so many rows of the target's own, then 1 … for those of each source."""
    sizes = [mine, *(source.n for source in problem.sources)]
    return np.repeat(np.arange(len(sizes)), sizes)


def foreign_weights(batch: Batch) -> torch.Tensor:
    """(n,) the weight of each row that is a source's, 0 of the target's own."""
    foreign = batch["market"] > 0
    return foreign * batch["weight"] if "weight" in batch else foreign.float()


def answers(model: Trainable, params: Params, features: torch.Tensor, classes: int) -> Any:
    """(n, classes) the head's probabilities of these features; (n, 1) its numbers if 0."""
    import torch

    scores = model.head(params, features)
    return torch.softmax(scores, -1) if classes else scores

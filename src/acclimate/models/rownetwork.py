"""What networks over rows share: a linear head, its loss, and training in the one loop.

Before: a network made tensors of a view, and says what its body makes of them.  After:
`network.train` moves its parameters by name, which are kept as NumPy arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from acclimate.arrays import Array, Tensor
from acclimate.domains.exam import Numbers, Probabilities, RowAnswer
from acclimate.domains.view import RowView
from acclimate.models.columns import PreparedRows, Shape
from acclimate.models.design import require_label, require_numbers, require_weight
from acclimate.models.layers import HEAD, linear
from acclimate.models.model import Tick, idle
from acclimate.models.network import Losses, Step, Tuning, train
from acclimate.models.streams import Batch, Params, Stream, together
from acclimate.models.updates import Adam
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Learned:
    """What was learned: parameters by name, float32."""

    shape: Shape
    tensors: Mapping[str, Tensor] = field(repr=False)


class RowNetwork(ABC):
    """A body of its own under a linear head.  Subclasses are frozen dataclasses.

    rate          > 0, first rate of Adam
    penalty       ≥ 0, λ of summed loss + (λ/2)·‖θ‖² over matrices that are not anchored
    rows_at_once  > 0, that are answered together
    """

    rate: float
    penalty: float
    fitted: Learned | None
    rows_at_once: ClassVar[int]

    # ── what each has of its own ────────────────────────────────────────────

    @abstractmethod
    def prepare(self, view: RowView) -> PreparedRows: ...

    @abstractmethod
    def stream(
        self,
        prepared: PreparedRows,
        weight: Array | None = None,
        trainable: Collection[str] | None = None,
    ) -> Stream: ...

    @abstractmethod
    def begin(self, prepared: PreparedRows, start: Any, rng: Rng) -> Params: ...

    @abstractmethod
    def features(self, params: Params, batch: Batch) -> torch.Tensor: ...

    @abstractmethod
    def steps(self, stream: Stream, epochs: int | None = None) -> int: ...

    @abstractmethod
    def holding(self, prepared: PreparedRows, params: Params) -> Self: ...

    @abstractmethod
    def parameters(self) -> Params: ...

    def rate_of(self, name: str) -> float:
        """The factor on `rate` for a parameter."""
        return 1.0

    def anchored(self, names: Collection[str]) -> Collection[str]:
        """Those of these parameters that the penalty leaves alone."""
        return ()

    # ── the network, pure functions ─────────────────────────────────────────

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        return linear(params, "head", features)

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """The weighted mean cross-entropy, or squared error, of a labelled batch."""
        return self.cost(params, self.features(params, batch), batch)

    def cost(self, params: Params, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """`loss`, of features that the body already made of the batch."""
        import torch.nn.functional as F

        scores, label = self.head(params, features), batch["label"]
        if label.is_floating_point():
            each = (scores.squeeze(-1) - label).square()
        else:
            each = F.cross_entropy(scores, label, reduction="none")
        return (each * batch["weight"]).mean() if "weight" in batch else each.mean()

    # ── fitting ─────────────────────────────────────────────────────────────

    def fit(
        self,
        prepared: PreparedRows,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Self:
        assert prior is None, "a network takes no prior"
        return self.tune(prepared, Tuning(), weight=weight, start=start, rng=rng, tick=tick)

    def tune(
        self,
        prepared: PreparedRows,
        tuning: Tuning,
        *,
        weight: Array | None = None,
        start: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Self:
        """`fit`, with what a strategy changes about it."""
        require_weight(weight, prepared.n)
        label = prepared.tensors.get("label")
        found = None if label is None else label.numpy()
        if prepared.shape.n_classes:
            require_label(found, prepared.shape.n_classes)
        else:
            require_numbers(found)
        tick()
        stream = self.stream(prepared, weight, tuning.trainable)

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            return {"rows": self.loss(params, batches["rows"])}

        return self.learn(
            prepared,
            step,
            {"rows": stream},
            tuning,
            begun=self.begin(prepared, start, rng),
            rows=stream.mass,
            steps=self.steps(stream, tuning.epochs),
            rng=rng,
            tick=tick,
        )

    def learn(
        self,
        prepared: PreparedRows,
        step: Step,
        streams: Mapping[str, Stream],
        tuning: Tuning,
        *,
        begun: Params,
        beside: Params | None = None,
        rows: float | Mapping[str, float] | None = None,
        steps: int,
        rng: Rng,
        tick: Tick = idle,
    ) -> Self:
        """Train by losses of a strategy's own over streams of its own.

        step    its losses; the penalties of `tuning` come on top
        begun   the network's parameters, as `begin` gives them
        beside  parameters that train in the same loop and are not kept, such as a
                discriminator or the heads of other tasks
        rows    > 0, how many rows the losses are means over, None for those prepared; the
                penalty is weighed against so many.  By parameter where they differ
        """
        beside = {} if beside is None else beside
        assert not set(begun) & set(beside), "a name for two parameters"
        params = begun | beside

        def penalised(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            penalties = {name: value(params) for name, value in tuning.penalties.items()}
            return step(params, batches, progress) | penalties

        rates = {
            name: tuning.multipliers.get(name, 1.0) * self.rate_of(name) for name in params
        }
        moving = tuning.trainable
        each = rows if isinstance(rows, Mapping) else {}
        every = rows if isinstance(rows, float | int) else prepared.n
        trained = train(
            penalised,
            params,
            batches=together(streams, rng.child("batches")),
            steps=steps,
            combine=tuning.combine,
            update=Adam(
                self.rate,
                multipliers=rates,
                anchored={*tuning.anchored, *self.anchored(begun)},
                penalty=self.penalty / every,
                penalties={name: self.penalty / worth for name, worth in each.items()},
            ),
            trainable=None if moving is None else {*moving, *beside},
            tick=tick,
        )
        return self.holding(prepared, {name: trained[name] for name in begun})

    # ── using what was learned ──────────────────────────────────────────────

    def predict(self, query: RowView, context: Any = None) -> RowAnswer:
        import torch

        def scores(params: Params, batch: Batch) -> torch.Tensor:
            return self.head(params, self.features(params, batch))

        shape = self._learned().shape
        if not shape.n_classes:
            centre, spread = shape.scale
            return Numbers(centre + spread * self._apply(scores, query)[:, 0])
        p = torch.softmax(torch.from_numpy(self._apply(scores, query)), 1).numpy()
        return Probabilities(p)

    def embed(self, view: RowView) -> Array:
        return self._apply(self.features, view)

    def heads(self) -> frozenset[str]:
        return HEAD

    def _learned(self) -> Learned:
        assert self.fitted is not None, "the network has not been fitted"
        return self.fitted

    def _apply(self, function: Callable[[Params, Batch], torch.Tensor], view: RowView) -> Array:
        """`function` of the learned parameters and a view, a piece at a time."""
        import torch

        self._learned().shape.layout.require(view)
        prepared = self.prepare(view)
        params, pieces = self.parameters(), []
        with torch.no_grad():
            for first in range(0, max(prepared.n, 1), self.rows_at_once):
                rows = slice(first, first + self.rows_at_once)
                batch = {name: value[rows] for name, value in prepared.tensors.items()}
                pieces.append(function(params, batch).numpy())
        return np.concatenate(pieces).astype(np.float64)

"""A small network over mixed columns: numbers, category codes, hashed text.

Before: an encoder standardised numbers and gave categories codes, 0 for unseen.
After: two hidden layers with GELU, an adapter where one is asked for, and a linear head.
Numbers are learned by squared error, in units of the spread of the rows that were trained
on first: what goes on from a fitted network keeps its scale.

Every part is a pure function of named tensors, so that strategies can train it
in `models.network` under `torch.func`.  Parameters are kept as NumPy arrays.
Embeddings start small and learn slowly: Adam moves a level seen twice as far as one
seen a thousand times, so at full rate rare levels are learned by heart.  On made
markets of 1,500 rows (ten columns of 4 … 1,000 levels) scale 0.02 at a tenth of the
rate reaches AUC 0.76, where 0.1 at the full rate reaches 0.71.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.columns import PreparedRows, Shape, prepare_rows
from acclimate.models.design import (
    Layout,
)
from acclimate.models.layers import (
    ADAPTER,
    HIDDEN,
    embeds,
    features,
    fresh,
    names,
    noise,
)
from acclimate.models.model import State
from acclimate.models.network import no_torch
from acclimate.models.rownetwork import Learned, RowNetwork
from acclimate.models.streams import Batch, Params, Stream, torch_generator
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

TEXT_BUCKETS = 2**16  # the encoder's columns, folded: fewer parameters to update a step
STEPS_AN_EPOCH = 50  # at least: a pass over a tiny table is too few
MOST_STEPS = 3000


@dataclass(frozen=True)
class MixedNetwork(RowNetwork):
    """Two hidden layers over numbers, embedded categories and projected text.

    width           > 0, units of each hidden layer
    epochs          ≥ 0, passes over the rows, of 50 steps at least and 3000 steps
                    together at most, so that a tiny table is fitted and a huge one
                    ends. 0 stays where it started
    rate            > 0, first rate of Adam
    embedding_rate  > 0, factor on it for embedded codes and text
    penalty         ≥ 0, λ of summed loss + (λ/2)·‖θ‖² over weights and embeddings, as in
                    `linear`: many rows outweigh it, few do not
    batch_size      > 0, rows; at most all of them
    dropout         0 … < 1, share of hidden units silenced at a training step
    hide            0 … < 1, share of category codes shown as unseen at a training
                    step, so that code 0 learns what to say about new levels
    adapter         ≥ 0, units of a residual bottleneck on the body's features (Houlsby
                    et al. 2019, arXiv:1902.00751), which changes nothing at first; 0: none
    """

    kind: ClassVar[str] = "network"
    form: ClassVar[str] = "rows"
    takes_weights: ClassVar[bool] = True
    takes_numbers: ClassVar[bool] = True
    rows_at_once: ClassVar[int] = 8192

    width: int = 64
    epochs: int = 8
    rate: float = 5e-3
    embedding_rate: float = 0.1
    penalty: float = 5.0
    batch_size: int = 256
    dropout: float = 0.1
    hide: float = 0.02
    adapter: int = 0
    fitted: Learned | None = field(default=None, repr=False, compare=False)

    def why_not(self) -> str | None:
        return no_torch()

    def grid(self) -> tuple[MixedNetwork, ...]:
        return (
            self,
            replace(self, penalty=3 * self.penalty),
            replace(self, penalty=self.penalty / 4),
            replace(self, epochs=(self.epochs + 1) // 2),
        )

    # ── data ────────────────────────────────────────────────────────────────

    def prepare(self, view: RowView) -> PreparedRows:
        learned = None if self.fitted is None else self.fitted.shape
        return prepare_rows(view, TEXT_BUCKETS, learned)

    def stream(
        self,
        prepared: PreparedRows,
        weight: Array | None = None,
        trainable: Collection[str] | None = None,
    ) -> Stream:
        """Batches of a prepared view; frozen layers get no dropout masks.

        weight  (n,) ≥ 0, scaled to mean 1; rows of weight 0 are left out, so that
                they are as good as removed, whatever the batches
        """
        masks = noise(prepared.shape, self.width, self.dropout, self.hide, trainable)
        mass = 0.0 if weight is None else float(np.sum(weight))
        return Stream(prepared.weighed(weight), self.batch_size, masks, mass)

    # ── the network, pure functions ─────────────────────────────────────────

    def features(self, params: Params, batch: Batch) -> torch.Tensor:
        return features(params, batch)

    def rate_of(self, name: str) -> float:
        return self.embedding_rate if embeds(name) else 1.0

    def begin(self, prepared: PreparedRows, start: Any, rng: Rng) -> Params:
        """Fresh parameters for a view, those of a fitted `start` in their place.

        The body of `start` must be of the same shape; its head is taken over
        where it has as many classes, in this view's scale where it is of numbers.  An
        adapter that `start` lacks is fresh.
        """
        generator = torch_generator(rng.child("init"))
        params = fresh(prepared.shape, self.width, self.adapter, TEXT_BUCKETS, generator)
        return params if start is None else self._over(params, start, prepared.shape)

    def steps(self, stream: Stream, epochs: int | None = None) -> int:
        """Steps that so many passes make: 50 a pass at least, 3000 in all at most."""
        passes = self.epochs if epochs is None else epochs
        return min(passes * max(stream.batches_a_pass, STEPS_AN_EPOCH), MOST_STEPS)

    def holding(self, prepared: PreparedRows, params: Params) -> MixedNetwork:
        """This network, fitted with these parameters."""
        tensors = {name: value.detach().numpy().copy() for name, value in params.items()}
        return replace(self, fitted=Learned(prepared.shape, tensors))

    # ── using what was learned ──────────────────────────────────────────────

    def body(self) -> frozenset[str]:
        return frozenset(self._learned().tensors) - self.heads()

    def adapters(self) -> frozenset[str]:
        return ADAPTER if self.adapter else frozenset()

    def layers(self) -> tuple[frozenset[str], ...]:
        upper = [names(layer) for layer in HIDDEN]
        upper += [self.adapters()] if self.adapter else []
        return (self.body().difference(*upper), *upper, self.heads())

    def parameters(self) -> Params:
        import torch

        return {name: torch.from_numpy(v.copy()) for name, v in self._learned().tensors.items()}

    def state(self) -> State:
        learned = self._learned()
        settings = {each.name: getattr(self, each.name) for each in fields(self)}
        del settings["fitted"]
        meta = {
            "settings": settings,
            "layout": asdict(learned.shape.layout) | {"levels": [*learned.shape.layout.levels]},
            "n_classes": learned.shape.n_classes,
            "scale": [*learned.shape.scale],
        }
        return State(self.kind, meta, dict(learned.tensors))

    @classmethod
    def restore(cls, state: State) -> MixedNetwork:
        meta = state.meta
        layout = Layout(**(meta["layout"] | {"levels": tuple(meta["layout"]["levels"])}))
        # Files are read in an order of their own and may be mapped read-only.
        tensors = {name: np.array(state.tensors[name]) for name in sorted(state.tensors)}
        shape = Shape(layout, meta["n_classes"], tuple(meta.get("scale", (0.0, 1.0))))
        return cls(**meta["settings"], fitted=Learned(shape, tensors))

    # ── inside ──────────────────────────────────────────────────────────────

    def _over(self, params: Params, start: Any, shape: Shape) -> Params:
        """`params`, replaced by what `start` learned; its head only if classes agree."""
        learned = start.parameters()
        found = {name: tuple(value.shape) for name, value in learned.items()}
        wanted = {name: tuple(value.shape) for name, value in params.items()}
        lacking = self.adapters() - set(found)
        body = set(params) - self.heads() - lacking
        if {k: wanted[k] for k in body} != {
            k: v for k, v in found.items() if k in start.body()
        }:
            raise StrategyError(
                f"The network to start from has a body of shape {found}, "
                f"but these rows and settings need {wanted}. "
                "Fit both on views of the same encoder with the same width and adapter."
            )
        kept = body | {name for name in self.heads() if found.get(name) == wanted[name]}
        over = params | {name: learned[name] for name in kept}
        before = start.fitted.shape if start.fitted is not None else shape
        if shape.n_classes or before.n_classes or before.scale == shape.scale:
            return over
        # The same numbers in other units: a + b·h(x) = c + d·h′(x).
        (a, b), (c, d) = before.scale, shape.scale
        weight, bias = over["head.weight"], over["head.bias"]
        return over | {"head.weight": weight * (b / d), "head.bias": (bias * b + a - c) / d}

"""Rows of numbers as published: arrays, and a recipe that reads them as they are.

A row's text is its place in a matrix of numbers, so that no scaler stands between a
published protocol and the models.  Two plain models stand beside the catalogue's, because
published figures are theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl
from scipy.spatial.distance import cdist

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities
from acclimate.domains.sample import Rows, Sample
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import ItemCounts
from acclimate.domains.view import EncoderState, RowView
from acclimate.models.model import Model, State, Tick, idle
from acclimate.rng import Rng


@dataclass(frozen=True)
class Dense:
    """A recipe and an encoder, which have no statistics here and are the same thing.

    matrix   (n, d) every row of every domain
    classes  the labels' values, in the order of their positions
    """

    matrix: Array = field(repr=False)
    classes: tuple[str, ...]

    @classmethod
    def of(cls, domains: dict[str, tuple[Array, Ints]]) -> tuple[Dense, dict[str, Rows]]:
        """The recipe of several domains, and their rows.

        domains  name → (n, d) numbers and (n,) labels, which any domain may have
        """
        labels = sorted({int(each) for _, y in domains.values() for each in y})
        recipe = cls(np.vstack([x for x, _ in domains.values()]), tuple(map(str, labels)))
        rows, first = {}, 0
        for name, (x, y) in domains.items():
            places = [str(place) for place in range(first, first + len(x))]
            label = np.searchsorted(labels, y).astype(np.int64)
            frame = pl.DataFrame({"place": places})
            rows[name] = Rows(frame, {"place": ColumnType.NUMERIC}, recipe.classes, label)
            first += len(x)
        return recipe, rows

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(np.ascontiguousarray(self.matrix).tobytes()).hexdigest()

    @property
    def base(self) -> Dense:
        return self

    def fit(self, own: Sequence[Sample], others: Sequence[Sample | ItemCounts]) -> Dense:
        return self

    def reads(self, name: str) -> bool:
        return name == "place"

    def unseen(self, sample: Rows) -> list[str]:
        return [""] * sample.n

    def encode(self, sample: Rows) -> RowView:
        places = sample.columns["place"].cast(pl.Int64).to_numpy()
        none = np.zeros((sample.n, 0), np.int64)
        k = len(self.classes)
        return RowView(self.matrix[places], none, (), None, sample.label, k)

    def state(self) -> EncoderState:
        return EncoderState("dense", {})


@dataclass(frozen=True)
class Plain:
    """What the two models have in common: they are fitted, asked, and never saved."""

    kind: ClassVar[str]
    form: ClassVar[str] = "rows"

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Model, ...]:
        return (self,)  # type: ignore[return-value]

    def prepare(self, view: RowView) -> RowView:
        return view

    def state(self) -> State:
        return State(self.kind, {})


@dataclass(frozen=True)
class Nearest(Plain):
    """The class of the nearest row; how sure it is comes from the nearest of each class."""

    rows: RowView | None = field(default=None, repr=False)

    kind: ClassVar[str] = "1-nn"

    def fit(
        self,
        prepared: RowView,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Nearest:
        return replace(self, rows=prepared)

    def predict(self, query: RowView, context: Any = None) -> Probabilities:
        assert self.rows is not None and self.rows.label is not None
        apart = cdist(query.numeric, self.rows.numeric)
        nearest = np.full((query.n, query.n_classes), np.inf)
        for each in np.unique(self.rows.label):
            nearest[:, each] = apart[:, self.rows.label == each].min(axis=1)
        score = nearest.min(axis=1, keepdims=True) - nearest
        p = np.exp(score / max(float(np.median(nearest.min(axis=1))), 1e-12))
        return Probabilities(p / p.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Support(Plain):
    """scikit-learn's support vector classifier of two classes with a Gaussian kernel."""

    machine: Any = field(default=None, repr=False, compare=False)

    kind: ClassVar[str] = "svc"
    takes_weights: ClassVar[bool] = True

    def fit(
        self,
        prepared: RowView,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Support:
        from sklearn.svm import SVC

        assert prepared.n_classes == 2
        weight = np.ones(prepared.n) if weight is None else weight
        used = weight > 0
        x, y, weight = prepared.numeric[used], prepared.label, weight[used]
        assert y is not None
        return replace(self, machine=SVC().fit(x, y[used], weight / weight.mean()))

    def predict(self, query: RowView, context: Any = None) -> Probabilities:
        score = 1 / (1 + np.exp(-2 * self.machine.decision_function(query.numeric)))
        return Probabilities(np.column_stack([1 - score, score]))

"""Popularity: everyone gets what most users took.  The floor every recommender must clear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Sparse
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.items import ItemQuery, rank
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng


@dataclass(frozen=True)
class Popularity:
    """Score of an item = number of users who took it.

    counts  (n_items,) after fitting
    """

    counts: Array | None = None

    kind: ClassVar[str] = "popularity"
    form: ClassVar[str] = "items"

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Popularity, ...]:
        return (self,)

    def prepare(self, view: ItemView) -> Array:
        return view.popularity

    def fit(
        self,
        prepared: Array,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Popularity:
        return replace(self, counts=prepared.astype(float))

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.counts is not None and context is not None
        counts = self.counts

        def score(histories: Sparse) -> Array:
            return np.tile(counts, (histories.shape[0], 1))

        return rank(score, context, query, counts)

    def state(self) -> State:
        assert self.counts is not None
        return State(self.kind, {}, {"counts": self.counts})

    @classmethod
    def restore(cls, state: State) -> Popularity:
        return cls(state.tensors["counts"].astype(float))

"""Popularity: everyone gets what most users took.  The floor every recommender must clear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Sparse
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.items import ItemGram, ItemQuery, rank
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng


@dataclass(frozen=True)
class Popularity:
    """Score of an item = number of users who took it.

    counts    (n_items,) after fitting
    standing  (n_items,) breaks ties and serves users without a history
    """

    counts: Array | None = None
    standing: Array | None = None

    kind: ClassVar[str] = "popularity"
    form: ClassVar[str] = "items"

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Popularity, ...]:
        return (self,)

    def prepare(self, view: ItemView) -> ItemView:
        return view

    def fit(
        self,
        prepared: ItemView | ItemGram,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Popularity:
        counts = prepared.popularity.astype(float)
        return replace(self, counts=counts, standing=prepared.standing)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.standing is not None and context is not None
        return rank(self.scores, context, query, self.standing)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        assert self.counts is not None
        return np.tile(self.counts, (histories.shape[0], 1))

    def state(self) -> State:
        assert self.counts is not None and self.standing is not None
        return State(self.kind, {}, {"counts": self.counts, "standing": self.standing})

    @classmethod
    def restore(cls, state: State) -> Popularity:
        counts, standing = (state.tensors[name] for name in ("counts", "standing"))
        return cls(counts.astype(float), standing.astype(float))

"""Popularity: everyone gets what most users took.  The floor every recommender must clear.

By the clock, users may count less the longer ago they took an item:
score_i = Σ_u 2^(−(days since u took i) / half-life).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Sparse
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, ItemQuery, rank
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

RECENT = (365.0, 90.0, 30.0)  # half-lives in days that tuning tries


@dataclass(frozen=True)
class Popularity:
    """Score of an item = number of users who took it, each worth less as time passes.

    half_life_days  > 0, days in which a user's worth halves; None: it stays.  Where the exam
                    asks for what each took last, and not by the clock, it stays too
    counts    (n_items,) after fitting
    standing  (n_items,) breaks ties and serves users without a history
    """

    half_life_days: float | None = None
    counts: Array | None = None
    standing: Array | None = None

    kind: ClassVar[str] = "popularity"
    form: ClassVar[str] = "items"

    def why_not(self) -> str | None:
        return None

    def __post_init__(self) -> None:
        half = self.half_life_days
        if half is not None and not 0 < half < np.inf:
            raise StrategyError(f"Expected a half-life above 0 days; found {half}.")

    def grid(self) -> tuple[Popularity, ...]:
        return (self, *(replace(self, half_life_days=days) for days in RECENT))

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
        counts, taken = prepared.popularity.astype(float), prepared.taken
        if self.half_life_days is not None and taken is not None:
            counts = taken.recent(self.half_life_days)
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
        meta = {"half_life_days": self.half_life_days}
        return State(self.kind, meta, {"counts": self.counts, "standing": self.standing})

    @classmethod
    def restore(cls, state: State) -> Popularity:
        counts, standing = (state.tensors[name] for name in ("counts", "standing"))
        return cls(
            state.meta.get("half_life_days"), counts.astype(float), standing.astype(float)
        )

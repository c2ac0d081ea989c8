"""One list at a time, where a score is a product of factors.

Before: `recommender` answers tables of users.  After: a service answers one user in tens of
microseconds: a user's factors are kept once made, and only the items that are asked for are
looked at.  The lists are those of `Recommender.answer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints
from acclimate.artifacts.predictor import COLD, NEW
from acclimate.artifacts.recommender import Filters, Recommender
from acclimate.domains.view import ItemEncoder
from acclimate.models.lengths import Factored
from acclimate.models.model import ReadsAttributes

KEPT = 100_000  # users whose factors are held: 50 MB of 64 in double precision


@dataclass(frozen=True)
class Quick:
    """A recommender whose model has factors and goes by histories alone.

    factors   (n_items, d)
    standing  (n_items,) scores of a stranger's list
    place     (n_items,) where each item stands among equal scores
    """

    shop: Recommender
    factors: Array = field(repr=False)
    standing: Array = field(repr=False)
    place: Ints = field(repr=False)
    _known: dict[str, tuple[Array, Ints]] = field(default_factory=dict, repr=False)
    _mark: Bools = field(default_factory=lambda: np.zeros(0, bool), repr=False)

    @classmethod
    def of(cls, shop: Recommender) -> Quick | None:
        """None for models and encoders that need more than that."""
        model, encoder = shop.model, shop.encoder
        plain = type(encoder) is ItemEncoder and not encoder.about.as_row()
        if not plain or not isinstance(model, Factored) or isinstance(model, ReadsAttributes):
            return None
        favoured, standing = shop._popular
        place = np.full(len(shop.items), len(favoured), np.int64)
        place[favoured] = np.arange(len(favoured))
        factors = np.ascontiguousarray(model.items, np.float64)
        mark = np.zeros(len(shop.items), bool)
        return cls(shop, factors, standing, place, _mark=mark)

    def answer(
        self,
        user: str | None,
        items: Sequence[str],
        k: int,
        among: Sequence[str] | None = None,
        again: bool = False,
    ) -> tuple[list[tuple[str, float]], str]:
        """As `Recommender.answer`; not from two threads at once."""
        shop, columns = self.shop, None
        if among is not None:
            find = shop.column.get
            columns = np.array([*{at for at in map(find, among) if at is not None}], np.int64)
            if not len(columns):
                return shop.answer(user, items, k, Filters(among, again))  # refuses
        query, past = self._history(user, items)
        if len(past):
            factors = self.factors if columns is None else self.factors[columns]
            scores, note = factors @ query, ""
        else:
            scores = self.standing.copy() if columns is None else self.standing[columns]
            seen = bool(items) or user in shop.users
            note = COLD if seen else NEW
        if not again and len(past):
            if columns is None:
                scores[past] = -np.inf
            else:
                self._mark[past] = True
                scores[self._mark[columns]] = -np.inf
                self._mark[past] = False
        best = self._first(scores, columns, k)
        ids = best if columns is None else columns[best]
        found = zip(shop.items[ids].tolist(), scores[best].tolist(), strict=True)
        return list(found), note

    def _first(self, scores: Array, columns: Ints | None, k: int) -> Ints:
        """Where the k best stand, among equal ones as a stranger is offered them."""
        if k < len(scores):
            floor = np.partition(scores, len(scores) - k)[len(scores) - k]
            some = np.flatnonzero((scores >= floor) & (scores > -np.inf))
        else:
            some = np.flatnonzero(scores > -np.inf)
        place = self.place[some if columns is None else columns[some]]
        first: Ints = some[np.lexsort((place, -scores[some]))[:k]]
        return first

    def _history(self, user: str | None, items: Sequence[str]) -> tuple[Array, Ints]:
        """(d,) factors and the columns of what was taken."""
        shop = self.shop
        if not items and user is not None and (kept := self._known.get(user)) is not None:
            return kept
        at = shop.users.get(user, -1) if user is not None else -1
        past, more = shop.taken.matrix, [shop.column[i] for i in items if i in shop.column]
        if at >= 0:
            more += past.indices[past.indptr[at] : past.indptr[at + 1]].tolist()
        columns = np.array(sorted(set(more)), np.int64)
        row = sp.csr_array(
            (np.ones(len(columns)), columns, np.array([0, len(columns)])), (1, len(shop.items))
        )
        found = (np.asarray(shop.model.queries(row), np.float64)[0], columns)
        if not items and at >= 0:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[str(user)] = found
        return found

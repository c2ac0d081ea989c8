"""What markets say for a candidate: statistics of how it resembles a history in each of them.

For a candidate i and a history h, with G counting a market's users who took both items and
n = diag G, over the items j of h:

    cosine  G_ij / √(n_i n_j)    overlap  G_ij / (n_i + n_j − G_ij)    follows  G_ij / n_j

Sources: Sarwar et al., WWW 2001 (cosine); Jaccard 1901 (overlap); Deshpande & Karypis, ACM
TOIS 2004, section 4.1.2 (follows, there conditional probability).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.taken import Taken
from acclimate.models.ease import solve
from acclimate.models.items import BLOCK
from acclimate.models.model import Tick, idle
from acclimate.models.popularity import RECENT

STATISTICS = (
    "cosine",
    "most-cosine",
    "top-cosine",
    "mean-cosine",
    "middle-cosine",
    "overlap",
    "follows",
    "most-follows",
    "speaking",
    "popularity",
)
"""Columns a market gives, in order: sums of cosine, overlap and follows; of cosine also the
highest, the mean of the two highest, the mean and the median; the highest of follows; how
many items of the history were ever taken with the candidate; and the candidate's users."""

SCORES = tuple(
    STATISTICS.index(name) for name in ("cosine", "mean-cosine", "overlap", "popularity")
)
"""Columns that order candidates by themselves."""

AT_ONCE = 1_000_000  # pairs of a history's item and a candidate looked up together


@dataclass(frozen=True)
class Market:
    """What one market says of items, in the model's vocabulary.

    together  (n_items, n_items) CSR, symmetric, zero diagonal: users who took both
    count     (n_items,) users who took each
    recent    (n_items, r) the same, worth half as much after each of `RECENT`; without a
              clock r is 0
    """

    together: Sparse = field(repr=False)
    count: Array = field(repr=False)
    recent: Array = field(repr=False)

    @classmethod
    def of(cls, rows: Sparse, recent: Array | None = None) -> Market:
        """Of a market's (n_users, n_items) rows of ones."""
        gram = sp.csr_array(rows.T @ rows)
        count = gram.diagonal().astype(np.float64)
        return cls(_bare(gram), count, np.empty((len(count), 0)) if recent is None else recent)

    @classmethod
    def of_taken(cls, taken: Taken, now: float | None = None) -> Market:
        """Of a market's events.

        now  in seconds, the moment from which events are looked back at; None: the latest one
        """
        if taken.time is None:
            return cls.of(taken.rows)
        lately = [taken.recent(days, now) for days in RECENT]
        return cls.of(taken.rows, np.column_stack(lately))

    def plus(self, others: Sequence[Market]) -> Market:
        """All of them as one market."""
        together = self.together
        for other in others:
            together = together + other.together
        count = self.count + sum(other.count for other in others)
        recent = self.recent + sum(other.recent for other in others)
        return Market(_bare(sp.csr_array(together)), count, recent)

    def of_items(self, columns: Ints) -> Market:
        """What it says of these items, in this order."""
        if len(columns) == len(self.count) and (np.diff(columns) > 0).all():
            return self
        together = sp.csr_array(self.together[columns][:, columns])
        together.sort_indices()
        return Market(together, self.count[columns], self.recent[columns])

    @property
    def shares(self) -> Array:
        """(n_items, r) of what was lately taken, what each item is."""
        total = self.recent.sum(axis=0)
        return self.recent / np.where(total > 0, total, 1.0)

    def cosine(self) -> Sparse:
        """(n_items, n_items) CSR of cosines, zero diagonal."""
        root = 1.0 / np.sqrt(np.maximum(self.count, 1.0))
        return sp.csr_array(sp.diags_array(root) @ self.together @ sp.diags_array(root))

    def tensors(self) -> dict[str, Tensor]:
        parts = self.together
        return {
            "data": parts.data,
            "indices": parts.indices,
            "indptr": parts.indptr,
            "count": self.count,
            "recent": self.recent,
        }

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor]) -> Market:
        count = tensors["count"].astype(np.float64)
        parts = (tensors["data"], tensors["indices"], tensors["indptr"])
        recent = np.asarray(tensors["recent"], np.float64).reshape(len(count), -1)
        return cls(sp.csr_array(parts, shape=(len(count),) * 2), count, recent)


@dataclass(frozen=True)
class Effects:
    """EASE (`models.ease`) over the items that a market takes most.

    items   (k,) columns, increasing
    matrix  (k, k)
    """

    items: Ints
    matrix: Tensor = field(repr=False)

    @classmethod
    def of(cls, market: Market, penalty: float, at_most: int) -> Effects:
        """penalty > 0, in users; at_most ≥ 1 items, the only ones that it scores."""
        favoured = np.argsort(-market.count, kind="stable")[:at_most]
        items = np.sort(favoured[market.count[favoured] > 0])
        gram = market.together[items][:, items].toarray()
        gram[np.diag_indices_from(gram)] = market.count[items]
        matrix = solve(gram, penalty) if len(items) else gram
        return cls(items.astype(np.int64), matrix.astype(np.float32))

    def scores(self, histories: Sparse) -> Array:
        """(m, n_items) of every item for each history."""
        scores = np.zeros(histories.shape)
        scores[:, self.items] = histories[:, self.items] @ self.matrix
        return scores

    def pairs(self, histories: Sparse, user: Ints, item: Ints) -> Array:
        """(p,) the score of each pair."""
        found = np.zeros(len(user))
        for start in range(0, histories.shape[0], BLOCK):
            of = np.flatnonzero((user >= start) & (user < start + BLOCK))
            scores = self.scores(histories[start : start + BLOCK])
            found[of] = scores[user[of] - start, item[of]]
        return found


@dataclass(frozen=True)
class Order:
    """When items were taken, as places in the order of the target's events, 0 … 1.

    usual, latest  (n_items,) mean and last place of each item; −1 for an item never taken
    """

    usual: Array = field(repr=False)
    latest: Array = field(repr=False)

    @classmethod
    def of(cls, items: Ints, n_items: int) -> Order:
        """items  (n,) columns in the order in which they were taken."""
        place = (np.arange(len(items)) + 0.5) / max(len(items), 1)
        count = np.bincount(items, minlength=n_items)
        total = np.bincount(items, place, minlength=n_items)
        usual = np.where(count > 0, total / np.maximum(count, 1), -1.0)
        latest = np.full(n_items, -1.0)
        latest[items] = place  # of several places of an item the last one stays
        return cls(usual, latest)

    def columns(self, last: Ints, user: Ints, item: Ints) -> Array:
        """(p, 3) the candidate's places, and how much later than the last item's it is usual.

        last  (m,) the column each history ends with, −1 for none
        """
        ended = np.where(last >= 0, self.usual[last], -1.0)
        usual = self.usual[item]
        return np.column_stack([usual, self.latest[item], usual - ended[user]])


def voices(
    market: Market, histories: Sparse, user: Ints, item: Ints, tick: Tick = idle
) -> Tensor:
    """(p, len(STATISTICS)) in single precision: what a market says for each pair.

    histories  (m, n_items) CSR of ones
    user       (p,) rows of `histories`
    item       (p,) columns that the history does not hold
    """
    found = np.zeros((len(user), len(STATISTICS)), np.float32)
    found[:, -1] = market.count[item]
    length = np.diff(histories.indptr)[user].astype(np.int64)
    # Many places are found ten times as fast in a table as in sorted columns.
    many_asked = length.sum() > market.together.shape[0] ** 2 / 8
    together = market.together.toarray() if many_asked else market.together
    for many in np.unique(length[length > 0]):
        of = np.flatnonzero(length == many)
        for start in range(0, len(of), max(1, AT_ONCE // many)):
            tick()
            part = of[start : start + max(1, AT_ONCE // many)]
            place = histories.indptr[user[part]][:, None] + np.arange(many)
            found[part, :-1] = _heard(
                together, market.count, histories.indices[place].astype(np.int64), item[part]
            )
    return found


def _heard(together: Any, count: Array, history: Ints, item: Ints) -> Array:
    """(p, len(STATISTICS) − 1) of histories of one length, (p, many), and candidates (p,)."""
    other = np.repeat(item, history.shape[1])
    both = np.asarray(together[history.ravel(), other]).reshape(history.shape)
    mine = np.maximum(count[item], 1.0)[:, None]
    theirs = np.maximum(count[history], 1.0)
    many = history.shape[1]
    cosine = np.sort(both / np.sqrt(mine * theirs), axis=1)
    follows = both / theirs
    return np.column_stack(
        [
            cosine.sum(axis=1),
            cosine[:, -1],
            cosine[:, -2:].mean(axis=1),
            cosine.mean(axis=1),
            (cosine[:, (many - 1) // 2] + cosine[:, many // 2]) / 2,
            (both / (mine + theirs - both)).sum(axis=1),
            follows.sum(axis=1),
            follows.max(axis=1),
            (both > 0).sum(axis=1),
        ]
    )


def _bare(gram: Sparse) -> Sparse:
    """The same without its diagonal, in single precision with sorted columns."""
    bare = sp.csr_array(gram - sp.diags_array(gram.diagonal())).astype(np.float32)
    bare.eliminate_zeros()
    bare.sort_indices()
    return bare

"""The best items where a score is a product of factors, without looking at every item.

Before: a model has learned factors.  After: lists of k, the same as by all products.

Items are taken by their length, the longest in front: once k are found, no item can be among
the best whose length times that of the user's factors is below the k-th product (Cauchy and
Schwarz; Teflioudi, Gemulla & Mykytiuk, LEMP, SIGMOD 2015, section 3, prune lists so).  Single
precision finds what may be among the best and double says what is, so that nobody's list hangs
on how the products of a block were rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.models.best import first, in_order, reaching, without_known

FRONT = 2048  # items looked at whatever their length, or 64 for each place of a list
ROUNDING = 2.0**-24  # of single precision, relative


@runtime_checkable
class Factored(Protocol):
    """A score is the inner product of a history's factors and an item's."""

    @property
    def items(self) -> Tensor | None:
        """(n_items, d), None before fitting."""
        ...

    def queries(self, histories: Sparse) -> Array:
        """(n, d) of (n, n_items) CSR histories."""
        ...


@dataclass(frozen=True)
class Products:
    """Items by their length.

    queries  factors of histories
    items    (n_items, d) factors of items
    order    (n_items,) items, the longest first; place is where each of them stands
    length   (n_items,) in that order
    narrow   (n_items, d) in that order, in single precision
    """

    queries: Callable[[Sparse], Array]
    items: Tensor
    order: Ints
    place: Ints
    length: Array
    narrow: Tensor

    @classmethod
    def of(cls, model: Factored) -> Products:
        assert model.items is not None
        items = model.items
        length = np.sqrt(np.einsum("ij,ij->i", items, items, dtype=np.float64))
        order = np.argsort(-length, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        narrow = np.asarray(items[order], np.float32)
        return cls(model.queries, items, order, place, length[order], narrow)

    def best(
        self, known: Sparse, histories: Sparse, favoured: Ints, k: int
    ) -> tuple[Ints, Array]:
        """(n, k) the items with the largest products, best first, and these.

        known      (n, n_items) CSR of what the factors of a history are made of
        histories  (n, n_items) CSR of what is left out
        favoured   (n_items,) the order among equal products

        A product of d terms in single precision is off by at most (d + 2) u |q| |v|, u = 2⁻²⁴
        (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., eq. 3.5, and one
        rounding of each factor), and a floor by u |q| |v| more.
        """
        asked = np.asarray(self.queries(known), np.float64)
        n, d = asked.shape
        reach = np.sqrt(np.einsum("ij,ij->i", asked, asked))
        slack = 2.02 * (d + 3) * ROUNDING * reach * self.length.max(initial=0.0)
        narrow = asked.astype(np.float32)
        out_row = np.repeat(np.arange(n), np.diff(histories.indptr))
        out_place = self.place[histories.indices]

        def rough(rows: Ints, start: int, stop: int) -> Tensor:
            scores: Tensor = narrow[rows] @ self.narrow[start:stop].T
            at = np.full(n, -1, np.int64)
            at[rows] = np.arange(len(rows))
            some = (out_place >= start) & (out_place < stop) & (at[out_row] >= 0)
            scores[at[out_row[some]], out_place[some] - start] = -np.inf
            return scores

        start = max(FRONT, 64 * k)
        some = reaching(rough(np.arange(n), 0, start), k, slack)
        row, column, floor = [some.row], [some.column], some.floor
        stop, rows = 3 * start, np.flatnonzero(~some.whole)
        while start < len(self.order):
            rows = rows[reach[rows] * self.length[start] >= floor[rows]]
            if not len(rows):
                break
            scores = rough(rows, start, stop)
            above, item = np.divmod(
                np.flatnonzero(scores >= floor[rows, None]), scores.shape[1]
            )
            row.append(rows[above])
            column.append(item + start)
            start, stop = stop, 2 * stop
        return self._settled(
            asked, np.concatenate(row), np.concatenate(column), histories, favoured, k
        )

    def _settled(
        self, asked: Array, row: Ints, column: Ints, histories: Sparse, favoured: Ints, k: int
    ) -> tuple[Ints, Array]:
        """The first k of what was found, by products in double; of all, where none was."""
        column = self.order[column]
        found = (asked[row] * self.items[column]).sum(axis=1)
        items, top = first(row, column, found, favoured, len(asked), k)
        whole = np.bincount(row, minlength=len(asked)) == 0
        if whole.any():
            scores = asked[whole] @ np.asarray(self.items, np.float64).T
            scores = without_known(scores, histories[whole])
            items[whole], top[whole] = in_order(scores, favoured, k)
        return items, top

"""Many small ridge regressions at once: the factors of rows, given those of columns.

Before: one side of a factorisation is held.  After: `als` has the other side, or a history's
factors, which nobody else's depend on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from acclimate.arrays import Array, Ints, Sparse
from acclimate.models.model import Tick, idle

NUMBERS = 2**21  # of padded factors and of systems solved together; 16 MB each


@dataclass(frozen=True)
class Side:
    """The factors of one side that are held, with what every row of the other needs of them.

    factors  (m, d)
    """

    factors: Array

    @cached_property
    def gram(self) -> Array:
        """(d, d) Σ y yᵀ."""
        found: Array = self.factors.T @ self.factors
        return found

    @cached_property
    def padded(self) -> Array:
        """(m + 1, d) a row of zeros below, for places that are empty."""
        return np.vstack([self.factors, np.zeros(self.factors.shape[1])])


def solved(
    rows: Sparse,
    side: Side,
    unobserved: float,
    ridge: Array,
    pull: Array | None = None,
    towards: Array | None = None,
    tick: Tick = idle,
) -> Array:
    """For each row u the x of least squares.

        Σ_{i ∈ u} (1 − x·y_i)² + w Σ_i (x·y_i)² + r_u‖x‖² + p_u‖x − t_u‖²

    rows        (n, m) CSR of ones
    side        (m, d) the y_i
    unobserved  w ≥ 0
    ridge       (n,) r_u > 0
    pull        (n,) p_u ≥ 0, or None for none
    towards     (n, d) the t_u
    returns     (n, d)
    """
    size = side.factors.shape[1]
    everywhere = unobserved * side.gram
    found = np.empty((rows.shape[0], size))
    diagonal = np.arange(size)
    for some, columns in _batches(rows, size):
        tick()
        Y = side.padded[columns]  # (b, longest, d)
        A = Y.transpose(0, 2, 1) @ Y + everywhere
        b = Y.sum(axis=1)
        A[:, diagonal, diagonal] += ridge[some, None]
        if pull is not None and towards is not None:
            A[:, diagonal, diagonal] += pull[some, None]
            b += pull[some, None] * towards[some]
        found[some] = np.linalg.solve(A, b[:, :, None])[:, :, 0]
    return found


def _batches(rows: Sparse, size: int) -> Iterator[tuple[Ints, Ints]]:
    """(which rows, their columns, padded with the number of columns), rows of like length."""
    length = np.diff(rows.indptr).astype(np.int64)
    order = np.argsort(length, kind="stable")
    start = 0
    while start < len(order):
        most = max(1, NUMBERS // size**2)
        longest = max(1, int(length[order[min(start + most, len(order)) - 1]]))
        stop = start + max(1, min(most, NUMBERS // (longest * size)))
        some = order[start:stop]
        longest = max(1, int(length[some[-1]]))
        place = np.arange(longest)
        columns = np.full((len(some), longest), rows.shape[1], np.int64)
        there = place < length[some, None]
        columns[there] = rows.indices[(rows.indptr[some, None] + place)[there]]
        yield some, columns
        start += len(some)

"""The items with the largest inner products, without a matrix of all of them.

Before: a model holds factors of very many items.  After: serving ranks the few that are found.

Items are taken a block at a time.  What a block has above the k-th largest of those before it
is kept, and it is little: of the b-th block about k/b for each query.  Exact but for the
rounding of single precision; every item is looked at once.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.models.best import best

BLOCK = 4096  # items; with 256 queries their products are 4 MB and stay in the cache
AT_ONCE = 256  # queries


def largest(queries: Tensor, items: Tensor, k: int) -> tuple[Ints, Array]:
    """(n, k) which items have the largest products with each query, and these; best first.

    queries  (n, d)
    items    (m, d), m ≥ k ≥ 1

    Among equal products those in front come first.
    """
    queries, items = (np.asarray(each, np.float32) for each in (queries, items))
    parts = [
        _largest(queries[at : at + AT_ONCE], items, k) for at in range(0, len(queries), AT_ONCE)
    ]
    if not parts:
        return np.empty((0, k), np.int64), np.empty((0, k))
    return np.concatenate([part[0] for part in parts]), np.concatenate([p[1] for p in parts])


def without(items: Ints, scores: Array, known: Sparse, k: int) -> tuple[Ints, Array]:
    """(n, k) the first k of each row that are not known; −1 and −∞ where there are fewer.

    items  (n, more than k) columns, −1 for none, and their scores
    known  (n, n_items) CSR of what is left out
    """
    n, size = known.shape
    row = np.arange(n)
    there = np.repeat(row, np.diff(known.indptr)) * size + known.indices
    out = np.isin(row[:, None] * size + items, there) | (items < 0)
    order = np.argsort(out, axis=1, kind="stable")[:, :k]
    kept = ~np.take_along_axis(out, order, axis=1)
    items = np.where(kept, np.take_along_axis(items, order, axis=1), -1)
    return items, np.where(kept, np.take_along_axis(scores, order, axis=1), -np.inf)


def _largest(queries: Tensor, items: Tensor, k: int) -> tuple[Ints, Array]:
    n = len(queries)
    begun = min(len(items), max(BLOCK, k))
    found, top = best(queries @ items[:begun].T, np.arange(begun), k)
    rows, columns, products = [], [], []
    waiting, floor = 0, top[:, -1:].copy()
    for start in range(begun, len(items), BLOCK):
        block = queries @ items[start : start + BLOCK].T
        above = np.flatnonzero(block > floor)
        if not len(above):
            continue
        row, column = np.divmod(above, block.shape[1])
        rows.append(row)
        columns.append(column + start)
        products.append(block[row, column])
        waiting += len(row)
        if waiting > n * k:
            found, top = _merged(found, top, rows, columns, products)
            rows, columns, products, waiting = [], [], [], 0
            floor = top[:, -1:].copy()
    found, top = _merged(found, top, rows, columns, products)
    return found, top.astype(np.float64)


def _merged(
    found: Ints, top: Array, rows: list[Ints], columns: list[Ints], products: list[Array]
) -> tuple[Ints, Array]:
    """The k best of those found before and those since."""
    n, k = found.shape
    row = np.concatenate([np.repeat(np.arange(n), k), *rows])
    column = np.concatenate([found.ravel(), *columns])
    product = np.concatenate([top.ravel(), *products])
    order = np.lexsort((column, -product, row))
    count = np.bincount(row, minlength=n)
    at = order[(np.cumsum(count) - count)[:, None] + np.arange(k)]
    return column[at], product[at]

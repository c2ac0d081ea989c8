"""The k best of each row, among equal ones in a given order.

Before: a model has scores of a block of users for every item.  After: lists of k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Sparse


@dataclass(frozen=True)
class Reaching:
    """Few scores of each row, the k highest among them.

    row, column  where they are
    floor        (n,) what they reach
    whole        (n,) rows where that would be too many, as many are equal; they have none here
    """

    row: Ints
    column: Ints
    floor: Array
    whole: Bools


def best(scores: Array, favoured: Ints, k: int) -> tuple[Ints, Array]:
    """The k highest scores of each row; among equal ones, columns in the favoured order."""
    some = reaching(scores, k)
    found = scores[some.row, some.column]
    items, top = first(some.row, some.column, found, favoured, len(scores), k)
    if some.whole.any():
        items[some.whole], top[some.whole] = in_order(scores[some.whole], favoured, k)
    return items, top


def reaching(scores: Array, k: int, slack: Array | float = 0.0) -> Reaching:
    """The scores that may be among the k highest of their row.

    slack  (n,) how far below the k-th highest counts too, as scores are off by half of it

    Columns are halved into maxima of pairs, of fours, …: the k-th largest maximum is a floor
    that k scores of a row reach, and few more do.
    """
    n, size = scores.shape
    if not k or size < 32 * k:
        none = np.empty(0, np.int64)
        return Reaching(none, none, np.full(n, -np.inf), np.ones(n, bool))
    heads = scores
    while heads.shape[1] >= 16 * k:
        half = heads.shape[1] // 2
        odd = heads[:, 2 * half :]
        heads = np.maximum(heads[:, :half], heads[:, half : 2 * half])
        if odd.shape[1]:
            heads[:, :1] = np.maximum(heads[:, :1], odd)
    floor = np.partition(heads, heads.shape[1] - k, axis=1)[:, -k]
    least = (floor - slack).astype(scores.dtype)
    row, column = np.divmod(np.flatnonzero(scores >= least[:, None]), size)
    whole = (np.bincount(row, minlength=n) > 8 * k) | ~np.isfinite(floor)
    if whole.any():
        kept = ~whole[row]
        row, column = row[kept], column[kept]
    return Reaching(row, column, least, whole)


def first(
    row: Ints, column: Ints, found: Array, favoured: Ints, n: int, k: int
) -> tuple[Ints, Array]:
    """(n, k) the k highest found of each row; rows without any are left for others to fill."""
    place = np.empty(len(favoured), np.int64)
    place[favoured] = np.arange(len(favoured))
    order = np.lexsort((place[column], -found, row))
    count = np.bincount(row, minlength=n)
    some = np.flatnonzero(count)
    start = (np.cumsum(count) - count)[some]
    at = order[start[:, None] + np.arange(k)]
    items, top = np.empty((n, k), np.int64), np.empty((n, k), found.dtype)
    items[some], top[some] = column[at], found[at]
    return items, top


def in_order(scores: Array, favoured: Ints, k: int) -> tuple[Ints, Array]:
    """The same as `best`, whatever the scores are."""
    if not k:
        return np.empty((len(scores), 0), np.int64), np.empty((len(scores), 0))
    ordered = scores[:, favoured]
    edge = np.partition(ordered, -k, axis=1)[:, -k][:, None]
    above, tied = ordered > edge, ordered == edge
    room = k - above.sum(axis=1, keepdims=True)
    taken = above | (tied & (np.cumsum(tied, axis=1) <= room))
    top = np.nonzero(taken)[1].reshape(len(scores), k)
    best = np.take_along_axis(ordered, top, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    items = favoured[np.take_along_axis(top, order, axis=1)]
    return np.where(np.isfinite(best), items, -1), best


def without_known(scores: Array, histories: Sparse) -> Array:
    """The scores, −∞ where a history has been."""
    row = np.repeat(np.arange(len(scores)), np.diff(histories.indptr))
    scores[row, histories.indices] = -np.inf
    return scores

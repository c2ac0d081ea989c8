"""Metrics of a ranking, per user.

nDCG: Järvelin & Kekäläinen, TOIS 2002, with binary gains and the ideal list cut
at k.  Items that no catalogue holds count as relevant and missed.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains.exam import Ranking, Truth


def relevance(ranking: Ranking, truth: Truth, k: int) -> tuple[Bools, Ints]:
    """What of each list is relevant.

    returns  hits (n, k), True where the item at that rank was taken, and
             wanted (n,), how many items were taken in all
    """
    assert truth.user is not None and truth.item is not None and truth.missed is not None
    n = len(ranking.items)
    wanted = np.bincount(truth.user, minlength=n) + truth.missed
    keys = np.unique(truth.user * np.int64(ranking.size) + truth.item)
    rows = np.arange(n)[:, None] * np.int64(ranking.size)
    found = np.isin(rows + ranking.items, keys) & (ranking.items >= 0)
    if not ranking.pool:
        hits = found[:, :k]
    else:
        # Ties, and items the model does not know, are broken against us.
        order = np.lexsort((found, -ranking.scores), axis=1)
        hits = np.take_along_axis(found, order, axis=1)[:, :k]
    if hits.shape[1] < k:
        hits = np.pad(hits, ((0, 0), (0, k - hits.shape[1])))
    return hits, wanted.astype(np.int64)


def ndcg(hits: Bools, wanted: Ints) -> Array:
    """(n,) discounted gain over that of the ideal list; 0 … 1."""
    k = hits.shape[1]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.r_[0.0, np.cumsum(discount)][np.minimum(wanted, k)]
    gain: Array = hits @ discount / np.maximum(ideal, 1e-300)
    return gain


def precision(hits: Bools) -> Array:
    """(n,) share of the k places that hold a relevant item."""
    result: Array = hits.mean(axis=1)
    return result


def recall(hits: Bools, wanted: Ints) -> Array:
    """(n,) share of the relevant items that the list holds."""
    result: Array = hits.sum(axis=1) / np.maximum(wanted, 1)
    return result


def f1(hits: Bools, wanted: Ints) -> Array:
    """(n,) harmonic mean of precision and recall, 0 where both are."""
    p, r = precision(hits), recall(hits, wanted)
    result: Array = 2 * p * r / np.maximum(p + r, 1e-300)
    return result


def hit_rate(hits: Bools) -> Array:
    """(n,) 1 where the list holds a relevant item."""
    return hits.any(axis=1).astype(float)


def mrr(hits: Bools) -> Array:
    """(n,) one over the rank of the first relevant item, 0 where there is none."""
    first = hits.argmax(axis=1)
    return np.where(hits.any(axis=1), 1.0 / (first + 1), 0.0)


def average_precision(hits: Bools, wanted: Ints) -> Array:
    """(n,) mean of the precisions at each hit, over min(wanted, k)."""
    k = hits.shape[1]
    precisions = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    result: Array = (precisions * hits).sum(axis=1) / np.maximum(np.minimum(wanted, k), 1)
    return result


def coverage(ranking: Ranking, k: int) -> float:
    """Share of the catalogue that is recommended to anyone."""
    shown = ranking.items[:, :k]
    return float(len(np.unique(shown[shown >= 0])) / max(ranking.size, 1))

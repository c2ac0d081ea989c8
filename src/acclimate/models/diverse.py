"""Re-rank lists so that they do not repeat themselves: maximal marginal relevance.

    next = argmax over what is left of (1 − θ) rel(i) − θ max_{j listed} sim(i, j)

Before: a model named more items than a list holds.  After: the list has its length, in the
order in which its items were taken.

Source: Carbonell & Goldstein, "The use of MMR, diversity-based reranking for reordering
documents and producing summaries", SIGIR 1998, with λ = 1 − θ.
Departures: rel is a score scaled to 0 … 1 among what was named for that user, so that one θ
serves every model; sim is the cosine of two items' users.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints
from acclimate.errors import UsageError
from acclimate.models.items import power

NAMED = 10  # times the length of a list: what a user's list is taken from


def cosines(rows: Any, columns: Ints) -> Array:
    """(m, m) cosine of the users of each two of these items, in single precision.

    rows     (n_users, n_items) CSC of ones
    columns  (m,)
    """
    some = rows[:, columns]
    share = power(np.diff(some.indptr), -0.5)
    even = sp.csc_array(some @ sp.diags_array(share)).astype(np.float32)
    found: Array = (even.T @ even).toarray()
    return found


def marginal(items: Ints, scores: Array, rows: Any, k: int, spread: float) -> Ints:
    """(n, at most k) which places of each row make its list, the first first; −1 for none.

    items   (n, m) columns, −1 where there is none; the best first
    scores  (n, m) higher is better
    rows    (n_users, n_items) CSC of ones, who took what
    spread  0 ≤ θ ≤ 1; 0 keeps the order of the scores

    Raises UsageError for another spread.
    """
    if not 0.0 <= spread <= 1.0:
        raise UsageError(
            f"Expected a spread between 0 (by score alone) and 1 (by difference alone); found "
            f"{spread:g}."
        )
    there = items >= 0
    columns, place = np.unique(np.where(there, items, -1), return_inverse=True)
    place = place.reshape(items.shape)
    known = columns >= 0
    alike = np.zeros((len(columns), len(columns)), np.float32)
    alike[np.ix_(known, known)] = cosines(rows, columns[known])
    relevance = _scaled(scores, there)
    nearest = np.full(items.shape, -np.inf)
    left, chosen = there.copy(), []
    every = np.arange(len(items))
    for step in range(min(k, items.shape[1])):
        gain = (1.0 - spread) * relevance
        if step:
            gain -= spread * nearest
        gain[~left] = -np.inf
        best = gain.argmax(axis=1)
        some = left[every, best]
        chosen.append(np.where(some, best, -1))
        left[every, best] = False
        nearest = np.maximum(nearest, alike[place, place[every, best][:, None]])
    empty = np.empty((len(items), 0), np.int64)
    return np.column_stack([empty, *chosen]).astype(np.int64)


def _scaled(scores: Array, there: Bools) -> Array:
    """Each row between 0 and 1 over what is there; of equal scores all 1."""
    high = np.where(there, scores, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    low = np.where(there, scores, np.inf).min(axis=1, initial=np.inf)[:, None]
    width = high - low
    width[~(width > 0)] = 1.0
    with np.errstate(invalid="ignore"):
        found: Array = np.where(there, 1.0 - (high - scores) / width, 0.0)
    return found

"""Lists out of very many items, of which no matrix of scores is made.

Before: `recommender` was asked, and its model holds factors.  After: the few best of each
history, less what it holds and what may not be named.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints, Sparse
from acclimate.domains.view import ItemView
from acclimate.models.approximate import SAMPLE, Approximate
from acclimate.models.lengths import Factored
from acclimate.models.search import largest, without
from acclimate.rng import Rng

SEARCHED = 100_000  # items, above which they are searched block by block, or by an index


def pays(items: int, asked: int) -> bool:
    """Whether an index is built for so many histories that are asked for at once.

    To put m items into 2 √m lists takes as many products as to look at all of them for 2 √m
    histories, and finding the lists as many again.  Whoever is asked for alone gets the very
    best.
    """
    return items > SEARCHED and asked >= 4 * items**0.5


def index_of(model: Factored, taken: Sparse, k: int) -> Approximate | None:
    """An index for lists of k; None where it does not do.

    taken  (n_users, n_items) CSR of histories, on which its recall is measured; on baskets of
           one item where there are none
    """
    assert model.items is not None
    rng, rows = Rng.of(0).child("index"), taken[np.diff(taken.indptr) > 0]
    if not rows.shape[0]:
        rows = sp.csr_array(sp.eye_array(taken.shape[1], format="csr"))
    some = rows[rng.generator().permutation(rows.shape[0])[:SAMPLE]]
    return Approximate.of(model.items, model.queries(some), some, k, rng)


def searched(
    model: Factored,
    view: ItemView,
    k: int,
    barred: Bools | None,
    popular: tuple[Ints, Array],
    index: Approximate | None = None,
) -> tuple[Ints, Array]:
    """(n, k) columns and scores, best first; −1 and −∞ where nothing is left.

    barred   (n_items,) what may not be named, or None
    popular  columns in the order in which a stranger is offered them, and (n_items,) scores
    index    finds most of them; where what is allowed is few, or where fewer than k of what
             it found are, all that is allowed is searched.  None: always
    """
    rows, size = view.matrix, view.matrix.shape[1]
    allowed = np.arange(size) if barred is None else np.flatnonzero(~barred)
    count = np.diff(rows.indptr)
    spare = min(len(allowed), k + int(count.max(initial=0)))
    queries = model.queries(rows)
    through = index is not None and len(allowed) > SEARCHED
    if through:
        assert index is not None
        wanted = spare if barred is None else min(size, 2 * spare * size // len(allowed))
        items, scores = index.largest(queries, wanted)
        if barred is not None:
            items = np.where(barred[items], -1, items)
    else:
        assert model.items is not None
        at, scores = largest(queries, np.asarray(model.items)[allowed], spare)
        items = allowed[at]
    favoured, standing = popular
    cold = count == 0
    first = favoured if barred is None else favoured[~barred[favoured]]
    n = min(items.shape[1], len(first))
    items[cold] = -1
    items[cold, :n], scores[cold, :n] = first[:n], standing[first[:n]]
    items, scores = without(items, scores, rows, k)
    short = np.flatnonzero((items < 0).any(axis=1))
    if through and len(short):
        assert view.last is not None
        some = ItemView(rows[short], view.popularity, last=view.last[short])
        items[short], scores[short] = searched(model, some, k, barred, popular)
    return items, scores

"""Parts of item views, and lists for models that read more of a user than a history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.best import best
from acclimate.models.items import BLOCK, CELLS, ItemQuery, of_candidates


def rank_views(
    score: Callable[[ItemView], Array], view: ItemView, query: ItemQuery, standing: Array
) -> Ranking:
    """The k best new items of each user, or the scores of their candidates.

    score     some users of the view → (rows, n_items) scores, which are changed here
    standing  (n_items,) which of equal scores comes first
    """
    size, pool = len(standing), query.candidates is not None
    favoured = np.argsort(-standing, kind="stable")
    width = query.k if query.candidates is None else query.candidates.shape[1]
    rows = min(BLOCK, max(1, CELLS // max(1, size)))
    blocks = []
    for start in range(0, view.matrix.shape[0], rows):
        part = block(view, slice(start, start + rows))
        found = score(part)
        if query.candidates is None:
            found[part.matrix.nonzero()] = -np.inf
            blocks.append(best(found, favoured, min(query.k, size)))
        else:
            blocks.append(of_candidates(found, query.candidates[start : start + rows]))
    if not blocks:
        nothing = (0, width)
        return Ranking(np.empty(nothing, np.int64), np.empty(nothing), size, pool)
    items, scores = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Ranking(items, scores, size, pool)


def among(view: ItemView, columns: Ints) -> ItemView:
    """A view of some of its items only."""
    if len(columns) == view.matrix.shape[1]:
        return view
    last = view.last
    if last is not None:
        place = np.full(view.matrix.shape[1] + 1, -1)  # the last one stands for none
        place[columns] = np.arange(len(columns))
        last = place[last]
    return ItemView(
        sp.csr_array(view.matrix[:, columns]),
        view.popularity[columns],
        own=None if view.own is None else view.own[columns],
        last=last,
        taken=None if view.taken is None else view.taken.of_items(columns),
        beside=view.beside,
        users=view.users,
        items=None if view.items is None else view.items[columns],
    )


def block(view: ItemView, rows: slice) -> ItemView:
    """A view of some of its users only; what is said of items is said of all of them."""
    return ItemView(
        view.matrix[rows],
        view.popularity,
        own=view.own,
        last=None if view.last is None else view.last[rows],
        beside=None if view.beside is None else view.beside[rows],
        users=None if view.users is None else view.users[rows],
        items=view.items,
    )

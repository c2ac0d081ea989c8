"""What item models share: the prepared Gram matrix and the ranking of a catalogue.

Every model here scores all items for a history.  A user without a history gets
the popular items; among equal scores the more popular item comes first.  Popular
is what the target's own rows say where a fit had any, and then what the others say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.best import best, without_known
from acclimate.models.blas import shared
from acclimate.models.lengths import Factored, Products

# Rows of a dense score block, and cells of one: what is made of it stays near the processor.
BLOCK = 2048
CELLS = 2**20
# Items of a dense matrix of them: at 20,000 it takes 1.6 GB, and half an hour to invert.
DENSE = 20_000


@dataclass(frozen=True)
class ItemGram:
    """Co-occurrence of items.

    gram        (n_items, n_items) G = XᵀX, users who took both; single precision
    popularity  (n_items,) users per item
    standing    (n_items,) breaks ties and serves users without a history
    rows        (n_users, n_items) the X behind it
    taken       the same in order; None where the order is not known
    """

    gram: Tensor
    popularity: Array
    standing: Array
    rows: Sparse
    taken: Taken | None = None

    @property
    def matrix(self) -> Sparse:
        """Its rows, under the name that a view has for them."""
        return self.rows


@dataclass(frozen=True)
class ItemQuery:
    """What is asked of an item model, in its own vocabulary.

    k           length of the list
    candidates  (n, m) columns to score, −1 for items it does not know; None for all
    """

    k: int
    candidates: Ints | None = None


@runtime_checkable
class ScoresItems(Protocol):
    """Fitted, it scores every item for any history, whoever's it is."""

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of (n, n_items) CSR histories; higher is better."""
        ...


@runtime_checkable
class Adds(Protocol):
    """A score is the sum of what the items of a history say, each for itself."""

    def parts(self, history: Ints, item: int) -> Array:
        """(len(history),) what each of these columns adds to the score of another."""
        ...


def gram_of(view: ItemView) -> ItemGram:
    """G = XᵀX of the interactions, dense.  Raises StrategyError as `require_few` does."""
    require_few(view.matrix.shape[1])
    return ItemGram(view.gram, view.popularity, view.standing, view.matrix, view.taken)


def require_few(items: int) -> None:
    """Raise StrategyError above 20,000 items, of which no dense matrix should be made."""
    if items > DENSE:
        raise StrategyError(
            f"Expected at most {DENSE:,} items for a dense matrix of them, found {items:,}. "
            "Keep fewer items, or use a model that makes none: sparse-ease, rp3beta, als or "
            "bpr."
        )


def power(count: Tensor, exponent: float) -> Array:
    """count ^ exponent, and 0 where nothing was counted.

    count  (n,) ≥ 0
    """
    found: Array = np.zeros(len(count))
    some = np.asarray(count) > 0
    found[some] = np.asarray(count, np.float64)[some] ** exponent
    return found


def rank(
    score: Callable[[Sparse], Array],
    view: ItemView,
    query: ItemQuery,
    standing: Array,
    factored: Factored | None = None,
) -> Ranking:
    """The k best new items of each history, or the scores of its candidates.

    score       (rows, n_items + n_beside) CSR of what is known of users → (rows, n_items)
                scores; without anything beside, these are the histories
    standing    (n_items,) breaks ties and serves users without a history
    factored    whose products the scores are, where they are: the same lists are found sooner
    """
    size = view.matrix.shape[1]
    favoured = np.argsort(-standing, kind="stable")
    k = min(query.k, size)
    newcomer = best(np.asarray(standing, np.float64)[None], favoured, k)
    products = Products.of(factored) if factored is not None else None
    cells = CELLS if products is None else 8 * CELLS
    rows, whole = min(BLOCK, max(1, cells // max(1, size))), view.whole

    def block(start: int) -> tuple[Ints, Array]:
        histories, known = view.matrix[start : start + rows], whole[start : start + rows]
        cold = np.diff(known.indptr) == 0
        if query.candidates is None and products is not None:
            items, top = products.best(known, histories, favoured, k)
        elif query.candidates is None:
            scores = without_known(score(known), histories)
            items, top = best(scores, favoured, k)
            top = top.astype(np.float64)
        else:
            scores = np.asarray(score(known), dtype=np.float64)
            scores[cold] = standing
            return of_candidates(scores, query.candidates[start : start + rows])
        items[cold], top[cold] = newcomer[0][0], newcomer[1][0]
        return items, top

    blocks = shared(block, range(0, view.matrix.shape[0], rows))
    if not blocks:
        empty = (0, query.k)
        return Ranking(np.empty(empty, np.int64), np.empty(empty), size)
    items = np.concatenate([block[0] for block in blocks])
    scores = np.concatenate([block[1] for block in blocks])
    return Ranking(items, scores, size, pool=query.candidates is not None)


def of_candidates(scores: Array, candidates: Ints) -> tuple[Ints, Array]:
    known = candidates >= 0
    found = np.take_along_axis(scores, np.where(known, candidates, 0), axis=1)
    return candidates, np.where(known, found, -np.inf)

"""What a re-ranker sees: the items that any base model names, and how each of them ranks it.

A candidate is a new item among a user's `n` best by at least one base, however low the
others rank it.  Its features look at the whole catalogue and never at what is asked for,
so that an item's place does not depend on the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.models.best import best

# Weights of EASE lie between about −0.1 and 1; below this an item says nothing.
SPEAKS = 0.005
AT_ONCE = 2_000_000  # weights looked up together; with their places, 50 MB


class Base(Protocol):
    """A fitted item model, as far as a re-ranker is concerned."""

    def scores(self, histories: Sparse) -> Array:
        """(m, n_items) of every item for each history."""
        ...


@dataclass(frozen=True)
class Slate:
    """The candidates of some histories, by user and then by column.

    user      (p,) positions in the histories
    item      (p,) columns
    features  (p, 2 per base + 3) of each base its score, and how many new items score
              higher, at most n; then how long the history is, the strongest weight from
              one of its items to the candidate, and how many of them speak for it
    scores    of each base, (m, n_items): what it says of the whole catalogue
    lists     of each base, (m, n): its best new columns in order, −1 where none was left
    """

    user: Ints
    item: Ints
    features: Array
    scores: tuple[Array, ...]
    lists: tuple[Ints, ...]


def slate(
    bases: Sequence[Base], weights: Tensor, histories: Sparse, standing: Array, n: int
) -> Slate:
    """What the bases name for each history.

    weights    (n_items, n_items) from an item of a history to one that may follow
    histories  (m, n_items) CSR
    standing   (n_items,) which of equal scores comes first
    n          ≥ 1, items that each base names
    """
    favoured = np.argsort(-standing, kind="stable")
    taken = histories.nonzero()
    users, items = histories.shape
    n = min(n, items)
    named = np.zeros((users, items), bool)
    scores, lists, tops = [], [], []
    for base in bases:
        whole = np.array(base.scores(histories), np.float64)
        new = whole.copy()
        new[taken] = -np.inf
        listed, top = best(new, favoured, n)
        row, place = np.nonzero(listed >= 0)
        named[row, listed[row, place]] = True
        scores.append(whole)
        lists.append(listed)
        tops.append(top)
    user, item = (each.astype(np.int64) for each in np.nonzero(named))
    columns = []
    for whole, top in zip(scores, tops, strict=True):
        mine = whole[user, item]
        columns += [mine, (top[user] > mine[:, None]).sum(axis=1).astype(np.float64)]
    length = np.diff(histories.indptr).astype(np.float64)
    columns += [length[user], *_voices(weights, histories, user, item)]
    features = np.column_stack(columns)
    return Slate(user, item, features, tuple(scores), tuple(lists))


def _voices(weights: Tensor, histories: Sparse, user: Ints, item: Ints) -> tuple[Array, Array]:
    """(p,) the strongest weight from a history to a candidate, and how many speak for it."""
    strongest, speaking = np.zeros(len(user)), np.zeros(len(user))
    length = np.diff(histories.indptr)[user].astype(np.int64)
    heard = np.flatnonzero(length > 0)
    ends = np.cumsum(length[heard])
    total = int(ends[-1]) if len(heard) else 0
    cuts = np.unique(np.searchsorted(ends, np.arange(AT_ONCE, total, AT_ONCE)))
    for part in np.split(heard, cuts):
        if not len(part):
            continue
        many = length[part]
        begins = np.cumsum(many) - many
        place = np.arange(many.sum()) - np.repeat(begins - histories.indptr[user[part]], many)
        each = weights[histories.indices[place], np.repeat(item[part], many)]
        strongest[part] = np.maximum.reduceat(each, begins)
        speaking[part] = np.add.reduceat((each > SPEAKS).astype(np.float64), begins)
    return strongest, speaking

"""What a re-ranker sees: the items that any base model names, and how each of them ranks it.

A candidate is a new item among a user's `n` best by at least one base, however low the
others rank it.  Its features look at the whole catalogue and never at what is asked for,
so that an item's place does not depend on the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Bools, Ints, Sparse, Tensor
from acclimate.models.items import ItemGram, best

# Weights of EASE lie between about −0.1 and 1; below this an item says nothing.
SPEAKS = 0.005
PLACES = 10  # of a list that count where a re-ranker is compared with a base
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


@dataclass(frozen=True)
class Hidden:
    """One item of each of some users, set aside to be found.

    user  (h,) positions in the rows, increasing
    item  (h,) the column each of them took
    """

    user: Ints
    item: Ints


def hide(whole: ItemGram, at_most: int, folds: int, rng: np.random.Generator) -> list[Hidden]:
    """Draw users who took two items or more, in folds, and hide the last that each took.

    What comes next is asked for, and is harder to find than an item in the middle; where
    the order is not known, any item is as good.
    """
    rows = whole.rows
    length = np.diff(rows.indptr)
    drawn = rng.permutation(np.flatnonzero(length >= 2))[:at_most]
    place = (rng.random(len(drawn)) * length[drawn]).astype(np.int64)
    any_ = rows.indices[rows.indptr[drawn] + place]
    item = any_ if whole.taken is None else whole.taken.last[drawn]
    hidden = []
    for fold in range(folds):
        order = np.argsort(drawn[fold::folds])
        user, theirs = drawn[fold::folds][order], item[fold::folds][order]
        hidden.append(Hidden(user.astype(np.int64), theirs.astype(np.int64)))
    return hidden


def without(whole: ItemGram, hidden: Hidden) -> ItemGram:
    """What the Gram matrix, the counts and the rows would be had nobody taken what is hidden.

    With D the hidden pairs as rows: (X − D)ᵀ(X − D) = G − DᵀX − XᵀD + DᵀD.
    """
    shape = whole.rows.shape
    pairs = (np.ones(len(hidden.user)), (hidden.user, hidden.item))
    D = sp.csr_array(pairs, shape=shape)
    rest = sp.csr_array(whole.rows - D)
    rest.eliminate_zeros()
    cross = sp.csr_array(D.T @ whole.rows)
    change = sp.coo_array(cross + cross.T - D.T @ D)
    gram = whole.gram.copy()
    gram[change.row, change.col] -= change.data.astype(gram.dtype)
    popularity = whole.popularity - np.bincount(hidden.item, minlength=shape[1])
    # The target's own counts hold what is hidden too: here everyone's break ties.
    return ItemGram(gram, popularity, popularity, rest)


@dataclass(frozen=True)
class OutOfFold:
    """What the re-ranker learns from: candidates named by bases that never saw the answer.

    user      (p,) increasing, 0 … h − 1: one number for each user who hides an item
    features  (p, f) of each candidate
    found     (p,) whether it is what its user hides
    gains     (h, n_bases) nDCG@10 of each base's own list
    """

    user: Ints
    features: Array
    found: Bools
    gains: Array

    def of_users(self, users: Ints) -> OutOfFold:
        """The candidates of some users, who keep their numbers."""
        kept = np.isin(self.user, users)
        return replace(
            self, user=self.user[kept], features=self.features[kept], found=self.found[kept]
        )

    def teachers(self) -> OutOfFold:
        """The users whose hidden item is among their candidates; the others teach no order."""
        return self.of_users(self.user[self.found])


def listed_gain(lists: Ints, item: Ints) -> Array:
    """(m,) nDCG@10 of lists in which one item is right."""
    place = np.argmax(lists == item[:, None], axis=1)
    right = (lists == item[:, None]).any(axis=1) & (place < PLACES)
    gain: Array = np.where(right, 1.0 / np.log2(place + 2.0), 0.0)
    return gain


def scored_gain(seen: OutOfFold, score: Array, count: int) -> Array:
    """(count,) nDCG@10 of the candidates in the order of a score, ties against us."""
    answer = np.full(count, np.inf)
    answer[seen.user[seen.found]] = score[seen.found]
    place = np.bincount(seen.user, score >= answer[seen.user], minlength=count) - 1.0
    right = np.isfinite(answer) & (place < PLACES)
    gain: Array = np.where(right, 1.0 / np.log2(np.maximum(place, 0.0) + 2.0), 0.0)
    return gain

"""Hiding: what the exam would ask for is set aside, fold by fold, to be found again.

Where the exam asks for what each user took last, that is hidden of some users.  By the
clock, everything from an origin on is, and what was taken up to the next origin is to be
found.  Of the rest of a fold everything that a re-ranker sees is computed anew, so that nothing
it learns from has seen what it is to find: counts, EASE, places in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array, Ints, Sparse
from acclimate.domains.origins import origins
from acclimate.domains.taken import Taken

NEGATIVES = 99  # drawn for each who is asked, as published protocols do


@dataclass(frozen=True)
class Hidden:
    """What one fold hides, and of whom it is asked.

    rest     what stays known, of `columns` alone and numbered by them
    columns  (c,) increasing, the items that could be recommended then: by the clock, those
             that the target's own users had taken; else all
    user     (m,) rows of who is asked
    asker    (a,) positions in `user`, increasing, and
    item     (a,) the columns of `rest` that each took
    wanted   (m,) what each took in all, other items included
    origin   the moment in seconds before which `rest` was taken; None without a clock
    """

    rest: Taken
    columns: Ints
    user: Ints
    asker: Ints
    item: Ints
    wanted: Ints
    origin: float | None = None

    @property
    def histories(self) -> Sparse:
        """(m, c) CSR of ones: what is left of those who are asked."""
        return self.rest.rows[self.user]

    @property
    def last(self) -> Ints:
        """(m,) the column each history ends with, −1 for none."""
        return self.rest.last[self.user]


def hide(
    taken: Taken, at_most: int, folds: int, rng: np.random.Generator, least: int = 0
) -> list[Hidden]:
    """Folds of what is hidden, at most so many users asked in all.

    least  ≥ 0, events that stay with each who is asked; by the clock one always does, as in
           the exam

    Without a clock each user hides the last event, in one fold.  A user is drawn with a
    chance in proportion to its events, without replacement (Efraimidis & Spirakis, Information
    Processing Letters 97, 2006): who is asked for most often has most of them.
    """
    if taken.time is not None:
        share = -(-at_most // folds)
        return [_from(taken, *each, share, rng) for each in origins(taken.time, folds)]
    last = np.full(taken.shape[0], -1)
    last[taken.user] = np.arange(len(taken.user))
    count = np.bincount(taken.user, minlength=taken.shape[0])
    there = np.flatnonzero(count > least)
    key = rng.exponential(size=len(there)) / count[there]
    drawn = there[np.argsort(key, kind="stable")[:at_most]]
    found = []
    for fold in range(folds):
        events = np.sort(last[drawn[fold::folds]])
        found.append(
            Hidden(
                taken.without(events),
                np.arange(taken.shape[1]),
                taken.user[events],
                np.arange(len(events)),
                taken.item[events],
                np.ones(len(events), np.int64),
            )
        )
    return found


def _from(
    taken: Taken, origin: float, end: float, at_most: int, rng: np.random.Generator
) -> Hidden:
    """What was taken from an origin on and before an end, asked of users met before it."""
    assert taken.time is not None
    known = taken.take(np.flatnonzero(taken.time < origin))
    columns = np.unique(known.item[known.user < known.own_users])
    rest = known.of_items(columns)
    later = taken.take(np.flatnonzero((taken.time >= origin) & (taken.time < end)))
    users = np.intersect1d(later.user, rest.user)
    user = np.sort(rng.permutation(users)[:at_most])
    wanted = np.bincount(later.user, minlength=taken.shape[0])[user]
    place = np.full(taken.shape[0], -1)
    place[user] = np.arange(len(user))
    answers = later.of_items(columns)
    asker = place[answers.user]
    order = np.argsort(asker, kind="stable")
    order = order[asker[order] >= 0]
    return Hidden(rest, columns, user, asker[order], answers.item[order], wanted, origin)


def drawn(hidden: Hidden, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs of what is to be found and of items that its user never took.

    returns  positions in those asked, increasing, and columns; what is to be found comes first
    """
    asked, n = len(hidden.user), hidden.rest.shape[1]
    ones: Array = np.ones(len(hidden.item))
    both = hidden.histories + Sparse((ones, (hidden.asker, hidden.item)), shape=(asked, n))
    order = rng.integers(0, n, (asked, NEGATIVES))
    place = np.repeat(np.arange(asked), NEGATIVES)
    taken = np.asarray(both[place, order.ravel()]).ravel() > 0
    place = np.concatenate([hidden.asker, place[~taken]])
    column = np.concatenate([hidden.item, order.ravel()[~taken]])
    # An item drawn twice for a user counts once; what is to be found stays first.
    _, once = np.unique(place * np.int64(n) + column, return_index=True)
    once = np.sort(once)
    by_user = once[np.argsort(place[once], kind="stable")]
    return place[by_user], column[by_user]

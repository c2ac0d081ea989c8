"""Hiding: what each of some users took last is set aside, fold by fold, to be found again.

Of the rest of a fold everything that a re-ranker sees is computed anew, so that nothing it
learns from has seen what it is to find: counts, EASE, places in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Sparse
from acclimate.domains.taken import Taken
from acclimate.models.items import best
from acclimate.models.model import Tick, idle
from acclimate.models.voices import SCORES, STATISTICS, Effects, Market, Order, voices

NEGATIVES = 99  # drawn for each hidden item, as published protocols do
PLACES = 10


def hide(taken: Taken, at_most: int, folds: int, rng: np.random.Generator) -> list[Ints]:
    """Positions of the last event of each of at most so many users, dealt into folds.

    A user is drawn with a chance in proportion to its events, without replacement
    (Efraimidis & Spirakis, Information Processing Letters 97, 2006): who is asked for
    most often has most of them.
    """
    last = np.full(taken.shape[0], -1)
    last[taken.user] = np.arange(len(taken.user))
    there = np.flatnonzero(last >= 0)
    count = np.bincount(taken.user, minlength=taken.shape[0])[there]
    key = rng.exponential(size=len(there)) / count
    drawn = there[np.argsort(key, kind="stable")[:at_most]]
    return [np.sort(last[drawn[fold::folds]]) for fold in range(folds)]


@dataclass(frozen=True)
class Reach:
    """How far the models of the own market and of all as one go.

    penalty  λ > 0, in users, of EASE
    solved   ≥ 1, items that EASE scores: a market's most taken
    """

    penalty: float = 100.0
    solved: int = 2500


@dataclass(frozen=True)
class Known:
    """All that features of the target's users are computed from.

    markets   the target's own, each source's, and behind them all of them as one
    models    EASE of the own and of the last
    order     of the target's events
    """

    markets: tuple[Market, ...] = field(repr=False)
    models: tuple[Effects, ...] = field(repr=False)
    order: Order = field(repr=False)

    @classmethod
    def of(
        cls, taken: Taken, sources: Sequence[Market], reach: Reach, tick: Tick = idle
    ) -> Known:
        own = Market.of(taken.rows)
        pooled = own.plus(sources)
        models = []
        for market in (own, pooled):
            tick()
            models.append(Effects.of(market, reach.penalty, reach.solved))
        order = Order.of(taken.item, taken.shape[1])
        return cls((own, *sources, pooled), tuple(models), order)

    def features(
        self, histories: Sparse, last: Ints, user: Ints, item: Ints, tick: Tick = idle
    ) -> Array:
        """(p, len(STATISTICS) per market + 6): each market, the models, order and length."""
        columns = [voices(each, histories, user, item, tick) for each in self.markets]
        columns += [each.pairs(histories, user, item)[:, None] for each in self.models]
        columns.append(self.order.columns(last, user, item))
        columns.append(np.diff(histories.indptr)[user][:, None])
        return np.concatenate([each.astype(np.float32) for each in columns], axis=1)

    @property
    def ordering(self) -> Ints:
        """Features that order candidates by themselves, the models first."""
        starts = len(STATISTICS) * np.arange(len(self.markets))[::-1]
        each = (starts[:, None] + np.array(SCORES)).ravel()
        end = len(STATISTICS) * len(self.markets)
        return np.array([*range(end, end + len(self.models)), *each], np.int64)

    def named(self, histories: Sparse, n: int) -> tuple[Ints, Ints]:
        """Pairs (user, item) that any of six scores names among its n best new items."""
        own, pooled = self.markets[0], self.markets[-1]
        n = min(n, histories.shape[1])
        taken = histories.nonzero()
        named = np.zeros(histories.shape, bool)
        favoured = np.argsort(-(own.count + pooled.count / (1 + pooled.count.sum())))
        everyone = np.ones((histories.shape[0], 1))
        for score in (
            (histories @ own.cosine()).toarray(),
            (histories @ pooled.cosine()).toarray(),
            self.models[1].scores(histories),
            self.models[0].scores(histories),
            everyone * own.count,
            everyone * pooled.count,
        ):
            new = score.astype(np.float64)
            new[taken] = -np.inf
            listed, _ = best(new, favoured, n)
            row, place = np.nonzero(listed >= 0)
            named[row, listed[row, place]] = True
        user, item = np.nonzero(named)
        return user.astype(np.int64), item.astype(np.int64)


@dataclass(frozen=True)
class Lesson:
    """Candidates of users who hid an item, and which of them that is.

    user      (p,) increasing, a number for each user
    features  (p, f)
    found     (p,) at most one a user
    users     how many there are, those included whose item is no candidate
    """

    user: Ints
    features: Array
    found: Bools
    users: int

    @classmethod
    def joined(cls, parts: Sequence[Lesson]) -> Lesson:
        starts = np.cumsum([0, *(part.users for part in parts)])
        return cls(
            np.concatenate([part.user + at for part, at in zip(parts, starts, strict=False)]),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.found for part in parts]),
            int(starts[-1]),
        )

    def of(self, users: Bools) -> Lesson:
        """The candidates of some users, who keep their numbers."""
        kept = users[self.user]
        return Lesson(self.user[kept], self.features[kept], self.found[kept], self.users)

    def gain(self, score: Array) -> Array:
        """(users,) nDCG@10 of the candidates in the order of a score, ties against us."""
        answer = np.full(self.users, np.inf)
        answer[self.user[self.found]] = score[self.found]
        place = np.bincount(self.user, score >= answer[self.user], minlength=self.users) - 1.0
        right = np.isfinite(answer) & (place < PLACES)
        gain: Array = np.where(right, 1.0 / np.log2(np.maximum(place, 0.0) + 2.0), 0.0)
        return gain


def drawn(rows: Sparse, user: Ints, item: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs of each hidden item and items that its user never took, and who they belong to.

    rows     (n_users, n_items) with what is hidden
    returns  positions in `user`, increasing, and columns; the hidden item comes first
    """
    n = rows.shape[1]
    order = rng.integers(0, n, (len(user), NEGATIVES))
    place = np.repeat(np.arange(len(user)), NEGATIVES)
    taken = np.asarray(rows[user[place], order.ravel()]).ravel() > 0
    place = np.concatenate([np.arange(len(user)), place[~taken]])
    column = np.concatenate([item, order.ravel()[~taken]])
    # An item drawn twice for a user counts once; the hidden one stays first.
    _, once = np.unique(place * np.int64(n) + column, return_index=True)
    once = np.sort(once)
    by_user = once[np.argsort(place[once], kind="stable")]
    return place[by_user], column[by_user]

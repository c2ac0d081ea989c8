"""Known: all that features of the target's users are computed from, at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from acclimate.arrays import Array, Ints, Sparse
from acclimate.domains.taken import Taken
from acclimate.models.best import best
from acclimate.models.model import Tick, idle
from acclimate.models.voices import SCORES, STATISTICS, Effects, Market, Order, voices

PLACES = 3  # columns of `Order`
# Added to what is logged: of shares of a market, and of EASE and sums of cosines.
SHARE_FLOOR, SCORE_FLOOR = 1e-4, 1e-2


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
        cls,
        taken: Taken,
        sources: Sequence[Market],
        reach: Reach,
        tick: Tick = idle,
        now: float | None = None,
    ) -> Known:
        """now: in seconds, from which the target's events are looked back at."""
        own = Market.of_taken(taken, now)
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
        """(p, len(STATISTICS) per market + 6 + recent): each market, the models, order, length
        and, by the clock, the shares that a candidate has lately had of each market."""
        columns = [voices(each, histories, user, item, tick) for each in self.markets]
        columns += [each.pairs(histories, user, item)[:, None] for each in self.models]
        columns.append(self.order.columns(last, user, item))
        columns.append(np.diff(histories.indptr)[user][:, None])
        columns += [each.shares[item] for each in self.markets]
        return np.concatenate([each.astype(np.float32) for each in columns], axis=1)

    @property
    def ordering(self) -> Ints:
        """Features that order candidates by themselves, the models first."""
        starts = len(STATISTICS) * np.arange(len(self.markets))[::-1]
        each = (starts[:, None] + np.array(SCORES)).ravel()
        end = len(STATISTICS) * len(self.markets)
        shares = end + len(self.models) + PLACES + 1  # behind order and length
        recent = range(shares, shares + sum(each.recent.shape[1] for each in self.markets))
        return np.array([*range(end, end + len(self.models)), *each, *recent], np.int64)

    @property
    def standing(self) -> Array:
        """(n_items,) what serves users without a history and breaks ties: the target's own
        counts, and everyone's where those are equal."""
        own, pooled = self.markets[0].count, self.markets[-1].count
        standing: Array = own + pooled / (1.0 + pooled.sum())
        return standing

    @property
    def speaking(self) -> tuple[Ints, Array]:
        """By the clock: features whose logarithms tell together what is taken next, and what is
        added to each: shares lately had of the target and of all markets, both EASE, both
        sums of cosines."""
        first = len(STATISTICS) * len(self.markets)
        shares = self.ordering[len(self.models) + len(SCORES) * len(self.markets) :]
        each = self.markets[0].recent.shape[1]
        popular = [*shares[:each], *shares[len(shares) - each :]]
        alike = [first, first + 1, 0, first - len(STATISTICS)]
        floors = [SHARE_FLOOR] * len(popular) + [SCORE_FLOOR] * len(alike)
        return np.array([*popular, *alike], np.int64), np.array(floors)

    def named(self, histories: Sparse, n: int) -> tuple[Ints, Ints]:
        """Pairs (user, item) that any score names among its n best new items: six, and what
        is popular lately in the target and in all markets."""
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
            *(everyone * each for each in (own.count, pooled.count)),
            *(everyone * each for each in (*own.recent.T, *pooled.recent.T)),
        ):
            new = score.astype(np.float64)
            new[taken] = -np.inf
            listed, _ = best(new, favoured, n)
            row, place = np.nonzero(listed >= 0)
            named[row, listed[row, place]] = True
        user, item = np.nonzero(named)
        return user.astype(np.int64), item.astype(np.int64)

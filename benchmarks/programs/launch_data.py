"""A made rich market and a made small one that sells some of the same items.

The rich market is that of `clicks_data`.  The small one has 1,000 users of the same tastes
and 5,000 items, of which 3,000 are sold in the rich one too; what is popular there is drawn
anew, so that the rich market knows tastes and not bestsellers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.programs.clicks_data import TASTES, made

USERS, SHARED, LOCAL, EACH = 1000, 3000, 2000, 12
LIKED = 4.0 * TASTES / 3  # times as likely is an item of one's own taste

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Made:
    """Items are numbers that both markets use.

    source   (n,) users and (n,) items of the rich market, without each user's last
    target   (m,) users and (m,) items of the small one, in the order of time
    ask      (USERS,) its users, and
    wanted   (USERS,) what each of them takes last
    offered  (SHARED + LOCAL,) items that the small one sells
    """

    source: tuple[Ints, Ints]
    target: tuple[Ints, Ints]
    ask: Ints
    wanted: Ints
    offered: Ints


def launch(scale: float, seed: int = 7) -> Made:
    """Both markets.

    scale  times a million pairs of 50,000 users and 20,000 items in the rich one; the
           small one is always the same size
    """
    user, item, _, _ = made(scale)
    sold = int(item.max()) + 1
    g = np.random.default_rng(seed)
    shared = min(SHARED, sold // 2)
    offered = np.r_[g.choice(sold, shared, replace=False), sold + np.arange(LOCAL)]
    popular = g.pareto(1.2, len(offered)) + 0.3
    taken = np.empty((USERS, EACH), np.int64)
    for one, taste in enumerate(g.integers(0, TASTES, USERS)):
        chance = popular * np.where(offered % TASTES == taste, LIKED, 1.0)
        drawn = g.choice(len(offered), EACH, replace=False, p=chance / chance.sum())
        taken[one] = offered[drawn]
    who = np.repeat(np.arange(USERS), EACH - 1)
    first = taken[:, :-1].ravel()
    return Made((user, item), (who, first), np.arange(USERS), taken[:, -1], offered)

"""Made interactions of users with tastes, items as popular as Zipf has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAIRS, USERS, ITEMS = 1_000_000, 50_000, 20_000
TASTES = 16
FACTORS = 64
BATCH = 2048
RATE = 1e-3
ASKED = 5000  # users whose last item is to be found
AT_ONCE = 512

Ints = NDArray[np.int64]


def made(scale: float, seed: int = 0) -> tuple[Ints, Ints, Ints, Ints]:
    """Users and items to learn from, then users and the item each of them took last.

    scale  times a million pairs of 50,000 users and 20,000 items
    """
    g = np.random.default_rng(seed)
    pairs, users = round(scale * PAIRS), round(scale * USERS)
    each = round(scale * ITEMS) // TASTES
    drawn = round(1.35 * pairs)
    active = g.pareto(1.5, users) + 1
    user = g.choice(users, drawn, p=active / active.sum())
    taste = g.integers(0, TASTES, users)[user]
    taste = np.where(g.random(drawn) < 0.8, taste, g.integers(0, TASTES, drawn))
    popular = 1.0 / np.arange(1, each + 1) ** 0.8
    item = g.choice(each, drawn, p=popular / popular.sum()) * TASTES + taste
    code = g.permutation(np.unique(user * (each * TASTES) + item))[:pairs]
    user, item = np.divmod(code, each * TASTES)
    order = np.argsort(user, kind="stable")
    user, item = user[order], item[order]
    last = np.r_[user[1:] != user[:-1], True] & np.r_[False, user[1:] == user[:-1]]
    return user[~last], item[~last], user[last], item[last]


def ndcg(
    score: Callable[[Ints], NDArray[Any]],
    user: Ints,
    item: Ints,
    ask: Ints,
    wanted: Ints,
) -> float:
    """nDCG@10 over all items that a user did not take, of at most 5,000 users."""
    some = np.random.default_rng(0).permutation(len(ask))[:ASKED]
    starts = np.searchsorted(user, np.arange(user.max() + 2))
    gains = []
    for first in range(0, len(some), AT_ONCE):
        rows = some[first : first + AT_ONCE]
        scores = np.array(score(ask[rows]), np.float32)
        mine = scores[np.arange(len(rows)), wanted[rows]]
        for at, one in enumerate(ask[rows]):
            scores[at, item[starts[one] : starts[one + 1]]] = -np.inf
        above = (scores > mine[:, None]).sum(axis=1)
        gains.append(np.where(above < 10, 1.0 / np.log2(above + 2.0), 0.0))
    return float(np.concatenate(gains).mean())

"""Items that users never took, drawn alike from all the others.

Before: distinct pairs of positions.  After: what learns by comparing has something to compare
with.  A table of bytes, eight times as many as a user's items, says of nearly every item drawn
that the user never took it; only for the rest the pairs themselves are searched.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from acclimate.arrays import Bools, Ints, Tensor
from acclimate.rng import Rng
from acclimate.settings import settings

_AT_ONCE = 2**18  # items drawn, which stay near the processor
_ROOM = 3  # bits: bytes of a table for each item
_MIX = np.uint32(2654435769)  # 2³² over the golden ratio (Knuth, TAOCP 3, 6.4)


class Untaken:
    """Draws for distinct pairs (user, item) of a market.

    user   (n,) positions, 0 ≤ user < users
    item   (n,) positions, 0 ≤ item < items
    """

    def __init__(self, user: Ints, item: Ints, users: int, items: int) -> None:
        self.items = items
        self.pairs = user * items + item
        self.pairs.sort()
        self.count = np.bincount(user, minlength=users)
        bits = np.ceil(np.log2(np.maximum(self.count, 1))).astype(np.int64) + _ROOM
        self.start = np.r_[0, np.cumsum(1 << bits)[:-1]]
        self.shift = (32 - bits).astype(np.uint32)
        self.table = np.zeros(int((1 << bits).sum()), bool)
        self.table[self._place(user, item)] = True

    def _place(self, user: Ints, item: Tensor) -> Ints:
        mixed = item.astype(np.uint32) * _MIX
        found: Ints = np.take(self.start, user) + (mixed >> np.take(self.shift, user))
        return found

    def took(self, user: Ints, item: Tensor) -> Bools:
        """Whether each of these users took an item beside it; both of shapes that broadcast."""
        taken: Bools = np.take(self.table, self._place(user, item))
        maybe = np.flatnonzero(taken)
        whose = np.broadcast_to(user, taken.shape).ravel()[maybe] if maybe.size else maybe
        wanted = whose * self.items + item.ravel()[maybe]
        at = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        taken.ravel()[maybe] = self.pairs[at] == wanted
        return taken

    def drawn(self, user: Ints, each: int, rng: Rng) -> Tensor:
        """(n, each) items that the user at each place never took, the same one perhaps twice.

        user   (n,) positions, fastest where equal ones stand together
        each   ≥ 1

        Users who took everything get −1.  Blocks draw for themselves, so that the answer does
        not hang on the number of threads.
        """
        found = np.empty((len(user), each), np.int32)
        step = max(1, _AT_ONCE // each)

        def block(start: int) -> None:
            some = user[start : start + step]
            found[start : start + step] = self._block(some, each, rng.child(start))

        starts = range(0, len(user), step)
        if (threads := settings().threads) > 1:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(block, starts))
        else:
            for start in starts:
                block(start)
        return found

    def _block(self, user: Ints, each: int, rng: Rng) -> Tensor:
        draw = rng.generator()
        item = draw.integers(0, self.items, (len(user), each), np.int32)
        again = self.took(user[:, None], item)
        everything = self.count[user] >= self.items
        again[everything], item[everything] = False, -1
        place = np.flatnonzero(again)
        while len(place):
            drawn = draw.integers(0, self.items, len(place), np.int32)
            item.ravel()[place] = drawn
            place = place[self.took(user[place // each], drawn)]
        return item

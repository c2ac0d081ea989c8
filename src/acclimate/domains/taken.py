"""Taken: the events behind a view of items, in the order in which they happened.

Counts forget when an item was taken; what follows from the order and the time of events
(what came last, what is popular now, what to hide as an exam does) is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse


@dataclass(frozen=True)
class Taken:
    """Who took what, in order.

    user   (n,) rows
    item   (n,) columns; a pair occurs once
    shape  (n_users, n_items)
    time   (n,) seconds since 1970, −inf where unknown, of what is examined by the clock;
           None: the exam asks for what each user took last
    own    how many of the users, the first ones, are the target's; None: all
    """

    user: Ints
    item: Ints
    shape: tuple[int, int]
    time: Array | None = None
    own: int | None = None

    @classmethod
    def of(cls, rows: Sparse, rng: np.random.Generator) -> Taken:
        """Rows whose order is not known, in any."""
        user, item = rows.nonzero()
        order = rng.permutation(len(user))
        shape = (rows.shape[0], rows.shape[1])
        return cls(user[order].astype(np.int64), item[order].astype(np.int64), shape)

    @classmethod
    def stacked(cls, parts: Sequence[Taken], own: int | None = None) -> Taken:
        """The users of several below each other; times are kept where all have them.

        own  how many users of the first are the target's
        """
        starts = np.cumsum([0, *(part.shape[0] for part in parts)])
        user = [part.user + at for part, at in zip(parts, starts, strict=False)]
        item = np.concatenate([part.item for part in parts])
        times = [part.time for part in parts if part.time is not None]
        time = np.concatenate(times) if len(times) == len(parts) else None
        shape = (int(starts[-1]), parts[0].shape[1])
        return cls(np.concatenate(user), item, shape, time, own)

    @property
    def own_users(self) -> int:
        """How many of the users, the first ones, are the target's."""
        return self.shape[0] if self.own is None else self.own

    @property
    def rows(self) -> Sparse:
        """(n_users, n_items) CSR of ones with sorted columns."""
        rows = sp.csr_array((np.ones(len(self.user)), (self.user, self.item)), shape=self.shape)
        rows.sort_indices()
        return rows

    @property
    def last(self) -> Ints:
        """(n_users,) the column each took last, −1 for none."""
        last = np.full(self.shape[0], -1)
        last[self.user] = self.item  # of several for a user, the last one stays
        return last

    def take(self, events: Ints) -> Taken:
        """These events alone, of the same users and items."""
        time = None if self.time is None else self.time[events]
        return replace(self, user=self.user[events], item=self.item[events], time=time)

    def of_items(self, columns: Ints) -> Taken:
        """The events on these columns alone, renumbered in this order."""
        new = np.full(self.shape[1], -1)
        new[columns] = np.arange(len(columns))
        kept = self.take(np.flatnonzero(new[self.item] >= 0))
        return replace(kept, item=new[kept.item], shape=(self.shape[0], len(columns)))

    def without(self, events: Ints) -> Taken:
        """As if these events had not happened."""
        return self.take(np.setdiff1d(np.arange(len(self.user)), events))

    def recent(self, half_life_days: float, now: float | None = None) -> Array:
        """(n_items,) users per item, each worth half as much for so many days that passed.

        half_life_days  > 0.  Without times all count alike
        now             in seconds, from which days are counted; None: the latest event
        """
        if self.time is None:
            return np.bincount(self.item, minlength=self.shape[1]).astype(np.float64)
        now = self.time.max(initial=-np.inf) if now is None else now
        days = (self.time - now) / 86_400
        worth: Array = np.exp2(np.where(np.isfinite(days), days, -np.inf) / half_life_days)
        return np.bincount(self.item, worth, minlength=self.shape[1]).astype(np.float64)

"""Events as distinct pairs of positions: the first thing that happens to millions of them.

Ids are looked up once, and everything after that is done on whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints, Strings
from acclimate.domains.coding import coded, firsts, order_of
from acclimate.domains.sample import Interactions


@dataclass(frozen=True)
class Past:
    """The pairs of a market, from which those known at any moment are taken.

    pair   (n,) user · number of items + item, in the order of time where every event has
           one; ties and others in the order of the events
    time   (n,) of the pair's first event, or of each event where some have none; None:
           there are no times
    once   whether each pair stands here once
    """

    pair: Ints
    time: pl.Series | None
    users: Strings
    items: Strings
    once: bool

    @classmethod
    def of(cls, events: pl.DataFrame) -> Past:
        """The past of some events (user, item, time?), in any order."""
        (pair, users), (item, items) = coded(events["user"]), coded(events["item"])
        pair *= len(items)
        pair += item
        time = events["time"] if "time" in events.columns else None
        if time is not None and time.null_count():
            return cls(pair, time, users, items, once=False)
        if time is not None and not time.is_sorted():
            moments = time.to_physical().to_numpy()
            order = order_of(moments)
            pair = np.take(pair, order)
            time = pl.Series("time", np.take(moments, order)).cast(time.dtype)
        first = firsts(pair)
        time = None if time is None else time.filter(pl.Series(first))
        return cls(pair[first], time, users, items, once=True)

    def until(self, clock: datetime | None, timed: bool = False) -> Interactions:
        """Who had taken what at `clock`, of the users and items met by then.

        timed  whether to say when, for an exam by the clock

        Events without a time are always known; None: everything is.
        """
        pair, time = self.pair, self.time
        if clock is not None and time is not None:
            known = ~(time > clock).fill_null(False)
            pair, time = pair[known.to_numpy()], time.filter(known)
        if not self.once:
            first = firsts(pair)
            pair, time = pair[first], None if time is None else time.filter(pl.Series(first))
        when = seconds(time, len(pair)) if timed else None
        user, item = np.divmod(pair, max(1, len(self.items)))
        user, users = _met(user, self.users)
        item, items = _met(item, self.items)
        return Interactions(user, item, users, items, time=when)


def interactions(
    events: pl.DataFrame, users: Strings, items: Strings, timed: bool = False
) -> Interactions:
    """Distinct (user, item) pairs over the given ids, in the order of the events; events of
    others are left out.

    timed  whether to say when each was taken, for an exam by the clock
    """
    pair = _coded(events, users, items)
    kept = np.flatnonzero(pair >= 0)
    kept = kept[firsts(pair[kept])]
    user, item = np.divmod(pair[kept], max(1, len(items)))
    when = seconds(events["time"].gather(kept), len(kept)) if timed else None
    return Interactions(user, item, users, items, time=when)


def seconds(time: pl.Series | None, n: int) -> Array:
    """(n,) seconds since 1970, −inf where a time is unknown."""
    if time is None:
        return np.full(n, -np.inf)
    found: Array = time.dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
    return np.where(np.isnan(found), -np.inf, found)


def ids_of(values: pl.Series) -> Strings:
    """The distinct ids in the order of their characters."""
    found: Strings = np.array(values.unique().sort().to_list(), dtype=object)
    return found


def positions(values: pl.Series, ids: Strings) -> Ints:
    """(n,) the position of each value in `ids`, −1 where it is none.

    ids  distinct; a null among them is nobody's
    """
    listed = pl.Series(ids.tolist(), dtype=pl.String)
    at = np.append(np.flatnonzero(listed.is_not_null().to_numpy()), -1)
    if len(at) == 1:
        return np.full(len(values), -1)
    codes = values.cast(pl.Enum(listed.drop_nulls()), strict=False).to_physical()
    place = codes.cast(pl.Int64).fill_null(-1).to_numpy()
    found: Ints = at[place] if listed.null_count() else place
    return found


def _coded(events: pl.DataFrame, users: Strings, items: Strings) -> Ints:
    """(n,) a number for each event's pair, −1 for one of others."""
    user, item = positions(events["user"], users), positions(events["item"], items)
    return np.where((user >= 0) & (item >= 0), user * len(items) + item, -1)


def _met(position: Ints, ids: Strings) -> tuple[Ints, Strings]:
    """The positions among those ids alone that are met."""
    met = np.zeros(len(ids), bool)
    met[position] = True
    return (np.cumsum(met) - 1)[position], ids[met]

"""Which items count for a user, where a market weighs its kinds of events.

Per user and item, in time order, weights add up to a strength that never falls below 0:

    order 1, view 0.1, return −1
    view view order          0.1 0.2 1.2   counts from the first view on
    order return             1 0           does not count any more
    view order return view   0.1 1.1 0 0.1 counts again, as seen once more

An item counts while its strength reaches `Kinds.at_least`.  An event of negative weight
takes with it every weaker one before it: what was viewed, bought and sent back is no
item that the user wants.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from acclimate.domains.declared import Kinds

_PAIR = ["user", "item"]


def counting(events: pl.DataFrame, kinds: Kinds | None) -> pl.DataFrame:
    """The events at which their item counts for their user, whatever came later.

    events   (n,) in time order
    returns  (m <= n,) in the same order; all of them without kinds
    """
    if kinds is None or not events.height:
        return events
    strong = strength(events, kinds)
    return events.filter((strong >= kinds.at_least) & (_weight(events, kinds) > 0))


def standing(
    some: pl.DataFrame, events: pl.DataFrame, kinds: Kinds | None, until: datetime | None = None
) -> pl.DataFrame:
    """Those of some events whose item still counts for their user.

    events  all of them, in time order
    until   what came later is not known yet; None: everything is
    """
    if kinds is None or not some.height:
        return some
    known = events if until is None else events.filter(pl.col("time") <= until)
    last = known.with_columns(_strong=strength(known, kinds)).unique(_PAIR, keep="last")
    pairs = last.filter(pl.col("_strong") >= kinds.at_least).select(_PAIR)
    return some.join(pairs, on=_PAIR, how="semi", maintain_order="left")


def strength(events: pl.DataFrame, kinds: Kinds) -> pl.Series:
    """(n,) ≥ 0, the strength of each event's pair right after it."""
    taken_back = -min(0.0, *kinds.weights.values(), 0.0)
    w = pl.col("_w")
    lasting = (w < 0) | (w >= taken_back)
    found = (
        events.select(_PAIR)
        .with_columns(_weight(events, kinds).alias("_w"))
        .with_columns(
            _returns=(w < 0).cum_sum().over(_PAIR),
            _sum=pl.when(lasting).then(w).otherwise(0.0).cum_sum().over(_PAIR),
        )
        .with_columns(
            _floor=pl.col("_sum").cum_min().over(_PAIR),
            _weak=pl.when(lasting).then(0.0).otherwise(w).cum_sum().over([*_PAIR, "_returns"]),
        )
        .select(pl.col("_sum") - pl.min_horizontal(pl.lit(0.0), "_floor") + pl.col("_weak"))
    )
    # To a computer 1 + 0.2 − 1 is not quite 0.2.
    return found.to_series().round(9)


def _weight(events: pl.DataFrame, kinds: Kinds) -> pl.Series:
    return events["kind"].replace_strict(
        dict(kinds.weights), default=0.0, return_dtype=pl.Float64
    )

"""When each user is asked, where a market has no single clock.

Before: each user's last items were set aside.  After: what could not have been taken at that
moment is no candidate, although others took it later and what they took is fitted on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from acclimate.domains.exam import Case, RankQuery
from acclimate.domains.pairs import positions
from acclimate.domains.sample import Interactions


def at_moments(case: Case, asked: pl.DataFrame, events: pl.DataFrame) -> Case:
    """The case, each user asked when they took what is asked for.

    asked   the events that are asked for
    events  all of the market's; without a time on every one the case stays as it is
    """
    if "time" not in events.columns or events["time"].null_count():
        return case
    seconds = pl.col("time").min().dt.timestamp("us") / 1e6
    context = case.context
    assert isinstance(context, Interactions)
    moments = np.full(len(context.users), np.inf)
    sold = np.full(len(context.items), -np.inf)
    for values, ids, frame, of in (
        (moments, context.users, asked, "user"),
        (sold, context.items, events, "item"),
    ):
        first = frame.group_by(of, maintain_order=True).agg(seconds.alias("first"))
        at = positions(first[of], ids)
        values[at[at >= 0]] = first["first"].to_numpy()[at >= 0]
    return replace(case, query=replace(case.query, moments=moments, sold=sold))


def late_said(query: RankQuery) -> list[str]:
    """How much of the catalogue was first sold after a user was asked, in a sentence."""
    if query.moments is None or query.sold is None or not len(query.moments):
        return []
    by_then = np.searchsorted(np.sort(query.sold), query.moments, side="right")
    late = float(len(query.sold) - by_then.mean())
    return [
        f"what was first sold after a user was asked is no candidate: {late:.1f} items a user"
    ]

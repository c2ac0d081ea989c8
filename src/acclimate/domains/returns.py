"""Quantities below zero: what was sent back or cancelled, in markets that name no kinds.

Before: `tables` gave events their canonical form.  After: a return takes its order back,
as `interest` has it, instead of counting as one more purchase.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from acclimate.domains.declared import Declared, Kinds
from acclimate.domains.schema import Finding

KINDS = Kinds({"order": 1.0, "return": -1.0}, {}, 1.0)
_MOST = 0.5  # of the events; with more, the sign means something else


def told_by_sign(
    events: pl.DataFrame, declared: Declared
) -> tuple[pl.DataFrame, Declared, list[Finding]]:
    """Events with a kind by the sign of their quantity, where nothing else tells it.

    events  canonical; returned as they are where they have kinds, where kinds are
            declared, or where no quantity is below 0
    """
    told = declared.kinds is not None or "kind" in events.columns
    if told or "quantity" not in events.columns:
        return events, declared, []
    below = events["quantity"].fill_null(0.0) < 0
    n = int(below.sum())
    if not n:
        return events, declared, []
    if n > _MOST * events.height:
        message = (
            f"{n:,} of {events.height:,} events have a quantity below 0, too many to be "
            "returns; they count as any other. Say in market.toml what they are, by a column "
            "of kinds and [kinds]."
        )
        return events, declared, [Finding("warning", "events", message)]
    message = (
        f"{n:,} of {events.height:,} events have a quantity below 0: they are read as returns, "
        "each of which takes back an order. Declare [kinds] in market.toml to weigh them "
        "otherwise."
    )
    kind = pl.select(pl.when(below).then(pl.lit("return")).otherwise(pl.lit("order")))
    events = events.with_columns(kind.to_series().alias("kind"))
    return events, replace(declared, kinds=KINDS), [Finding("note", "events", message)]

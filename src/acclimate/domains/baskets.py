"""What orders hold beside products: postage, a fee, wrapping, under an item's id.

Such an id is in nearly every basket.  It takes a place in every list, and where it is
judged, an arm that has it on top wins by it alone.  No name tells, so that a person is
asked, and lists it under `restricted_items`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from acclimate.domains.coding import repeated
from acclimate.domains.schema import Finding

_SHARE = 0.4  # of the baskets; what people buy most is in a quarter of them
_TIMES = 10  # as often as if all items were bought alike: a shop of four items has none
_FEWEST = 20  # baskets
_SHOWN = 5


def in_most_baskets(events: pl.DataFrame, restricted: Sequence[str]) -> list[Finding]:
    """A warning about items that are in a large share of baskets, if any.

    events      canonical; a basket is what a user took at one moment, two items or more
    restricted  ids that are known to be no products
    """
    if "time" not in events.columns:
        return []
    taken = events.select("user", "item", "time")
    if taken["time"].null_count():
        taken = taken.filter(pl.col("time").is_not_null())
    # Rows whose moment of a user is theirs alone are no baskets; a hash tells most of them.
    moments = taken.select("user", "time").hash_rows(seed=0)
    taken = taken.filter(pl.Series(repeated(moments.to_numpy())))
    lines = taken.lazy().unique().filter(pl.len().over("user", "time") > 1).collect()
    baskets = lines.select("user", "time").n_unique() if lines.height else 0
    if baskets < _FEWEST:
        return []
    counts = lines["item"].value_counts(name="n")
    least = max(_SHARE * baskets, _TIMES * lines.height / counts.height)
    often = counts.filter((pl.col("n") >= least) & ~pl.col("item").is_in(list(restricted)))
    if not often.height:
        return []
    often = often.sort(["n", "item"], descending=[True, False])
    shown = ", ".join(f"{item!r} ({n / baskets:.0%})" for item, n in often.head(_SHOWN).rows())
    message = (
        f"{shown} in so large a share of {baskets:,} baskets may be no product but postage, a "
        "fee or wrapping. List it under restricted_items in market.toml if so: it is "
        "recommended to everybody otherwise, and may decide the verdict."
    )
    return [Finding("warning", "events", message)]

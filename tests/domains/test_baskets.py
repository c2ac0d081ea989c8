"""Postage is no product, and an order has no last line."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.baskets import in_most_baskets
from acclimate.domains.market import open_market
from acclimate.domains.split import Cut, cut_events
from acclimate.rng import Rng
from tests.domains.files import messages


def orders(n: int = 60, items: int = 80, share: float = 0.8) -> pl.DataFrame:
    """n users' only order each, of four products and, at its end, mostly postage."""
    rows = []
    for user in range(n):
        at = datetime(2024, 1, 1) + timedelta(hours=user)
        rows += [(f"u{user}", f"i{(user * 7 + k * 11) % items}", at) for k in range(4)]
        if user < share * n:
            rows.append((f"u{user}", "post", at))
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row")


def test_an_item_in_most_baskets_is_asked_about() -> None:
    found = in_most_baskets(orders(), ())
    assert [finding.level for finding in found] == ["warning"]
    assert found[0].message.startswith("'post' (80%) in so large a share of 60 baskets")
    assert "restricted_items in market.toml" in found[0].message


@pytest.mark.parametrize(
    ("events", "restricted"),
    [
        (orders(), ["post"]),
        (orders(share=0.2), []),
        (orders(n=19), []),
        (orders(items=5), []),
        (orders().drop("time"), []),
        (orders().unique(["user", "time"]), []),
        (orders().clear(), []),
    ],
    ids=["known", "seldom", "few", "small shop", "untimed", "single items", "none"],
)
def test_nothing_is_asked_where_nothing_is_strange(
    events: pl.DataFrame, restricted: list[str]
) -> None:
    assert in_most_baskets(events, restricted) == []


def test_a_market_is_asked_about_its_postage_until_it_is_restricted(tmp_path: Path) -> None:
    orders().write_csv(tmp_path / "orders.csv")
    assert "'post' (80%)" in messages(open_market(tmp_path), "warning")
    (tmp_path / "market.toml").write_text('restricted_items = ["post"]')
    assert "'post' (80%)" not in messages(open_market(tmp_path))


def test_the_line_at_the_end_of_every_order_is_not_what_is_judged() -> None:
    events = orders(n=400, share=1)
    judged = cut_events(events, Cut(by="last"), Rng.of(0)).judge
    share = (judged["item"] == "post").mean()
    # One line of five, and not all of them; six standard errors around it.
    assert isinstance(share, float) and 0.08 < share < 0.32
    kept = cut_events(events, Cut(by="last"), Rng.of(0), repeats=True).judge
    assert (kept["item"] == "post").all()

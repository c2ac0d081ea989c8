"""`check` shows what was understood and declared, compares markets, and survives a bad one."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.cli.calls import LABEL, Call, Markets, events, rows

DECLARED = """
timezone = "Asia/Tokyo"
language = "ja"
holidays = ["2024-01-01"]
forbidden_columns = ["gender"]
restricted_items = ["i0", "i1"]
[currency]
code = "JPY"
base = "EUR"
rates = 0.006
[kinds]
order = 1
return = -1
"""


def declared(markets: Markets) -> Path:
    table = events(1).with_columns(kind=pl.lit("order"), gender=pl.lit("f"))
    market = markets.write("jp", table)
    (market / "market.toml").write_text(DECLARED, encoding="utf-8")
    return market


def test_everything_declared_is_shown(call: Call, markets: Markets) -> None:
    answer = call("check", declared(markets))
    assert answer.code == 0, answer.err
    for part in (
        "currency JPY turned into EUR (one rate)",
        "time zone Asia/Tokyo",
        "language ja",
        "1 holidays",
        "forbidden: gender",
        "2 restricted items",
        "kinds: order 1, return -1; an item counts from 1 on",
    ):
        assert part in answer.out


def test_everything_declared_is_in_the_json(call: Call, markets: Markets) -> None:
    (market,) = call("check", declared(markets), "--json").json["markets"]
    assert market["declared"] == {
        "currency": {"code": "JPY", "base": "EUR", "rates": [[None, 0.006]], "money": []},
        "timezone": "Asia/Tokyo",
        "language": "ja",
        "holidays": ["2024-01-01"],
        "forbidden": ["gender"],
        "restricted": ["i0", "i1"],
        "kinds": {
            "weights": {"order": 1.0, "return": -1.0},
            "names": {},
            "at_least": 1.0,
        },
    }


def test_a_bad_market_does_not_hide_the_others(call: Call, markets: Markets) -> None:
    us, absent = markets.write("us", events(2)), markets.folder / "nowhere"
    torn = markets.write("torn", "user_id,item_id\nu,a\nv\n", "events.csv")
    jp = markets.write("jp", events(1))
    answer = call("check", absent, us, torn, jp, "--json")
    assert answer.code == 3
    found = answer.json
    assert [market["name"] for market in found["markets"]] == ["us", "jp"]
    assert [Path(bad["market"]).name for bad in found["failed"]] == ["nowhere", "torn"]
    assert "found nothing there" in found["failed"][0]["error"]
    assert answer.err.count("error: ") == 2
    assert "Traceback" not in answer.err
    plain = call("check", absent, us)
    assert plain.code == 3 and "us (280 events)" in plain.out and "nowhere" in plain.err


def test_one_bad_market_alone_is_refused(call: Call, markets: Markets) -> None:
    call("check", markets.folder / "nowhere", "--json").refuses(3, "found nothing there")


def test_several_markets_are_compared(call: Call, markets: Markets) -> None:
    us = markets.write("us", events(2).with_columns(pl.col("item_id") + "-us"))
    answer = call("check", us, markets.write("jp", events(1)))
    assert answer.code == 0
    assert "together" in answer.out
    assert "us and jp share no item, so transfer by items is impossible" in answer.out
    (finding, *_) = call("check", us, markets.folder / "jp", "--json").json["together"]
    assert (finding["level"], finding["table"]) == ("warning", "events")


def test_a_leak_is_shown_with_what_to_do(call: Call, markets: Markets) -> None:
    table = rows(1, 200)
    late = (table["fraud"] == "yes").cast(pl.Int64) * 1000 + pl.Series(range(200))
    market = markets.write("shop", table.with_columns(refund=late))
    answer = call("check", market, *LABEL)
    assert "'refund' gives the label away (AUC 1.000 by itself)" in answer.out
    assert "'amount' gives the label away" not in answer.out

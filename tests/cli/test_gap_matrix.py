"""`acclimate gap --matrix`: every market as a target of all the others."""

from __future__ import annotations

import polars as pl

from tests.cli.calls import LABEL, Call, Markets, rows


def test_every_market_is_a_target_in_turn(call: Call, markets: Markets) -> None:
    names = ("shop", "web", "app")
    places = [markets.write(name, rows(at, 120)) for at, name in enumerate(names)]
    asked = ["--target", places[0], "--source", places[1], "--source", places[2]]
    answer = call("gap", *asked, *LABEL, "--matrix", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["measure"] == "a-distance"
    cells = {
        (row["source"], target): value
        for row in found["matrix"]
        for target, value in row.items()
        if target != "source" and value is not None
    }
    assert set(cells) == {(a, b) for a in names for b in names if a != b}
    alone = call("gap", *asked, *LABEL, "--json").json["gap"]
    for row in alone:
        if row["measure"] == "a-distance":
            assert cells[row["source"], "shop"] == row["value"]


def test_a_market_that_cannot_be_a_target_is_told(call: Call, markets: Markets) -> None:
    web, shop = markets.write("web", rows(1)), markets.write("shop", rows(2))
    sure = markets.write("sure", rows(3).with_columns(pl.lit("no").alias("fraud")))
    asked = ["--target", shop, "--source", web, "--source", sure, *LABEL]
    answer = call("gap", *asked, "--matrix", "--json")
    assert answer.code == 0, answer.err
    assert list(answer.json["left_out"]) == [str(sure)]
    assert "sure is no target: Expected" in answer.err

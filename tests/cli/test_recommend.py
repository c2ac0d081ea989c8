"""`acclimate recommend`: baskets, users and everybody, with filters and reasons."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from acclimate.artifacts.artifact import load, save
from acclimate.artifacts.recommender import Recommender
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from tests.artifacts import made
from tests.cli.calls import Call

USAGE, DATA = 2, 3


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    save(folder / "artifact", made.contents(folder, Ease()))
    return folder


def served(folder: Path) -> Recommender:
    return Recommender.of(load(folder / "artifact"))


def test_a_basket_gets_its_list_as_json_and_on_the_screen(call: Call, shop: Path) -> None:
    words = ("recommend", shop / "artifact", "--basket", "i0", "--basket", "i3", "--k", "2")
    found = call(*words, "--json").json
    expected = served(shop).basket(["i0", "i3"], 2)
    assert [(row["item_id"], row["rank"]) for row in found["lists"]] == [
        (item, at + 1) for at, (item, _) in enumerate(expected)
    ]
    assert found["why"] == []
    answer = call(*words)
    assert answer.code == 0 and answer.out.count("\n") == 2
    assert all(item in answer.out for item, _ in expected)


def test_reasons_count_who_took_both_in_each_market(call: Call, shop: Path) -> None:
    us = shop / "markets" / "us.csv"
    words = ("recommend", shop / "artifact", "--user", "101", "--k", "1", "--why")
    found = call(*words, "--source", us, "--json").json
    (listed,) = found["lists"]
    events = pl.read_csv(us, schema_overrides={"StockCode": pl.String})
    assert found["why"]
    for row in found["why"]:
        assert row["item_id"] == listed["item_id"] and row["user_id"] == "101"
        both = events.group_by("CustomerID").agg(
            a=(pl.col("StockCode") == row["from_item"]).any(),
            b=(pl.col("StockCode") == row["item_id"]).any(),
        )
        assert row["users"]["us"] == both.filter("a", "b").height
        assert row["users"].keys() == {"jp", "us"}
    assert "took both" in call(*words).out


def test_everybody_is_written_to_a_file(call: Call, shop: Path) -> None:
    out = shop / "all.parquet"
    answer = call("recommend", shop / "artifact", "--all-users", "--k", "3", "--out", out)
    assert answer.code == 0 and answer.out == "" and "rows written to" in answer.err
    found = pl.read_parquet(out)
    assert found.columns == ["user_id", "item_id", "score", "rank", "note"]
    assert found["user_id"].n_unique() == len(served(shop).users)


def test_many_baskets_within_a_category(call: Call, shop: Path) -> None:
    table, items, out = shop / "baskets.csv", shop / "items.csv", shop / "lists.csv"
    table.write_text("session_id,item_id\na,i0\na,i1\nb,i9\n", encoding="utf-8")
    items.write_text("item_id,category\ni2,shoes\ni4,hats\ni5,shoes\n", encoding="utf-8")
    for part, wanted in (("", {"i2", "i4", "i5"}), ("::category=shoes", {"i2", "i5"})):
        answer = call(
            *("recommend", shop / "artifact", "--baskets", table, "--out", out),
            *("--among", f"{items}{part}"),
        )
        assert answer.code == 0, answer.err
        found = pl.read_csv(out)
        assert '""' not in out.read_text(encoding="utf-8")
        assert set(found["item_id"]) == wanted and set(found["basket_id"]) == {"a", "b"}


def test_what_cannot_be_answered_is_refused(call: Call, shop: Path) -> None:
    artifact, table = shop / "artifact", shop / "weather.csv"
    table.write_text("rain,sun\n1,2\n", encoding="utf-8")
    asked = ("recommend", artifact)
    call(*asked).refuses(USAGE, "--basket, --user, --baskets and --all-users", "found 0")
    call(*asked, "--basket", "i0", "--all-users").refuses(USAGE, "found 2 of them")
    call(*asked, "--all-users", "--why").refuses(USAGE, "--all-users", "Name some with --user")
    call(*asked, "--basket", "i0", "--why", "--out", shop / "x.csv").refuses(USAGE, "--why")
    call(*asked, "--baskets", table).refuses(DATA, "basket_id", "rain, sun")
    call(*asked, "--basket", "i0", "--among", table).refuses(DATA, "names items", "rain, sun")
    call(*asked, "--basket", "i0", "--among", f"{table}::wind=1").refuses(
        DATA, "Expected a column 'wind'", "rain, sun"
    )
    call(*asked, "--basket", "i0", "--spread", "2").refuses(USAGE, "Expected a spread between")
    call("recommend", shop, "--basket", "i0").refuses(DATA, "Expected an artifact")
    save(shop / "other", made.contents(shop / "rows", Linear()))
    call("recommend", shop / "other", "--basket", "i0").refuses(USAGE, "answers classify")


def test_items_of_a_basket_that_nobody_knows_are_said(call: Call, shop: Path) -> None:
    words = ("recommend", shop / "artifact", "--basket", "i0", "--k", "1")
    answer = call(*words, "--basket", "zz")
    assert answer.out == call(*words).out and call(*words).err == ""
    assert answer.err == ("1 item is unknown to the model and left out of the baskets: zz\n")
    assert call(*words, "--basket", "zz", "--json").json["unknown"] == ["zz"]


@pytest.mark.parametrize("header", ["basket,sku", "SessionID,article", "client,ean"])
def test_baskets_are_read_under_their_usual_names(
    call: Call, shop: Path, tmp_path: Path, header: str
) -> None:
    table = tmp_path / "baskets.csv"
    table.write_text(f"{header}\nb,i0\nb,i3\n")
    found = call("recommend", shop / "artifact", "--baskets", table, "--json").json
    assert {row["basket_id"] for row in found["lists"]} == {"b"}


def test_a_slice_of_items_that_has_none_lists_its_values(
    call: Call, shop: Path, tmp_path: Path
) -> None:
    table = tmp_path / "items.csv"
    table.write_text("item_id,category\ni0,hats\ni1,hats\ni2,shoes\n")
    words = ("recommend", shop / "artifact", "--basket", "i3", "--among")
    call(*words, f"{table}::category=hat").refuses(
        DATA, "with category = 'hat', found none", "hats (2), shoes (1)"
    )
    call(*words, f"{table}::categry=hats").refuses(DATA, "Did you mean 'category'?")
    table.write_text("basket,thing\nb,i0\n")
    call("recommend", shop / "artifact", "--baskets", table).refuses(
        DATA, "found basket, thing. Rename the one with items."
    )

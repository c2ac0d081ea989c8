"""Attributes become the same features whatever the currency, the order and the company."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array, Strings
from acclimate.domains.attributes import KNOTS, Attributes, Space, similar
from acclimate.domains.schema import ColumnType

TYPES = {
    "price": ColumnType.NUMERIC,
    "kind": ColumnType.CATEGORY,
    "title": ColumnType.TEXT,
    "code": ColumnType.ID,
}
TABLE = pl.DataFrame(
    {
        "item": ["a", "b", "c", "d"],
        "price": [1.0, 2.0, 2.0, 100.0],
        "kind": ["X | Y", "y", "X, Z", None],
        "title": ["Red shoe", "blue shoe", "红鞋 red", None],
        "code": ["1", "2", "3", "4"],
    }
)
IDS = np.array(["a", "b", "c", "d"], dtype=object)


def told(table: pl.DataFrame = TABLE, ids: Strings = IDS) -> Attributes:
    found = Attributes.of(table, TYPES, ids)
    assert found is not None
    return found


def features(space: Space, about: Attributes) -> Array:
    return space.encode(about, about.n).toarray()


def test_a_number_is_its_rank_among_its_market_ties_by_half() -> None:
    assert told().columns["price"].to_list() == [0.125, 0.5, 0.5, 0.875]


def test_prices_in_another_currency_read_alike() -> None:
    yen = told(TABLE.with_columns(pl.col("price") * 160))
    space = Space.fit([told()])
    assert np.array_equal(features(space, yen), features(space, told()))


def test_a_new_thing_is_ranked_among_those_of_the_market_it_enters() -> None:
    new = pl.DataFrame({"item": ["n"], "price": [51.0]})
    found = Attributes.of(new, TYPES, np.array(["n"]), ladders=told().ladders)
    assert found is not None
    assert found.columns["price"].to_list() == [0.6875]  # half-way from .5 to .875


def test_a_rank_is_spread_between_its_two_neighbouring_knots() -> None:
    space = Space.fit([told(TABLE.select("item", "price"))])
    place = 0.125 * (KNOTS - 1)
    wanted = np.zeros(KNOTS)
    wanted[:2] = 1 - place, place
    wanted /= np.linalg.norm(wanted)
    assert np.allclose(features(space, told(TABLE.select("item", "price")))[0], wanted)


def test_values_of_a_category_are_told_apart_and_words_weigh_by_how_rare_they_are() -> None:
    space = Space.fit([told()])
    assert space.words == {"kind": ["x", "y"], "title": ["red", "shoe"]}
    rows = features(space, told())[:, KNOTS:]
    root = np.sqrt(0.5)
    assert np.allclose(rows[0], [root, root, root / 2, root / 2])  # a text is worth a half
    assert np.allclose(rows[2], [1, 0, 0.5, 0])
    assert np.allclose(rows[3], 0)
    assert np.allclose(space.idf["kind"], np.log([2, 2]))


def test_columns_come_in_the_order_of_the_ids_and_unknown_ids_have_nothing() -> None:
    found = told(ids=np.array(["d", "nobody", "a"], dtype=object))
    assert found.columns["price"].to_list() == [0.875, None, 0.125]
    assert not features(Space.fit([told()]), found)[1].any()


def test_times_are_ranks_too_and_ids_are_no_features() -> None:
    when = [datetime(2024, 1, day) for day in (3, 1, 2, 4)]
    table = TABLE.select("item", "code").with_columns(since=pl.Series(when))
    found = Attributes.of(table, {**TYPES, "since": ColumnType.TIME}, IDS)
    assert found is not None and list(found.types) == ["since"]
    assert found.columns["since"].to_list() == [0.625, 0.125, 0.375, 0.875]
    assert Attributes.of(TABLE.select("item", "code"), TYPES, IDS) is None


def test_a_long_ladder_is_thinned_and_keeps_its_order() -> None:
    many = pl.DataFrame({"item": [str(n) for n in range(999)], "price": np.arange(999.0) ** 3})
    ids = np.array(many["item"].to_list(), dtype=object)
    found = told(many, ids)
    assert len(found.ladders["price"][0]) <= 101
    ranks = found.columns["price"].to_numpy()
    assert (np.diff(ranks) > 0).all()
    assert np.allclose(ranks, (np.arange(999) + 0.5) / 999, atol=0.01)


def test_a_space_survives_json_and_leaves_out_what_another_market_calls_otherwise() -> None:
    space = Space.from_row(Space.fit([told()]).as_row())
    assert np.array_equal(features(space, told()), features(Space.fit([told()]), told()))
    assert not features(space, told(TABLE.select("item", "code", "title")))[:, KNOTS].any()
    assert space.encode(None, 3).shape == (3, space.width)


def test_a_word_that_everything_has_tells_nothing_apart() -> None:
    same = TABLE.with_columns(kind=pl.lit("all"))
    assert Space.fit([told(same)]).words["kind"] == []


@pytest.mark.parametrize("k", [1, 2, 9])
def test_the_most_similar_come_first(k: int) -> None:
    rows = Space.fit([told()]).encode(told(), 4)
    at, alike = similar(rows, rows, k)
    assert at.shape == (4, min(k, 4))
    assert np.array_equal(at[:, 0], np.arange(4)) and np.allclose(alike[:, 0], 1)

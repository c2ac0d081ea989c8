"""Codes, orders and first times are those that the slow ways give."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.coding import coded, firsts, order_of, places_from_last, repeated

WHOLE = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.sampled_from(["a", "b", "é", "10", "9", "", "zz"]), max_size=40))
def test_texts_are_numbered_in_the_order_of_their_characters(values: list[str]) -> None:
    code, ids = coded(pl.Series(values, dtype=pl.String))
    assert ids.tolist() == sorted(set(values))
    assert ids[code].tolist() == values


@given(st.lists(WHOLE | st.integers(-3, 3), max_size=40))
def test_whole_numbers_are_numbered_in_their_order(values: list[int]) -> None:
    code, ids = coded(pl.Series(values, dtype=pl.Int64))
    assert ids.tolist() == sorted(set(values))
    assert ids[code].tolist() == values


def test_texts_that_share_a_hash_are_told_apart() -> None:
    values = pl.Series(["b", "a", "c", "a"])
    same = pl.Series([7] * 4, dtype=pl.UInt64)
    with patch.object(pl.Series, "hash", lambda self, seed: same):
        code, ids = coded(values)
    assert (ids.tolist(), code.tolist()) == (["a", "b", "c"], [1, 0, 2, 0])


@given(st.lists(st.integers(-5, 5), max_size=60), st.sampled_from([1, 1000, 10**18]))
def test_an_order_is_that_of_a_stable_sort(values: list[int], unit: int) -> None:
    # Times 10¹⁸ no two fit into a word beside their place, unless their unit is seen.
    key = unit * np.array(values, np.int64)
    assert order_of(key).tolist() == np.argsort(key, kind="stable").tolist()


@given(st.lists(WHOLE, max_size=30))
def test_numbers_of_any_range_are_ordered(values: list[int]) -> None:
    key = np.array(values * 2, np.int64)
    assert order_of(key).tolist() == np.argsort(key, kind="stable").tolist()


@pytest.mark.parametrize("unit", [1, 2**58])
@given(st.lists(st.integers(0, 9), max_size=60))
def test_first_times_are_those_of_a_set(unit: int, values: list[int]) -> None:
    seen: set[int] = set()
    wanted = [not (v in seen or seen.add(v)) for v in values]  # type: ignore[func-returns-value]
    assert firsts(unit * np.array(values, np.int64)).tolist() == wanted


@given(st.lists(st.integers(0, 9), max_size=60))
def test_what_stands_more_than_once_is_repeated(values: list[int]) -> None:
    hashes = pl.Series(values, dtype=pl.Int64).hash(seed=0).to_numpy()
    assert repeated(hashes).tolist() == [values.count(value) > 1 for value in values]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_places_are_counted_from_the_last(values: list[int]) -> None:
    left, each = places_from_last(np.array(values, np.int64))
    assert left.tolist() == [values[at + 1 :].count(one) for at, one in enumerate(values)]
    assert each.tolist() == [values.count(one) for one in values]

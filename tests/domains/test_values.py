"""Equal values get one spelling, and numbers are read in the notation of their column."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.values import Commas, canonical, identifiers, numbers


def strings(name: str, *values: str | None) -> pl.Series:
    return pl.Series(name, values, dtype=pl.String)


@pytest.mark.parametrize("value", ["0", "0.0", "-0", "+0", "0.", "false", "False", " 0 "])
def test_every_spelling_of_nought_is_one_label(value: str) -> None:
    assert canonical(strings("y", value)).to_list() == ["0"]


def test_labels_of_every_type_meet() -> None:
    for column in (
        strings("y", "1", "0"),
        strings("y", "1.0", "0.00"),
        strings("y", "TRUE", "false"),
        pl.Series("y", [1, 0]),
        pl.Series("y", [1.0, 0.0]),
        pl.Series("y", [True, False]),
    ):
        assert canonical(column).to_list() == ["1", "0"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("007", "007"),
        (" Yes ", "Yes"),
        ("0.50", "0.5"),
        ("1e400", "1e400"),
        (".", "."),
        ("", None),
    ],
)
def test_other_labels_stay_as_written(written: str, read: str | None) -> None:
    assert canonical(strings("y", written)).to_list() == [read]


@given(st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=8))
def test_a_canonical_value_is_its_own_canonical_value(values: list[str | None]) -> None:
    once = canonical(strings("y", *values))
    assert canonical(once).to_list() == once.to_list()


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1, max_size=8))
def test_whole_numbers_meet_as_integers_floats_and_text(values: list[int]) -> None:
    expected = [str(value) for value in values]
    assert canonical(pl.Series(values)).to_list() == expected
    assert canonical(pl.Series([float(value) for value in values])).to_list() == expected
    assert canonical(strings("y", *(f"{value}.0" for value in values))).to_list() == expected


def test_ids_from_floats_meet_ids_from_text_and_zeros_stay() -> None:
    assert identifiers(pl.Series([13085.0, None])).to_list() == ["13085", None]
    assert identifiers(strings("id", "13085.0", None, "NA")).to_list() == ["13085", None, None]
    assert identifiers(pl.Series([13085])).to_list() == ["13085"]
    assert identifiers(strings("id", "007", " 8 ")).to_list() == ["007", "8"]
    assert identifiers(strings("id", "1.0", "v2")).to_list() == ["1.0", "v2"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (("1,5", "2"), [1.5, 2.0]),
        (("1.234,5", "2"), [1234.5, 2.0]),
        (("1,234", "2"), [1234.0, 2.0]),
        (("0,125", "2"), [0.125, 2.0]),
        (("1e3", " -2 "), [1000.0, -2.0]),
        (("inf", "2"), [None, 2.0]),
        (("?", "2"), [None, 2.0]),
    ],
)
def test_numbers_are_read_in_either_notation(
    written: tuple[str, str], read: list[float | None]
) -> None:
    assert numbers(strings("x", *written)).values.to_list() == read


@pytest.mark.parametrize(
    ("commas", "read"),
    [
        (Commas.NONE, [None, None, 1.5, 1000.0, None]),
        (Commas.THOUSANDS, [None, 1234.0, 1.5, None, None]),
        (Commas.DECIMALS, [1.5, 1.234, None, None, None]),
    ],
)
def test_commas_that_are_known_decide_value_by_value(
    commas: Commas, read: list[float | None]
) -> None:
    series = strings("x", "1,5", "1,234", "1.5", "1e3", "many")
    found = numbers(series, commas)
    assert found.values.to_list() == read
    assert found.failed == read.count(None)
    alone = [numbers(strings("x", value), commas).values[0] for value in series]
    assert alone == read
    assert numbers(pl.Series([1.5, 1000.0]), commas).values.to_list() == [1.5, 1000.0]

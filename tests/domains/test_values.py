"""Equal values get one spelling, and numbers are read in the notation of their column."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.values import (
    Commas,
    Figures,
    canonical,
    identifiers,
    leaning_of,
    numbers,
)


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
    found = numbers(series, Figures(commas))
    assert found.values.to_list() == read
    assert found.failed == read.count(None)
    alone = [numbers(strings("x", value), Figures(commas)).values[0] for value in series]
    assert alone == read
    assert numbers(pl.Series([1.5, 1000.0]), Figures(commas)).values.to_list() == [1.5, 1000.0]


NBSP, NARROW, THIN = "\u00a0", "\u202f", "\u2009"


@pytest.mark.parametrize(
    ("written", "read", "notation"),
    [
        (("1.234,56", "2"), [1234.56, 2.0], "commas as decimals"),
        (("1 234,56", "0,5"), [1234.56, 0.5], "commas as decimals"),
        (
            (f"1{NBSP}234,56", f"1{NARROW}234{NARROW}567,5"),
            [1234.56, 1234567.5],
            "commas as dec",
        ),
        ((f"12{THIN}345", "7"), [12345.0, 7.0], "no commas"),
        (("1'234.50", "12"), [1234.5, 12.0], "no commas"),
        (("1’234", "12"), [1234.0, 12.0], "no commas"),
        (("€ 12,50", "€ 1.000,00"), [12.5, 1000.0], "commas as decimals, in €"),
        (("12,50 €", f"3,20{NBSP}€"), [12.5, 3.2], "commas as decimals, in €"),
        (("-€5.10", "€-3", "- €2"), [-5.1, -3.0, -2.0], "no commas, in €"),
        (
            ("¥1,200", "￥980", "¥0"),
            [1200.0, 980.0, 0.0],
            "commas as thousands separators, in ¥",
        ),
        (("1,200円", "980円"), [1200.0, 980.0], "commas as thousands separators, in 円"),
        (("12.5元", "3元"), [12.5, 3.0], "no commas, in 元"),
        (("US$1,200.50", "US$3"), [1200.5, 3.0], "commas as thousands separators, in US$"),
        (("12,5 %", "3 %"), [12.5, 3.0], "commas as decimals, in %"),
        (("12.5%", "３％"), [12.5, 3.0], "no commas, in %"),
        (("5 %", "7 %", "0"), [5.0, 7.0, 0.0], "no commas, in %"),
        (("１２３", "４．５"), [123.0, 4.5], "no commas"),
        (("１，２３４", "２"), [1234.0, 2.0], "commas as thousands separators"),
        (("−5", "3"), [-5.0, 3.0], "no commas"),
    ],
)
def test_numbers_of_spreadsheets_are_read_and_their_notation_kept(
    written: tuple[str, ...], read: list[float], notation: str
) -> None:
    found = numbers(strings("x", *written))
    assert found.values.to_list() == read
    assert found.figures.name.startswith(notation)
    assert Figures.named(found.figures.name) == found.figures
    again = [numbers(strings("x", value), found.figures).values[0] for value in written]
    assert again == read


@pytest.mark.parametrize(
    "written",
    [
        ("€ 12", "$ 12"),
        ("5%", "0.05"),
        ("12 34", "5 678"),
        ("1 2345", "7"),
        ("1'234 567", "1"),
        ("¥12元", "¥3"),
        ("12 kg", "3 kg"),
        ("€", "€ 3"),
        ("1.5", "1,5"),
    ],
)
def test_a_column_of_mixed_signs_is_not_of_numbers(written: tuple[str, ...]) -> None:
    assert numbers(strings("x", *written)).share <= 0.5


def test_one_misfit_in_a_hundred_is_no_other_notation() -> None:
    found = numbers(strings("x", *["12,50"] * 199, "k.A."))
    assert (found.failed, found.example) == (1, "k.A.")
    assert found.figures.commas == Commas.DECIMALS
    assert numbers(strings("x", *["12,50"] * 9, "k.A.")).share == 0.0


@pytest.mark.parametrize(
    ("column", "commas", "read"),
    [
        (("1,234", "2"), Commas.DECIMALS, [1.234, 2.0]),
        (("1.234", "2"), Commas.DECIMALS, [1234.0, 2.0]),
        (("1.234", "2.5"), Commas.DECIMALS, [1.234, 2.5]),
        (("12", "2"), Commas.DECIMALS, [12.0, 2.0]),
        (("1,234", "2"), Commas.THOUSANDS, [1234.0, 2.0]),
        (("1.234", "2"), Commas.THOUSANDS, [1.234, 2.0]),
    ],
)
def test_the_table_decides_what_a_column_leaves_open(
    column: tuple[str, ...], commas: Commas, read: list[float]
) -> None:
    assert numbers(strings("x", *column), leaning=commas).values.to_list() == read


def test_a_table_leans_to_what_its_clear_columns_say() -> None:
    clear, open_, english = ("1,5", "2"), ("1.234", "2"), ("1.5", "2")
    table = {"a": clear, "b": open_, "c": ("x,y", "z")}
    assert leaning_of(pl.DataFrame(table)) == Commas.DECIMALS
    assert leaning_of(pl.DataFrame({"b": open_, "c": english})) == Commas.THOUSANDS
    assert leaning_of(pl.DataFrame({"a": clear, "c": english})) == Commas.NONE
    assert leaning_of(pl.DataFrame({"b": open_})) == Commas.NONE
    assert leaning_of(pl.DataFrame({"b": [1, 2]})) == Commas.NONE


def test_an_unknown_notation_of_numbers_is_refused() -> None:
    for name in ("commas as hopes", "no commas, in XXX", ""):
        with pytest.raises(ValueError, match="is n"):
            Figures.named(name)

"""A column's notation of time is recognised once, and every moment read in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.times import Notation, impossible, read_times, recognise


def strings(name: str, *values: str | None) -> pl.Series:
    return pl.Series(name, values, dtype=pl.String)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2015-02-24", datetime(2015, 2, 24)),
        ("2015-02-24 22:55:01", datetime(2015, 2, 24, 22, 55, 1)),
        ("2015-02-24T22:55:01.25Z", datetime(2015, 2, 24, 22, 55, 1, 250000)),
        ("2015-02-24T22:55:01+01:30", datetime(2015, 2, 24, 21, 25, 1)),
        ("2015-02-24T22:55:01-0200", datetime(2015, 2, 25, 0, 55, 1)),
        ("2015/2/24", datetime(2015, 2, 24)),
        ("2/24/15 22:55", datetime(2015, 2, 24, 22, 55)),
        ("2/24/69", datetime(1969, 2, 24)),
        ("2/24/2015 12:05 AM", datetime(2015, 2, 24, 0, 5)),
        ("2/24/2015 12:05:07 PM", datetime(2015, 2, 24, 12, 5, 7)),
        ("24.02.2015", datetime(2015, 2, 24)),
        ("24.2.15 7:05", datetime(2015, 2, 24, 7, 5)),
        ("3.2.2015", datetime(2015, 2, 3)),
        ("02 24, 2015", datetime(2015, 2, 24)),
        ("24.02.2015 14:30 Uhr", datetime(2015, 2, 24, 14, 30)),
        ("24.02.2015, 14:30", datetime(2015, 2, 24, 14, 30)),
        ("2015年2月24日", datetime(2015, 2, 24)),
        ("2015年02月24日14:30", datetime(2015, 2, 24, 14, 30)),
        ("2015年2月24日 9时5分", datetime(2015, 2, 24, 9, 5)),
        ("2015年2月24日 9時5分7秒", datetime(2015, 2, 24, 9, 5, 7)),
        ("2015年2月24日 下午3点", datetime(2015, 2, 24, 15)),
        ("2015年2月24日(火) 午前0:05", datetime(2015, 2, 24, 0, 5)),
        ("2015年2月24日 火曜日", datetime(2015, 2, 24)),
        ("2015年2月24日 星期二 10:00", datetime(2015, 2, 24, 10)),
        ("2015/2/24 下午 02:30:01", datetime(2015, 2, 24, 14, 30, 1)),
        ("２０１５／０２／２４　１４：３０", datetime(2015, 2, 24, 14, 30)),
        ("20150224", datetime(2015, 2, 24)),
        ("20150224225501", datetime(2015, 2, 24, 22, 55, 1)),
        ("1424818501", datetime(2015, 2, 24, 22, 55, 1)),
        ("1424818501.5", datetime(2015, 2, 24, 22, 55, 1, 500000)),
        ("1424818501250", datetime(2015, 2, 24, 22, 55, 1, 250000)),
    ],
)
def test_every_notation_gives_its_moment(written: str, moment: datetime) -> None:
    series = strings("time", written)
    notation = recognise(series, named=True)
    assert notation
    read = read_times(series, notation)
    assert read.dtype == pl.Datetime("us")
    assert read.to_list() == [moment]


def test_the_order_of_day_and_month_is_the_one_that_fits_every_row() -> None:
    for written, name, ambiguous in [
        (("1/2/15", "24/2/15"), "day first", False),
        (("1/2/15", "2/24/15"), "month first", False),
        (("1/2/15", "3/4/15"), "month first", True),
        (("1.2.15", "3.4.15"), "day first", True),
        (("2015-02-01", "2015-04-03"), "year first", False),
    ]:
        notation = recognise(strings("t", *written), named=False)
        assert notation
        assert (notation.name, notation.ambiguous) == (name, ambiguous)


@pytest.mark.parametrize(
    ("name", "third_of_april"),
    [("day first", "3/4/2015"), ("month first", "4/3/2015"), ("year first", "2015/4/3")],
)
def test_each_value_is_read_by_the_notation_and_never_by_its_neighbours(
    name: str, third_of_april: str
) -> None:
    notation = Notation.named(name)
    misfit = "4/31/2015" if name == "month first" else "4/13/2015"
    series = strings("t", third_of_april, "2015-04-03", misfit)
    april = datetime(2015, 4, 3)
    assert read_times(series, notation).to_list() == [april, april, None]
    for value, moment in zip(series, (april, april, None), strict=True):
        assert read_times(strings("t", value), notation).to_list() == [moment]


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "microseconds", "nanoseconds"])
def test_a_stamp_in_another_unit_is_unreadable_rather_than_of_1970(unit: str) -> None:
    notation = Notation.named(f"{unit} since 1970")
    factors = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
    stamps = [1424818501 * factor for factor in factors.values()]
    read = read_times(pl.Series("t", stamps), notation).to_list()
    moment = datetime(2015, 2, 24, 22, 55, 1)
    assert read == [moment if name == unit else None for name in factors]


def test_a_notation_is_found_by_its_name() -> None:
    for written in ("3/4/2015", "24.2.2015", "2015-02-24", "1424818501", "1424818501250"):
        for named in (True, False):
            notation = recognise(strings("t", written), named)
            if notation:
                assert replace(notation, ambiguous=False) == Notation.named(notation.name)
    with pytest.raises(ValueError, match="'week first' is no notation of times"):
        Notation.named("week first")


def test_digits_are_times_only_where_the_name_says_so() -> None:
    for written in ("20150224", "1424818501"):
        assert recognise(strings("n", written), named=False) is None


def test_an_eastern_date_that_does_not_exist_is_empty() -> None:
    series = strings("t", "2015年2月24日", "2015年13月24日", "15年2月", "很快")
    assert read_times(series, Notation()).to_list() == [datetime(2015, 2, 24), None, None, None]


def test_less_than_half_readable_is_no_time() -> None:
    assert recognise(strings("time", "2015-01-01", "soon", "later"), named=True) is None
    assert recognise(strings("time", "2015-01-01", "soon"), named=True)
    assert recognise(strings("note", "2015-01-01", "soon"), named=False) is None


def test_days_that_do_not_exist_are_empty() -> None:
    series = strings("t", "2015-02-30", "2015-02-28", "2015-01-01 25:00")
    notation = recognise(strings("t", "2015-01-01"), named=True)
    assert notation
    assert read_times(series, notation).to_list() == [None, datetime(2015, 2, 28), None]


def test_parquet_times_become_naive_utc() -> None:
    berlin = pl.Series("t", [datetime(2015, 2, 24, 12)]).dt.replace_time_zone("Europe/Berlin")
    notation = recognise(berlin, named=False)
    assert notation
    assert read_times(berlin, notation).to_list() == [datetime(2015, 2, 24, 11)]


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_years_beyond_the_reach_of_clocks_are_empty(unit: Literal["ms", "us"]) -> None:
    ticks = {"ms": 1, "us": 1000}[unit]
    stamps = [1_424_818_501_000 * ticks, 10**15 * ticks, -(10**15) * ticks, None]
    series = pl.Series("t", stamps).cast(pl.Datetime(unit))
    moment = datetime(2015, 2, 24, 22, 55, 1)
    assert read_times(series, Notation()).to_list() == [moment, None, None, None]
    days = pl.Series("t", [16_490, 2_000_000_000, -2_000_000_000]).cast(pl.Int32).cast(pl.Date)
    assert read_times(days, Notation()).to_list() == [datetime(2015, 2, 24), None, None]


def test_moments_before_1990_or_ahead_of_tomorrow_are_impossible() -> None:
    now = datetime(2020, 1, 1)
    times = pl.Series([now, now + timedelta(hours=23), datetime(1989, 12, 31), None])
    assert impossible(times, now) == 1
    assert impossible(pl.Series([now + timedelta(days=2)]), now) == 1


@given(
    st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)), min_size=1, max_size=9)
)
def test_iso_times_come_back(moments: list[datetime]) -> None:
    series = strings("t", *(moment.isoformat() for moment in moments))
    notation = recognise(series, named=False)
    assert notation
    assert read_times(series, notation).to_list() == moments


@given(st.lists(st.text("0123456789/-.: TZ+,aAmMpP年月日時分下午（", max_size=24), max_size=8))
def test_no_text_breaks_the_reading_of_times(values: list[str]) -> None:
    for named in (True, False):
        if notation := recognise(strings("t", *values), named):
            assert read_times(strings("t", *values), notation).len() == len(values)

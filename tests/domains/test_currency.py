"""Amounts take the rate of their day, and are left empty where there is none."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from acclimate.domains.currency import convert, in_order, rates_of
from acclimate.domains.declared import Currency
from acclimate.errors import DomainError

RATES = ((date(2024, 1, 10), 0.5), (date(2024, 2, 1), 0.25))
YEN = Currency("JPY", "EUR", RATES)


def days(*moments: datetime | None) -> pl.Series:
    return pl.Series(moments, dtype=pl.Datetime("us"))


def test_an_amount_takes_the_last_rate_on_or_before_its_day_in_file_order() -> None:
    amounts = pl.Series("price", [100.0, 100.0, 100.0, None])
    when = days(
        datetime(2024, 2, 20),
        datetime(2024, 1, 10),
        datetime(2024, 1, 31, 23),
        datetime(2024, 2, 1),
    )
    found = convert(amounts, when, YEN)
    assert found.values.to_list() == [25.0, 50.0, 50.0, None]
    assert (found.early, found.dateless, found.stale) == (0, 0, 0)


def test_an_amount_before_the_first_rate_or_without_a_day_is_left_empty_and_counted() -> None:
    amounts = pl.Series([1.0, 2.0, 4.0, None])
    when = days(datetime(2024, 1, 9), None, datetime(2024, 1, 11), datetime(2020, 1, 1))
    found = convert(amounts, when, YEN)
    assert found.values.to_list() == [None, None, 2.0, None]
    assert (found.early, found.dateless) == (1, 1)


def test_an_old_last_rate_is_said_after_a_month() -> None:
    amounts = pl.Series([1.0])
    assert convert(amounts, days(datetime(2024, 3, 3)), YEN).stale == 0
    assert convert(amounts, days(datetime(2024, 3, 4)), YEN).stale == 32


def test_without_times_the_last_rate_holds_and_a_single_rate_always_does() -> None:
    amounts = pl.Series([8.0])
    assert convert(amounts, None, YEN).values.to_list() == [2.0]
    always = Currency("JPY", "EUR", ((None, 0.5),))
    assert convert(amounts, days(datetime(1970, 1, 1)), always).values.to_list() == [4.0]
    assert convert(amounts, None, Currency("JPY")).values.to_list() == [8.0]


def table(**columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def test_rates_of_one_currency_are_read_in_order_of_days() -> None:
    frame = table(
        Date=["2024-02-01", "2024-01-10", "2024-01-10"],
        currency=["jpy", "JPY", "USD"],
        rate=["0.25", "0.5", "0.9"],
    )
    assert rates_of(frame, "JPY", "rates.csv") == RATES


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"date": ["2024-01-01"], "rate": ["1"]},
            "columns date, currency, rate .*found: date, r",
        ),
        (
            {"date": ["2024-01-01"], "currency": ["USD"], "rate": ["1"]},
            "rates of JPY in 'rates.csv', found rates of: USD",
        ),
        (
            {"date": ["soon"], "currency": ["JPY"], "rate": ["1"]},
            "Expected days .*found 'soon'",
        ),
        (
            {"date": ["2024-01-01"], "currency": ["JPY"], "rate": ["x"]},
            "a number in every row .*found 'x'",
        ),
        (
            {"date": ["2024-01-01"], "currency": ["JPY"], "rate": ["0"]},
            "rates above 0 .*found 0 for 2024-01-01",
        ),
        (
            {"date": ["2024-01-01"] * 2, "currency": ["JPY"] * 2, "rate": ["1", "2"]},
            "one rate a day .*found 1 and 2 for 2024-01-01",
        ),
    ],
)
def test_rates_that_cannot_be_used_are_refused(
    columns: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(DomainError, match=message):
        rates_of(table(**columns), "JPY", "rates.csv")


def test_the_same_rate_twice_is_one_rate() -> None:
    day = date(2024, 1, 1)
    assert in_order([(day, 2.0), (day, 2.0)], "x") == ((day, 2.0),)

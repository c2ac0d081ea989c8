"""Amounts in one currency: the rate of each amount's day, from a table the user gives.

Rates are never fetched.  An amount takes the last rate on or before its local day; one
before the first rate has none and is left empty, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from acclimate.domains.declared import Currency, Rates
from acclimate.domains.times import read_times, recognise
from acclimate.domains.values import numbers, text
from acclimate.errors import DomainError
from acclimate.nearest import some

COLUMNS = ("date", "currency", "rate")
STALE_DAYS = 31  # amounts this long after the last rate are said


@dataclass(frozen=True)
class Converted:
    """Amounts behind the door.

    values  (n,) in the base currency, null where no rate is known
    early   how many lie before the first rate
    dateless  how many have no day, where rates have
    stale   days from the last rate to the latest amount, if more than `STALE_DAYS`
    """

    values: pl.Series
    early: int = 0
    dateless: int = 0
    stale: int = 0


def convert(amounts: pl.Series, days: pl.Series | None, currency: Currency) -> Converted:
    """Amounts in the base currency.

    amounts  (n,) numbers in `currency.code`
    days     (n,) local days or moments, or None where the table has no times: the last
             rate holds
    """
    if not currency.rates:
        return Converted(amounts)
    known = [(day, rate) for day, rate in currency.rates if day is not None]
    last = currency.rates[-1][1]
    if not known or days is None:
        return Converted(amounts * last)
    table = pl.DataFrame(known, schema={"day": pl.Date, "rate": pl.Float64}, orient="row")
    asked = pl.DataFrame({"day": days.cast(pl.Date)}).with_row_index("at")
    there = asked.drop_nulls("day").sort("day").join_asof(table, on="day", strategy="backward")
    rate = asked.join(there.select("at", "rate"), on="at", how="left").sort("at")["rate"]
    present = amounts.is_not_null()
    newest = days.cast(pl.Date).max()
    first, latest = known[0][0], known[-1][0]
    behind = (newest - latest).days if isinstance(newest, date) else 0
    return Converted(
        (amounts * rate).alias(amounts.name),
        int((present & (days.cast(pl.Date) < first)).sum() or 0),
        int((present & days.is_null()).sum() or 0),
        behind if behind > STALE_DAYS else 0,
    )


def rates_of(frame: pl.DataFrame, code: str, name: str) -> Rates:
    """The rates of one currency in a table of date, currency and rate, by day.

    name  of the file, for the refusals

    Raises DomainError for missing columns, rows that cannot be read, a day with two
    rates, and no row of the currency.
    """
    called = {column.strip().lower(): column for column in frame.columns}
    lacking = [column for column in COLUMNS if column not in called]
    if lacking:
        raise DomainError(
            f"Expected the columns {', '.join(COLUMNS)} in the rates {name!r}, found: "
            f"{some(frame.columns, 12)}. Rename the columns; `rate` is what one unit of "
            "the currency is worth in the base."
        )
    codes = text(frame[called["currency"]]).str.to_uppercase()
    own = frame.filter(codes == code)
    if not own.height:
        found = ", ".join(sorted(codes.drop_nulls().unique())[:20])
        raise DomainError(
            f"Expected rates of {code} in {name!r}, found rates of: {found or 'nothing'}. "
            "Add rows for it."
        )
    stamps = own[called["date"]]
    notation = recognise(stamps, named=True)
    days = None if notation is None else read_times(stamps, notation).cast(pl.Date)
    if days is None or days.null_count():
        bad = text(stamps if days is None else stamps.filter(days.is_null()))
        raise DomainError(
            f"Expected days such as 2024-01-31 in the rates {name!r}, found "
            f"{(bad.drop_nulls().to_list() or [None])[0]!r}. Write ISO dates."
        )
    values = numbers(own[called["rate"]])
    if values.values.null_count():
        raise DomainError(
            f"Expected a number in every row of the rates {name!r}, found "
            f"{values.example!r}. Mend or remove the row."
        )
    return in_order(zip(days.to_list(), values.values.to_list(), strict=True), name)


def in_order(rates: Iterable[tuple[date, float]], where: str) -> Rates:
    """Rates by day; raises DomainError for a day with two rates or one that is not above 0."""
    found: dict[date, float] = {}
    for day, rate in sorted(rates):
        if not 0 < rate < float("inf"):
            raise DomainError(
                f"Expected rates above 0 in {where!r}, found {rate:g} for {day}. Write what "
                "one unit of the currency is worth in the base."
            )
        if found.setdefault(day, rate) != rate:
            raise DomainError(
                f"Expected one rate a day in {where!r}, found {found[day]:g} and {rate:g} for "
                f"{day}. Keep one of them."
            )
    return tuple(found.items())

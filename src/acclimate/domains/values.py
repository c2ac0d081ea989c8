"""One spelling for equal values, so that markets written by different hands meet.

The rule for labels, slices and categories, value by value:

    0, 0.0, "0", "0.0", "-0", False, "false", "FALSE"  → "0"
    1, 1.0, "1", "1.00", True, "true"                  → "1"
    0.5, "0.50", ".5e0" (as a float)                   → "0.5"
    "007", "yes", " Mobile Phone "                     → "007", "yes", "Mobile Phone"

Ids follow a narrower rule: whole floats lose their ".0", everything else stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from acclimate.domains.schema import ColumnType

# What programs write for "no value".  "None" may be a category, so only numbers,
# times and ids read it as missing.
BLANK = ("NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "Null")
MISSING = (*BLANK, "None", "none", "?", "-")

_INF = float("inf")
_NUMBER = r"^[+-]?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$"
_THOUSANDS = r"^[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?$"
_DECIMAL_COMMA = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"


def text(series: pl.Series) -> pl.Series:
    """The values as strings without surrounding blanks; an empty one is null."""
    if series.dtype == pl.Boolean:
        return series.replace_strict({True: "1", False: "0"}, return_dtype=pl.String)
    if series.dtype.is_float():
        return _floats_as_text(series)
    if series.dtype != pl.String:
        return series.cast(pl.String, strict=False)
    stripped = series.str.strip_chars()
    return stripped.set(stripped == "", None)


def canonical(series: pl.Series) -> pl.Series:
    """Every value in its one spelling (see the rule above); nulls stay null."""
    if series.dtype != pl.String:
        return text(series)
    distinct = series.unique()
    if distinct.len() * 2 > series.len():
        return _canonical_text(series)
    return series.replace_strict(distinct, _canonical_text(distinct), return_dtype=pl.String)


def _canonical_text(series: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"x": text(series)})
    x = pl.col("x")
    lower = x.str.to_lowercase()
    whole = x.str.extract(r"^\+?(-?(?:0|[1-9]\d*))(?:\.0*)?$")
    number = x.str.contains(_NUMBER) & x.str.contains(r"\d")
    return frame.select(
        pl.when(lower == "true")
        .then(pl.lit("1"))
        .when(lower == "false")
        .then(pl.lit("0"))
        .when(whole.is_not_null())
        .then(pl.when(whole == "-0").then(pl.lit("0")).otherwise(whole))
        .otherwise(x)
        .alias("x"),
        # Only what is left pays for the way over a float.
        pl.when(number & whole.is_null()).then(x).cast(pl.Float64, strict=False).alias("float"),
    ).select(
        pl.coalesce(_spell(pl.col("float").replace([_INF, -_INF], None)), "x").alias(
            series.name
        )
    )[series.name]


def identifiers(series: pl.Series) -> pl.Series:
    """Ids as strings: 13085.0 → "13085", "007" → "007"; markers of absence are null."""
    ids = text(series)
    ids = ids.set(ids.is_in(MISSING), None)
    # Integers with a gap become floats in many programs and reach text as 13085.0;
    # one id that is written otherwise shows that the column was never numeric.
    if series.dtype == pl.String and ids.str.contains(r"^\d+(?:\.0)?$").all():
        ids = ids.str.strip_suffix(".0")
    return ids


class Commas(StrEnum):
    """What commas mean in a column of numbers."""

    NONE = "no commas"  # 1234.5 and 1e3; a comma makes a value unreadable
    THOUSANDS = "commas as thousands separators"  # 1,234.5
    DECIMALS = "commas as decimals"  # 1.234,5


# Thousands first: 1,234 is read as in English where every value could be either.
_WITH = {Commas.THOUSANDS: _THOUSANDS, Commas.DECIMALS: _DECIMAL_COMMA}


@dataclass(frozen=True)
class Numbers:
    """Numbers read from a column.

    values   (n,) Float64, null where absent or unreadable, always finite
    failed   how many values were there and could not be read
    example  one of those
    """

    values: pl.Series
    failed: int
    example: str | None
    commas: Commas = Commas.NONE

    @property
    def share(self) -> float:
        """The share of present values that are numbers; 0 where none is present."""
        read = self.values.len() - self.values.null_count()
        return read / (read + self.failed) if read else 0.0


def numbers(series: pl.Series, commas: Commas | None = None) -> Numbers:
    """Read a column as numbers.

    commas  what they mean here, each value then being read by itself; None: what makes
            every value a number
    """
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        values = series.cast(pl.Float64, strict=False)
        return _finite(values, text(series))
    if series.dtype == pl.Duration:
        return _finite(series.dt.total_microseconds() / 1e6, text(series))
    raw = text(series)
    raw = raw.set(raw.is_in(MISSING), None)
    values = raw.cast(pl.Float64, strict=False)
    commas = _commas(raw, values) if commas is None else commas
    if commas == Commas.NONE:
        return _finite(values, raw)
    fits = raw.str.contains(_WITH[commas])
    plain = raw.set(~fits, None)
    if commas == Commas.THOUSANDS:
        plain = plain.str.replace_all(",", "")
    else:
        plain = plain.str.replace_all(r"\.", "").str.replace(",", ".", literal=True)
    return _finite(plain.cast(pl.Float64, strict=False), raw, commas)


def _commas(raw: pl.Series, values: pl.Series) -> Commas:
    """What commas mean, given what can be read without any."""
    if values.null_count() == raw.null_count():
        return Commas.NONE
    for commas, pattern in _WITH.items():
        if raw.str.contains(pattern).all():
            return commas
    return Commas.NONE


def _finite(values: pl.Series, raw: pl.Series, commas: Commas = Commas.NONE) -> Numbers:
    values = values.set(~values.is_finite(), None)
    bad = raw.filter(values.is_null() & raw.is_not_null() & ~raw.is_in(MISSING))
    return Numbers(values, bad.len(), bad[0] if bad.len() else None, commas)


def _floats_as_text(series: pl.Series) -> pl.Series:
    values = series.cast(pl.Float64)
    values = values.set(values.is_nan(), None)
    return pl.DataFrame({"x": values}).select(_spell(pl.col("x")).alias(series.name))[
        series.name
    ]


def _spell(x: pl.Expr) -> pl.Expr:
    """A float as text, whole numbers without a point."""
    whole = (x == x.round(0)) & (x.abs() < 2**53)
    return (
        pl.when(whole)
        .then(x.cast(pl.Int64, strict=False).cast(pl.String))
        .otherwise(x.cast(pl.String))
    )


def typed(values: pl.Series, kind: ColumnType) -> pl.Series:
    """A feature column as every market and every input spells it for an encoder.

    Numbers that one market writes as words elsewhere become the same categories.
    """
    if kind == ColumnType.NUMERIC:
        return values.cast(pl.Float64, strict=False)
    if kind == ColumnType.CATEGORY:
        return canonical(values)
    if kind == ColumnType.TEXT:
        return text(values)
    return values

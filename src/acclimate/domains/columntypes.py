"""What type of feature a column is, by its values and its name."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from acclimate.domains import names
from acclimate.domains.schema import ColumnType
from acclimate.domains.times import Notation
from acclimate.domains.values import MISSING, numbers, single, text

_MOSTLY_NUMBERS = 0.99  # the rest become null, with a finding
_FEWEST = 0.01  # share of gaps, or of values, with which a single value tells rows apart
_TEXT_WORDS, _TEXT_CHARS = 3.0, 25.0
_UNSPACED = "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
_SPREAD = 20_000  # values that show whether a long column can be numbers at all
_FEW_ROWS = 20  # below this, values that all differ may still tell something


def type_of(
    series: pl.Series, name: str, notation: Callable[[str], Notation | None]
) -> ColumnType:
    """What a column of a table serves as, where nobody declared it.

    notation  how a column writes time, by its name; None where it holds no times
    """
    if not single(series) or series.dtype in (pl.Null, pl.Time):
        return ColumnType.IGNORED
    if series.dtype.is_numeric():
        values = series.fill_nan(None) if series.dtype.is_float() else series
        present = values.drop_nulls()  # as text, a million floats take a second
    else:
        values = text(series)
        present = values.drop_nulls()
        present = present.filter(~present.is_in(MISSING))
    distinct = int(present.n_unique())
    if distinct == 0:
        return ColumnType.IGNORED
    if distinct == 1 and present.len() == values.drop_nulls().len():
        # Whether a coupon was used, "yes" or nothing: the gap is the other value.
        telling = _FEWEST <= present.len() / series.len() <= 1 - _FEWEST
        return ColumnType.CATEGORY if telling else ColumnType.IGNORED
    if notation(name):
        return ColumnType.TIME
    if series.dtype == pl.Boolean:
        return ColumnType.CATEGORY
    unique = distinct == series.len()
    if series.dtype != pl.String or _all_numbers(series, present):
        if _numbers_the_rows(series):
            return ColumnType.ID
        if not names.is_id(name) or not _whole(series):
            return ColumnType.NUMERIC
        return ColumnType.ID if unique else ColumnType.CATEGORY
    return _string_type(name, present, distinct, unique)


def _all_numbers(series: pl.Series, present: pl.Series) -> bool:
    # Codes such as 00501 lose their zeros as numbers.
    if present.str.contains(r"^0\d+$").any():
        return False
    spread = present.gather_every(max(1, present.len() // _SPREAD))
    if numbers(spread).share < _MOSTLY_NUMBERS / 2:
        return False  # words; reading a million of them takes a second
    return numbers(series).share >= _MOSTLY_NUMBERS


def _whole(series: pl.Series) -> bool:
    values = numbers(series).values.drop_nulls()
    return bool((values == values.round(0)).all())


def _numbers_the_rows(series: pl.Series) -> bool:
    """Whether each whole number is the one above it plus one: such places tell nothing."""
    values = numbers(series).values
    steps = values.diff().drop_nulls()
    counts = len(steps) == len(values) - 1 and bool((steps == 1).all())
    return len(values) >= _FEW_ROWS and counts and _whole(series)


def _string_type(name: str, present: pl.Series, distinct: int, unique: bool) -> ColumnType:
    words = float(present.str.count_matches(r"\S+").mean() or 0)  # type: ignore[arg-type]
    # Chinese and Japanese write no blanks: five letters tell as much as another word.
    words += float(present.str.count_matches(_UNSPACED).mean() or 0) / 5  # type: ignore[arg-type]
    chars = float(present.str.len_chars().mean() or 0)  # type: ignore[arg-type]
    long = words > _TEXT_WORDS or chars > _TEXT_CHARS
    if unique and (names.is_id(name) or (not long and present.len() >= _FEW_ROWS)):
        return ColumnType.ID
    if long and distinct * 2 > present.len():
        return ColumnType.TEXT
    return ColumnType.CATEGORY

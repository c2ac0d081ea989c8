"""Values as a database driver gives them, as the columns that a file would give."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from acclimate.domains.values import text

_MOMENT = pl.Datetime("us")
_LARGEST = 2**63 - 1
_EXACT = 2**53  # whole numbers up to here are floats without loss


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """(n,) one column of a piece of a result.

    Whole decimals are integers and others floats; moments are naive UTC; JSON is its text;
    values of several kinds are text.
    """
    kinds = {type(value) for value in values}
    kinds.discard(type(None))
    if not kinds:
        return pl.Series(name, [None] * len(values), dtype=pl.Null)
    if kinds == {str}:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds <= {bool, int, float, Decimal}:
        return _numbers(name, values, kinds)
    if kinds <= {datetime, date}:
        if kinds == {date}:
            return pl.Series(name, values, dtype=pl.Date)
        return pl.Series(name, [_each(v, _moment) for v in values], dtype=_MOMENT)
    for kind, dtype in ((timedelta, pl.Duration("us")), (time, pl.Time())):
        if kinds == {kind}:
            return pl.Series(name, values, dtype=dtype)
    if kinds <= {bytes, bytearray, memoryview}:
        return pl.Series(name, [_each(v, bytes) for v in values], dtype=pl.Binary)
    return pl.Series(name, [_each(v, _written) for v in values], dtype=pl.String)


def stack(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Pieces of one result below each other; a column's kinds may differ between them."""
    first = parts[0]
    columns = []
    for name in first.columns:
        pieces = [part[name] for part in parts]
        kinds = {piece.dtype for piece in pieces} - {pl.Null()}
        dtype = _common(kinds, pieces)
        spelled = len(kinds) > 1 and dtype == pl.String
        columns.append(
            pl.concat([(text(p) if spelled else p).cast(dtype) for p in pieces]).alias(name)
        )
    return pl.DataFrame(columns)


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of a database's own types with those that a file would give."""
    return frame.with_columns(_plain(series) for series in frame)


def _each(value: Any, read: Callable[[Any], Any]) -> Any:
    return None if value is None else read(value)


def _numbers(name: str, values: Sequence[Any], kinds: set[type]) -> pl.Series:
    present = [value for value in values if value is not None]
    if not kinds <= {bool, int} and not all(map(_whole, present)):
        if all(not isinstance(v, int) or abs(v) <= _EXACT for v in present):
            return pl.Series(name, [_each(v, float) for v in values], dtype=pl.Float64)
        return pl.Series(name, [_each(v, _written) for v in values], dtype=pl.String)
    if float in kinds and all(abs(value) <= _EXACT for value in present):
        return pl.Series(name, [_each(v, float) for v in values], dtype=pl.Float64)
    if all(-_LARGEST <= value <= _LARGEST for value in present):
        return pl.Series(name, [_each(v, int) for v in values], dtype=pl.Int64)
    return pl.Series(name, [_each(v, _written) for v in values], dtype=pl.String)


def _whole(value: float | Decimal) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, int) or value.is_integer()


def _moment(value: date) -> datetime:
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float | Decimal) and _whole(value):
        return str(int(value))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value.is_finite() else str(value)
    if isinstance(value, datetime):
        return _moment(value).isoformat(" ")
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)


def _common(kinds: set[Any], pieces: Sequence[pl.Series]) -> Any:
    """The type that holds all pieces without loss."""
    if len(kinds) < 2:
        return next(iter(kinds), pl.Null())
    if kinds == {pl.Int64(), pl.Float64()}:
        whole = [piece for piece in pieces if piece.dtype == pl.Int64]
        largest = [abs(int(edge)) for p in whole for edge in (p.min(), p.max()) if edge]  # type: ignore[arg-type]
        return pl.Float64() if max(largest, default=0) <= _EXACT else pl.String()
    if kinds == {pl.Date(), _MOMENT}:
        return _MOMENT
    return pl.String()


def _plain(series: pl.Series) -> pl.Series:
    dtype = series.dtype
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return series.cast(_MOMENT)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return series.cast(pl.String)
    if isinstance(dtype, pl.Decimal):
        whole = dtype.scale == 0 or bool((series == series.cast(pl.Int64, strict=False)).all())
        return _integers(series) if whole else series.cast(pl.Float64)
    if dtype in (pl.Int128, pl.UInt64):
        return _integers(series)
    return series


def _integers(series: pl.Series) -> pl.Series:
    """Int64 where every value fits, else text."""
    narrow = series.cast(pl.Int64, strict=False)
    return narrow if narrow.null_count() == series.null_count() else series.cast(pl.String)

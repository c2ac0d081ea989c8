"""Read times: which notation a column uses, and its moments in naive UTC.

Notations: ISO (2015-02-24, 2015-02-24T22:55:01.5+01:00), month first or day
first (2/24/15 22:55, 24.02.2015), "02 28, 2014", 2015年2月24日 下午3时5分, and, only
where the column's name says time, digits: 20150224, 20150224225500, epoch seconds,
milli-, micro- or nanoseconds.

A notation is recognised once, on the column a model learns from, and kept by its
name: what is read later is read alike, whatever the values beside it suggest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import polars as pl

from acclimate.domains.values import MISSING, text
from acclimate.domains.widths import foreign, narrow

_CLOCK = (
    r"(?:,?[T ] *(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r" ?(?P<half>[AaPp][Mm])? ?(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?(?: Uhr)?)?$"
)
_ISO = r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + _CLOCK
_PARTS = r"^(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})" + _CLOCK
_COMMA = r"^(?P<m>\d{1,2}) (?P<d>\d{1,2}), (?P<y>\d{4})" + _CLOCK
_COMPACT = (
    r"^(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})"
    r"(?:T?(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2}))?$"
)
# Chinese and Japanese dates and clocks, one after the other, as the notations above.
_EASTERN = (
    (r"^(\d{4}) *年 *(\d{1,2}) *月 *(\d{1,2}) *[日号號]? *", "${1}-${2}-${3} "),
    (
        r"^(\d{4}\S*) *(?:\([月火水木金土日]\)|[月火水木金土日]曜日?|(?:星期|周|週)\S) *",
        "${1} ",
    ),
    (r"(?:上午|早上|凌晨|午前) *(\d.*)$", "${1} AM"),
    (r"(?:下午|晚上|中午|午後) *(\d.*)$", "${1} PM"),
    (r"(\d) *[时時点點] *(\d{1,2}) *分 *(\d{1,2}) *秒", "${1}:${2}:${3}"),
    (r"(\d) *[时時点點] *(\d{1,2}) *分", "${1}:${2}"),
    (r"(\d) *[时時点點]", "${1}:00"),
    (r":(\d)(\D|$)", ":0${1}${2}"),
    (r":(\d)(\D|$)", ":0${1}${2}"),  # two lie too close for one pass
    (r" {2,}", " "),
)
_DATETIME = pl.Datetime("us")
_SAMPLE, _SPREAD = 1000, 20_000  # values looked at first; values spread over a long column
EARLIEST = datetime(1990, 1, 1)
_LATEST = datetime(2100, 1, 1)
_REACH = (-62_135_510_400_000, 253_402_214_400_000)  # ms, from year 1 to 9999, less a day each
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}


class Order(StrEnum):
    """Which part of a date comes first."""

    YEAR = "year first"  # only: 2/24/15 stands nowhere, and is not read
    MONTH = "month first"
    DAY = "day first"


@dataclass(frozen=True)
class Notation:
    """How a column writes time.  Years first are read under every order, as nobody errs there.

    unit       epoch unit, or None for calendar notations
    order      of the parts of 2/24/2015 and 24/2/2015
    digits     whether 20150224 is a date here
    ambiguous  both readings fit every row; not part of the name
    """

    unit: str | None = None
    order: Order = Order.YEAR
    digits: bool = False
    ambiguous: bool = False

    @property
    def name(self) -> str:
        """One of ten, such as "day first", "year first or digits", "seconds since 1970"."""
        if self.unit:
            return f"{self.unit} since 1970"
        return f"{self.order} or digits" if self.digits else str(self.order)

    @classmethod
    def named(cls, name: str) -> Notation:
        """The notation of a name; raises ValueError if it is none."""
        known = [cls(unit=unit) for unit in _UNITS]
        known += [
            cls(order=order, digits=digits) for order in Order for digits in (False, True)
        ]
        for notation in known:
            if notation.name == name:
                return notation
        raise ValueError(f"{name!r} is no notation of times")


def recognise(series: pl.Series, named: bool) -> Notation | None:
    """The notation of a column, or None if it does not hold times.

    named  whether the column's name says time: then half of the values must
           be readable, and numbers may be; otherwise nine in ten, strings only
    """
    if series.dtype in (pl.Date, pl.Datetime):
        return Notation()
    if series.dtype != pl.String and not (named and series.dtype.is_numeric()):
        return None
    raw = _present(series)
    if not raw.len():
        return None
    need = 0.5 if named else 0.9
    head = _plain(raw.head(_SAMPLE))
    if named and (unit := _epoch_unit(head)):
        return Notation(unit=unit)
    if not _looks_dated(head, named):
        return None
    raw = _plain(raw)
    spread = raw.gather_every(max(1, raw.len() // _SPREAD))
    parted = bool(spread.str.contains(_PARTS).any())
    order, ambiguous = _order(raw) if parted else (Order.YEAR, False)
    notation = Notation(None, order, named, ambiguous)
    read = read_times(spread, notation)
    return notation if 1 - read.null_count() / read.len() >= need else None


def read_times(series: pl.Series, notation: Notation) -> pl.Series:
    """The moments of a column, (n,) Datetime("us") in naive UTC; null where unreadable.

    Each value is read by itself, so that its answer does not hang on the others.
    """
    if series.dtype in (pl.Date, pl.Datetime):
        # Files hold years that no clock shows and Python's dates do not reach.
        series = series.set(~series.dt.timestamp("ms").is_between(*_REACH), None)
    if series.dtype == pl.Date:
        return series.cast(_DATETIME)
    if isinstance(series.dtype, pl.Datetime):
        if series.dtype.time_zone:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return series.cast(_DATETIME)
    if notation.unit:
        count = text(series).cast(pl.Float64, strict=False)
        ticks = count / _UNITS[notation.unit]
        # Years 69 to 9892, and no stamp in another unit: seconds would be January 1970.
        ticks = ticks.set(~ticks.is_between(-6e10, 2.5e11) | _in_another(count, notation), None)
        return (ticks * 1e6).round(0).cast(pl.Int64, strict=False).cast(_DATETIME)
    raw = _plain(text(series))
    distinct = raw.unique()
    if distinct.len() * 2 > raw.len():
        return _moments(raw, notation).alias(series.name)
    return raw.replace_strict(distinct, _moments(distinct, notation)).cast(_DATETIME)


def impossible(times: pl.Series, now: datetime | None = None) -> int:
    """How many moments lie before 1990 or more than a day ahead of `now` (naive UTC)."""
    now = now or datetime.now(UTC).replace(tzinfo=None)
    return int(((times < EARLIEST) | (times > now + timedelta(days=1))).sum() or 0)


def _present(series: pl.Series) -> pl.Series:
    raw = text(series).drop_nulls()
    return raw.filter(~raw.is_in(MISSING))


def _plain(raw: pl.Series) -> pl.Series:
    """Times in the digits and signs of the notations: 2024年3月5日 → 2024-3-5."""
    if not foreign(raw):
        return raw
    raw = narrow(raw)
    for pattern, plain in _EASTERN:
        raw = raw.str.replace_all(pattern, plain)
    return raw.str.strip_chars()


def _epoch_unit(raw: pl.Series) -> str | None:
    middle = raw.cast(pl.Float64, strict=False).drop_nulls().drop_nans().median()
    if not isinstance(middle, float):
        return None
    low, high = (moment.replace(tzinfo=UTC).timestamp() for moment in (EARLIEST, _LATEST))
    for unit, factor in _UNITS.items():
        if low <= middle / factor < high:
            return unit
    return None


def _in_another(count: pl.Series, notation: Notation) -> pl.Series:
    """(n,) whether a count lies between 1990 and 2100, but in another unit only."""
    low, high = (moment.replace(tzinfo=UTC).timestamp() for moment in (EARLIEST, _LATEST))
    fits = {
        unit: (count / factor).is_between(low, high, closed="left")
        for unit, factor in _UNITS.items()
    }
    own = fits.pop(str(notation.unit))
    elsewhere = pl.Series([False] * count.len())
    for fit in fits.values():
        elsewhere = elsewhere | fit
    return elsewhere & ~own


def _looks_dated(head: pl.Series, digits: bool) -> bool:
    patterns = [_ISO, _PARTS, _COMMA, *([_COMPACT] if digits else [])]
    fits = pl.Series([False] * head.len())
    for pattern in patterns:
        fits = fits | head.str.contains(pattern)
    return int(fits.sum()) * 3 >= head.len()


def _order(raw: pl.Series) -> tuple[Order, bool]:
    """(order, ambiguous): the reading that keeps months at most 12 in the most rows."""
    parts = raw.str.extract_groups(_PARTS).struct.unnest()
    a, b = (parts[key].cast(pl.Int64, strict=False).drop_nulls() for key in ("a", "b"))
    if not a.len():
        return Order.YEAR, False
    month_first, day_first = int((a <= 12).sum()), int((b <= 12).sum())
    if month_first != day_first:
        return Order.DAY if day_first > month_first else Order.MONTH, False
    # 24.2. is written day first wherever points are used; a slash is read as in the US.
    points = int((parts["sep"] == ".").sum() or 0)
    return Order.DAY if points * 2 > a.len() else Order.MONTH, month_first == a.len()


def _moments(raw: pl.Series, notation: Notation) -> pl.Series:
    """Moments by whichever calendar pattern fits each value."""
    moments = pl.Series([None] * raw.len(), dtype=_DATETIME)
    parted = [] if notation.order == Order.YEAR else [_PARTS]
    for pattern in (_ISO, *parted, _COMMA, *([_COMPACT] if notation.digits else [])):
        rest = raw.set(moments.is_not_null(), None)
        if rest.null_count() == rest.len():
            break
        found = _calendar(rest, pattern, notation.order)
        moments = moments.zip_with(moments.is_not_null(), found)
    return moments


def _calendar(raw: pl.Series, pattern: str, order: Order) -> pl.Series:
    """Moments of the values that match one calendar pattern, null elsewhere."""
    parts = raw.str.extract_groups(pattern).struct.unnest()
    if "a" in parts.columns:
        first, second = ("d", "m") if order == Order.DAY else ("m", "d")
        parts = parts.rename({"a": first, "b": second})
    for name in ("H", "M", "S", "f", "half", "zone"):
        if name not in parts.columns:
            parts = parts.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    year = pl.col("y").cast(pl.Int32, strict=False)
    # Two digits as in POSIX: 69 to 99 are 1969 to 1999.
    year = (
        pl.when(pl.col("y").str.len_chars() > 2)
        .then(year)
        .otherwise(year + pl.when(year >= 69).then(1900).otherwise(2000))
    )
    hour = pl.col("H").cast(pl.Int32, strict=False).fill_null(0)
    half = pl.col("half").str.to_lowercase()
    hour = (
        pl.when(half == "pm")
        .then(pl.when(hour < 12).then(hour + 12).otherwise(hour))
        .when((half == "am") & (hour == 12))
        .then(0)
        .otherwise(hour)
    )
    stamp = pl.concat_str(
        year.cast(pl.String).str.zfill(4),
        pl.col("m").str.zfill(2),
        pl.col("d").str.zfill(2),
        hour.cast(pl.String).str.zfill(2),
        pl.col("M").fill_null("00"),
        pl.col("S").fill_null("00"),
    )
    digits = pl.col("zone").str.replace(":", "", literal=True)
    minutes = digits.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(
        3, 2
    ).cast(pl.Int64, strict=False)
    ahead = pl.when(digits.str.starts_with("-")).then(-minutes).otherwise(minutes).fill_null(0)
    micros = pl.col("f").str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False)
    return parts.select(
        (
            stamp.str.strptime(_DATETIME, "%Y%m%d%H%M%S", strict=False)
            + pl.duration(minutes=-ahead, microseconds=micros.fill_null(0))
        ).alias(raw.name)
    )[raw.name]

"""One spelling for equal values, so that markets written by different hands meet.

The rule for labels, slices and categories, value by value:

    0, 0.0, "0", "0.0", "-0", False, "false", "FALSE"  → "0"
    1, 1.0, "1", "1.00", True, "true"                  → "1"
    0.5, "0.50", ".5e0" (as a float)                   → "0.5"
    "007", "yes", " Mobile Phone "                     → "007", "yes", "Mobile Phone"

Ids follow a narrower rule: whole floats lose their ".0", everything else stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from acclimate.domains.schema import ColumnType
from acclimate.domains.widths import foreign, narrow
from acclimate.errors import DomainError

# What programs write for "no value".  "None" may be a category, so only numbers,
# times and ids read it as missing.
BLANK = ("NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "Null")
MISSING = (*BLANK, "None", "none", "?", "-")

_INF = float("inf")
_NUMBER = r"^[+-]?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$"
_THOUSANDS = r"^[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?$"
_DECIMAL_COMMA = r"^[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?$"
_GROUPS = r"^[+-]?[1-9]\d{0,2}(?:(?:\s\d{3})+|(?:'\d{3})+|(?:’\d{3})+)(?:[.,]\d+)?$"
_UNIT = (
    r"(?:(?:US|NT|HK|R|A|C)?\$|[€£¥₩₹₽฿%‰元円块圆]|EUR|USD|GBP|CHF|JPY|CNY|RMB|TWD|HKD|KRW|"
    r"PLN|SEK|NOK|DKK|Euro|zł|kr|Kč|Ft)"
)
_MOST = 0.99  # the share of a column that a notation must read
_HEAD = 1000  # values that are tried before all are


def single(series: pl.Series) -> bool:
    """Whether cells are single values, rather than lists, records, bytes or objects."""
    return not (series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object))


def text(series: pl.Series) -> pl.Series:
    """The values as strings without surrounding blanks; an empty one is null.

    A duration is written in seconds.

    Raises DomainError for values that are not single.
    """
    if not single(series):
        raise DomainError(
            f"Expected single values in column {series.name!r}, found {series.dtype}. "
            "Name another column, or write the parts of its values to columns of their own."
        )
    if series.dtype == pl.Duration:
        return _floats_as_text(series.dt.total_microseconds() / 1e6)
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


@dataclass(frozen=True)
class Figures:
    """How a column writes numbers.

    Blanks and apostrophes between thousands (1 234 or 1'234) and full-width digits are
    read everywhere, as they can mean nothing else.

    unit  the sign of a currency that stands beside numbers, or that of percent, which
          stands beside every one; "" for none
    """

    commas: Commas = Commas.NONE
    unit: str = ""

    @property
    def name(self) -> str:
        """Such as "commas as decimals, in €"; see `named`."""
        return f"{self.commas}, in {self.unit}" if self.unit else str(self.commas)

    @classmethod
    def named(cls, name: str) -> Figures:
        """The notation of a name; raises ValueError if it is none."""
        commas, _, unit = name.partition(", in ")
        if unit and not re.fullmatch(_UNIT, unit):
            raise ValueError(f"{name!r} is no notation of numbers")
        return cls(Commas(commas), unit)

    @property
    def said(self) -> str:
        """What a person should know of it, or ""."""
        said = [] if self.commas == Commas.NONE else [self.commas.replace(" as ", " read as ")]
        if self.commas == Commas.DECIMALS:
            said.append("points as thousands separators")
        if self.unit == "%":
            said.append("in percent (12 % is 12)")
        elif self.unit:
            said.append(f"without its sign {self.unit}")
        return ", ".join(said)


@dataclass(frozen=True)
class Numbers:
    """Numbers read from a column.

    values   (n,) Float64, null where absent or unreadable, always finite
    failed   how many values were there and could not be read
    example  one of those
    figures  how they were written
    """

    values: pl.Series
    failed: int
    example: str | None
    figures: Figures = Figures()

    @property
    def share(self) -> float:
        """The share of present values that are numbers; 0 where none is present."""
        read = self.values.len() - self.values.null_count()
        return read / (read + self.failed) if read else 0.0


def numbers(
    series: pl.Series, figures: Figures | None = None, leaning: Commas = Commas.NONE
) -> Numbers:
    """Read a column as numbers.

    figures  how they are written here, each value then being read by itself; None: what
             makes 99 in 100 values a number
    leaning  what commas mean where the column alone leaves it open (1,234 or 1.234)
    """
    if series.dtype == pl.Boolean or series.dtype.is_numeric():
        values = series.cast(pl.Float64, strict=False)
        if values.null_count() == series.null_count() and values.is_finite().all():
            return Numbers(values, 0, None)
        return _finite(values, text(series))
    if series.dtype == pl.Duration:
        return _finite(series.dt.total_microseconds() / 1e6, text(series))
    raw = text(series)
    raw = raw.set(raw.is_in(MISSING), None)
    figures = _figures(raw, leaning) if figures is None else figures
    return _finite(_read(raw, figures), raw, figures)


def leaning_of(frame: pl.DataFrame) -> Commas:
    """What commas mean in a table, by the columns of numbers that leave no doubt."""
    seen: set[Commas] = set()
    for series in frame.select(pl.col(pl.String)).iter_columns():
        # Ids and words show themselves at once; millions of them take seconds.
        if numbers(series.drop_nulls().head(_HEAD)).share < _MOST:
            continue
        found = numbers(series)
        if found.share < _MOST:
            continue
        raw = text(series)
        for commas in (Commas.THOUSANDS, Commas.DECIMALS):
            other = Figures(commas, found.figures.unit)
            if _count(_read(raw, other)) < _count(found.values):
                seen.add(Commas.DECIMALS if commas == Commas.THOUSANDS else Commas.THOUSANDS)
    return seen.pop() if len(seen) == 1 else Commas.NONE


def _figures(raw: pl.Series, leaning: Commas) -> Figures:
    """The notation in which nearly every value is a number; plain where none is."""
    head = raw.drop_nulls().head(_HEAD)
    unit = _unit(head)
    order = [Commas.NONE, Commas.THOUSANDS, Commas.DECIMALS]
    if leaning == Commas.DECIMALS:
        order.reverse()
    best, most = Figures(), 0
    for commas in order:
        figures = Figures(commas, unit)
        if _count(_read(head, figures)) < _MOST * head.len():
            continue
        count = _count(_read(raw, figures))
        if count > most and count >= _MOST * _count(raw):
            best, most = figures, count
    plain = Figures(Commas.NONE, unit)
    if leaning == Commas.DECIMALS and _read(raw, plain).equals(_read(raw, best)):
        return plain if unit else Figures()
    return best


def _unit(head: pl.Series) -> str:
    """The one sign beside the numbers, or "" where there is none or are several."""
    plain = narrow(head) if foreign(head) else head
    before = plain.str.extract(rf"^[+-]? ?({_UNIT}) ?[+-]?\d", 1)
    behind = plain.str.extract(rf"\d\s?({_UNIT})$", 1)
    found = pl.concat([before.drop_nulls(), behind.drop_nulls()])
    return str(found[0]) if found.n_unique() == 1 and found.len() * 2 > head.len() else ""


def _read(raw: pl.Series, figures: Figures) -> pl.Series:
    """(n,) Float64, each value by itself; null where it is no number in this notation."""
    if figures == Figures():
        values = raw.cast(pl.Float64, strict=False)
        rest = raw.set(values.is_not_null(), None)
        return values.fill_null(_read_rest(rest, figures)) if _count(rest) else values
    return _read_rest(raw, figures)


def _read_rest(raw: pl.Series, figures: Figures) -> pl.Series:
    plain = narrow(raw) if foreign(raw) else raw
    if figures.unit:
        sign = re.escape(figures.unit)
        bare = plain.str.replace(rf"^([+-]?) ?{sign} ?([+-]?)", "${1}${2}")
        bare = bare.zip_with(bare != plain, plain.str.replace(rf"\s?{sign}$", ""))
        # A share of 0.125 among 12.5 % would be a hundred times too small.
        plain = bare.set((bare == plain) & (plain != "0"), None) if sign == "%" else bare
    grouped = plain.str.contains(_GROUPS)
    if grouped.any():
        plain = plain.zip_with(~grouped, plain.str.replace_all(r"[\s'’]", ""))
    if figures.commas == Commas.THOUSANDS:
        plain = plain.set(~plain.str.contains(_THOUSANDS), None).str.replace_all(",", "")
    elif figures.commas == Commas.DECIMALS:
        plain = plain.set(~plain.str.contains(_DECIMAL_COMMA), None)
        plain = plain.str.replace_all(r"\.", "").str.replace(",", ".", literal=True)
    return plain.cast(pl.Float64, strict=False)


def _count(series: pl.Series) -> int:
    return series.len() - series.null_count()


def _finite(values: pl.Series, raw: pl.Series, figures: Figures = Figures()) -> Numbers:
    values = values.set(~values.is_finite(), None)
    bad = raw.filter(values.is_null() & raw.is_not_null() & ~raw.is_in(MISSING))
    return Numbers(values, bad.len(), bad[0] if bad.len() else None, figures)


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

"""How new input is read: the columns, types and classes that the target's file had.

Before: an artifact and a table as it was written.  After: `Rows` that the
model's encoder takes.  Values are read as they were for training, in the notation
that the target's file had, each by itself: 3/4/2015 is the third of April wherever
training was day first.  What is not there or cannot be read so counts as missing,
and is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Bools
from acclimate.domains.currency import convert
from acclimate.domains.declared import Declared
from acclimate.domains.domain import Domain
from acclimate.domains.rules import HOLIDAY, on_holiday
from acclimate.domains.sample import Rows, Sample
from acclimate.domains.schema import ColumnType
from acclimate.domains.sentences import Cutting, Sentences
from acclimate.domains.times import Notation, read_times
from acclimate.domains.values import MISSING, Figures, canonical, numbers, text, typed
from acclimate.domains.view import ReadsRows
from acclimate.domains.zones import ahead, to_local, to_utc
from acclimate.errors import DataError
from acclimate.nearest import some


@dataclass(frozen=True)
class Reading:
    """What the target's file was understood to be.

    roles    role → column as the file called it: user and item, or label, time, entity
    types    feature → how the model reads it; empty where there are no rows
    written  feature → how the file was read, before target and sources agreed on `types`
    classes  the label's values, in the order of their probabilities
    notations
             feature or "time", the role → how times or numbers are written
    declared what the target declares of its money, times and law, so far as it holds
             for later input
    """

    roles: Mapping[str, str]
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    written: Mapping[str, ColumnType] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    notations: Mapping[str, str] = field(default_factory=dict)
    declared: Declared = field(default_factory=Declared)

    @classmethod
    def of(cls, target: Domain, fit: Sample) -> Reading:
        """How the target was read, for a model fitted on `fit`."""
        lasting = target.schema.declared.lasting
        if isinstance(fit, Sentences):
            texts = target.schema.tables["texts"]
            how = {"tokens": texts.notations.get("tokens", str(Cutting.WORDS))}
            roles = dict(texts.roles)
            return cls(roles, classes=fit.classes, notations=how, declared=lasting)
        table = target.schema.tables["rows" if isinstance(fit, Rows) else "events"]
        if not isinstance(fit, Rows):
            return cls(dict(table.roles), declared=lasting)
        written = {name: table.types[name] for name in fit.types}
        used = {*fit.types, "time"}
        notations = {name: each for name, each in table.notations.items() if name in used}
        types = dict(fit.types)
        return cls(dict(table.roles), types, written, fit.classes, notations, lasting)

    def as_row(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "roles": dict(self.roles),
            "types": {name: str(kind) for name, kind in self.types.items()},
            "written": {name: str(kind) for name, kind in self.written.items()},
            "classes": list(self.classes),
            "notations": dict(self.notations),
            "declared": self.declared.as_row(),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Reading:
        """What `as_row` wrote; raises KeyError, TypeError or ValueError if it is not that."""
        return cls(
            dict(row["roles"]),
            {name: ColumnType(kind) for name, kind in row["types"].items()},
            {name: ColumnType(kind) for name, kind in row["written"].items()},
            tuple(row["classes"]),
            {name: _known(notation) for name, notation in row["notations"].items()},
            Declared.from_row(row.get("declared", {})),
        )


def _known(notation: str) -> str:
    """The notation, if this version can read it; raises ValueError if not."""
    if notation in list(Cutting):
        return notation
    with suppress(ValueError):
        return Figures.named(notation).name
    return Notation.named(notation).name


@dataclass(frozen=True)
class ReadRows:
    """A table as rows.

    missing     columns that the model uses and the table lacks
    unreadable  column → (n,) where a value was there and could not be read
    names       feature → the table's name for it, where they differ
    """

    rows: Rows
    missing: tuple[str, ...]
    unreadable: Mapping[str, Bools]
    names: Mapping[str, str]


def read_rows(table: pl.DataFrame, reading: Reading, encoder: ReadsRows) -> ReadRows:
    """The rows of a table as the encoder takes them.

    Raises DataError if the table has none of the columns that the model uses.
    """
    used = {name: kind for name, kind in reading.types.items() if _uses(encoder, name, kind)}
    declared = reading.declared
    moment = reading.roles.get("time")
    stamps: pl.Series | None = None
    if moment is not None and moment in table.columns:
        stamps, unread = _read(table[moment], ColumnType.TIME, reading, "time")
        if HOLIDAY in used and HOLIDAY not in table.columns and declared.holidays is not None:
            table = table.with_columns(on_holiday(stamps, declared))
    columns = {name: _column(table, name, reading) for name in used}
    timed = moment is not None and encoder.reads("hour (sin)")
    wanted = [
        *(_in_file(name, reading) for name in used),
        *([moment] if timed and moment else []),
    ]
    missing = [_in_file(name, reading) for name, column in columns.items() if column is None]
    if timed and moment and moment not in table.columns:
        missing.append(moment)
    if wanted and len(missing) == len(wanted):
        raise DataError(
            f"Expected at least one of the columns that the model reads: "
            f"{some(wanted, 12)}; "
            f"found {some(table.columns, 12) or 'none'}. "
            "Rename the input's columns as they were called in the target's file."
        )
    unreadable: dict[str, Bools] = {}
    features: list[pl.Series] = []
    for name, column in columns.items():
        if column is None:
            features.append(pl.Series(name, [None] * table.height, _DTYPE[used[name]]))
            continue
        values, bad = _read(table[column], reading.written[name], reading, name)
        if declared.currency is not None and name in declared.currency.money:
            days = None if stamps is None else to_local(stamps, declared.timezone)
            amounts = convert(values, days, declared.currency).values
            bad = bad | (amounts.is_null() & values.is_not_null()).to_numpy()
            values = amounts
        features.append(typed(values, used[name]).alias(name))
        if bad.any():
            unreadable[column] = bad
    time = shift = None
    if timed and moment and stamps is not None:
        micros = stamps.dt.epoch("us").cast(pl.Float64)
        time = micros.fill_null(float("nan")).to_numpy() / 1e6
        shift = ahead(stamps, declared.timezone)
        if unread.any():
            unreadable[moment] = unread
    rows = Rows(pl.DataFrame(features), used, reading.classes, time=time, ahead=shift)
    names = {name: column for name, column in columns.items() if column not in (None, name)}
    return ReadRows(rows, tuple(missing), unreadable, {n: c for n, c in names.items() if c})


_DTYPE: Mapping[ColumnType, pl.DataType] = {
    ColumnType.NUMERIC: pl.Float64(),
    ColumnType.CATEGORY: pl.String(),
    ColumnType.TEXT: pl.String(),
    ColumnType.TIME: pl.Datetime("us"),
}


def _uses(encoder: ReadsRows, name: str, kind: ColumnType) -> bool:
    return encoder.reads(f"{name} (days before)" if kind == ColumnType.TIME else name)


def _column(table: pl.DataFrame, feature: str, reading: Reading) -> str | None:
    """The table's column for a feature, or None."""
    for name in (feature, _in_file(feature, reading)):
        if name in table.columns:
            return name
    return None


def _in_file(feature: str, reading: Reading) -> str:
    """What the target's file called a feature.

    One called like a role that another column plays was renamed at the door:
    `time` → `time_`.
    """
    plain = feature.rstrip("_")
    return plain if reading.roles.get(plain, plain) != plain else feature


def _read(
    series: pl.Series, kind: ColumnType, reading: Reading, name: str
) -> tuple[pl.Series, Bools]:
    """Values as the door of the target's market read them, and (n,) where that failed.

    name  of the feature, or "time"; without a notation its numbers have no commas, and
          its times are of a market without files
    """
    notation = reading.notations.get(name)
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        nothing = pl.Series(series.name, [None] * series.len(), _DTYPE[kind])
        return nothing, series.is_not_null().to_numpy()
    if kind == ColumnType.CATEGORY:
        return canonical(series), np.zeros(series.len(), bool)
    if kind == ColumnType.TEXT:
        return text(series), np.zeros(series.len(), bool)
    if kind == ColumnType.TIME:
        written = Notation.named(notation) if notation else Notation(digits=True)
        moments, counted = read_times(series, written), bool(written.unit)
        values = to_utc(moments, series, reading.declared.timezone, counted)
    else:
        values = numbers(series, Figures.named(notation) if notation else Figures()).values
    raw = text(series)
    bad = values.is_null() & raw.is_not_null() & ~raw.is_in(MISSING)
    return values, bad.fill_null(False).to_numpy()

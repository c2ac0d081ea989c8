"""What a market's columns mean: which table holds what, which column plays which role.

Roles are inferred from names and values, overridden by `market.toml` or by
arguments, and always shown: `acclimate check` prints this value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from acclimate.domains.declared import Declared


class ColumnType(StrEnum):
    """How a feature column is read by a view."""

    NUMERIC = "numeric"
    CATEGORY = "category"
    TEXT = "text"
    TIME = "time"
    ID = "id"  # names a thing; never a feature
    IGNORED = "ignored"  # constant, empty, or told to be left out


@dataclass(frozen=True)
class TableSchema:
    """One table of a market.

    roles   role → column as it was called in the file (`user`, `item`, `time`,
            `kind`, `value`, `quantity`; `label`, `time`, `entity` for rows)
    types   column → how it is read, for every column that plays no role
    origin  the file, or `file::column=value`, that the table came from
    notations
            role or column → how it writes times ("day first") or what commas mean in its
            numbers ("commas as decimals"), as text; a column of numbers that is not
            here has no commas
    """

    roles: Mapping[str, str]
    types: Mapping[str, ColumnType]
    origin: str
    notations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Schema:
    """The tables of a market by name: `events`, `items`, `users`, `rows`.

    declared  what the market declares of its money, times, law and kinds of events
    """

    tables: Mapping[str, TableSchema]
    declared: Declared = field(default_factory=Declared)


@dataclass(frozen=True)
class Finding:
    """Something seen at the door that its owner should know.

    level    "note" or "warning"
    message  what was found and what to do about it
    """

    level: str
    table: str
    message: str


@dataclass(frozen=True)
class SchemaHints:
    """What a person says about a market; it beats what names suggest.

    roles   table → role → column
    types   column → type
    files   table → file name inside the folder
    declared  what the market declares beside these
    url     of the database that holds the market, with variables as `${NAME}`
    tables  table → its name in the database, or a SELECT
    may_lack  roles of rows whose column may be missing: its values are then unknown
    crosswalk  a file beside market.toml whose confirmed pairs rename this market's ids
    """

    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    declared: Declared = field(default_factory=Declared)
    url: str | None = field(default=None, repr=False)
    tables: Mapping[str, str] = field(default_factory=dict)
    crosswalk: str | None = None
    may_lack: frozenset[str] = frozenset()

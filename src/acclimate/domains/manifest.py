"""market.toml: what a person says about a market.

Files, roles and types are read here; `sections` reads what a market declares of its
money, times, law and kinds of events.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from acclimate.domains import names, sections
from acclimate.domains.declared import Declared
from acclimate.domains.entries import NAME as NAME
from acclimate.domains.entries import known, section, string, strings
from acclimate.domains.inference import ROLES, table_by_roles
from acclimate.domains.schema import ColumnType, Finding, SchemaHints
from acclimate.errors import DomainError
from acclimate.nearest import some

_KEYS = ("name", "files", "roles", "types", "url", "tables", "crosswalk", *sections.KEYS)
_MOST_BYTES = 2**20


def read_manifest(path: Path) -> SchemaHints:
    """The hints in a market.toml.

    Raises DomainError for text that is not TOML, unknown keys, tables, roles or
    types, values that are not strings, and whatever `sections.declared` refuses.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise DomainError(
                f"Expected at most {_MOST_BYTES:,} bytes in {path.name!r}, found more. "
                "Is it the right file?"
            )
        found = tomllib.loads(data.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DomainError(
            f"Expected TOML in {str(path)!r}, found: {error}. Mend the file, or remove it."
        ) from None
    known(found, _KEYS, "key", NAME)
    name = string(found["name"], "name") if "name" in found else None
    files = strings(found.get("files", {}), "files")
    known(files, ROLES, "table", "[files]")
    roles: dict[str, Mapping[str, str]] = {}
    for table, chosen in section(found.get("roles", {}), "roles").items():
        _require_table(table, chosen)
        roles[table] = strings(chosen, f"roles.{table}")
        known(roles[table], ROLES[table], "role", f"[roles.{table}]")
    types = strings(found.get("types", {}), "types")
    known(types.values(), [t.value for t in ColumnType], "type", "[types]")
    return SchemaHints(
        roles,
        {column: ColumnType(t) for column, t in types.items()},
        files,
        name,
        sections.declared(found, path.parent),
        *_database(found),
        string(found["crosswalk"], "crosswalk") if "crosswalk" in found else None,
    )


def _require_table(name: str, chosen: object) -> None:
    """Refuse a name under [roles] that is no table; a role there lacks the table it is of."""
    of = [table for table, roles in ROLES.items() if name in roles]
    if name not in ROLES and of and isinstance(chosen, str):
        raise DomainError(
            f"Expected roles under the table they belong to in {NAME}, found {name!r} right "
            f"under [roles]. Write [roles.{of[0]}] above {name} = {chosen!r}"
            + (f", or [roles.{'], [roles.'.join(of[1:])}]." if of[1:] else ".")
        )
    known([name], ROLES, "table", "[roles]")


def merge(below: SchemaHints, above: SchemaHints | None) -> SchemaHints:
    """Both hints; where they differ, `above` holds."""
    if above is None:
        return below
    tables = [*below.roles, *(t for t in above.roles if t not in below.roles)]
    return SchemaHints(
        {t: {**_without(below, above, t), **above.roles.get(t, {})} for t in tables},
        {**below.types, **above.types},
        {**below.files, **above.files},
        above.name or below.name,
        below.declared if above.declared == Declared() else above.declared,
        above.url or below.url,
        {**below.tables, **above.tables},
        above.crosswalk or below.crosswalk,
        below.may_lack | above.may_lack,
    )


def with_beside(
    file: Path, frame: pl.DataFrame, hints: SchemaHints
) -> tuple[SchemaHints, list[Finding]]:
    """The hints with what a market.toml beside the file says of it; what it says of others.

    Roles and types hold for the columns that are there, of one table; so does the law.
    """
    beside = file.parent / NAME
    if not beside.is_file():
        return hints, []
    found = read_manifest(beside)
    table = next(iter(hints.roles or hints.files), None)
    table = table or next((t for t, name in found.files.items() if name == file.name), None)
    table = table or table_by_roles(frame, found.roles)
    here = set(frame.columns)
    roles = {t: r for t, r in found.roles.items() if t == table and {*r.values()} <= here}
    types = {column: kind for column, kind in found.types.items() if column in here}
    unused = [f"[roles.{t}]" for t in found.roles if t not in roles]
    unused += ["[types]"] if found.types and not types else []
    notes = []
    if unused:
        message = (
            f"{' and '.join(unused)} of the {NAME} beside {file.name!r} name no columns of its "
            "own, or of another table, and are not used. Its columns are: "
            f"{some(frame.columns, 12)}."
        )
        notes.append(Finding("note", "market", message))
    if found.crosswalk is not None:
        message = f"The crosswalk of {NAME} is for its folder, and not used for one file of it."
        notes.append(Finding("note", "market", message))
    declared = hints.declared
    if declared == Declared():
        declared = _law_of(found.declared, frame.columns)
    said = SchemaHints(roles, types, {table: file.name} if table else {}, declared=declared)
    return merge(said, hints), notes


def _law_of(found: Declared, columns: Sequence[str]) -> Declared:
    """What is declared, but for columns that are not in a file."""
    here = {names.squeeze(column) or column for column in columns}
    law = tuple(c for c in found.forbidden if (names.squeeze(c) or c) in here)
    if found.currency is not None:
        money = tuple(c for c in found.currency.money if c in columns)
        found = replace(found, currency=replace(found.currency, money=money))
    return replace(found, forbidden=law)


def _database(found: Mapping[str, object]) -> tuple[str | None, dict[str, str]]:
    """The `url` and the `[tables]` of a market that is a database."""
    tables = strings(found.get("tables", {}), "tables")
    known(tables, ROLES, "table", "[tables]")
    if "url" not in found:
        if tables:
            raise DomainError(
                f"Expected the url of a database in {NAME} beside [tables], found none. Write "
                'url = "sqlite:///shop.db", or name files under [files].'
            )
        return None, {}
    if "files" in found:
        raise DomainError(
            f"Expected [tables] beside url in {NAME}, found [files]. A market is read from a "
            "database or from files."
        )
    if not isinstance(found["url"], str):
        raise DomainError(
            f"Expected a string for 'url' in {NAME}, found {type(found['url']).__name__}. "
            'Write url = "sqlite:///shop.db".'
        )
    return found["url"], tables


def _without(below: SchemaHints, above: SchemaHints, table: str) -> dict[str, str]:
    """Roles from below whose columns were not given another role above."""
    taken = set(above.roles.get(table, {}).values())
    return {r: c for r, c in below.roles.get(table, {}).items() if c not in taken}

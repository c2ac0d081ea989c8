"""market.toml: what a person says about a market's files, roles and types."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acclimate.domains.inference import ROLES
from acclimate.domains.schema import ColumnType, SchemaHints
from acclimate.errors import DomainError

NAME = "market.toml"
_KEYS = ("name", "files", "roles", "types")
_MOST_BYTES = 2**20


def read_manifest(path: Path) -> SchemaHints:
    """The hints in a market.toml.

    Raises DomainError for text that is not TOML, unknown keys, tables, roles or
    types, and values that are not strings.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise DomainError(
                f"Expected at most {_MOST_BYTES:,} bytes in {path.name!r}, found more. "
                "Is it the right file?"
            )
        found = tomllib.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DomainError(
            f"Expected TOML in {str(path)!r}, found: {error}. Mend the file, or remove it."
        ) from None
    _known(found, _KEYS, "key", NAME)
    name = found.get("name")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise _wrong("name", "a string", name)
    files = _strings(found.get("files", {}), "files")
    _known(files, ROLES, "table", "[files]")
    roles: dict[str, Mapping[str, str]] = {}
    for table, chosen in _section(found.get("roles", {}), "roles").items():
        _known([table], ROLES, "table", "[roles]")
        roles[table] = _strings(chosen, f"roles.{table}")
        _known(roles[table], ROLES[table], "role", f"[roles.{table}]")
    types = _strings(found.get("types", {}), "types")
    _known(types.values(), [t.value for t in ColumnType], "type", "[types]")
    return SchemaHints(
        roles, {column: ColumnType(t) for column, t in types.items()}, files, name
    )


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
    )


def _without(below: SchemaHints, above: SchemaHints, table: str) -> dict[str, str]:
    """Roles from below whose columns were not given another role above."""
    taken = set(above.roles.get(table, {}).values())
    return {r: c for r, c in below.roles.get(table, {}).items() if c not in taken}


def _known(found: Any, known: Any, what: str, where: str) -> None:
    for name in found:
        if name not in known:
            raise DomainError(
                f"Expected a {what} of {where} among {', '.join(known)}, found {name!r}. "
                "Use one of these, or remove it."
            )


def _section(found: object, where: str) -> dict[str, object]:
    if not isinstance(found, dict):
        raise _wrong(where, "a section", found)
    return found


def _strings(found: object, where: str) -> dict[str, str]:
    section = _section(found, where)
    for key, value in section.items():
        if not isinstance(value, str) or not value:
            raise _wrong(f"{where}.{key}", "a string", value)
    return {key: str(value) for key, value in section.items()}


def _wrong(key: str, expected: str, found: object) -> DomainError:
    return DomainError(
        f"Expected {expected} for {key!r} in {NAME}, found {type(found).__name__} "
        f"({str(found)[:60]}). See the example in the guide to markets."
    )

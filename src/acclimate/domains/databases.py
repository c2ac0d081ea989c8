"""Which table or query of a database holds which table of a market.

The counterpart of `folder`: names decide first, then columns.  A person may name a table
or a SELECT for each; then nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from acclimate.domains.address import Address
from acclimate.domains.connections import Database, connected
from acclimate.domains.folder import FolderTables, in_use, note, table_by_stem, together
from acclimate.domains.inference import table_by_columns
from acclimate.domains.queries import looks_like_query, single_select
from acclimate.domains.schema import Finding
from acclimate.errors import DomainError
from acclimate.nearest import some

_HEAD = 1000  # rows that tell what a table holds whose name does not


def read_database(address: Address, named: Mapping[str, str]) -> FolderTables:
    """The market's tables in one schema.

    named  table → name of a table or view, or a SELECT; where given, nothing else is read

    Raises DomainError for what cannot be reached or is not there, for a query that does
    more than read, and where no table is understood.
    """
    with connected(address) as database:
        names = database.tables()
        if named:
            return _as_named(database, address, named, names)
        if not names:
            raise DomainError(
                f"Expected at least one table in {address}, found none. Name another schema "
                "(?schema=NAME), or give the user the right to read it."
            )
        return _recognised(database, address, names)


def _as_named(
    database: Database,
    address: Address,
    named: Mapping[str, str],
    names: list[str],
) -> FolderTables:
    frames, origins = {}, {}
    for table, text in named.items():
        if text in names:
            query, origins[table] = database.named(text), f"{address} {text}"
        elif looks_like_query(text):
            query, origins[table] = single_select(text, table), f"{address} query"
        else:
            raise DomainError(
                f"Expected a table or view of {address} for {table!r}, found {text!r}. There "
                f"are: {some(names, 12) or 'none'}. Name one, or write a SELECT."
            )
        frames[table] = _read(database, query, origins[table])
    return FolderTables(frames, origins, ())


def _recognised(database: Database, address: Address, names: list[str]) -> FolderTables:
    findings: list[Finding] = []
    tables: dict[str, list[tuple[Path, pl.DataFrame]]] = {}
    unknown: list[str] = []
    for path in in_use([Path(name) for name in names], False, findings, "tables"):
        name = str(path)
        what = f"{address} {name}"
        table = table_by_stem(path)
        if table is None:
            head = database.read(database.named(name), what, _HEAD)
            table = table_by_columns(head) if head.height else "rows"
            if table == "rows":
                unknown.append(name)
                continue
        tables.setdefault(table, []).append((path, _read(database, database.named(name), what)))
    if tables and unknown:
        findings.append(
            note(
                f"Left out, as neither names nor columns say what they hold: "
                f"{some(unknown, 12)}. Name one under [tables] to use it."
            )
        )
    elif unknown:
        tables["rows"] = [
            (Path(n), _read(database, database.named(n), f"{address} {n}")) for n in unknown
        ]
    return FolderTables(
        {table: together(table, found, findings, "tables") for table, found in tables.items()},
        {
            table: f"{address} " + ", ".join(str(path) for path, _ in found)
            for table, found in tables.items()
        },
        tuple(findings),
    )


def _read(database: Database, query: str, what: str) -> pl.DataFrame:
    frame = database.read(query, what)
    if frame.width:
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    if not frame.height:
        raise DomainError(
            f"Expected rows in {what}, found none. Fill it, or name another table or query "
            "under [tables]."
        )
    return frame

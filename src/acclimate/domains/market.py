"""From files to a Domain: a folder, one file, a database, or a slice of any.

Before: a path.  After: `problem` cuts a Problem out of Domains.  A market reads
`PATH`, or `PATH::column=value1,value2` for the rows whose column has one of
the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from acclimate.domains.address import beside, end_of_url, is_database, parse
from acclimate.domains.baskets import in_most_baskets
from acclimate.domains.crosswalk import beside_manifest, join, read_crosswalk
from acclimate.domains.databases import read_database
from acclimate.domains.domain import Domain
from acclimate.domains.folder import FolderTables, read_folder
from acclimate.domains.inference import ROLES, table_by_columns, understand
from acclimate.domains.manifest import NAME, merge, read_manifest, with_beside
from acclimate.domains.once import Once, contents
from acclimate.domains.readers import read_file, stem_of
from acclimate.domains.returns import told_by_sign
from acclimate.domains.rules import apply, beside_tables, without_forbidden
from acclimate.domains.schema import Finding, Schema, SchemaHints, TableSchema
from acclimate.domains.tables import build
from acclimate.domains.values import canonical, text
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean, some

_SHOWN = 12


@dataclass(frozen=True)
class Slice:
    """Rows of a market's events or rows: those whose column has one of the values.

    wanted  what was written behind `=`; a comma separates values unless the
            whole is itself a value
    """

    column: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.column}={self.wanted}"

    def rows(self, series: pl.Series) -> pl.Series:
        """(n,) whether each row belongs to the slice; raises DomainError if none does."""
        written, spelled = text(series), canonical(series)
        for wanted in ([self.wanted], self.wanted.split(",")):
            clean = [value.strip() for value in wanted]
            same = canonical(pl.Series(clean, dtype=pl.String)).drop_nulls().to_list()
            chosen = written.is_in(clean) | spelled.is_in(same)
            chosen = chosen.fill_null(False)
            if chosen.any():
                return chosen
        counts = spelled.drop_nulls().value_counts(sort=True, name="n").head(_SHOWN)
        found = ", ".join(f"{value} ({n:,})" for value, n in counts.iter_rows())
        raise DomainError(
            f"Expected rows with {self.column} = {self.wanted!r}, found none. The values of "
            f"{self.column!r}, most frequent first: {found or 'none at all'}. Use one of these."
        )


def open_market(
    path_or_spec: str | Path,
    hints: SchemaHints | None = None,
    once: Once | None = None,
) -> Domain:
    """Open a market.

    path_or_spec  a folder, a file, a database's URL, or a .toml that names one; each may
                  be followed by `::column=value,value`
    hints         what a person says; beats market.toml, which beats names
    once          what was read before, for slices of one place

    Raises DomainError saying what was expected, what was found and what to do.
    """
    path, part = parse_spec(path_or_spec)
    url = path if isinstance(path, str) else None
    path = Path(path)
    manifest = path if path.suffix.lower() == ".toml" else path / NAME
    if url is None and (manifest == path or (_is_folder(path) and manifest.exists())):
        hints = merge(read_manifest(manifest), hints)
        url = beside(manifest.parent, hints.url) if hints.url else None
    hints = hints or SchemaHints()
    once = once if once is not None else Once()
    if url is not None:
        address = parse(url)
        wanted = hints.tables
        key = (repr(address), *wanted.items())
        found = once.read(key, lambda: read_database(address, wanted))
        name = address.name
    elif manifest == path:
        raise DomainError(
            f"Expected the url of a database in {path.name!r}, found none. Add one, or name "
            "the folder of the market."
        )
    elif _is_folder(path):
        said = hints
        aside = repr((said.files, said.roles, said.declared.files, said.crosswalk))
        found = once.read((contents(path), aside), lambda: read_folder(path, said))
        name = path.resolve().name
    else:
        file = once.read(contents(path), lambda: read_file(path))
        hints, unused = with_beside(path, file.frame, hints)
        table = _table_of_file(file.frame, hints)
        findings = (*file.findings, *unused)
        found = FolderTables({table: file.frame}, {table: str(path)}, findings)
        name = stem_of(path)
    frames, seen = without_forbidden(found.frames, hints)
    found = replace(found, frames=frames, findings=(*found.findings, *seen))
    _check_hints(found.frames, hints, "files" if url is None else "tables")
    if part:
        name = "+".join(value.strip() for value in part.wanted.split(","))
    domain = _assemble(hints.name or name, found, hints, part)
    if hints.crosswalk is None:
        return domain
    return join([domain], read_crosswalk(beside_manifest(manifest, hints.crosswalk)))[0]


def parse_spec(path_or_spec: str | Path) -> tuple[Path | str, Slice | None]:
    """Split `PATH::column=values`; raises DomainError if the slice is malformed.

    returns  a path, or the URL of a database as text, and the slice
    """
    spec = str(path_or_spec)
    place: type[str] | type[Path] = str if is_database(path_or_spec) else Path
    host = end_of_url(spec) if place is str else 0
    path, mark, rest = spec[host:].rpartition("::")
    path = spec[:host] + path
    if isinstance(path_or_spec, Path) or not mark:
        return place(path_or_spec), None
    column, equals, wanted = (piece.strip() for piece in rest.partition("="))
    if not (path and column and equals and wanted):
        raise DomainError(
            f"Expected PATH::column=value or PATH::column=value1,value2, found {spec!r}. "
            "Name the column and at least one value."
        )
    return place(path), Slice(column, wanted)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # read_table says what is wrong


def _table_of_file(frame: pl.DataFrame, hints: SchemaHints) -> str:
    """The table of a market of one file: as hinted, else events or rows."""
    hinted = [*hints.files, *hints.roles]
    if hinted and len(set(hinted)) == 1 and hinted[0] in ROLES:
        return hinted[0]
    found = table_by_columns(frame)
    return found if found in ("events", "texts") else "rows"


def _check_hints(frames: Mapping[str, pl.DataFrame], hints: SchemaHints, section: str) -> None:
    for table, roles in hints.roles.items():
        if table not in frames:
            if table == "rows" and [*roles] == ["label"]:
                raise DomainError(
                    f"Expected a table of rows with the label {roles['label']!r}, found "
                    f"{', '.join(frames)}. Name its file in market.toml ([files] rows = "
                    '"FILE"), or give that file itself as the market.'
                )
            there = "; ".join(f"{t}: {some(frame.columns, 12)}" for t, frame in frames.items())
            raise DomainError(
                f"Expected roles for a table of this market, found roles for {table!r} "
                f"({some(roles.values())}). Its tables and their columns are {there}. Spell "
                f"the columns as they are there, name what holds {table} under [{section}], or "
                "remove the roles."
            )
    columns = {column for frame in frames.values() for column in frame.columns}
    for column in hints.types:
        if column not in columns:
            raise DomainError(
                f"Expected a column of this market for the type "
                f"{hints.types[column].value!r}, found {column!r}."
                f"{did_you_mean(column, columns)} The columns are: "
                f"{some(sorted(columns), 12)}. Name one of these."
            )


def _assemble(name: str, found: FolderTables, hints: SchemaHints, part: Slice | None) -> Domain:
    sliced = _sliced_table(found.frames, part, name) if part else None
    tables: dict[str, pl.DataFrame] = {}
    schemas: dict[str, TableSchema] = {}
    findings: list[Finding] = list(found.findings)
    for table in ROLES:
        if table not in found.frames:
            continue
        frame, origin = found.frames[table], found.origins[table]
        roles = dict(hints.roles.get(table, {}))
        keep, column = None, None
        if part and table == sliced:
            keep, column = part.rows(frame[part.column]), part.column
            origin = f"{origin}::{part}"
            if roles.get("label") == column:
                raise DomainError(
                    f"Expected a slice by another column than the label, found {str(part)!r}. "
                    "Within it the label would be constant; slice by another column."
                )
        frame, unknown = _with_unknown(frame, table, roles, hints)
        findings += unknown
        types = {c: t for c, t in hints.types.items() if c in frame.columns}
        reserved = [column] if column and table == "rows" else []
        understood = understand(frame, table, roles, types, reserved)
        built, schema, seen = build(
            frame, understood, origin, keep, column, hints.declared.timezone
        )
        tables[table], schemas[table], told = apply(table, built, schema, hints.declared)
        findings += [*seen, *told]
    findings += beside_tables(tables, schemas, hints.declared)
    declared = hints.declared
    if "events" in tables:
        tables["events"], declared, seen = told_by_sign(tables["events"], declared)
        findings += [*seen, *in_most_baskets(tables["events"], declared.restricted)]
    return Domain(name, tables, Schema(schemas, declared), tuple(findings))


def _with_unknown(
    frame: pl.DataFrame, table: str, roles: Mapping[str, str], hints: SchemaHints
) -> tuple[pl.DataFrame, list[Finding]]:
    """The rows with a column of unknown values for each role that they may lack, and do."""
    findings = []
    for role in sorted(hints.may_lack & set(roles) if table == "rows" else ()):
        if roles[role] not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(roles[role]))
            message = f"There is no column {roles[role]!r}: every {role} is unknown."
            findings.append(Finding("note", table, message))
    return frame, findings


def _sliced_table(frames: Mapping[str, pl.DataFrame], part: Slice, name: str) -> str:
    for table in ("events", "rows", "texts", "items", "users"):
        if table in frames:
            if part.column in frames[table].columns:
                return table
            if table in ("events", "rows", "texts"):
                break
    columns = next(iter(frames.values())).columns
    raise DomainError(
        f"Expected a column {part.column!r} to slice by, found: {some(columns, 12)}."
        f"{did_you_mean(part.column, columns)} Name one of these."
    )

"""Which file of a folder holds which table of a market.

The file's stem decides first, then the roles a person gave, then those its columns can
play.  Files of one table with the same columns are put together in the order of their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from acclimate.domains import names
from acclimate.domains.alike import renamed
from acclimate.domains.inference import table_by_columns, table_by_roles
from acclimate.domains.manifest import NAME
from acclimate.domains.readers import is_table, known_extensions, read_file, stem_of
from acclimate.domains.schema import Finding, SchemaHints
from acclimate.domains.texts import holds_texts
from acclimate.domains.values import canonical, single
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean, some

_STEMS = {
    "events": (
        "event", "order", "transaction", "interaction", "rating", "purchase", "click", "view",
        "cart", "sale", "review", "train", "basket", "log", "session", "play", "return",
        "behavior", "behaviour", "invoice", "buy",
    ),
    "items": ("item", "product", "article", "catalog", "catalogue", "sku", "movie", "book"),
    "users": (
        "user", "customer", "household", "member", "visitor", "demographic", "client",
    ),
    "rows": ("row", "sample", "example", "lead", "feature"),
}  # fmt: skip
_KINDS = {
    "view": "view", "click": "click", "search": "search", "cart": "cart", "order": "order",
    "purchase": "order", "buy": "order", "sale": "order", "return": "return",
    "rating": "rating", "play": "play",
}  # fmt: skip
_HELD_OUT = {"test", "valid", "validation", "val", "eval", "holdout", "heldout", "qrel"}


@dataclass(frozen=True)
class FolderTables:
    """The tables of a folder as written.

    frames   table → rows
    origins  table → the files it came from
    """

    frames: Mapping[str, pl.DataFrame]
    origins: Mapping[str, str]
    findings: tuple[Finding, ...]


def read_folder(folder: Path, hints: SchemaHints) -> FolderTables:
    """Read every table of a folder.

    Raises DomainError if there is none, if one named in `hints.files` is
    missing, or if the files of a table do not fit together.
    """
    findings: list[Finding] = []
    named = {table: _named(folder, table, name) for table, name in hints.files.items()}
    files: dict[str, list[tuple[Path, pl.DataFrame]]] = {
        table: [(path, _read(path, findings))] for table, path in named.items()
    }
    aside = {folder / name for name in (*hints.declared.files, hints.crosswalk) if name}
    others = _others(folder, {*named.values(), *aside}, findings)
    for path in in_use(others, bool(named), findings):
        table = table_by_stem(path)
        if table in named:
            findings.append(note(f"{path.name!r} was left out, as [files] names {table}."))
            continue
        frame = _read(path, findings)
        # A stem such as `train` says events; labelled spans say more.
        told = table or table_by_roles(frame, hints.roles)
        table = "texts" if holds_texts(frame) else told or table_by_columns(frame)
        if table in named:
            findings.append(note(f"{path.name!r} was left out, as [files] names {table}."))
            continue
        files.setdefault(table, []).append((path, frame))
    if not files:
        raise DomainError(
            f"Expected at least one table in {str(folder)!r}, found none. "
            f"Add a file ending in {', '.join(known_extensions())} (or these with .gz)."
        )
    return FolderTables(
        {table: together(table, found, findings) for table, found in files.items()},
        {
            table: ", ".join(f"{folder.name}/{path.name}" for path, _ in found)
            for table, found in files.items()
        },
        tuple(findings),
    )


def table_by_stem(path: Path) -> str | None:
    """The table that a file's name says it holds, or None."""
    for token in _tokens(path):
        for table, stems in _STEMS.items():
            if token in stems or token.removesuffix("s") in stems:
                return table
    return None


def _read(path: Path, findings: list[Finding]) -> pl.DataFrame:
    found = read_file(path)
    findings += found.findings
    return found.frame


def _named(folder: Path, table: str, name: str) -> Path:
    path = folder / name
    if Path(name).name != name or name in (".", "..") or "\\" in name:
        raise DomainError(
            f"Expected the name of a file inside the market's folder for {table!r}, "
            f"found {name!r}. Move the file there, and name it without a path."
        )
    if not _is_file(path):
        there = sorted(p.name for p in folder.iterdir() if p.is_file())
        raise DomainError(
            f"Expected the file {name!r} for {table!r} in {str(folder)!r}, found: "
            f"{some(there, 12) or 'no file'}.{did_you_mean(name, there)} Name one of these."
        )
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _others(folder: Path, named: set[Path], findings: list[Finding]) -> list[Path]:
    """The other tables of a folder by name; what is skipped becomes a note."""
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise DomainError(
            f"Expected a readable folder at {str(folder)!r}, found: {error}. "
            "Check that you may read it."
        ) from None
    skipped = [
        path.name
        for path in paths
        if path.name != NAME and (path.name.startswith(".") or not is_table(path))
    ]
    skipped += [path.name for path in paths if path.is_dir() and path.name not in skipped]
    if skipped:
        findings.append(note(f"Skipped, as no tables: {some(sorted(skipped), 12)}."))
    return [p for p in paths if p not in named and p.name != NAME and p.name not in skipped]


def in_use(
    paths: list[Path], named: bool, findings: list[Finding], section: str = "files"
) -> list[Path]:
    """Without the files whose names say that they were held out, unless all do.

    named    whether a person has named a file
    section  of market.toml where one is named: "files" or "tables"
    """
    held = [path for path in paths if _HELD_OUT & set(_tokens(path))]
    if not held or (len(held) == len(paths) and not named):
        return paths
    findings.append(
        note(
            f"Left out, as their names say they were held out: "
            f"{some((path.name for path in held), 12)}. Name one in [{section}] to use it."
        )
    )
    return [path for path in paths if path not in held]


def _tokens(path: Path) -> list[str]:
    return names.words(stem_of(path))


def note(message: str) -> Finding:
    """A note on the market as a whole."""
    return Finding("note", "market", message)


def together(
    table: str,
    files: list[tuple[Path, pl.DataFrame]],
    findings: list[Finding],
    section: str = "files",
) -> pl.DataFrame:
    """The files of a table below each other, in the order of their names.

    section  of market.toml where one is named: "files" or "tables"

    Raises DomainError where they do not fit together.
    """
    first_path, first = files[0]
    if len(files) == 1:
        return first
    stems = [stem_of(path) for path, _ in files]
    for stem in stems:
        if stems.count(stem) > 1:
            twice = [path.name for path, _ in files if stem_of(path) == stem]
            raise DomainError(
                f"Expected each table once, found {' and '.join(twice)}. Remove all but one, "
                f"or name one in {NAME}: [{section}] {table} = {twice[0]!r}."
            )
    for number, (path, frame) in enumerate(files[1:], start=1):
        if set(frame.columns) != set(first.columns):
            if called := renamed(frame.columns, first.columns, table):
                files[number] = (path, frame.rename(called))
                same = ", ".join(f"{a!r} as {b!r}" for a, b in called.items())
                findings.append(note(f"{path.name!r}: {same}, as {first_path.name!r} has it."))
                continue
            raise DomainError(
                f"Expected the same columns in every file of {table!r}, found "
                f"{', '.join(first.columns)} in {first_path.name!r} and "
                f"{', '.join(frame.columns)} in {path.name!r}. Make them equal, or name one "
                f"{'file' if section == 'files' else 'table, or a SELECT that joins them,'} in "
                f"{NAME}: [{section}] {table} = {first_path.name!r}."
            )
    frames = _with_kinds(table, files, findings)
    findings.append(note(f"{table}: {', '.join(path.name for path, _ in files)} together."))
    if any(frame.schema != frames[0].schema for frame in frames[1:]):
        frames = [_aligned(frame, frames) for frame in frames]
    return pl.concat([frame.select(frames[0].columns) for frame in frames])


def _aligned(frame: pl.DataFrame, frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Columns whose type differs between files as strings, whole numbers without a point."""
    mixed = [c for c in frame.columns if len({other[c].dtype for other in frames}) > 1]
    return frame.with_columns(canonical(frame[column]).alias(column) for column in mixed)


def _with_kinds(
    table: str, files: list[tuple[Path, pl.DataFrame]], findings: list[Finding]
) -> list[pl.DataFrame]:
    """Where each file holds another kind of event, the kind becomes a column."""
    frames = [frame for _, frame in files]
    kinds = [_kind(path) for path, _ in files]
    if table != "events" or None in kinds or len(set(kinds)) < 2:
        return frames
    told = [c for c in frames[0].columns if names.kind(c) is not None and single(frames[0][c])]
    if any(pl.concat([f[c].cast(pl.String) for f in frames]).n_unique() > 1 for c in told):
        return frames
    column = told[0] if told else "kind"
    findings.append(note("The kind of an event was taken from the name of its file."))
    return [
        frame.with_columns(pl.lit(kind, dtype=pl.String).alias(column))
        for frame, kind in zip(frames, kinds, strict=True)
    ]


def _kind(path: Path) -> str | None:
    for token in reversed(_tokens(path)):
        for form in (token, token.removesuffix("s")):
            if form in _KINDS:
                return _KINDS[form]
    return None

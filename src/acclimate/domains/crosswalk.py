"""A crosswalk: which id of a source means which id of the target.

Before: a person wrote or confirmed a table of pairs (`acclimate crosswalk` proposes
them).  After: the source speaks of the target's items, and everything that compares or
joins markets by id works as if they had been numbered alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.names import squeeze
from acclimate.domains.readers import read_table
from acclimate.domains.schema import Finding
from acclimate.domains.values import canonical, identifiers, numbers, text
from acclimate.errors import DomainError, UsageError
from acclimate.nearest import did_you_mean, some

ITEM = "item"  # what is renamed where a pair names no column
_NAMES = {
    "source": ("sourceid", "source", "sourceitem", "from", "fromid"),
    "target": ("targetid", "target", "targetitem", "to", "toid"),
    "confidence": ("confidence", "score", "probability"),
    "confirmed": ("confirmed", "accepted", "ok"),
    "column": ("column",),
}
_YES = ("yes", "y", "true", "1", "x", "ok", "ja", "oui", "si", "是", "はい")
_NO = ("no", "n", "false", "0", "nein", "non", "否", "いいえ")
_SHOWN = 5


@dataclass(frozen=True)
class Crosswalk:
    """Pairs in use.

    pairs   column → source id → target id; the column `item` stands for item ids
    origin  the file, for messages
    unused  rows of the file that are neither confirmed nor confident enough, or denied
    """

    pairs: Mapping[str, Mapping[str, str]]
    origin: str
    unused: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.pairs.values()))


def read_crosswalk(path: str | Path, accept: float | None = None) -> Crosswalk:
    """Read a table of pairs: source id, target id, and where known confidence and confirmed.

    accept  0 … 1: rows that nobody confirmed or denied are used from this confidence on;
            None: confirmed rows only.  A table with neither column is used whole.

    Raises DomainError for missing columns or ids, unreadable confidences, two targets
    for one source id, and a table of which nothing may be used.
    """
    if accept is not None and not 0 <= accept <= 1:
        raise UsageError(f"Expected --accept between 0 and 1; found {accept:g}.")
    table = read_table(path)
    name = Path(path).name
    columns = _columns(table, name)
    source = _ids(table[columns["source"]])
    target = _ids(table[columns["target"]])
    use = _in_use(table, columns, accept, name)
    broken = use & (source.is_null() | target.is_null())
    if broken.any():
        raise DomainError(
            f"Expected an id on both sides of every pair of {name!r}, found none in row "
            f"{int(broken.arg_max() or 0) + 2:,} and {int(broken.sum()) - 1:,} more. Fill "
            "them in, or remove these rows."
        )
    if not use.any():
        raise DomainError(
            f"Expected pairs to use in {name!r}, found {table.height:,} rows and none of them "
            "confirmed. Write yes under confirmed where a pair is right, or take the "
            "confident ones with --accept 0.95."
        )
    of = text(table[columns["column"]]).fill_null(ITEM) if "column" in columns else None
    column = pl.repeat(ITEM, table.height, eager=True) if of is None else of
    used = pl.DataFrame({"column": column, "source": source, "target": target}).filter(use)
    return Crosswalk(_pairs(used.unique(maintain_order=True), name), name, int((~use).sum()))


def join(
    sources: Sequence[Domain], crosswalk: Crosswalk, target: Domain | None = None
) -> list[Domain]:
    """The sources under the target's ids, with a finding about what was renamed.

    Several source ids may become one target id (variants); their attributes are then
    those of the first.  Ids without a pair stay as they are.

    Raises DomainError where no pair applies to any source, or a column is in none.
    """
    joined = [_renamed(source, crosswalk, target) for source in sources]
    if sources and not any(count for _, count in joined):
        example = next(iter(next(iter(crosswalk.pairs.values()))))
        raise DomainError(
            f"Expected pairs of {crosswalk.origin!r} whose source ids are in "
            f"{' or '.join(source.name for source in sources)}, found none of "
            f"{len(crosswalk):,} (for example {example!r}). Are source and target the right "
            "way round? The first column of ids is the source's."
        )
    return [domain for domain, _ in joined]


def beside_manifest(manifest: Path, name: str) -> Path:
    """The crosswalk that a market.toml names; raises DomainError for a path."""
    if Path(name).name != name or name in (".", "..") or "\\" in name:
        raise DomainError(
            f"Expected the name of a file beside {manifest.name} for 'crosswalk', found "
            f"{name!r}. Move the file there, and name it without a path."
        )
    return manifest.parent / name


def _columns(table: pl.DataFrame, name: str) -> dict[str, str]:
    squeezed = {squeeze(column): column for column in reversed(table.columns)}
    found = {
        role: squeezed[known]
        for role, names in _NAMES.items()
        for known in reversed(names)
        if known in squeezed
    }
    if not {"source", "target"} & found.keys() and table.width >= 2:
        free = [column for column in table.columns if column not in found.values()]
        if len(free) == 2:
            found |= {"source": free[0], "target": free[1]}
    if missing := [role for role in ("source", "target") if role not in found]:
        raise DomainError(
            f"Expected columns source_id and target_id in the crosswalk {name!r}, found "
            f"{', '.join(table.columns)}. Name the {' and the '.join(missing)} id so."
        )
    return found


def _ids(series: pl.Series) -> pl.Series:
    return identifiers(series)


def _in_use(
    table: pl.DataFrame, columns: Mapping[str, str], accept: float | None, name: str
) -> pl.Series:
    """(n,) whether each pair is used."""
    confident = pl.repeat(False, table.height, eager=True)
    if "confidence" in columns and accept is not None:
        read = numbers(table[columns["confidence"]])
        if read.failed:
            raise DomainError(
                f"Expected numbers between 0 and 1 under {columns['confidence']!r} of "
                f"{name!r}, found {read.example!r}. Mend or empty it."
            )
        confident = (read.values >= accept).fill_null(False)
    if "confirmed" not in columns:
        if "confidence" in columns:
            return confident
        return pl.repeat(True, table.height, eager=True)
    word = text(table[columns["confirmed"]]).str.to_lowercase().str.strip_suffix(".0")
    strange = word.filter(word.is_not_null() & ~word.is_in([*_YES, *_NO]))
    if strange.len():
        raise DomainError(
            f"Expected yes, no or nothing under {columns['confirmed']!r} of {name!r}, found "
            f"{strange[0]!r}. Write one of these."
        )
    yes = word.is_in(_YES).fill_null(False)
    no = word.is_in(_NO).fill_null(False)
    return yes | (confident & ~no)


def _pairs(used: pl.DataFrame, name: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    twice: dict[str, list[str]] = {}
    for column, source, target in used.iter_rows():
        known = found.setdefault(column, {})
        if known.setdefault(source, target) != target:
            twice.setdefault(source, [known[source]]).append(target)
    if twice:
        shown = "; ".join(
            f"{source} → {' and '.join(targets)}"
            for source, targets in list(twice.items())[:_SHOWN]
        )
        raise DomainError(
            f"Expected one target id for each source id in {name!r}, found several for "
            f"{len(twice):,} of them: {shown}. Confirm one of each, and deny or remove the "
            "others; several source ids may share one target id."
        )
    return found


def _renamed(source: Domain, crosswalk: Crosswalk, target: Domain | None) -> tuple[Domain, int]:
    """The source under the target's ids, and how many pairs applied."""
    tables = dict(source.tables)
    findings = list(source.findings)
    applied = 0
    for column, pairs in crosswalk.pairs.items():
        places = [t for t, frame in tables.items() if column in frame.columns]
        if not places:
            every = [c for frame in tables.values() for c in frame.columns]
            raise DomainError(
                f"Expected a column {column!r} in {source.name!r} to rename by "
                f"{crosswalk.origin!r}, found: "
                f"{some(every, 12)}.{did_you_mean(column, every)} Name one of these "
                "under `column`."
            )
        present: set[str] = set()
        for table in places:
            present |= set(_spelled(tables[table][column], column).drop_nulls().unique())
        # A category is spelled alike in all markets: 07 and 7.0 are as the table spells them.
        mapping = dict(zip(*(_as_spelled(side, column) for side in _sides(pairs)), strict=True))
        hits = {old: new for old, new in mapping.items() if old in present}
        for table in places:
            tables[table] = _replaced(tables[table], table, column, hits)
        applied += len(hits)
        findings.append(
            Finding(
                "note",
                places[0],
                f"{len(hits):,} of {len(present):,} values of {column!r} were renamed to "
                f"{len(set(hits.values())):,} of the target by {crosswalk.origin!r}"
                f"{_idle(len(mapping) - len(hits))}.",
            )
        )
        if target is not None:
            findings += _met(places[0], column, present - hits.keys(), target)
    return replace(source, tables=tables, findings=tuple(findings)), applied


def _idle(count: int) -> str:
    return f"; {count:,} of its pairs name values that are not here" if count else ""


def _met(table: str, column: str, unpaired: set[str], target: Domain) -> list[Finding]:
    """A warning about ids that nobody paired and that the target has as well."""
    if column != ITEM:
        return []
    theirs: set[str] = set()
    for frame in target.tables.values():
        if column in frame.columns:
            theirs |= set(frame[column].drop_nulls().unique())
    met = unpaired & theirs
    if not met:
        return []
    message = (
        f"{len(met):,} ids without a pair are ids of the target too (for example "
        f"{min(met)!r}) and are taken as the same items. Pair them where they are not."
    )
    return [Finding("warning", table, message)]


def _sides(pairs: Mapping[str, str]) -> tuple[list[str], list[str]]:
    return list(pairs), list(pairs.values())


def _as_spelled(values: list[str], column: str) -> list[str]:
    return _spelled(pl.Series(values, dtype=pl.String), column).to_list()


def _spelled(series: pl.Series, column: str) -> pl.Series:
    return series if column == ITEM else canonical(series)


def _replaced(
    frame: pl.DataFrame, table: str, column: str, mapping: Mapping[str, str]
) -> pl.DataFrame:
    old = _spelled(frame[column], column)
    new = old.replace(list(mapping), list(mapping.values())) if mapping else old
    # A column of numbers stays one where nothing of it was renamed.
    if not mapping or (column != ITEM and not old.is_in(list(mapping)).any()):
        return frame
    frame = frame.with_columns(new.alias(column))
    if table == "items" and column == ITEM:
        return frame.unique(ITEM, keep="first", maintain_order=True)
    return frame

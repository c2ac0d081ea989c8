"""Rows of the target that are learned or judged on are taken out of sources that hold them.

`--source orders.csv --target orders.csv::country=JP` is what people type.  The source
then holds the rows that judge, which only a clock would hide, and those of every inner
fold, so that tuning would prefer what remembers them.  Rows of the target beyond its
label budget may well be a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.schema import Finding

# A source that holds more than this share of those rows was not made apart from them.
SHARE = 0.5
# Where target rows hardly differ from each other, equal rows say nothing.
DISTINCT = 0.8


def without_copies(source: Domain, held: pl.DataFrame, name: str) -> Domain:
    """The source without these rows of the target, where it holds many of them.

    held     rows or events of the target that are learned, chosen or judged on
    name     the table they are from: "rows" or "events"
    returns  the source itself where no more than half of `held` stands in it, or where
             fewer than 80 % of `held` are distinct; else a copy with a finding
    """
    theirs = source.tables[name]
    shared = [column for column in held.columns if column in theirs.columns]
    if len(shared) < 2 or not held.height:
        return source
    known, found = _prints(held, theirs, shared), _prints(theirs, held, shared)
    copied = found.is_in(known.implode())
    share = known.is_in(found.filter(copied).implode()).mean()
    if known.n_unique() < DISTINCT * held.height or not isinstance(share, float):
        return source
    if share <= SHARE:
        return source
    message = (
        f"{int(copied.sum()):,} of {theirs.height:,} {name} of {source.name} are the target's "
        "own labelled ones and are left out: a source must not hold what it is judged on"
    )
    tables = {**source.tables, name: theirs.filter(~copied)}
    finding = Finding("warning", name, message)
    return replace(source, tables=tables, findings=(*source.findings, finding))


def cleaned(
    sources: Sequence[Domain], held: pl.DataFrame, name: str
) -> tuple[list[Domain], list[str]]:
    """Every source without these rows of the target, and a note for each that had them."""
    kept = [without_copies(source, held, name) for source in sources]
    pairs = zip(kept, sources, strict=True)
    return kept, [new.findings[-1].message for new, old in pairs if new is not old]


def _prints(frame: pl.DataFrame, other: pl.DataFrame, columns: list[str]) -> pl.Series:
    """(n,) one number a row, equal for equal values however both frames type them."""
    mixed = [column for column in columns if frame[column].dtype != other[column].dtype]
    return frame.select(columns).with_columns(pl.col(mixed).cast(pl.String)).hash_rows(seed=0)

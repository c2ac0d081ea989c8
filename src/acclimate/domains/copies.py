"""Rows of the target that stand in a source too are taken out of the source.

`--source orders.csv --target orders.csv::country=JP` is what people type, and the
source then holds the rows that will judge.  With a time the clock hides them; without
one, nothing else would.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.schema import Finding

# A source that holds more than this share of the target's rows was not made apart from it.
SHARE = 0.5
# Where target rows hardly differ from each other, equal rows say nothing.
DISTINCT = 0.8


def without_copies(source: Domain, target: Domain) -> Domain:
    """The source without rows and events that the target holds, where those are many.

    returns  the source itself where no more than half of the target's rows stand in it,
             or where fewer than 80 % of the target's rows are distinct
    """
    for name in ("rows", "events"):
        if name in source.tables and name in target.tables:
            source = _cleaned(source, target, name)
    return source


def _cleaned(source: Domain, target: Domain, name: str) -> Domain:
    theirs, mine = source.tables[name], target.tables[name]
    shared = [column for column in mine.columns if column in theirs.columns]
    if len(shared) < 2 or not mine.height:
        return source
    known, held = _prints(mine, shared), _prints(theirs, shared)
    copied = held.is_in(known.implode())
    share = known.is_in(held.implode()).mean()
    if known.n_unique() < DISTINCT * mine.height or not isinstance(share, float):
        return source
    if share <= SHARE:
        return source
    message = (
        f"{int(copied.sum()):,} of {theirs.height:,} {name} are those of {target.name} and "
        "are left out: a source must not hold what it will be judged on."
    )
    finding = Finding("warning", name, message)
    tables = {**source.tables, name: theirs.filter(~copied)}
    return replace(source, tables=tables, findings=(*source.findings, finding))


def _prints(frame: pl.DataFrame, columns: list[str]) -> pl.Series:
    """(n,) one number a row, equal for equal values however they are typed."""
    return frame.select(pl.col(columns).cast(pl.String)).hash_rows(seed=0)

"""Look at one market more closely than the door does: what would spoil an adaptation?

Before: `market` opened it.  Each finding says what was found and what to do.  Long
tables are looked at through a seeded sample, so that the same market gives the same
findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.leaks import leaks
from acclimate.domains.schema import ColumnType, Finding
from acclimate.domains.values import numbers
from acclimate.plurals import number_of
from acclimate.rng import Rng

AT_MOST = 50_000  # rows looked at for what is in a column
FEW_LABELS = 30
FEW_OF_A_CLASS = 10
RARE = 0.01
_MIXED = (0.05, 0.99)  # shares of numbers between which a column is of two minds
_SHOWN = 8


def checked(domain: Domain, rng: Rng) -> Domain:
    """The market with what its owner should mend among its findings."""
    rng = rng.child("checks")
    told = [finding.message for finding in domain.findings]
    found = [*_labels(domain), *_leaks(domain, told, rng), *_mixed(domain, rng)]
    found += [*_strangers(domain), *_kinds(domain)]
    return replace(domain, findings=(*domain.findings, *found))


def _labels(domain: Domain) -> Iterator[Finding]:
    rows = domain.tables.get("rows", pl.DataFrame())
    if "label" not in rows.columns:
        return
    counts = rows["label"].drop_nulls().value_counts(sort=True, name="n")
    n, classes = int(counts["n"].sum()), counts.height
    if classes < 2:
        return  # the door has said so
    if n < FEW_LABELS:
        yield Finding(
            "warning",
            "rows",
            f"Only {number_of(n, 'row has', 'rows have')} a label; an answer needs about "
            f"{FEW_LABELS} to judge on alone. Label more rows, or expect `not-enough-data`.",
        )
    if classes > max(20, n // 2):
        yield Finding(
            "warning",
            "rows",
            f"The label has {classes:,} values in {n:,} rows, as of a number or an id. Predict "
            "a number with --task regress, name another column with --label, or write it as a "
            "few ranges.",
        )
        return
    rare = [(c, k) for c, k in counts.iter_rows() if k < FEW_OF_A_CLASS or k < RARE * n]
    if rare:
        listed = ", ".join(f"{c!r} {k:,} ({k / n:.2%})" for c, k in rare[:_SHOWN])
        most, count = counts.row(0)
        yield Finding(
            "warning",
            "rows",
            f"Rare classes: {listed}, beside {count:,} of {most!r}. Label more of them, or put "
            "them together; accuracy says little here, so score by pr-auc or log-loss.",
        )


def _leaks(domain: Domain, told: list[str], rng: Rng) -> Iterator[Finding]:
    rows = domain.tables.get("rows", pl.DataFrame())
    if "label" not in rows.columns:
        return
    for leak in leaks(rows, domain.schema.tables["rows"].types, rng):
        known = any(
            message.startswith(f"{leak.column!r} says the same as the label")
            for message in told
        )
        if not known:
            yield Finding("warning", "rows", leak.sentence)


def _mixed(domain: Domain, rng: Rng) -> Iterator[Finding]:
    """Columns in which numbers and words are mixed."""
    for table, schema in domain.schema.tables.items():
        frame = domain.tables.get(table)
        if frame is None:
            continue
        for column, kind in schema.types.items():
            if kind != ColumnType.CATEGORY or column not in frame.columns:
                continue
            values = _some(frame[column].drop_nulls(), rng.child(table).child(column))
            read = numbers(values)
            if _MIXED[0] <= read.share < _MIXED[1]:
                number = values.filter(read.values.is_not_null())[0]
                yield Finding(
                    "warning",
                    table,
                    f"{column!r} mixes numbers and words: {read.share:.0%} are numbers, such "
                    f"as {number!r}; others are such as {read.example!r}. It is read as a "
                    "category. Write one kind of value, or declare its type.",
                )


def _strangers(domain: Domain) -> Iterator[Finding]:
    """Ids of events that the tables of items and users do not know."""
    events = domain.tables.get("events")
    if events is None:
        return
    for role in ("item", "user"):
        known = domain.tables.get(f"{role}s")
        if known is None:
            continue
        distinct = events[role].unique()
        strange = distinct.filter(~distinct.is_in(known[role].implode()))
        if not strange.len():
            continue
        n, few = distinct.len(), ", ".join(map(repr, strange.sort().head(3)))
        if strange.len() == n:
            message = (
                f"None of the {n:,} {role}s of events is in the {role}s table: events have for "
                f"example {few}, the table {known[role][0]!r}. Write ids alike in both."
            )
        else:
            message = (
                f"{strange.len():,} of {n:,} {role}s of events are not in the {role}s table, "
                f"for example {few}; nothing but their events is known. Add them, or write ids "
                "alike in both."
            )
        level = "warning" if strange.len() * 2 > n else "note"
        yield Finding(level, "events", message)


def _kinds(domain: Domain) -> Iterator[Finding]:
    """Kinds of events that nobody has weighed."""
    events = domain.tables.get("events", pl.DataFrame())
    if domain.schema.declared.kinds is not None or "kind" not in events.columns:
        return
    counts = events["kind"].drop_nulls().value_counts(sort=True, name="n")
    if counts.height > 1:
        listed = ", ".join(f"{kind} {n:,}" for kind, n in counts.head(_SHOWN).iter_rows())
        yield Finding(
            "note",
            "events",
            f"Every kind of event counts alike, returns too: {listed}. Weigh them in "
            "market.toml under [kinds], for example order = 1, view = 0.1, return = -1.",
        )


def _some(series: pl.Series, rng: Rng) -> pl.Series:
    if series.len() <= AT_MOST:
        return series
    chosen = rng.generator().choice(series.len(), AT_MOST, replace=False)
    return series[np.sort(chosen)]

"""Look at several markets at once: do they meet anywhere?

Before: `market` opened each.  What one market knows can only serve another through
what both write alike: items, users, columns, classes, money.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.rules import under_one_law
from acclimate.domains.schema import ColumnType, Finding
from acclimate.nearest import some
from acclimate.plurals import number_of

LITTLE = 0.05  # below this share of the smaller side, ids meet by accident
_FEATURES = (ColumnType.NUMERIC, ColumnType.CATEGORY, ColumnType.TEXT, ColumnType.TIME)


def compare(domains: Sequence[Domain]) -> tuple[Finding, ...]:
    """What keeps several markets from learning from each other."""
    found = [*currencies(domains), *_zones(domains), *_kinds(domains), *_law(domains)]
    for one, other in combinations(domains, 2):
        found += [*_ids(one, other), *_columns(one, other), *_classes(one, other)]
    return tuple(found)


def currencies(domains: Sequence[Domain]) -> list[Finding]:
    """Says where amounts of some markets are not in the same money."""
    final = {d.name: c.final for d in domains if (c := d.schema.declared.currency) is not None}
    listed = ", ".join(f"{code} in {name}" for name, code in final.items())
    columns = sorted(
        {
            column
            for domain in domains
            if (currency := domain.schema.declared.currency) is not None
            for column in currency.money
        }
    )
    which = f" ({', '.join(columns)})" if columns else ""
    if len(set(final.values())) > 1:
        message = (
            f"Amounts{which} are not in the same money: {listed}. They are compared as they "
            "are. Give each market the same `base` and its rates under [currency]."
        )
        return [Finding("warning", "currency", message)]
    silent = [domain.name for domain in domains if domain.name not in final]
    if final and silent:
        message = (
            f"Amounts{which} are {listed}; {', '.join(silent)} does not say what its money is "
            "in. Declare its currency in market.toml."
        )
        return [Finding("note", "currency", message)]
    return []


def _zones(domains: Sequence[Domain]) -> Iterator[Finding]:
    timed = [d for d in domains if any("time" in t.columns for t in d.tables.values())]
    told = [domain.name for domain in timed if domain.schema.declared.timezone]
    silent = [domain.name for domain in timed if not domain.schema.declared.timezone]
    if told and silent:
        yield Finding(
            "note",
            "time",
            f"Times of {', '.join(silent)} are read as UTC, those of {', '.join(told)} as "
            "declared. Declare a timezone in every market.toml, so that hours mean the same.",
        )


def _kinds(domains: Sequence[Domain]) -> Iterator[Finding]:
    told = [d.name for d in domains if d.schema.declared.kinds is not None]
    silent = [
        d.name
        for d in domains
        if d.schema.declared.kinds is None and "kind" in d.tables.get("events", pl.DataFrame())
    ]
    if told and silent:
        yield Finding(
            "note",
            "events",
            f"Kinds of events are weighed in {', '.join(told)}, but not in "
            f"{', '.join(silent)}. Declare [kinds] in every market.toml.",
        )


def _law(domains: Sequence[Domain]) -> Iterator[Finding]:
    """Columns that one market's law takes from the others."""
    for domain, alone in zip(domains, under_one_law(domains), strict=True):
        for finding in alone.findings[len(domain.findings) :]:
            message = f"{domain.name}: {finding.message}"
            yield Finding(finding.level, finding.table, message)


def _ids(one: Domain, other: Domain) -> Iterator[Finding]:
    """Whether items and users of events meet."""
    if "events" not in one.tables or "events" not in other.tables:
        return
    for role in ("item", "user"):
        mine, theirs = (d.tables["events"][role].unique() for d in (one, other))
        shared = int(mine.is_in(theirs.implode()).sum())
        share = shared / min(mine.len(), theirs.len())
        names = f"{one.name} and {other.name}"
        if role == "item" and not shared:
            yield Finding(
                "warning",
                "events",
                f"{names} share no item, so transfer by items is impossible: one has for "
                f"example {mine.min()!r}, the other {theirs.min()!r}. Give both the same ids, "
                "or make a crosswalk: a table that pairs the ids of one with those of the "
                "other.",
            )
        elif role == "item" and share < LITTLE:
            yield Finding(
                "note",
                "events",
                f"{names} share {shared:,} of {min(mine.len(), theirs.len()):,} items "
                f"({share:.1%}). A crosswalk that pairs more of their ids would let more be "
                "learned.",
            )
        elif role == "user" and shared:
            yield Finding(
                "note",
                "events",
                f"{names} share {number_of(shared, 'user')} ({share:.1%} of the smaller side). "
                "If equal ids are other people, write the market before the id.",
            )


def _columns(one: Domain, other: Domain) -> Iterator[Finding]:
    """Whether rows have features in common, read alike."""
    if "rows" not in one.tables or "rows" not in other.tables:
        return
    mine, theirs = (d.schema.tables["rows"].types for d in (one, other))
    names = f"{one.name} and {other.name}"
    have, has = ([c for c, k in t.items() if k in _FEATURES] for t in (mine, theirs))
    shared = [column for column in have if column in theirs]
    if not shared:
        yield Finding(
            "warning",
            "rows",
            f"{names} share no column, so nothing can be learned from each other: "
            f"{some(have, 12) or 'none'} beside {some(has, 12) or 'none'}. Rename columns that "
            "mean the same.",
        )
        return
    unlike = [
        f"{column!r} is {mine[column]} in {one.name} and {theirs[column]} in {other.name}"
        for column in shared
        if mine[column] != theirs[column]
    ]
    if unlike:
        yield Finding(
            "warning",
            "rows",
            f"Columns are read differently: {some(unlike, 12)}. Write them alike, or declare "
            "their types in market.toml; numbers beside words become a category.",
        )
    lone = [column for column in {**mine, **theirs} if (column in mine) != (column in theirs)]
    if lone:
        yield Finding(
            "note",
            "rows",
            f"Columns that only one of {names} has are not used: {some(lone, 12)}. Rename "
            "those that mean the same.",
        )


def _classes(one: Domain, other: Domain) -> Iterator[Finding]:
    tables = [domain.tables.get("rows", pl.DataFrame()) for domain in (one, other)]
    if not all("label" in table.columns for table in tables):
        return
    mine, theirs = (set(table["label"].drop_nulls().unique().to_list()) for table in tables)
    if mine and theirs and not mine & theirs:
        yield Finding(
            "warning",
            "rows",
            f"{one.name} and {other.name} share no class: {some(sorted(mine), 12)} beside "
            f"{some(sorted(theirs), 12)}. Write the label alike in both, or learn how they are "
            "related by co-tuning.",
        )

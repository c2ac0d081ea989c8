"""What classify and regress read of markets: rows under shared columns, classes, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.sample import OWN, Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source, shared
from acclimate.domains.values import canonical, typed
from acclimate.domains.zones import ahead
from acclimate.errors import DomainError, TaskError
from acclimate.nearest import did_you_mean, some
from acclimate.tasks.given import agreed

FEATURES = (ColumnType.NUMERIC, ColumnType.CATEGORY, ColumnType.TEXT, ColumnType.TIME)


def labels_of(domain: Domain) -> set[str]:
    return set(domain.tables["rows"]["label"].drop_nulls().unique().to_list())


def rows_table(domain: Domain) -> pl.DataFrame:
    """The rows of a market with a label column, or an error that says what is missing."""
    rows = domain.tables.get("rows")
    if rows is None or rows.height == 0:
        raise TaskError(
            f"Expected a table of labelled rows in {domain.name!r} to learn from; found "
            f"{', '.join(domain.tables) or 'no tables'}. Add one as rows.csv."
        )
    if "label" not in rows.columns:
        raise TaskError(
            f"Expected a label column in {domain.name!r}; found {some(rows.columns, 12)}. "
            "Name it with --label, or in market.toml under [roles.rows]. Where these are "
            "purchases to recommend from, name user and item under [roles.events]."
        )
    return rows


def shared_types(
    domains: Sequence[Domain], also: Sequence[str] = (), given: Sequence[Domain] = ()
) -> Mapping[str, ColumnType]:
    """Feature columns that every domain has, and how all of them read each.

    also   columns that hold other labels, and so are no features
    given  artifacts: they take no column away, and none of its values (`given.agreed`)

    Where domains disagree (numbers here, words there) the column is a category.
    """
    tables = [domain.schema.tables["rows"].types for domain in domains]
    _require_labels(domains[0], also)
    target = [name for name, kind in tables[0].items() if kind in FEATURES and name not in also]
    types = {}
    for name in target:
        kinds = {table.get(name) for table in tables}
        if None in kinds:
            continue
        # A column constant in one market may well vary in another.
        kinds -= {ColumnType.IGNORED} if len(kinds) > 1 else set()
        if kinds == {ColumnType.NUMERIC, ColumnType.CATEGORY}:
            types[name] = ColumnType.CATEGORY
        elif len(kinds) == 1 and next(iter(kinds)) in FEATURES:
            types[name] = next(kind for kind in kinds if kind is not None)
        elif kinds <= {ColumnType.CATEGORY, ColumnType.TEXT}:
            types[name] = ColumnType.TEXT
    types = agreed(types, given)
    if not types:
        listed = "; ".join(
            f"{domain.name}: {', '.join(f'{name} ({kind})' for name, kind in table.items())}"
            for domain, table in zip(domains, tables, strict=True)
        )
        raise DomainError(
            "Expected feature columns that target and sources share; found none "
            f"({listed}). Rename columns so that they meet, or set their types in market.toml; "
            "an empty or constant column is ignored."
        )
    return types


def _require_labels(target: Domain, also: Sequence[str]) -> None:
    """Raises TaskError unless the target has a column for every other label."""
    columns = [c for c in target.tables["rows"].columns if c != "label"]
    missing = [name for name in also if name not in columns]
    if missing:
        raise TaskError(
            f"Expected columns of target {target.name!r} as other labels; found no "
            f"{', '.join(missing)} among {some(columns, 12)}.{did_you_mean(missing, columns)} "
            "Name others with --also."
        )


def sources_of(
    domains: Sequence[Domain],
    types: Mapping[str, ColumnType],
    classes: tuple[str, ...],
    also: Sequence[str] = (),
    elsewhere: Sequence[str] = (),
) -> tuple[Source, ...]:
    """Each domain's labelled rows; one of which nothing is known yet is left out.

    elsewhere  names of domains that tell other classes apart: their rows have no label
               here, and their own one among the other labels
    """
    found = []
    for domain in domains:
        # A source of which nothing was known at the clock has an empty table.
        zone, table = domain.schema.declared.timezone, domain.tables["rows"]
        rows = rows_of(table, types, classes, zone, also)
        assert rows.label is not None
        labelled = np.flatnonzero(rows.label >= 0)
        if domain.name in elsewhere:
            own = canonical(table["label"]).alias(OWN).to_frame()
            others = own if rows.also is None else own.hstack(rows.also)
            rows = replace(rows, label=None, also=others)
            labelled = np.flatnonzero(table["label"].is_not_null().to_numpy())
        if len(labelled):
            shares = shared(domain.schema.declared.shares)
            found.append(Source(domain.name, rows.take(labelled), shares))
    return tuple(found)


def rows_of(
    table: pl.DataFrame,
    types: Mapping[str, ColumnType],
    classes: tuple[str, ...],
    zone: str | None = None,
    also: Sequence[str] = (),
) -> Rows:
    """The rows of a table; label −1 marks an unlabelled row until the split removes it.

    classes  of the label; none: it is read by somebody else

    zone  of the market, whose hours and weekdays its rows keep
    also  columns that hold other labels; null throughout where the table lacks one
    """
    columns = pl.DataFrame([typed(table[name], types[name]) for name in types])
    label = None
    if classes:
        places = table["label"].replace_strict(
            list(classes), list(range(len(classes))), default=-1, return_dtype=pl.Int64
        )
        label = places.fill_null(-1).to_numpy().astype(np.int64)
    time = shift = None
    if "time" in table.columns and table["time"].null_count() < table.height:
        micros = table["time"].dt.epoch("us").cast(pl.Float64)
        time = micros.fill_null(float("nan")).to_numpy() / 1e6
        shift = ahead(table["time"], zone)
    entity = table["entity"].cast(pl.String).to_numpy() if "entity" in table.columns else None
    return Rows(
        columns=columns,
        types=types,
        classes=classes,
        label=label,
        entity=None if entity is None else entity.astype(object),
        time=time,
        ahead=shift,
        also=_other_labels(table, also) if also else None,
    )


def _other_labels(table: pl.DataFrame, also: Sequence[str]) -> pl.DataFrame:
    nothing = pl.Series([None] * table.height, dtype=pl.String)
    found = {
        name: canonical(table[name]) if name in table.columns else nothing for name in also
    }
    return pl.DataFrame(found)

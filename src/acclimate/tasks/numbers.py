"""What regress reads of its markets: the label as numbers, or why it holds none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source, shared
from acclimate.domains.values import Figures, numbers
from acclimate.errors import TaskError
from acclimate.plurals import number_of
from acclimate.tasks.tables import rows_of

READ = 0.99  # the share of a label's values that must be numbers; the rest is unlabelled
LARGEST = 1e100  # squares beyond it overflow
FEWEST = 3  # different numbers; two are classes
MANY = 20  # different numbers; so many are taken for classes where nobody says otherwise


def number_rows(
    domain: Domain, types: Mapping[str, ColumnType], also: Sequence[str] = ()
) -> Rows:
    """The rows of a market; NaN marks an unlabelled row until the split removes it."""
    zone = domain.schema.declared.timezone
    rows = rows_of(domain.tables["rows"], types, (), zone, also)
    return replace(rows, label=label_of(domain).to_numpy())


def number_sources(
    domains: Sequence[Domain], types: Mapping[str, ColumnType], also: Sequence[str] = ()
) -> tuple[Source, ...]:
    """Each domain's labelled rows; one of which nothing is known yet is left out."""
    found = []
    for domain in domains:
        rows = number_rows(domain, types, also)
        assert rows.label is not None
        labelled = np.flatnonzero(np.isfinite(rows.label))
        if len(labelled):
            shares = shared(domain.schema.declared.shares)
            found.append(Source(domain.name, rows.take(labelled), shares))
    return tuple(found)


def label_of(domain: Domain) -> pl.Series:
    """(n,) the label as numbers, NaN where it is unknown or none, in the file's notation."""
    notation = domain.schema.tables["rows"].notations.get("label")
    figures = Figures.named(notation) if notation else Figures()
    read = numbers(domain.tables["rows"]["label"], figures).values
    return read.cast(pl.Float64).fill_null(float("nan"))


def counts_numbers(domain: Domain) -> bool:
    """Whether the label of a market is a number, as far as its values tell.

    Numbers of more than 20 different values, nearly all of them readable.
    """
    written = domain.tables["rows"]["label"].drop_nulls()
    read = label_of(domain).drop_nans()
    return written.n_unique() > MANY and read.len() >= READ * written.len()


def require_numbers(target: Domain, sources: Sequence[Domain]) -> list[str]:
    """Notes on labels that are not numbers here and there.

    Raises TaskError for a market whose label is a class, is infinite or too large, and
    for a target whose labels do not vary.
    """
    notes = []
    for domain in (target, *sources):
        written = domain.tables["rows"]["label"].drop_nulls()
        label = label_of(domain).drop_nans()
        if not written.len():
            continue
        _require_finite(domain, written, label)
        if label.len() < READ * written.len():
            strange = written.filter(~_reads(domain, written))
            raise TaskError(
                f"Expected numbers in the label of {domain.name!r} to regress on; found "
                f"{strange.len():,} of {written.len():,} values that are none, such as "
                f"{strange[0]!r}. Predict classes with --task classify, or name another column "
                "with --label."
            )
        if label.len() < written.len():
            lost = written.filter(~_reads(domain, written))
            notes.append(
                f"{number_of(lost.len(), 'label')} of {domain.name} cannot be read as "
                f"numbers, such as {lost[0]!r}; what has no number counts as unlabelled"
            )
    mine = label_of(target).drop_nans()
    if mine.len() and mine.n_unique() < FEWEST:
        values = ", ".join(f"{each:g}" for each in mine.unique().sort().to_list())
        raise TaskError(
            f"Expected numbers that vary in the label of target {target.name!r}; found only "
            f"{values}. Predict classes with --task classify, or name another column with "
            "--label."
        )
    return notes


def _reads(domain: Domain, written: pl.Series) -> pl.Series:
    notation = domain.schema.tables["rows"].notations.get("label")
    figures = Figures.named(notation) if notation else Figures()
    return numbers(written, figures).values.is_not_null()


def _require_finite(domain: Domain, written: pl.Series, label: pl.Series) -> None:
    endless = written.filter(
        written.str.to_lowercase().str.contains(r"^[+-]?inf(?:inity)?$").fill_null(False)
    )
    if endless.len():
        raise TaskError(
            f"Expected finite numbers in the label of {domain.name!r}; found {endless.len():,} "
            "infinite ones. Leave these rows unlabelled, or write the number."
        )
    largest = label.abs().max()
    if isinstance(largest, float) and largest > LARGEST:
        raise TaskError(
            f"Expected labels of {domain.name!r} below {LARGEST:g} in size; found {largest:g}. "
            "Mend them, or leave these rows unlabelled."
        )

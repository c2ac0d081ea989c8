"""Which source rows count most: the weights that an arm gave, told by source and segment.

Before: the steps of an arm weighed the rows of sources.  After: a person sees how many
equal rows the weighted ones are worth (Kish), and which kinds of rows were raised or
lowered.  A segment is a value of a category, or a quarter of a number's range by count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from acclimate.arrays import Array, Bools
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.strategies.instance.weighting import effective_rows

SHOWN = 12  # segments, those whose share changed most
LEAST = 0.01  # of a source, by which a segment's share must change to be told
MOST_VALUES = 50  # of a category, the most frequent first


class SourceRows(NamedTuple):
    """What a source's rows weigh together.

    share_of_rows, share_of_weight  0 … 1, among all sources whose rows are seen
    effective  (Σw)² / Σw², the equal rows that weigh as much
    """

    source: str
    rows: int
    effective: float
    share_of_rows: float
    share_of_weight: float


class Segment(NamedTuple):
    """What a kind of rows weighs within its source; shares are of that source, 0 … 1."""

    source: str
    segment: str
    share_of_rows: float
    share_of_weight: float


def weighed_rows(sources: Sequence[Source]) -> list[SourceRows]:
    """One row a source, of an arm that weighed rows; none where every row counts the same."""
    seen = [s for s in sources if s.seen and s.n]
    weights = [np.ones(s.n) if s.weight is None else s.weight for s in seen]
    if not weights or not np.ptp(np.concatenate(weights)) > 0:
        return []
    rows, mass = sum(map(len, weights)), sum(float(w.sum()) for w in weights)
    return [
        SourceRows(
            source.name,
            len(w),
            effective_rows(w) if w.any() else 0.0,
            len(w) / rows,
            float(w.sum()) / mass,
        )
        for source, w in zip(seen, weights, strict=True)
    ]


def weighed_segments(sources: Sequence[Source]) -> list[Segment]:
    """The segments whose share of their source weighting changed most, most changed first."""
    found: list[Segment] = []
    for source in sources:
        if not source.seen or source.weight is None or not source.weight.any():
            continue
        rows, share = source.sample, source.weight / source.weight.sum()
        if isinstance(rows, Rows):
            found += [
                Segment(source.name, name, float(those.mean()), float(share[those].sum()))
                for name, those in segments(rows)
            ]
    told = [s for s in found if abs(s.share_of_weight - s.share_of_rows) >= LEAST]
    told.sort(key=lambda s: -abs(s.share_of_weight - s.share_of_rows))
    return told[:SHOWN]


def segments(rows: Rows) -> Iterator[tuple[str, Bools]]:
    """Each segment's name and which rows (n,) it holds."""
    for name, kind in rows.types.items():
        if name not in rows.columns.columns:
            continue
        column = rows.columns[name]
        if kind == ColumnType.CATEGORY:
            counted = column.drop_nulls().alias("value").value_counts(name="n")
            counted = counted.sort("n", "value", descending=[True, False])
            for value in counted["value"].head(MOST_VALUES):
                yield f"{name} = {value}", (column == value).fill_null(False).to_numpy()
        elif kind == ColumnType.NUMERIC:
            yield from quarters(name, column.cast(float).fill_null(np.nan).to_numpy())


def quarters(name: str, values: Array) -> Iterator[tuple[str, Bools]]:
    """A number's four ranges of about as many rows each; nothing where it takes one value."""
    known = values[np.isfinite(values)]
    if not len(known) or not np.ptp(known) > 0:
        return
    ends = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    lows, highs = [-np.inf, *ends], [*ends, np.inf]
    for low, high in zip(lows, highs, strict=True):
        those = np.isfinite(values) & (values > low) & (values <= high)
        if those.any():
            left = "" if low == -np.inf else f"{low:.4g} < "
            right = "" if high == np.inf else f" ≤ {high:.4g}"
            yield f"{left}{name}{right}", those

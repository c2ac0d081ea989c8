"""What differs between two domains, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array
from acclimate.errors import DataError

COLUMN_ROWS = 50_000  # rows a side whose columns are compared one by one


@dataclass(frozen=True)
class ColumnShift:
    """How one column differs between two domains.

    difference  target mean less source mean over known values, in pooled standard
                deviations; None where a side knows no value or nothing varies
    ks          in [0, 1], largest gap between the two distribution functions
    p           in [0, 1], of `ks`, asymptotic, Holm-adjusted over the columns
    missing     in [−1, 1], share missing in the target less that in the source
    """

    name: str
    difference: float | None
    ks: float
    p: float
    missing: float


def column_shift(xs: ArrayLike, xt: ArrayLike, names: Sequence[str]) -> list[ColumnShift]:
    """What differs, column by column, the largest first (by `ks`, then by name).

    xs, xt   (n_source, d), (n_target, d); NaN is a missing value
    names    d names
    returns  d entries

    Past 50,000 rows a side, as many evenly spaced ones stand for all: `ks` is then off by
    less than 0.006 a side, 19 times in 20 (Kolmogorov's 1.36/√n).

    Source: two-sample Kolmogorov-Smirnov test; Holm 1979.  Departure: a missing
    value counts as one below all others, so a column that only one side fills in
    has `ks` 1.  With ties p is conservative.

    Raises DataError if a side is no (rows, columns) matrix, has no row, or the
    numbers of columns and names differ.
    """
    from scipy.stats import ks_2samp

    s, t = np.asarray(xs, dtype=np.float64), np.asarray(xt, dtype=np.float64)
    wanted = len(names)
    if any(x.ndim != 2 or len(x) == 0 or x.shape[1] != wanted for x in (s, t)):
        raise DataError(
            f"Expected rows of {wanted} named columns on both sides, found shapes {s.shape} "
            f"(source) and {t.shape} (target). Pass one name a column, in one order."
        )
    s, t = (
        x if len(x) <= COLUMN_ROWS else x[np.linspace(0, len(x) - 1, COLUMN_ROWS).astype(int)]
        for x in (s, t)
    )
    ks, p = np.zeros(wanted), np.ones(wanted)
    for j in range(wanted):
        a, b = (np.where(np.isnan(x[:, j]), -np.inf, x[:, j]) for x in (s, t))
        tested = ks_2samp(a, b, method="asymp")
        ks[j], p[j] = tested.statistic, tested.pvalue
    adjusted = _holm(p)
    found = [
        ColumnShift(
            name=str(names[j]),
            difference=_standardised_difference(s[:, j], t[:, j]),
            ks=float(ks[j]),
            p=float(adjusted[j]),
            missing=float(np.isnan(t[:, j]).mean() - np.isnan(s[:, j]).mean()),
        )
        for j in range(wanted)
    ]
    return sorted(found, key=lambda shift: (-shift.ks, shift.name))


def _holm(p: Array) -> Array:
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _standardised_difference(a: Array, b: Array) -> float | None:
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if len(a) == 0 or len(b) == 0:
        return None
    spread = float(np.sqrt((a.var() + b.var()) / 2.0))
    return float(b.mean() - a.mean()) / spread if spread > 0.0 else None

"""A Gap: one measured distance between two domains, with its interval and its null.

Before: a task turned both domains into arrays.  After: `plans` reads the gaps
to choose what to try, and `reports` shows them.  Every measure of this folder
takes arrays, checks them with the functions below, and fits no model of ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError


@dataclass(frozen=True)
class Gap:
    """What one measure says about one source and one target.

    measure             its name, e.g. `"mmd2"`; its function says whether high is far or near
    source, target      names of the two domains
    value               in the units of the measure; may be negative where an unbiased one is
    low, high           95 % interval of `value`; None where the measure has none
    p                   in (0, 1], chance of so large a value were the domains one; or None
    null_low, null_high  2.5 % and 97.5 % quantiles of `value` were the domains one; or None
    n_source, n_target  rows (users, ids) that were looked at; 0 where a side is not looked at
    sentence            the finding in plain words
    """

    measure: str
    source: str
    target: str
    value: float
    low: float | None
    high: float | None
    p: float | None
    null_low: float | None
    null_high: float | None
    n_source: int
    n_target: int
    sentence: str

    def as_row(self) -> dict[str, object]:
        """The fields by name, ready for JSON: a number that is not finite becomes None."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def __str__(self) -> str:
        return self.sentence


def _plain(value: object) -> object:
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def as_matrix(x: ArrayLike, side: str, at_least: int = 2) -> Array:
    """`x` as a finite matrix of floats.

    x         (n, d)  numbers, d ≥ 1
    side      how to call it in a refusal: `"source"`, `"target"`
    at_least  ≥ 1     rows that the measure needs
    returns   (n, d)

    Raises DataError if `x` is not numeric, not two-dimensional, has too few
    rows, no column, or values that are missing or infinite.
    """
    try:
        matrix = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"Expected numbers for the {side} rows, found values that are not ({error}). "
            "Pass the numeric view of the domain."
        ) from error
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise DataError(
            f"Expected a (rows, columns) matrix for the {side}, found shape {matrix.shape}. "
            "Pass one row per observation and at least one column."
        )
    if len(matrix) < at_least:
        raise DataError(
            f"Expected at least {at_least} {side} rows, found {len(matrix)}. "
            "Gather more rows, or leave this measure out."
        )
    bad = int(np.count_nonzero(~np.isfinite(matrix)))
    if bad:
        raise DataError(
            f"Expected finite numbers for the {side}, found {bad} missing or infinite values. "
            "Fill them in first, or ask `column_shift`, which takes missing values."
        )
    return matrix


def as_pair(xs: ArrayLike, xt: ArrayLike, at_least: int = 2) -> tuple[Array, Array]:
    """Both sides as finite matrices with the same columns.

    xs        (n_source, d)
    xt        (n_target, d)
    at_least  ≥ 1  rows that the measure needs on each side

    Raises DataError as `as_matrix` does, and if the numbers of columns differ.
    """
    s, t = as_matrix(xs, "source", at_least), as_matrix(xt, "target", at_least)
    if s.shape[1] != t.shape[1]:
        raise DataError(
            f"Expected the same columns on both sides, found {s.shape[1]} in the source and "
            f"{t.shape[1]} in the target. Keep the columns that both have, in one order."
        )
    return s, t


def as_codes(y: ArrayLike, side: str, n_classes: int) -> Ints:
    """Labels as class codes.

    y          (n,)  whole numbers in [0, n_classes), n ≥ 1
    n_classes  ≥ 2
    returns    (n,)

    Raises DataError if there are fewer than two classes, no label, or a label
    that is no code; an unknown label is absent, never -1.
    """
    if n_classes < 2:
        raise DataError(
            f"Expected at least 2 classes, found {n_classes}. "
            "Shares of a single class cannot differ; leave this measure out."
        )
    found = np.asarray(y)
    if found.ndim != 1 or len(found) == 0 or found.dtype.kind not in "iub":
        raise DataError(
            f"Expected a non-empty list of whole class codes for the {side}, found shape "
            f"{found.shape} of {found.dtype}. Encode the classes as 0 to {n_classes - 1}."
        )
    codes = found.astype(np.int64)
    if codes.min() < 0 or codes.max() >= n_classes:
        raise DataError(
            f"Expected {side} labels in 0 to {n_classes - 1}, found {codes.min()} to "
            f"{codes.max()}. Drop the rows without a label, or raise the number of classes."
        )
    return codes


def permutation_p(value: float, null: Array) -> float:
    """Share of the null at or above `value`, the value itself counted in.

    null     (b,)  the measure under b random exchanges of rows
    returns  (1 + #{null ≥ value}) / (1 + b), so never 0; a tie broken by rounding counts
    """
    slack = 1e-12 * max(1.0, abs(value))
    return float((1 + np.count_nonzero(null >= value - slack)) / (1 + len(null)))

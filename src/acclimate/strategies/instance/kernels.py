"""Gaussian kernels between rows of two markets, on the columns a linear model adds up.

    k(x, y) = exp(−‖x − y‖² / (2σ²))

Rows are the design of `models.design` without its intercept: standardised numbers, a
one-hot column for each code above 0, tf-idf text of length 1.  Two rows that differ in a
category alone are √2 apart, as far as two texts without a common n-gram.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.models.design import design, stack_views
from acclimate.rng import Rng

PAIRED = 1000  # rows whose distances to each other stand for all


def columns(source: RowView, target: RowView) -> tuple[Any, Any]:
    """The design's rows of both sides under the same columns.

    returns  (n_source, a) and (n_target, a), dense or CSR, without the intercept
    """
    both = stack_views([replace(source, label=None), replace(target, label=None)])
    matrix = design(both).matrix[:, 1:]
    return matrix[: source.n], matrix[source.n :]


def squared_distances(a: Any, b: Any) -> Array:
    """(n, m) ‖a_i − b_j‖² between rows, dense or CSR."""
    product = a @ b.T
    product = product if isinstance(product, np.ndarray) else product.toarray()
    between: Array = np.maximum(_lengths(a)[:, None] + _lengths(b) - 2 * product, 0.0)
    return between


def gaussian(a: Any, b: Any, width: float) -> Array:
    """(n, m) exp(−‖a_i − b_j‖² / (2 width²)).

    width  > 0, σ
    """
    kernel: Array = np.exp(squared_distances(a, b) / (-2 * width**2))
    return kernel


def median_distance(source: Any, target: Any, rng: Rng) -> float:
    """The median distance between two different rows, whichever side they are of.

    At most 1,000 rows of each side are drawn for it.  1 where half of all rows are equal
    and so are the others: any width serves then.
    """
    drawn = [
        side[np.sort(rng.child(name).generator().permutation(side.shape[0])[:PAIRED])]
        for name, side in (("source", source), ("target", target))
    ]
    within = [
        squared_distances(side, side)[np.triu_indices(side.shape[0], 1)] for side in drawn
    ]
    between = squared_distances(*drawn).ravel()
    every = np.concatenate([*within, between])
    middle = float(np.median(every))
    if middle <= 0:
        apart = every[every > 0]
        middle = float(np.median(apart)) if len(apart) else 1.0
    return float(np.sqrt(middle))


def _lengths(rows: Any) -> Array:
    """(n,) squared length of each row."""
    if isinstance(rows, np.ndarray):
        return np.asarray((rows**2).sum(axis=1), np.float64)
    return np.asarray(rows.multiply(rows).sum(axis=1), np.float64).ravel()

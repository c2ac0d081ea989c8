"""Errors of predicted numbers, each under many weightings of the units at once.

A bootstrap replicate is a weighting of units; what a unit's rows sum to is worked out
once.  Root mean squared error and R² are no means over units: they are worked out from
weighted sums for each replicate.  Definitions as in scikit-learn, which the tests compare
with.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Ints


def mean(each: Array, units: Ints, weight: Array) -> Array:
    """(B,) the mean over rows of something that each row has.

    each    (n,)
    units   (n,) unit of each row, 0 … n_units − 1
    weight  (B, n_units) ≥ 0
    """
    total, count = _sums(each, units, weight), _sums(np.ones(len(each)), units, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / count)


def root_mean_squared(y: Array, guess: Array, units: Ints, weight: Array) -> Array:
    """(B,) √(Σ w (y − ŷ)² / Σ w); shapes as `mean`."""
    return np.sqrt(mean((y - guess) ** 2, units, weight))


def explained(y: Array, guess: Array, units: Ints, weight: Array) -> Array:
    """(B,) R² = 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)², ȳ the mean under the same weights.

    At most 1, and below 0 where ȳ would have been nearer; NaN where all y are one number.
    """
    # Around a point near ȳ, or the sums of large numbers would leave no digit of a spread.
    away = y - y.mean()
    squares = mean(away**2, units, weight) - mean(away, units, weight) ** 2
    wrong = mean((y - guess) ** 2, units, weight)
    flat = squares <= 1e-14 * float((away**2).max(initial=0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(flat, np.nan, 1.0 - wrong / squares))


def pinball(y: Array, guess: Array, level: float) -> Array:
    """(n,) level·(y − q)⁺ + (1 − level)·(q − y)⁺, least at the quantile of the level.

    Source: Koenker & Bassett, Econometrica 1978.
    """
    above = y - guess
    return np.asarray(np.maximum(level * above, (level - 1.0) * above))


def _sums(each: Array, units: Ints, weight: Array) -> Array:
    """(B,) Σ over rows, a row as heavy as its unit."""
    found: Array = weight @ np.bincount(units, each, minlength=weight.shape[1])
    return found

"""The domain classifier: ridge regression on ±1 labels, its ridge chosen by nested folds.

Before: `covariates` stacked both domains.  After: its held-out errors become the
proxy A-distance.  Closed form, so that the true labels and every permutation of
them are fitted at once.  Source of the features: Rahimi & Recht, NIPS 2007, Algorithm 1.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.rng import Rng

RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # in units of a column's variance, which is 1


def pooled_ranks(pooled: Array) -> Array:
    """Each column by its ranks over both domains, mean 0 and variance 1.

    pooled   (n, d)
    returns  (n, d); ties share their mean rank, a constant column is 0

    Ranks take no notice of units and of single huge values.  They are made
    without the labels, so no held-out label leaks into a fit.
    """
    from scipy.stats import rankdata

    return unit_variance(np.asarray(rankdata(pooled, axis=0), dtype=np.float64))


def fourier_features(x: Array, count: int, bandwidth: float, rng: Rng) -> Array:
    """cos(ωᵀx + b), ω ~ N(0, I/σ²), b ~ U(0, 2π): products approach a Gaussian kernel.

    x          (n, d)
    count      ≥ 1
    bandwidth  σ > 0, in the units of x
    returns    (n, count), mean 0 and variance 1 a column
    """
    generator = rng.generator()
    omega = generator.standard_normal((x.shape[1], count)) / bandwidth
    phase = generator.uniform(0.0, 2.0 * np.pi, count)
    return unit_variance(np.cos(x @ omega + phase))


def nested_errors(x: Array, y: Array, fold: Ints, folds: int) -> Array:
    """Held-out error of each column of labels, its ridge chosen without that fold.

    x        (n, q)  columns of unit variance
    y        (n, c)  labels ±1, a problem a column
    fold     (n,)    in [0, folds)
    returns  (c,)    in [0, 1]
    """
    parts = [fold == k for k in range(folds)]
    ones = np.hstack([x, np.ones((len(x), 1))])
    gram = [ones[rows].T @ ones[rows] for rows in parts]  # (q + 1, q + 1) each
    cross = [ones[rows].T @ y[rows] for rows in parts]  # (q + 1, c) each
    whole_gram, whole_cross = np.sum(gram, axis=0), np.sum(cross, axis=0)

    def weights(*left_out: int) -> Array:
        """Of a fit on the folds not left out, each ridge in turn.  (q + 1, ridges · c)"""
        G = whole_gram - np.sum([gram[k] for k in left_out], axis=0)
        b = whole_cross - np.sum([cross[k] for k in left_out], axis=0)
        free = np.append(np.ones(len(G) - 1), 0.0)  # the intercept is not held down
        n = G[-1, -1]
        return np.hstack([np.linalg.solve(G + np.diag(n * r * free), b) for r in RIDGES])

    def wrong(test: int, w: Array) -> Array:
        """How many rows of fold `test` each fit gets wrong.  (ridges, c)"""
        rows, truth = ones[parts[test]], y[parts[test]] > 0.0
        named = (rows @ w > 0.0).reshape(len(rows), len(RIDGES), -1)
        mistakes: Array = (named != truth[:, None, :]).sum(axis=0, dtype=np.float64)
        return mistakes

    # A fit without folds j and k is tried on j while k is held out, and on k while j is.
    inner = np.zeros((folds, len(RIDGES), y.shape[1]))
    for j, k in combinations(range(folds), 2):
        w = weights(j, k)
        inner[k] += wrong(j, w)
        inner[j] += wrong(k, w)
    chosen = inner.argmin(axis=1)  # (folds, c)
    each = np.arange(y.shape[1])
    total = [wrong(k, weights(k))[chosen[k], each] for k in range(folds)]
    errors: Array = np.sum(total, axis=0) / len(x)
    return errors


def unit_variance(x: Array) -> Array:
    """Columns with mean 0 and variance 1; a constant column becomes 0.  (n, d)"""
    spread = x.std(axis=0)
    # The spread of a constant column is rounding error; dividing by it would make noise.
    varies = spread > 1e-12 * np.abs(x).max(axis=0)
    return np.where(varies, (x - x.mean(axis=0)) / np.where(varies, spread, 1.0), 0.0)

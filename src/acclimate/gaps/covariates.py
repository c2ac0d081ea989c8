"""Do the rows of two domains look alike?  MMD² and proxy A-distance.

Sources: Gretton et al., JMLR 13 (2012), eq. 3 (MMD²).  Ben-David, Blitzer, Crammer
& Pereira, NIPS 2006 (proxy A-distance).  Departures stand at each function.

Rows are taken as independent.  Where one user has many rows, pass one row a
user: a permutation of dependent rows gives bands that are too narrow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array
from acclimate.errors import DataError
from acclimate.gaps.classifier import (
    fourier_features,
    nested_errors,
    pooled_ranks,
    unit_variance,
)
from acclimate.gaps.gap import Gap, as_pair, permutation_p
from acclimate.rng import Rng

BLOCK_ROWS = 2048  # rows of a kernel block; bounds memory, changes no result
MEDIAN_ROWS = 2000  # rows of the pooled sample whose distances enter the median
BAND = (0.025, 0.975)  # quantiles of the null that are shown
Z_95 = 1.959964  # two-sided 95 % of the normal


def median_bandwidth(xs: ArrayLike, xt: ArrayLike) -> float:
    """The median distance between two rows of the pooled sample.

    xs       (n_source, d)
    xt       (n_target, d)
    returns  > 0, in the units of the columns

    Source: Gretton et al. 2012, section 8.  Departures: past 2,000 pooled rows
    every k-th row stands for all; where more than half of the distances are 0
    the median is over the others, and rows that are all alike give 1.

    Raises DataError as `as_pair` does.
    """
    from scipy.spatial.distance import pdist

    pooled = np.vstack(as_pair(xs, xt))
    if len(pooled) > MEDIAN_ROWS:
        pooled = pooled[np.linspace(0, len(pooled) - 1, MEDIAN_ROWS).astype(np.int64)]
    distances = pdist(pooled)
    median = float(np.median(distances))
    if median == 0.0:
        apart = distances[distances > 0.0]
        median = float(np.median(apart)) if len(apart) else 1.0
    return median


def mmd2_unbiased(xs: ArrayLike, xt: ArrayLike, bandwidth: float | None = None) -> float:
    """Squared maximum mean discrepancy under a Gaussian kernel; high is far.

        MMD²_u = Σ_{i≠j} k(x_i, x_j) / m(m−1) + Σ_{i≠j} k(y_i, y_j) / n(n−1)
                 − 2 Σ_{i,j} k(x_i, y_j) / mn,      k(x, y) = exp(−‖x − y‖² / 2σ²)

    xs         (n_source, d)
    xt         (n_target, d)
    bandwidth  σ > 0, in the units of the columns; default `median_bandwidth`
    returns    in [−2, 2], unitless.  Unbiased, so it is below 0 about half the
               time when the domains are one; it is clamped nowhere.

    Source: Gretton et al. 2012, eq. 3.  Columns are taken in the units given.
    Time is quadratic in the rows; memory is linear.

    The value for x ~ N(m₁, s²I), y ~ N(m₂, s²I) in d columns: x − y ~ N(δ, 2s²I)
    with δ = m₁ − m₂, and integrating the kernel over that Gaussian gives
    E k(x, y) = (σ²/(σ² + 2s²))^{d/2} exp(−‖δ‖² / 2(σ² + 2s²)); with δ = 0 for two
    rows of one side.  So MMD² = 2 (σ²/(σ² + 2s²))^{d/2} (1 − exp(−‖δ‖² / 2(σ² + 2s²))).

    Raises DataError as `as_pair` does, and if the bandwidth is not above 0.
    """
    s, t = as_pair(xs, xt)
    sigma = median_bandwidth(s, t) if bandwidth is None else _above_zero(bandwidth)
    m, n = len(s), len(t)
    k_ss = _kernel_sum(s, s, sigma) - m  # k(x, x) = 1: without the diagonal
    k_tt = _kernel_sum(t, t, sigma) - n
    k_st = _kernel_sum(s, t, sigma)
    return k_ss / (m * (m - 1)) + k_tt / (n * (n - 1)) - 2.0 * k_st / (m * n)


def mmd_test(
    xs: ArrayLike,
    xt: ArrayLike,
    rng: Rng,
    permutations: int = 200,
    at_most: int = 1000,
    *,
    bandwidth: float | None = None,
    standardise: bool = True,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """MMD² with its permutation p-value; high is far.

    xs, xt        (n_source, d), (n_target, d)
    permutations  ≥ 19; p = (1 + #{permuted ≥ observed}) / (1 + permutations)
    at_most       ≥ 2, rows a side; more are subsampled by `rng`
    bandwidth     σ > 0 in units of the scaled columns; default `median_bandwidth`
    standardise   give pooled columns unit variance first, so that a price in yen
                  does not drown the rest; the labels play no part, so p stays exact
    returns       `value` as `mmd2_unbiased` of the rows looked at, `p`, and the
                  band of the permuted values; no interval

    Source: Gretton et al. 2012, eq. 3; p with the observed value counted in.
    Departures: subsampling and scaling.  All permutations share one kernel matrix.

    Raises DataError as `as_pair` does, and for settings out of range.
    """
    s, t = as_pair(xs, xt)
    _at_least("permutations", permutations, 19)
    _at_least("at_most", at_most, 2)
    s = _sample(s, at_most, rng.child("mmd/source"))
    t = _sample(t, at_most, rng.child("mmd/target"))
    pooled = np.vstack([s, t])
    if standardise:
        pooled = unit_variance(pooled)
    m, n = len(s), len(t)
    sigma = (
        median_bandwidth(pooled[:m], pooled[m:])
        if bandwidth is None
        else _above_zero(bandwidth)
    )
    K = _kernel(pooled, pooled, sigma)  # (m + n, m + n)

    first = np.zeros((m + n, 1 + permutations))  # 1 where a row plays the source
    first[:m] = 1.0
    generator = rng.child("mmd/permutations").generator()
    first[:, 1:] = generator.permuted(first[:, 1:], axis=0)
    within = np.einsum("ij,ij->j", first, K @ first)  # zᵀKz
    touching = K.sum(axis=1) @ first  # zᵀK1
    k_st = touching - within
    k_tt = K.sum() - 2.0 * touching + within - n
    k_ss = within - m
    values = k_ss / (m * (m - 1)) + k_tt / (n * (n - 1)) - 2.0 * k_st / (m * n)

    value, null = float(values[0]), values[1:]
    p = permutation_p(value, null)
    low, high = (float(q) for q in np.quantile(null, BAND))
    numbers = f"MMD² {value:.2g}, p {p:.2g}, one domain split in two stays below {high:.2g}"
    sentence = (
        f"{target}'s rows differ from {source}'s ({numbers})"
        if p <= 0.05
        else f"No difference shows between {target}'s rows and {source}'s ({numbers})"
    )
    return Gap("mmd2", source, target, value, None, None, p, low, high, m, n, sentence)


def proxy_a_distance(
    xs: ArrayLike,
    xt: ArrayLike,
    rng: Rng,
    folds: int = 5,
    at_most: int = 2000,
    permutations: int = 100,
    *,
    fourier: int = 100,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """How well a classifier tells the domains apart: 2(1 − 2·error) less its null mean.

    xs, xt        (n_source, d), (n_target, d)
    folds         ≥ 3, outer folds; the ridge is chosen over the remaining folds
    at_most       ≥ folds, rows a side; both sides are cut to one number of rows
    permutations  ≥ 19, of the domain labels, within folds
    fourier       ≥ 0, random Fourier features beside the columns (0: linear only)
    returns       `value`: 0 for identical domains, near 2 for disjoint ones; high is
                  far.  `null_low`, `null_high`: the band identical domains give.
                  `low`, `high`: Wilson interval of the error over held-out rows, each
                  fold's classifier taken as given, so somewhat too narrow.

    Source: Ben-David et al. 2006.  Departures: (1) the mean over permuted labels
    is taken off, so that chance reads 0, and nothing is clipped: a value may be
    below 0, or past 2 by as much as the null mean is below 0; (2) the classifier is
    a ridge regression on labels ±1 over pooled ranks and their Fourier features, in
    place of the paper's linear one under a Huber loss: closed form, blind to monotone
    units, and able to see a difference that is not in the means; (3) ridge by nested folds.

    Raises DataError as `as_pair` does, with fewer rows a side than folds, and for
    settings out of range.
    """
    from threadpoolctl import threadpool_limits

    _at_least("folds", folds, 3)
    _at_least("permutations", permutations, 19)
    _at_least("at_most", at_most, folds)
    _at_least("fourier", fourier, 0)
    s, t = as_pair(xs, xt, at_least=folds)
    m = min(len(s), len(t), at_most)
    s = _sample(s, m, rng.child("pad/source"))
    t = _sample(t, m, rng.child("pad/target"))
    x = pooled_ranks(np.vstack([s, t]))  # (2m, d)
    if fourier:
        sigma = median_bandwidth(x[:m], x[m:])
        x = np.hstack([x, fourier_features(x, fourier, sigma, rng.child("pad/fourier"))])
    fold = np.tile(np.arange(m) % folds, 2)  # as many of each domain in every fold

    y = np.ones((2 * m, 1 + permutations))  # column 0 is the truth
    y[:m] = -1.0
    generator = rng.child("pad/permutations").generator()
    for k in range(folds):
        rows = fold == k
        y[rows, 1:] = generator.permuted(y[rows, 1:], axis=0)

    # Many small products: a second thread waits longer than it works.
    with threadpool_limits(1):
        errors = nested_errors(x, y, fold, folds)
    distances = 2.0 * (1.0 - 2.0 * errors)
    centre = float(distances[1:].mean())
    value, null = float(distances[0]) - centre, distances[1:] - centre
    null_low, null_high = (float(q) for q in np.quantile(null, BAND))
    fewest, most = wilson_interval(float(errors[0]), 2 * m)
    low, high = (2.0 * (1.0 - 2.0 * error) - centre for error in (most, fewest))
    numbers = f"A-distance {value:.2f}, identical domains give up to {null_high:.2f}"
    sentence = (
        f"{target}'s rows can hardly be told apart from {source}'s ({numbers})"
        if value <= null_high
        else f"{target}'s rows can be told apart from {source}'s: a classifier names the "
        f"right one for {1.0 - errors[0]:.0%} of them ({numbers})"
    )
    p = permutation_p(value, null)
    return Gap(
        "a-distance", source, target, value, low, high, p, null_low, null_high, m, m, sentence
    )


def _kernel(a: Array, b: Array, sigma: float) -> Array:
    from scipy.spatial.distance import cdist

    distances: Array = cdist(a, b, "sqeuclidean")
    return np.exp(distances / (-2.0 * sigma**2))


def _kernel_sum(a: Array, b: Array, sigma: float) -> float:
    starts = range(0, len(a), BLOCK_ROWS)
    return float(sum(_kernel(a[i : i + BLOCK_ROWS], b, sigma).sum() for i in starts))


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in [0, 1], of n ≥ 1."""
    z2 = Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return float(middle - half), float(middle + half)


def _sample(x: Array, at_most: int, rng: Rng) -> Array:
    order = rng.generator().permutation(len(x))
    return x[order[:at_most]]


def _above_zero(bandwidth: float) -> float:
    if not (np.isfinite(bandwidth) and bandwidth > 0.0):
        raise DataError(
            f"Expected a bandwidth above 0, found {bandwidth}. "
            "Leave it out to use the median distance between rows."
        )
    return float(bandwidth)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise DataError(f"Expected {name} of at least {least}, found {value}. Raise {name}.")

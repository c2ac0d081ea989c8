"""Does the same row mean the same label in both domains?  Concept shift, by residuals.

The question is whether the label y and the domain d are independent given the row x.  Both are
regressed on x over the pooled rows, out of fold; where nothing is left that connects the two
residuals, at any x, the concept is the same.  A difference in the rows alone is no difference
here, as d's regression takes it away.

Source: Shah & Peters, Annals of Statistics 48 (2020), generalised covariance measure;
Scheidegger, Hörrmann & Bühlmann, Journal of Machine Learning Research 23 (2022), its weighted
form, here with fixed weight functions and the largest over them; the null of a maximum by
Gaussian multipliers (Chernozhukov, Chetverikov & Kato, Annals of Statistics 41 (2013)), as in
the former's section on several variables.  Departures: the
weight functions are 1 and each column's ranks; the regressions are ridge over ranks and their
Fourier features, as in the proxy A-distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError
from acclimate.gaps.classifier import RIDGES, fourier_features, pooled_ranks
from acclimate.gaps.covariates import median_bandwidth
from acclimate.gaps.gap import Gap, as_pair
from acclimate.rng import Rng


def concept_shift(
    xs: ArrayLike,
    ys: ArrayLike,
    xt: ArrayLike,
    yt: ArrayLike,
    rng: Rng,
    folds: int = 5,
    at_most: int = 2000,
    draws: int = 999,
    *,
    fourier: int = 50,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """How strongly the domain moves the label at a given row: a largest partial correlation.

        R_ik = (y_i − f̂(x_i)) · (d_i − ê(x_i)) · w_k(x_i),
        value = max_k |mean R_k| / sd R_k,   p from max_k of √n |mean ε R_k| / sd R_k

    xs, xt   (n_source, d), (n_target, d)  finite
    ys, yt   (n,) numbers or (n, c) indicators of classes, the same columns on both sides
    folds    ≥ 2, out of which both regressions answer
    at_most  ≥ 2 · folds, rows a side; more are subsampled by `rng`
    draws    ≥ 19, of the null
    returns  `value` ≥ 0; p and the band of the null.  Sampling alone lifts it

    Raises DataError as `as_pair` does, for labels of another shape, for fewer rows a side than
    two in every fold, and for settings out of range.
    """
    for name, number, least in (("folds", folds, 2), ("draws", draws, 19)):
        if number < least:
            raise DataError(
                f"Expected {name} of at least {least}, found {number}. Raise {name}."
            )
    s, t = as_pair(xs, xt, at_least=2 * folds)
    u, v = _labels(ys, len(s), "source"), _labels(yt, len(t), "target")
    if u.shape[1] != v.shape[1]:
        raise DataError(
            f"Expected labels of the same columns on both sides, found {u.shape[1]} in the "
            f"source and {v.shape[1]} in the target. Give both the same classes."
        )
    kept = [
        rng.child(f"concept/{side}").generator().permutation(len(x))[:at_most]
        for side, x in (("source", s), ("target", t))
    ]
    s, u, t, v = s[kept[0]], u[kept[0]], t[kept[1]], v[kept[1]]
    m, n = len(s), len(t)
    ranks = pooled_ranks(np.vstack([s, t]))
    x = ranks
    if fourier:
        sigma = median_bandwidth(ranks[:m], ranks[m:])
        waves = fourier_features(ranks, fourier, sigma, rng.child("concept/fourier"))
        x = np.hstack([ranks, waves])
    fold = np.concatenate([np.arange(m) % folds, np.arange(n) % folds])
    domain = np.r_[np.zeros(m), np.ones(n)][:, None]
    left = np.hstack([np.vstack([u, v]), domain])
    left = left - _out_of_fold(x, left, fold, folds)
    weight = np.hstack([np.ones((m + n, 1)), ranks])  # (n, 1 + d)
    R = (left[:, :-1, None] * left[:, -1:, None] * weight[:, None, :]).reshape(m + n, -1)
    spread = R.std(axis=0)
    varies = spread > 1e-12
    R, spread = R[:, varies], spread[varies]
    if not R.shape[1]:
        raise DataError(
            "Expected labels that vary beyond what the rows tell, found none. Leave this "
            "measure out."
        )
    size = np.sqrt(m + n)
    value = float(np.max(np.abs(R.mean(axis=0)) / spread))
    sure = rng.child("concept/null").generator().standard_normal((draws, m + n))
    null = np.max(np.abs(sure @ ((R - R.mean(axis=0)) / spread)) / size, axis=1) / size
    p = float((1 + np.count_nonzero(null >= value)) / (1 + draws))
    low, high = (float(q) for q in np.quantile(null, [0.025, 0.975]))
    numbers = f"partial correlation {value:.2f}, p {p:.2g}, one meaning gives up to {high:.2f}"
    sentence = (
        f"The same row means another label in {target} than in {source} ({numbers})"
        if p <= 0.05
        else f"The same row means the same label in {target} and in {source}, as far as shows "
        f"({numbers})"
    )
    return Gap("concept-shift", source, target, value, None, None, p, low, high, m, n, sentence)


def _labels(y: ArrayLike, n: int, side: str) -> Array:
    found = np.asarray(y, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != n or not np.isfinite(found).all():
        raise DataError(
            f"Expected a finite label for each of {n} {side} rows, found shape {found.shape}. "
            "Pass numbers, or one column of 0 and 1 a class."
        )
    return found


def _out_of_fold(x: Array, y: Array, fold: Ints, folds: int) -> Array:
    """Ridge regressions of each column of y on x, each fold answered without it.  (n, c)

    The ridge of each is the one that is best on the fold after the one held out.
    """
    answer = np.empty_like(y)
    for held in range(folds):
        tried = (held + 1) % folds
        rest = fold != held
        inner = rest & (fold != tried) if folds > 2 else rest
        check = fold == tried if folds > 2 else rest
        wrong = np.stack(
            [((y[check] - _ridge(x[inner], y[inner], x[check], r)) ** 2).sum(0) for r in RIDGES]
        )
        best = wrong.argmin(axis=0)
        for number in np.unique(best):
            columns = np.flatnonzero(best == number)
            found = _ridge(x[rest], y[rest][:, columns], x[fold == held], RIDGES[number])
            answer[np.ix_(fold == held, columns)] = found
    return answer


def _ridge(x: Array, y: Array, asked: Array, ridge: float) -> Array:
    middle, mean = x.mean(axis=0), y.mean(axis=0)
    z = x - middle
    gram = z.T @ z + ridge * len(x) * np.eye(x.shape[1])
    found: Array = (asked - middle) @ np.linalg.solve(gram, z.T @ (y - mean)) + mean
    return found

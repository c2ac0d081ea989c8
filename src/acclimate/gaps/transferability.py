"""How well will a source do on the target?  Its ranking alone, LogME and LEEP.

Before: a source model has scored, embedded or classified target rows.  After: the
plan takes the sources in this order.  All three rank sources for one target; none
proves that a transfer helps, which is for the verdict.  High is near.

Sources: You, Liu, Wang & Long, ICML 2021 (LogME).  Nguyen, Hassner, Seeger &
Archambeau, ICML 2020 (LEEP).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array
from acclimate.errors import DataError
from acclimate.gaps.gap import Gap, as_codes, as_matrix
from acclimate.gaps.labels import as_probabilities
from acclimate.plurals import number_of
from acclimate.rng import Rng

BLOCK_DRAWS = 4_000_000  # bootstrap draws held at once; bounds memory, changes no result
PRECISIONS = (1e-10, 1e10)  # bounds of α and β, where the evidence is flat or unbounded


def source_ranking_power(
    scores: Mapping[str, ArrayLike],
    popularity: ArrayLike,
    rng: Rng,
    resamples: int = 1000,
    *,
    metric: str = "score",
    target: str = "target",
) -> list[Gap]:
    """How much better than the target's popularity each source alone ranks, best first.

    scores      source name → (n_users,)  a metric of each target user, high is good,
                by a model that saw that source only
    popularity  (n_users,)  the same metric of the same users, by the target's popularity
    resamples   ≥ 100, bootstrap draws of users, the same draws for every source
    metric      its name, for the sentence
    returns     a Gap a source: `value` the mean over users of score − popularity, in
                units of the metric; `low`, `high` its 95 % bootstrap percentile
                interval; `n_source` 0, as no row of the source is looked at

    The users must be of `fit` or `choose`, never of `judge`.  The interval is for one
    source; the best of many looks better than it is.

    Raises DataError if there is no source, the lengths differ, there are fewer than 2
    users, or a score is missing.
    """
    base = _per_user(popularity, "popularity")
    n = len(base)
    if not scores:
        raise DataError("Expected scores of at least one source, found none. Name a source.")
    if resamples < 100:
        raise DataError(f"Expected at least 100 resamples, found {resamples}. Raise resamples.")
    alone = {name: _per_user(found, name) for name, found in scores.items()}
    for name, found in alone.items():
        if len(found) != n:
            raise DataError(
                f"Expected a score for each of {n} users, found {len(found)} of source "
                f"{name!r}. Score the same users, in the same order, as popularity."
            )
    gains = np.column_stack([found - base for found in alone.values()])  # (n, sources)
    means = _bootstrap_means(gains, resamples, rng.child("ranking-power"))
    lows, highs = np.quantile(means, [0.025, 0.975], axis=0)

    gaps = []
    for j, (name, found) in enumerate(alone.items()):
        value, low, high = float(gains[:, j].mean()), float(lows[j]), float(highs[j])
        how = "as far as can be told like"
        if low > 0 or high < 0:
            how = "better than" if low > 0 else "worse than"
        sentence = (
            f"{name} alone ranks {how} popularity for {target} ({metric} {found.mean():.3f} "
            f"against {base.mean():.3f}; difference {value:+.3f}, 95 % {low:+.3f} to "
            f"{high:+.3f}; {number_of(n, 'user')})"
        )
        gaps.append(
            Gap(
                measure="source-ranking-power",
                source=name,
                target=target,
                value=value,
                low=low,
                high=high,
                p=None,
                null_low=None,
                null_high=None,
                n_source=0,
                n_target=n,
                sentence=sentence,
            )
        )
    return sorted(gaps, key=lambda gap: (-gap.value, gap.source))


def logme(
    features: ArrayLike,
    labels: ArrayLike,
    kind: Literal["classify", "regress"] = "classify",
) -> float:
    """Log of the maximum evidence of the labels given features, per row; high is near.

        log p(y | F, α, β) = n/2 log β + D/2 log α − n/2 log 2π
                             − β/2 ‖Fm − y‖² − α/2 mᵀm − ½ log|A|,
        A = αI + βFᵀF,  m = βA⁻¹Fᵀy;  α ← γ/mᵀm,  β ← (n − γ)/‖Fm − y‖²,
        γ = Σ βσ_i/(α + βσ_i)  over the eigenvalues σ_i of FᵀF

    features  (n, D)  of target rows by the source's model, n ≥ 2
    labels    (n,)    class codes ≥ 0, or real numbers with kind `"regress"`
    returns   unbounded, in nats a row; only its order over sources of one target means
              something.  For classes the mean over their one-against-rest columns.

    Source: You et al. 2021, section 4.  Departures: the iteration runs
    until α and β move by less than 1e-9 or 1,000 times (the authors stop at 1e-3
    or 10 times); both are kept in [1e-10, 1e10], beyond which useless features send α, and
    features that explain all send β, to infinity; classes without a row are left out.
    As in the paper the model has no intercept and features are not centred.

    Raises DataError as `as_matrix` does, if lengths differ, with fewer than two classes, or
    with labels that are missing.
    """
    F = as_matrix(features, "target")
    found = np.asarray(labels)
    if found.shape != (len(F),):
        raise DataError(
            f"Expected a label for each of {len(F)} rows, found shape {found.shape}. "
            "Pass both in the same row order."
        )
    if kind == "classify":
        top = int(found.max()) + 1 if found.dtype.kind in "iub" else 2
        codes = as_codes(found, "target", max(top, 2))
        classes = np.unique(codes)
        if len(classes) < 2:
            raise DataError(
                f"Expected labels of at least 2 classes, found class {classes[0]} only. "
                "With a single class every source is as good; leave LogME out."
            )
        Y = (codes[:, None] == classes).astype(np.float64)  # (n, classes)
    else:
        Y = as_matrix(found[:, None], "target labels")
    U, s, _ = np.linalg.svd(F, full_matrices=False)
    return float(np.mean([_evidence(U, s**2, y) for y in Y.T]))


def _evidence(U: Array, sigma: Array, y: Array) -> float:
    """The maximum of log p(y | F, α, β) / n, in the coordinates where FᵀF is diagonal.

    U      (n, r)  left singular vectors of F
    sigma  (r,)    squared singular values
    y      (n,)
    """
    n = len(y)
    z2 = (U.T @ y) ** 2  # (r,)
    outside = max(float(y @ y - z2.sum()), 0.0)  # ‖y‖² where F does not reach

    def parts(alpha: float, beta: float) -> tuple[float, float, float]:
        A = alpha + beta * sigma
        m2 = float((beta**2 * sigma * z2 / A**2).sum())  # mᵀm
        residual2 = float(((alpha / A) ** 2 * z2).sum()) + outside  # ‖Fm − y‖²
        return float((beta * sigma / A).sum()), m2, residual2

    alpha = beta = 1.0
    for _ in range(1000):
        gamma, m2, residual2 = parts(alpha, beta)
        before = alpha, beta
        alpha = _bounded(gamma, m2)
        beta = _bounded(n - gamma, residual2)
        if np.allclose(before, (alpha, beta), rtol=1e-9, atol=0.0):
            break
    _, m2, residual2 = parts(alpha, beta)
    # D/2 log α − ½ log|A|: directions outside of the r singular ones cancel.
    spent = 0.5 * float(np.log1p(beta * sigma / alpha).sum())
    fit = 0.5 * n * np.log(beta / (2.0 * np.pi)) - 0.5 * (beta * residual2 + alpha * m2)
    return float(fit - spent) / n


def leep(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Log expected empirical prediction; high is near.

        P(y, z) = 1/n Σ_{i: y_i = y} θ_z(x_i),   LEEP = 1/n Σ_i log Σ_z P(y_i | z) θ_z(x_i)

    probabilities  (n, k_source)  θ: the source's classifier on target rows
    labels         (n,)  class codes ≥ 0 of the target; need not be the source's classes
    returns        ≤ 0, in nats a row; 0 where source classes decide target classes.  At
                   least −H(y), the entropy of the target's class shares, which a
                   classifier that says the same of every row gives

    Source: Nguyen et al. 2020, section 3.  Departure: a source class with no
    probability anywhere is left out; P(y | z) is not defined there.

    Raises DataError for probabilities that are none, as `as_codes` does, and if the two
    sides have different lengths.
    """
    theta = as_probabilities(probabilities)
    found = np.asarray(labels)
    if found.shape != (len(theta),):
        raise DataError(
            f"Expected a label for each of {len(theta)} rows, found shape {found.shape}. "
            "Pass both in the same row order."
        )
    top = int(found.max()) + 1 if found.dtype.kind in "iub" else 2
    y = as_codes(found, "target", max(top, 2))
    theta = theta[:, theta.sum(axis=0) > 0.0]
    joint = np.eye(int(y.max()) + 1)[y].T @ theta / len(y)  # P(y, z)
    given = joint / joint.sum(axis=0)  # P(y | z)
    return float(np.log((given[y] * theta).sum(axis=1)).mean())


def _bounded(above: float, below: float) -> float:
    low, high = PRECISIONS
    return min(max(above / below, low), high) if below > 0.0 else high


def _per_user(found: ArrayLike, name: str) -> Array:
    scores = np.asarray(found, dtype=np.float64)
    if scores.ndim != 1:
        raise DataError(
            f"Expected one score a user of {name!r}, found shape {scores.shape}. "
            "Pass the metric of each user."
        )
    return as_matrix(scores[:, None], f"{name!r} score")[:, 0]


def _bootstrap_means(gains: Array, resamples: int, rng: Rng) -> Array:
    """Means of each column over users drawn with replacement.  (resamples, columns)"""
    n = len(gains)
    generator = rng.generator()
    size = max(1, BLOCK_DRAWS // n)
    means = np.empty((resamples, gains.shape[1]))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = generator.integers(0, n, (rows, n))
        offset = drawn + n * np.arange(rows)[:, None]
        counts = np.bincount(offset.ravel(), minlength=rows * n).reshape(rows, n)
        means[start : start + rows] = counts @ gains / n
    return means

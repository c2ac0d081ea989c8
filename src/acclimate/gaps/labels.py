"""Do the labels of two domains fall alike?  Shares where both are labelled, BBSE where not.

Source: Lipton, Wang & Smola, ICML 2018 (BBSE, arXiv:1802.03916).  Departures stand
at each function.  High total variation is far.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError
from acclimate.gaps.gap import Gap, as_codes, permutation_p
from acclimate.rng import Rng

WORST_CONDITION = 1e6  # past it, rounding and noise fill the weights


def label_shift(
    ys: ArrayLike,
    yt: ArrayLike,
    n_classes: int,
    rng: Rng,
    resamples: int = 1000,
    *,
    source: str = "source",
    target: str = "target",
    classes: Sequence[str] = (),
) -> Gap:
    """Total variation between the class shares of two labelled domains; high is far.

        TV = ½ Σ_c |share_s(c) − share_t(c)|

    ys, yt     (n_source,), (n_target,)  codes in [0, n_classes)
    classes    what the codes are called; without, they are told as numbers
    resamples  ≥ 19, bootstrap draws for the interval, and draws of the null
    returns    `value` in [0, 1]; `p` and the null band by dealing the pooled labels
               out again; `low`, `high`: value ∓ the 95 % quantile of ½‖D* − D‖₁ over
               bootstrap draws D* of D = share_s − share_t, cut to [0, 1]

    TV is never below 0, so sampling alone lifts it, and bootstrap percentiles of it
    miss a true 0 (coverage 0 % with five classes).  The interval used here rests
    on |TV(D) − TV(δ)| ≤ ½‖D − δ‖₁ instead: about 95 % with two classes, more than
    that, and wider than it need be, with many.

    Raises DataError as `as_codes` does, and for fewer than 19 resamples.
    """
    if resamples < 19:
        raise DataError(f"Expected at least 19 resamples, found {resamples}. Raise resamples.")
    s, t = as_codes(ys, "source", n_classes), as_codes(yt, "target", n_classes)
    m, n = len(s), len(t)
    in_source = np.bincount(s, minlength=n_classes)  # (n_classes,)
    in_target = np.bincount(t, minlength=n_classes)
    difference = in_source / m - in_target / n
    value = float(np.abs(difference).sum() / 2.0)

    again = rng.child("labels/bootstrap").generator()
    drawn = (
        again.multinomial(m, in_source / m, resamples) / m
        - again.multinomial(n, in_target / n, resamples) / n
    )  # (resamples, n_classes)
    reach = float(np.quantile(np.abs(drawn - difference).sum(axis=1) / 2.0, 0.95))

    dealt = (
        rng.child("labels/null")
        .generator()
        .multivariate_hypergeometric(in_source + in_target, m, size=resamples)
    )
    null = np.abs(dealt / m - (in_source + in_target - dealt) / n).sum(axis=1) / 2.0
    p = permutation_p(value, null)
    null_low, null_high = (float(q) for q in np.quantile(null, [0.025, 0.975]))

    moved = int(np.abs(difference).argmax())
    called = repr(classes[moved]) if classes else moved
    numbers = f"total variation {value:.2f}, p {p:.2g}, equal shares give up to {null_high:.2f}"
    sentence = (
        f"{target}'s labels fall otherwise than {source}'s: class {called} goes from "
        f"{in_source[moved] / m:.1%} to {in_target[moved] / n:.1%} ({numbers})"
        if p <= 0.05
        else f"No difference shows between {target}'s label shares and {source}'s ({numbers})"
    )
    return Gap(
        measure="label-shift",
        source=source,
        target=target,
        value=value,
        low=max(0.0, value - reach),
        high=min(1.0, value + reach),
        p=p,
        null_low=null_low,
        null_high=null_high,
        n_source=m,
        n_target=n,
        sentence=sentence,
    )


def joint_confusion(predicted: ArrayLike, truth: ArrayLike, n_classes: int) -> Array:
    """C[i, j] = share of held-out source rows predicted i whose class is j.

    predicted  (n,) codes, or (n, n_classes) probabilities (the soft form)
    truth      (n,) codes in [0, n_classes)
    returns    (n_classes, n_classes), sums to 1; row predicted, column true

    The rows must not be those the classifier was fitted on, whose confusion is
    too good: then the weights come out too small.

    Raises DataError as `as_codes` does, for probabilities that are none, and if
    the two sides have different lengths.
    """
    y = as_codes(truth, "held-out source", n_classes)
    votes = _votes(predicted, n_classes)
    if len(votes) != len(y):
        raise DataError(
            f"Expected a prediction for each of {len(y)} held-out labels, found {len(votes)}. "
            "Pass both in the same row order."
        )
    C: Array = votes.T @ np.eye(n_classes)[y] / len(y)
    return C


def bbse(confusion: ArrayLike, predicted_target: ArrayLike) -> Array:
    """Class weights w(c) = share_target(c) / share_source(c), without target labels.

    Solves C w = μ, with μ(i) the share of target rows predicted i.  It holds where
    only the shares changed: rows of one class look alike in both domains.

    confusion         (k, k) of `joint_confusion`, or its counts: row predicted, column true
    predicted_target  (n_target,) codes or (n_target, k) probabilities by the same
                      classifier, in the form that the confusion was made from
    returns           (k,) ≥ 0; weights · source shares sums to 1, and class by class
                      weights × source shares are the target's estimated shares

    Source: Lipton et al. 2018, w = C⁻¹μ.  Departures: weights below 0 are set to 0, and
    all are then rescaled so that the target's shares sum to 1 again; a nearly singular
    C (columns scaled to sum 1, condition past 1e6) is refused rather than answered.

    Raises DataError for a confusion that is not square, has entries below 0, lacks
    a class or cannot be inverted, and as `as_codes` does for the predictions.
    """
    C = np.asarray(confusion, dtype=np.float64)
    k = len(C)
    if C.ndim != 2 or C.shape != (k, k) or k < 2:
        raise DataError(
            f"Expected a square confusion of 2 or more classes, found shape {C.shape}. "
            "Make it with `joint_confusion` from held-out source rows."
        )
    if not np.isfinite(C).all() or C.min() < 0.0:
        raise DataError(
            "Expected counts or shares of 0 or more in the confusion, found others. "
            "Make it with `joint_confusion` from held-out source rows."
        )
    absent = np.flatnonzero(C.sum(axis=0) == 0.0)
    if len(absent):
        raise DataError(
            f"Expected held-out source rows of every class, found none of class "
            f"{', '.join(map(str, absent))}. Hold out more rows, or leave the class out."
        )
    C = C / C.sum()
    # By class, so that a rare class does not pass for one that cannot be told apart.
    if np.linalg.cond(C / C.sum(axis=0)) > WORST_CONDITION:
        raise DataError(
            "Expected a classifier whose predictions tell the classes apart, found a "
            "confusion that cannot be inverted. Use a better source model, or merge classes."
        )
    mu = _votes(predicted_target, k).mean(axis=0)
    weights = np.maximum(np.linalg.solve(C, mu), 0.0)
    rescaled: Array = weights / (weights @ C.sum(axis=0))
    return rescaled


def _votes(predicted: ArrayLike, n_classes: int) -> Array:
    """Predictions as rows that sum to 1.  (n, n_classes)"""
    found = np.asarray(predicted)
    if found.ndim != 2:
        codes: Ints = as_codes(found, "predicted", n_classes)
        return np.eye(n_classes)[codes]
    return as_probabilities(found, n_classes)


def as_probabilities(found: ArrayLike, n_classes: int | None = None) -> Array:
    """A matrix whose rows are probabilities.

    found      (n, k)  n ≥ 1
    n_classes  k, where it is known
    returns    (n, k)

    Raises DataError for another shape, values below 0, or rows that do not sum
    to 1 within 1e-4 (predictions may come in single precision).
    """
    theta = np.asarray(found, dtype=np.float64)
    if theta.ndim != 2 or len(theta) == 0 or n_classes not in (None, theta.shape[1]):
        raise DataError(
            f"Expected probabilities of shape (rows, {n_classes or 'classes'}), found "
            f"{theta.shape}. Pass one column a class."
        )
    if not np.isfinite(theta).all() or theta.min() < 0.0:
        raise DataError(
            "Expected probabilities of 0 or more, found values that are not. "
            "Pass probabilities, not logits or log-probabilities."
        )
    off = float(np.abs(theta.sum(axis=1) - 1.0).max())
    if off > 1e-4:
        raise DataError(
            f"Expected probabilities that sum to 1 in every row, found a row off by {off:.2g}. "
            "Pass probabilities of one softmax, not of separate labels."
        )
    return theta

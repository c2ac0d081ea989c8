"""Scores of class probabilities, each under many weightings of the rows at once.

A bootstrap replicate is a weighting; sorting happens once, replicates are rows
of a matrix.  Ties share one threshold, as in scikit-learn, which the tests compare with.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Bools, Ints


def log_losses(p: Array, label: Ints) -> Array:
    """(n,) −ln of the probability given to what was true, at most 34.5 (p ≥ 1e-15)."""
    losses: Array = -np.log(np.maximum(p[np.arange(len(label)), label], 1e-15))
    return losses


def average_precision(score: Array, positive: Bools, weight: Array) -> Array:
    """Area under the precision–recall curve as Σ (R_k − R_{k−1}) P_k.

    score     (n,) higher means more likely positive
    positive  (n,)
    weight    (B, n) ≥ 0
    returns   (B,), 0 … 1; NaN where no positive has weight
    """
    hit, seen = _cumulative(score, positive, weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(seen > 0, hit / seen, 0.0)
        recall = hit / hit[:, -1:]
    step = np.diff(recall, axis=1, prepend=0.0)
    return np.asarray((step * precision).sum(axis=1))


def roc_auc(score: Array, positive: Bools, weight: Array) -> Array:
    """Probability that a positive outranks a negative, ties counting half.

    Shapes as `average_precision`; NaN where one class has no weight.
    """
    hit, seen = _cumulative(score, positive, weight)
    false = seen - hit
    with np.errstate(invalid="ignore", divide="ignore"):
        rise, run = hit / hit[:, -1:], false / false[:, -1:]
    height = (rise + np.pad(rise[:, :-1], ((0, 0), (1, 0)))) / 2
    return np.asarray((np.diff(run, axis=1, prepend=0.0) * height).sum(axis=1))


def calibration_error(p: Array, label: Ints, bins: int = 10) -> float:
    """Expected calibration error of the predicted class (Guo et al., ICML 2017, eq. 3).

    Bins have equal width on the confidence of the predicted class.
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == label
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    share = np.bincount(bin_of, minlength=bins) / len(label)
    count = np.maximum(np.bincount(bin_of, minlength=bins), 1)
    gap = (
        np.bincount(bin_of, right, bins) / count - np.bincount(bin_of, confidence, bins) / count
    )
    return float((share * np.abs(gap)).sum())


def _cumulative(score: Array, positive: Bools, weight: Array) -> tuple[Array, Array]:
    """Weighted positives, and all rows, at or above each distinct score, highest first."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    sorted_weight = weight[:, order]
    hit = np.cumsum(sorted_weight * positive[order], axis=1)[:, last]
    seen = np.cumsum(sorted_weight, axis=1)[:, last]
    return hit, seen

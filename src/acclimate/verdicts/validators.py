"""Validators: score a classifier for a target whose labels nobody has.  Arrays in, numbers out.

Higher is better for each.  None is right alone: Musgrave, Belongie & Lim
(arXiv:2111.15672) found such scores weakly correlated with accuracy, and the accuracy
lost by choosing with them larger than what tells ways of adapting apart.  So they vote,
and only what all of them say counts.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Ints

LEAST = 1e-12
ROWS_AT_ONCE = 1024


def importance_weighted(p: Array, label: Ints, weight: Array) -> float:
    """Minus the log loss on held-out source rows, weighted towards the target.

    p       (n, k) answers to source rows that were not fitted on
    label   (n,) their class positions
    weight  (n,) ≥ 0, not all 0, ratio of the target's density to the source's

    Source: Sugiyama, Krauledat & Müller, JMLR 8 (2007), 985–1005, importance-weighted
    cross-validation.  Departures: one held-out part instead of k folds; weights are
    scaled to sum 1, which costs a little bias and spares much variance.
    """
    return float(weight @ gains(p, label) / weight.sum())


def gains(p: Array, label: Ints) -> Array:
    """(n,) log of the probability that each row's true class was given, at least ln 1e-12."""
    found: Array = np.log(np.maximum(p[np.arange(len(p)), label], LEAST))
    return found


def weighted_error(gain: Array, weight: Array) -> float:
    """Standard error of the weighted mean of `gain`; infinite below two rows.

    gain    (n,) what each row says
    weight  (n,) ≥ 0, not all 0

        se² = n/(n−1) · Σ w_i² (g_i − ḡ_w)² / (Σ w_i)²,   ḡ_w = Σ w_i g_i / Σ w_i

    Source: the linearised variance of a ratio of sums (Cochran, Sampling Techniques).
    With equal weights it is the standard error of the mean.
    """
    n = len(gain)
    if n < 2:
        return float("inf")
    away = weight * (gain - weight @ gain / weight.sum())
    return float(np.sqrt(n / (n - 1) * (away @ away)) / weight.sum())


def information(p: Array) -> float:
    """Mutual information of row and predicted class, in nats: sure rows, varied classes.

    p        (n, k) answers to the target's rows, n ≥ 1
    returns  0 … ln k; 0 where all answers are alike, ln k where they are sure and balanced

        I = H(mean p) − mean H(p)

    Source: Shi & Sha, ICML 2012, who maximise it over the target's rows.
    """
    return float(entropy(p.mean(axis=0, keepdims=True))[0] - entropy(p).mean())


def neighbourhood_density(p: Array, temperature: float = 0.05) -> float:
    """How many close neighbours a row's answer has among the others', as a mean entropy.

    p            (n, k) answers to the target's rows
    temperature  > 0
    returns      0 … ln(n − 1); ln(n − 1) where all answers are alike; 0 for one row

        S_ij = exp(p̂_i·p̂_j / τ) / Σ_{m≠i} exp(p̂_i·p̂_m / τ),  mean over i of H(S_i)

    with p̂ the rows of unit length.  Source: Saito, Kim, Teterwak, Sclaroff, Darrell &
    Saenko, ICCV 2021 (arXiv:2108.10860), soft neighbourhood density of softmax outputs
    with their τ.  It cannot tell a model that says the same of every row from a good one.
    """
    if len(p) < 2:
        return 0.0
    unit = p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), LEAST)
    total = 0.0
    for first in range(0, len(unit), ROWS_AT_ONCE):
        rows = np.arange(first, min(first + ROWS_AT_ONCE, len(unit)))
        scores = unit[rows] @ unit.T / temperature
        scores[np.arange(len(rows)), rows] = -np.inf
        scores -= scores.max(axis=1, keepdims=True)
        share = np.exp(scores)
        share /= share.sum(axis=1, keepdims=True)
        total += float(entropy(share).sum())
    return total / len(unit)


def disagreement(answers: Array) -> Array:
    """How much several models disagree about each row, in nats.

    answers  (models, n, k)
    returns  (n,) 0 … ln min(models, k), H(mean p) − mean H(p) over models: the
             Jensen–Shannon divergence

    Source: McCallum & Nigam, ICML 1998, query by committee: their mean Kullback–Leibler
    divergence of each member to the mean of all is this.
    """
    apart: Array = entropy(answers.mean(axis=0)) - np.mean(
        [entropy(p) for p in answers], axis=0
    )
    return np.maximum(apart, 0.0)


def entropy(p: Array) -> Array:
    """(n,) −Σ p ln p of each row, 0 ln 0 = 0."""
    each: Array = -(p * np.log(np.maximum(p, LEAST))).sum(axis=1)
    return each

"""Validators: score a classifier for a target whose labels nobody has.  Arrays in, numbers out.

Higher is better for each.  None is right alone: on 4,000 adaptations Musgrave, Belongie
& Lim (arXiv:2110.14673) found every one of them to prefer some harmful model, so they
vote, and only what all of them say counts.
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
    weight  (n,) ≥ 0, ratio of the target's density to the source's

    Source: Sugiyama, Krauledat & Müller, JMLR 2007, eq. 8 (importance-weighted
    cross-validation).  Departure: weights are scaled to sum 1.
    """
    right = np.maximum(p[np.arange(len(p)), label], LEAST)
    return float(weight @ np.log(right) / weight.sum())


def information(p: Array) -> float:
    """Mutual information of row and predicted class, in nats: sure rows, varied classes.

    p  (n, k) answers to the target's rows

        I = H(mean p) − mean H(p)

    Source: Shi & Sha, ICML 2012, eq. 7.
    """
    return float(_entropy(p.mean(axis=0, keepdims=True))[0] - _entropy(p).mean())


def neighbourhood_density(p: Array, temperature: float = 0.05) -> float:
    """How many close neighbours a row's answer has among the others', as a mean entropy.

    p            (n, k) answers to the target's rows, n ≥ 2
    temperature  > 0

        S_ij = exp(p̂_i·p̂_j / τ) / Σ_{m≠i} exp(p̂_i·p̂_m / τ),  mean over i of H(S_i)

    with p̂ the rows of unit length.  Source: Saito, Kim, Teterwak, Sclaroff, Darrell &
    Saenko, ICCV 2021, eq. 2–4 (soft neighbourhood density), on softmax outputs.
    """
    unit = p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), LEAST)
    total = 0.0
    for first in range(0, len(unit), ROWS_AT_ONCE):
        rows = np.arange(first, min(first + ROWS_AT_ONCE, len(unit)))
        scores = unit[rows] @ unit.T / temperature
        scores[np.arange(len(rows)), rows] = -np.inf
        scores -= scores.max(axis=1, keepdims=True)
        share = np.exp(scores)
        share /= share.sum(axis=1, keepdims=True)
        total += float(_entropy(share).sum())
    return total / len(unit)


def disagreement(answers: Array) -> Array:
    """How much several models disagree about each row, in nats.

    answers  (models, n, k)
    returns  (n,) H(mean p) − mean H(p) over models: the Jensen–Shannon divergence

    Source: McCallum & Nigam, ICML 1998, eq. 3 (query by committee), whose
    Kullback–Leibler divergence to the mean this is.
    """
    apart: Array = _entropy(answers.mean(axis=0)) - np.mean(
        [_entropy(p) for p in answers], axis=0
    )
    return np.maximum(apart, 0.0)


def _entropy(p: Array) -> Array:
    """(n,) −Σ p ln p of each row."""
    each: Array = -(p * np.log(np.maximum(p, LEAST))).sum(axis=1)
    return each

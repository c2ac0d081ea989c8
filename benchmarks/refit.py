"""Learn the weights of `acclimate.domains.matching` from markets whose truth is known."""

from __future__ import annotations

import sys

import numpy as np

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains import matching
from acclimate.domains.evidence import NAMES, compare
from benchmarks.offers import Offers


def refit(offers: Offers, half: Ints, letters: bool) -> str:
    """The weights that the pairs of markets of a half teach, as `matchweights` holds them."""
    read: list[Array] = []
    truth: list[Bools] = []
    pairs = []
    jobs = offers.pairs(half)
    for source, target in jobs:
        a, b = offers.two(source, target)
        evidence = compare(offers.of(a), offers.of(b), offers.vectors(a, b))
        pairs.append(evidence)
        read.append(matching.features(evidence))
        truth.append(offers.truth[a[evidence.source]] == offers.truth[b[evidence.target]])
        print(f"[{len(pairs)}/{len(jobs)}] {len(truth[-1]):,} pairs", file=sys.stderr)
    weights, bias = _logistic(np.concatenate(read), np.concatenate(truth))
    chosen, right = [], []
    for evidence, each, true in zip(pairs, read, truth, strict=True):
        best, choice = matching.choose(evidence, each @ weights + bias)
        chosen.append(np.column_stack([choice, each[best]]))
        right.append(true[best])
    choice_weights, choice_bias = _logistic(np.concatenate(chosen), np.concatenate(right))
    name = "BY_LETTERS" if letters else "BY_MEANING"
    assert len(weights) == len(NAMES) + len(matching.PRODUCTS)
    return (
        f"{name} = Weights(\n    {_numbers(weights)},\n    {bias:.4f},\n"
        f"    {_numbers(choice_weights)},\n    {choice_bias:.4f},\n)"
    )


def _numbers(values: Array) -> str:
    return f"({', '.join(f'{value:.4f}' for value in values)})"


def _logistic(x: Array, y: Bools) -> tuple[Array, float]:
    """Weights and bias for the columns as they are."""
    from sklearn.linear_model import LogisticRegression

    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    fitted = LogisticRegression(C=1.0, max_iter=500).fit((x - centre) / scale, y)
    weights = fitted.coef_[0] / scale
    return weights, float(fitted.intercept_[0] - weights @ centre)

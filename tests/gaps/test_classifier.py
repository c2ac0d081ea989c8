"""The domain classifier against a plain nested loop over scikit-learn's Ridge."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from acclimate.arrays import Array, Ints
from acclimate.gaps.classifier import (
    RIDGES,
    fourier_features,
    nested_errors,
    pooled_ranks,
    unit_variance,
)
from acclimate.rng import Rng

RNG = Rng.of(0)
FOLDS = 4


def slow_nested_errors(x: Array, y: Array, fold: Ints) -> Array:
    def wrong(ridge: float, fit: Array, test: Array, labels: Array) -> int:
        model = Ridge(alpha=ridge * fit.sum()).fit(x[fit], labels[fit])
        return int(((model.predict(x[test]) > 0) != (labels[test] > 0)).sum())

    errors = []
    for labels in y.T:
        total = 0
        for k in range(FOLDS):
            tried = [
                sum(
                    wrong(ridge, (fold != k) & (fold != j), fold == j, labels)
                    for j in range(FOLDS)
                    if j != k
                )
                for ridge in RIDGES
            ]
            total += wrong(RIDGES[int(np.argmin(tried))], fold != k, fold == k, labels)
        errors.append(total / len(x))
    return np.array(errors)


def test_nested_errors_agree_with_a_plain_nested_loop() -> None:
    generator = RNG.generator()
    x = unit_variance(generator.standard_normal((60, 12)))
    # From labels that the columns decide to labels that they know nothing of; unbalanced too.
    y = np.sign(
        x[:, :1] * np.array([2.0, 1.0, 0.5, 0.0, 0.0])
        + generator.standard_normal((60, 5))
        + np.array([0.0, 0.0, 0.0, 0.0, 0.8])
    )
    fold = generator.integers(0, FOLDS, 60)
    fast = nested_errors(x, y, fold, FOLDS)
    np.testing.assert_allclose(fast, slow_nested_errors(x, y, fold))
    assert fast[0] < 0.3 < fast[3]


def test_ranks_share_ties_and_forget_units() -> None:
    x = np.array([[1.0], [5.0], [5.0], [9.0]])
    np.testing.assert_allclose(pooled_ranks(x)[:, 0], np.array([-1.5, 0, 0, 1.5]) / 1.125**0.5)
    np.testing.assert_array_equal(pooled_ranks(np.exp(x)), pooled_ranks(x))


def test_a_constant_column_becomes_zero_and_no_noise() -> None:
    np.testing.assert_array_equal(unit_variance(np.full((7, 1), 0.1)), np.zeros((7, 1)))


def test_products_of_fourier_features_approach_the_gaussian_kernel() -> None:
    x, sigma = RNG.generator().standard_normal((40, 2)), 1.5
    z = fourier_features(x, 40_000, sigma, RNG)
    # With the mean taken off the features estimate the centred kernel, up to each
    # column's scale, so it is the order and the correlation that must agree.
    distances = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    K = np.exp(-distances / (2.0 * sigma**2))
    K = K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()
    found = (z @ z.T)[np.triu_indices(40, 1)]
    assert np.corrcoef(found, K[np.triu_indices(40, 1)])[0, 1] > 0.97
    assert z.mean() == pytest.approx(0.0, abs=1e-9)

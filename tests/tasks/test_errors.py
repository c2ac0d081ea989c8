"""Errors of numbers by hand, against scikit-learn, and under weights of units."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_squared_error,
    r2_score,
)

from acclimate.arrays import Array, Ints
from acclimate.tasks import errors

Y = np.array([1.0, 2.0, 4.0, 8.0])
GUESS = np.array([2.0, 2.0, 3.0, 5.0])
EACH = np.arange(4)
ONE = np.ones((1, 4))


def drawn(seed: int = 0) -> tuple[Array, Array, Ints, Array]:
    """Numbers of 40 rows in 13 units, and 5 weightings of the units, zeros among them."""
    g = np.random.default_rng(seed)
    y = g.lognormal(2, 1, 40)
    units = np.r_[np.arange(13), g.integers(0, 13, 27)]
    return y, y + g.normal(0, 2, 40), units, g.poisson(1.0, (5, 13)).astype(float)


def test_errors_are_what_a_person_computes() -> None:
    # Errors −1, 0, 1, 3; the mean of y is 3.75, and its squares around it sum to 28.75.
    assert errors.root_mean_squared(Y, GUESS, EACH, ONE)[0] == pytest.approx(np.sqrt(11 / 4))
    assert errors.mean(np.abs(Y - GUESS), EACH, ONE)[0] == pytest.approx(5 / 4)
    assert errors.explained(Y, GUESS, EACH, ONE)[0] == pytest.approx(1 - 11 / 28.75)
    # Too low by 1 and 3 costs a level of 0.9 each, too high by 1 costs 0.1.
    np.testing.assert_allclose(errors.pinball(Y, GUESS, 0.9), [0.1, 0.0, 0.9, 2.7])


def test_errors_are_those_of_scikit_learn_under_weights_of_units() -> None:
    y, guess, units, weight = drawn()
    for at, w in enumerate(weight):
        rows = w[units]
        expected = {
            "rmse": np.sqrt(mean_squared_error(y, guess, sample_weight=rows)),
            "mae": mean_absolute_error(y, guess, sample_weight=rows),
            "r2": r2_score(y, guess, sample_weight=rows),
            "pinball": mean_pinball_loss(y, guess, sample_weight=rows, alpha=0.8),
        }
        found = {
            "rmse": errors.root_mean_squared(y, guess, units, weight)[at],
            "mae": errors.mean(np.abs(y - guess), units, weight)[at],
            "r2": errors.explained(y, guess, units, weight)[at],
            "pinball": errors.mean(errors.pinball(y, guess, 0.8), units, weight)[at],
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-12), name


def test_a_weight_of_two_is_a_unit_that_occurs_twice() -> None:
    y, guess, units, _ = drawn()
    weight = np.ones(13)
    weight[3] = 2.0
    again = np.r_[np.arange(40), np.flatnonzero(units == 3)]
    for score in (errors.root_mean_squared, errors.explained):
        weighed = score(y, guess, units, weight[None])
        repeated = score(y[again], guess[again], units[again], np.ones((1, 13)))
        np.testing.assert_allclose(weighed, repeated, rtol=1e-12)


def test_r2_keeps_its_digits_on_a_high_level() -> None:
    assert errors.explained(Y + 1e8, GUESS + 1e8, EACH, ONE)[0] == pytest.approx(
        1 - 11 / 28.75, rel=1e-6
    )


def test_a_replicate_of_one_number_has_no_r2_and_one_without_rows_no_error() -> None:
    weight = np.array([[1.0, 0, 0, 0], [0.0, 0, 0, 0]])
    assert np.isnan(errors.explained(Y, GUESS, EACH, weight)).all()
    found = errors.root_mean_squared(Y, GUESS, EACH, weight)
    assert found[0] == 1.0 and np.isnan(found[1])


def test_pinball_is_least_at_the_quantile() -> None:
    y = np.sort(np.random.default_rng(1).exponential(size=2001))
    tried = [errors.pinball(y, np.full(len(y), q), 0.8).mean() for q in y]
    assert y[int(np.argmin(tried))] == pytest.approx(np.quantile(y, 0.8))

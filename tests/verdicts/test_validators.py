"""Validators against small cases worked out by hand, their limits, and a known shift."""

from __future__ import annotations

from math import e, log

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.rng import Rng
from acclimate.verdicts import validators
from acclimate.verdicts.validators import (
    disagreement,
    gains,
    importance_weighted,
    information,
    neighbourhood_density,
    weighted_error,
)

SURE = np.array([[1.0, 0.0], [0.0, 1.0]])
# H(¾, ¼) = 2 ln 2 − ¾ ln 3, so that ln 2 − H is what these two rows tell.
LEANING = np.array([[0.75, 0.25], [0.25, 0.75]])
LEANING_TELLS = 0.75 * log(3) - log(2)


def test_importance_weights_count_rows_by_the_target() -> None:
    # (1·ln ½ + 3·ln ¼) / 4 = −7/4 ln 2
    p = np.array([[0.5, 0.5], [0.75, 0.25]])
    found = importance_weighted(p, np.array([0, 1]), np.array([1.0, 3.0]))
    assert found == pytest.approx(-7 / 4 * log(2), rel=1e-12)


def test_equal_weights_are_minus_the_log_loss_and_their_scale_is_nothing() -> None:
    p, label = LEANING, np.array([0, 0])
    plain = float(np.mean([log(0.75), log(0.25)]))
    for weight in (1.0, 7.0):
        found = importance_weighted(p, label, np.full(2, weight))
        assert found == pytest.approx(plain, rel=1e-12)


def test_a_class_held_impossible_costs_much_and_not_everything() -> None:
    assert importance_weighted(SURE, np.array([1, 1]), np.ones(2)) == pytest.approx(
        log(1e-12) / 2
    )
    assert gains(SURE, np.array([0, 0])).tolist() == pytest.approx([0.0, log(1e-12)])


def test_the_weighted_error_is_that_of_the_mean_where_weights_are_equal() -> None:
    gain = np.array([0.0, 1.0, 4.0, 2.0])
    plain = gain.std(ddof=1) / 2
    assert weighted_error(gain, np.full(4, 3.0)) == pytest.approx(plain, rel=1e-12)
    # Weights 1 and 3 on 0 and 1: mean ¾, both pull ¾ away, √(2·2·¾²)/4 = 3/8.
    two = weighted_error(np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    assert two == pytest.approx(0.375, rel=1e-12)
    assert weighted_error(np.array([1.0]), np.ones(1)) == float("inf")


def test_information_is_sure_rows_of_varied_classes() -> None:
    assert information(SURE) == pytest.approx(log(2), rel=1e-9)
    assert information(LEANING) == pytest.approx(LEANING_TELLS, rel=1e-9)
    assert information(np.full((5, 2), 0.5)) == pytest.approx(0.0, abs=1e-12)
    assert information(np.repeat(SURE[:1], 5, axis=0)) == pytest.approx(0.0, abs=1e-12)
    assert information(np.eye(4)) == pytest.approx(log(4), rel=1e-9)


def test_density_of_three_rows_by_hand() -> None:
    # Two alike and one across, τ = 1: the two see shares e and 1 of e + 1, the third ½ and ½.
    p = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    alike = log(1 + e) - e / (1 + e)
    found = neighbourhood_density(p, temperature=1.0)
    assert found == pytest.approx((2 * alike + log(2)) / 3, rel=1e-9)


def test_density_looks_at_directions_and_ends_at_all_others() -> None:
    same = np.repeat([[0.9, 0.1]], 7, axis=0)
    assert neighbourhood_density(same) == pytest.approx(log(6), rel=1e-9)
    # Far apart and cold: each of two pairs sees its partner alone.
    pairs = np.repeat(SURE, 2, axis=0)
    assert neighbourhood_density(pairs, temperature=0.01) == pytest.approx(0.0, abs=1e-9)
    assert neighbourhood_density(same[:1]) == 0.0


def test_density_does_not_depend_on_how_many_rows_are_taken_at_once(
    monkeypatch: pytest.MonkeyPatch, rng: Rng
) -> None:
    p = rng.generator().dirichlet(np.ones(3), 11)
    whole = neighbourhood_density(p)
    monkeypatch.setattr(validators, "ROWS_AT_ONCE", 4)
    assert neighbourhood_density(p) == pytest.approx(whole, rel=1e-12)


def test_sure_clusters_are_denser_than_the_same_rows_unsure(rng: Rng) -> None:
    spread = rng.generator().uniform(0.05, 0.95, 200)
    sure = np.where(spread > 0.5, 0.99, 0.01)
    both = [np.column_stack([1 - x, x]) for x in (spread, sure)]
    assert neighbourhood_density(both[1]) > neighbourhood_density(both[0])
    assert information(both[1]) > information(both[0])


def test_disagreement_is_the_jensen_shannon_divergence() -> None:
    across = np.array([SURE, SURE[::-1]])  # (models, rows, classes)
    assert disagreement(across).tolist() == pytest.approx([log(2)] * 2, rel=1e-9)
    leaning = np.array([LEANING, LEANING[::-1]])
    assert disagreement(leaning).tolist() == pytest.approx([LEANING_TELLS] * 2, rel=1e-9)
    # By the definition: the mean divergence of each from the mean of both.
    mean = leaning.mean(axis=0)
    divergence = (leaning * np.log(leaning / mean)).sum(axis=2).mean(axis=0)
    assert disagreement(leaning).tolist() == pytest.approx(divergence.tolist(), rel=1e-9)


def test_models_that_agree_disagree_about_nothing() -> None:
    assert disagreement(np.array([LEANING] * 3)).tolist() == [0.0, 0.0]
    assert disagreement(LEANING[None]).tolist() == [0.0, 0.0]


def normal(x: Array, mean: float, deviation: float) -> Array:
    found: Array = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / deviation
    return found


def test_under_covariate_shift_the_weights_find_the_model_that_is_right_there(
    rng: Rng,
) -> None:
    # The label is 1 outside of (−1, 1); sources lie around 0, the target around 2.
    g = rng.generator()
    x = g.normal(0.0, 1.0, 4000)
    label = (np.abs(x) > 1).astype(np.int64)
    weight = normal(x, 2.0, 0.5) / normal(x, 0.0, 1.0)
    inside = np.where(np.abs(x) > 1, 0.4, 0.1)  # right where the sources are
    rising = np.where(x > 1, 0.9, 0.6)  # right where the target is
    answers = [np.column_stack([1 - p, p]) for p in (inside, rising)]
    plain = [importance_weighted(p, label, np.ones(len(x))) for p in answers]
    there = [importance_weighted(p, label, weight) for p in answers]
    assert plain[0] > plain[1] and there[0] < there[1]
    # What it estimates: the mean log probability on the target itself.
    y = g.normal(2.0, 0.5, 4000)
    truth = np.where(y > 1, log(0.9), log(0.4)).mean()  # rarely below −1
    assert there[1] == pytest.approx(float(truth), abs=0.03)

"""The gap's newer tests: formulas worked by hand, dials that move them, dials that must not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import wasserstein_distance

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError
from acclimate.gaps.at_home import leep_drop, logme_drop, predicted_shift
from acclimate.gaps.classifier import unit_variance
from acclimate.gaps.concept import concept_shift
from acclimate.gaps.sliced import sliced_wasserstein
from acclimate.gaps.transferability import leep, logme
from acclimate.rng import Rng


def made(seed: int, n: int, covariate: float = 0.0, concept: float = 0.0) -> tuple[Array, Ints]:
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 4))
    x[:, 1] += covariate
    w = np.array([np.cos(np.pi * concept), np.sin(np.pi * concept), 0, 0])
    return x, (g.random(n) < expit(2 * x @ w)).astype(np.int64)


# --- sliced Wasserstein --------------------------------------------------------------


def test_in_one_column_it_is_the_wasserstein_distance_of_scipy() -> None:
    a, b = made(0, 80)[0][:, :1], made(1, 60, 0.0)[0][:, :1] + 0.7
    pooled = unit_variance(np.vstack([a, b]))[:, 0]
    found = sliced_wasserstein(a, b, Rng.of(0), directions=3)
    assert found.value == pytest.approx(wasserstein_distance(pooled[:80], pooled[80:]))
    assert found.p == pytest.approx(1 / 201)


def test_rows_that_lie_elsewhere_are_told_from_rows_that_do_not() -> None:
    same = sliced_wasserstein(made(0, 300)[0], made(1, 300)[0], Rng.of(0))
    far = sliced_wasserstein(made(0, 300)[0], made(1, 300, 0.5)[0], Rng.of(0))
    assert same.p is not None and same.p > 0.05
    assert same.null_low is not None and same.null_high is not None
    assert same.null_low < same.value < same.null_high
    assert far.p == pytest.approx(1 / 201)
    assert "lie elsewhere" in far.sentence and "as far as shows" in same.sentence


# --- concept shift -------------------------------------------------------------------


def test_only_what_a_row_means_counts_as_concept() -> None:
    ours = made(0, 500)
    moved = concept_shift(*ours, *made(1, 400, covariate=1.0), Rng.of(0))
    turned = concept_shift(*ours, *made(1, 400, concept=0.25), Rng.of(0))
    assert moved.p is not None and moved.p > 0.05, "rows that lie elsewhere mean the same"
    assert turned.p is not None and turned.p <= 0.002
    assert turned.value > 3 * moved.value
    assert "means another label" in turned.sentence


def test_a_level_that_differs_is_a_concept_too_and_scale_does_not_matter() -> None:
    g = np.random.default_rng(2)
    (xs, _), (xt, _) = made(3, 300), made(4, 300)
    ys, yt = xs[:, 0] + g.standard_normal(300), xt[:, 0] + 1.0 + g.standard_normal(300)
    found = concept_shift(xs, ys, xt, yt, Rng.of(0))
    assert found.p == pytest.approx(0.001)
    # d is ½ or −½ after its regression, y's residual is off by ∓½ on noise of 1: 0.25 / 0.5 …
    assert found.value == pytest.approx(0.45, abs=0.08)
    again = concept_shift(100 * xs, 7 * ys, 100 * xt, 7 * yt, Rng.of(0))
    assert again.value == pytest.approx(found.value, rel=1e-6)


def test_labels_of_another_shape_are_refused() -> None:
    x, y = made(0, 50)
    with pytest.raises(DataError, match="finite label for each of 50 source rows"):
        concept_shift(x, y[:-1], x, y, Rng.of(0))
    with pytest.raises(DataError, match="same columns on both sides, found 1 in the source"):
        concept_shift(x, y, x, np.column_stack([y, y]), Rng.of(0))
    with pytest.raises(DataError, match="labels that vary"):
        concept_shift(x, np.ones(50), x, np.ones(50), Rng.of(0))
    with pytest.raises(DataError, match="draws of at least 19, found 5"):
        concept_shift(x, y, x, y, Rng.of(0), draws=5)


# --- at home and away ----------------------------------------------------------------


def probabilities(x: Array) -> Array:
    p = expit(2 * x[:, 0])
    return np.column_stack([1 - p, p])


def test_a_drop_is_the_measure_at_home_less_the_measure_away() -> None:
    (a, u), (b, v) = made(0, 200), made(1, 150, concept=0.5)
    found = leep_drop(probabilities(a), u, probabilities(b), v, Rng.of(0))
    assert found.value == pytest.approx(leep(probabilities(a), u) - leep(probabilities(b), v))
    assert found.p is not None and found.p < 0.02
    c, w = made(2, 150)
    same = leep_drop(probabilities(a), u, probabilities(c), w, Rng.of(0))
    assert same.p is not None and same.p > 0.05
    found = logme_drop(a[:150], u[:150], b, v, Rng.of(0))
    assert found.value == pytest.approx(logme(a[:150], u[:150]) - logme(b, v))
    assert "holds for target as at home" in same.sentence


def test_logme_is_asked_of_as_many_rows_on_both_sides() -> None:
    (a, u), (b, v) = made(0, 200), made(1, 50)
    found = logme_drop(a, u, b, v, Rng.of(0), permutations=19)
    assert (found.n_source, found.n_target) == (50, 50)


def test_predicted_shares_are_turned_into_class_shares() -> None:
    """Worked by hand: A = [[.8, .3], [.2, .7]], predictions .55 → .35 of class 0.

    A⁻¹ = 2·[[.7, −.3], [−.2, .8]]; μ_t − μ_s = (−.2, .2) → A⁻¹ … = (−.4, .4), so TV = .4.
    """
    truth = np.repeat([0, 1], 50)
    said = np.r_[np.repeat([0, 1], [40, 10]), np.repeat([0, 1], [15, 35])]
    away = np.repeat([0, 1], [35, 65])
    found = predicted_shift(said, truth, away, 2, Rng.of(0))
    assert found.value == pytest.approx(0.4)
    assert found.p is not None and found.p < 0.02
    g = np.random.default_rng(0)
    three = np.repeat([0, 1, 2], [50, 30, 20])
    guessed = np.where(g.random(100) < 0.7, three, g.integers(3, size=100))
    gone = g.integers(3, size=80)
    A = np.array([[(guessed[three == c] == p).mean() for c in range(3)] for p in range(3)])
    apart = [np.bincount(x, minlength=3) / len(x) for x in (gone, guessed)]
    other = predicted_shift(guessed, three, gone, 3, Rng.of(0))
    moved = np.linalg.solve(A, apart[0] - apart[1])
    assert other.value == pytest.approx(np.abs(moved).sum() / 2)
    same = predicted_shift(said, truth, said, 2, Rng.of(0))
    assert same.value == pytest.approx(0.0, abs=1e-12)
    assert same.p == 1.0


def test_what_cannot_be_turned_is_refused() -> None:
    truth = np.repeat([0, 1], 10)
    with pytest.raises(DataError, match="confusion that cannot be inverted"):
        predicted_shift(np.tile([0, 1], 10), truth, truth, 2, Rng.of(0))
    with pytest.raises(DataError, match="found none of class 2"):
        predicted_shift(truth, truth, truth, 3, Rng.of(0))
    with pytest.raises(DataError, match="at least 19 permutations, found 3"):
        predicted_shift(truth, truth, truth, 2, Rng.of(0), permutations=3)
    with pytest.raises(DataError, match="at least 19 permutations, found 3"):
        leep_drop(np.eye(2)[truth], truth, np.eye(2)[truth], truth, Rng.of(0), permutations=3)
    with pytest.raises(DataError, match="directions of at least 1, found 0"):
        sliced_wasserstein(np.eye(3), np.eye(3), Rng.of(0), directions=0)

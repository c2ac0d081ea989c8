"""Source-only ranking, LogME and LEEP against slow and independent computations."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError
from acclimate.gaps.transferability import leep, logme, source_ranking_power
from acclimate.rng import Rng

RNG = Rng.of(0)


def draws(name: object, *shape: int) -> Array:
    return RNG.child(name).generator().standard_normal(shape)


def maximum_evidence(F: Array, y: Array) -> float:
    """y ~ N(0, I/β + FFᵀ/α): its density, maximised by a general optimiser.  Per row."""
    n = len(y)

    def minus_log_density(logs: Array) -> float:
        alpha, beta = np.exp(logs)
        cov = np.eye(n) / beta + F @ F.T / alpha
        return -float(multivariate_normal(np.zeros(n), cov).logpdf(y))

    best = minimize(
        minus_log_density, np.zeros(2), method="Nelder-Mead", options={"fatol": 1e-9}
    )
    return -float(best.fun) / n


# LogME


@pytest.mark.parametrize(("n", "d"), [(40, 5), (12, 20)])
def test_logme_is_the_maximum_evidence_that_an_optimiser_finds(n: int, d: int) -> None:
    F = draws("F", n, d)
    y = F @ draws("w", d) + 0.5 * draws("e", n)
    assert logme(F, y, "regress") == pytest.approx(maximum_evidence(F, y), abs=1e-5)


def test_logme_of_classes_is_the_mean_over_one_against_rest() -> None:
    F = draws("F", 30, 4)
    y = np.digitize(F[:, 0] + 0.5 * draws("e", 30), [-0.5, 0.5])
    slow = np.mean([maximum_evidence(F, (y == c).astype(np.float64)) for c in range(3)])
    assert logme(F, y) == pytest.approx(slow, abs=1e-5)


def test_logme_prefers_features_that_tell_the_labels() -> None:
    F = draws("F", 200, 5)
    y = (F[:, 0] > 0).astype(int)
    assert logme(F, y) > logme(F + 1.0 * draws("e", 200, 5), y) + 0.02
    assert logme(F + 1.0 * draws("e", 200, 5), y) > logme(draws("other", 200, 5), y) + 0.02


def test_logme_leaves_out_classes_without_a_row() -> None:
    F, y = draws("F", 30, 3), np.arange(30) % 2
    assert logme(F, 5 * y) == logme(F, y)


def test_logme_stays_finite_where_the_evidence_is_flat_or_unbounded() -> None:
    y = draws("y", 10)
    assert np.isfinite(logme(np.zeros((10, 3)), y, "regress"))
    assert np.isfinite(logme(np.eye(10), y, "regress"))
    assert np.isfinite(logme(y[:, None], y, "regress"))


def test_logme_of_useless_features_is_the_evidence_of_noise_alone() -> None:
    # α → ∞: y ~ N(0, I/β) with 1/β = mean of y², so −½ log 2π(mean y²) − ½.
    y = draws("y", 10)
    alone = -0.5 * log(2 * np.pi * float((y**2).mean())) - 0.5
    assert logme(np.zeros((10, 3)), y, "regress") == pytest.approx(alone, abs=1e-9)


# LEEP


def slow_leep(theta: Array, y: Ints) -> float:
    n, k = theta.shape
    total: float = 0.0
    for i in range(n):
        inside = 0.0
        for z in range(k):
            mass = sum(theta[j, z] for j in range(n))
            same = sum(theta[j, z] for j in range(n) if y[j] == y[i])
            inside += float((same / mass) * theta[i, z])
        total += log(inside)
    return float(total / n)


def test_leep_agrees_with_a_sum_written_out() -> None:
    theta = RNG.generator().dirichlet(np.ones(4), 25)
    y = np.arange(25) % 3
    assert leep(theta, y) == pytest.approx(slow_leep(theta, y), rel=1e-12)


@given(st.integers(2, 30), st.integers(1, 5), st.integers(0, 1000))
def test_leep_lies_between_minus_the_entropy_of_the_labels_and_zero(
    n: int, k: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 3, n)
    shares = np.bincount(y) / n
    entropy = -sum(s * log(s) for s in shares if s > 0)
    value = leep(generator.dirichlet(np.ones(k), n), y)
    assert -entropy - 1e-9 <= value <= 1e-9


def test_leep_prefers_the_source_that_tells_the_labels() -> None:
    y = np.arange(40) % 2
    sharp, dull = 0.9 * np.eye(2)[y] + 0.05, 0.2 * np.eye(2)[y] + 0.4
    assert leep(sharp, y) > leep(dull, y)


def test_leep_leaves_out_source_classes_that_never_occur() -> None:
    theta = np.array([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]])
    y = np.array([0, 1, 1])
    padded = np.insert(theta, 1, 0.0, axis=1)
    assert leep(padded, y) == pytest.approx(leep(theta, y), rel=1e-12)


# Ranking


def test_ranking_power_is_the_paired_mean_and_puts_the_best_source_first() -> None:
    base = np.abs(draws("base", 80))
    gaps = source_ranking_power(
        {"us": base - 0.1, "uk": base + 0.2, "de": base}, base, RNG, metric="NDCG@10"
    )
    assert [gap.source for gap in gaps] == ["uk", "de", "us"]
    assert [gap.value for gap in gaps] == pytest.approx([0.2, 0.0, -0.1])
    for gap in gaps:  # a difference that is the same for every user is certain
        assert gap.low == pytest.approx(gap.value)
        assert gap.high == pytest.approx(gap.value)
    assert gaps[0].sentence.startswith("uk alone ranks better than popularity for target (NDCG")
    assert "ranks worse than popularity" in gaps[2].sentence


def test_ranking_interval_is_that_of_a_mean() -> None:
    gain = draws("gain", 400)
    (gap,) = source_ranking_power({"us": gain}, np.zeros(400), RNG, 4000)
    half = 1.96 * gain.std() / 20.0
    # A bootstrap quantile of 4,000 draws is off by about 3 % of the half width.
    assert gap.low == pytest.approx(gain.mean() - half, abs=0.12 * half)
    assert gap.high == pytest.approx(gain.mean() + half, abs=0.12 * half)
    assert gap.n_target == 400


def test_ranking_of_one_source_does_not_depend_on_the_others() -> None:
    base, us = draws("base", 50), draws("us", 50)
    (alone,) = source_ranking_power({"us": us}, base, RNG)
    both = source_ranking_power({"uk": base, "us": us}, base, RNG)
    together = next(gap for gap in both if gap.source == "us")
    assert together.low == pytest.approx(alone.low)
    assert together.high == pytest.approx(alone.high)


def test_ranking_draws_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, base = {"us": draws("us", 50)}, np.zeros(50)
    (whole,) = source_ranking_power(scores, base, RNG)
    monkeypatch.setattr("acclimate.gaps.transferability.BLOCK_DRAWS", 170)
    (parts,) = source_ranking_power(scores, base, RNG)
    assert parts.low == pytest.approx(whole.low)
    assert parts == source_ranking_power(scores, base, RNG)[0]


def test_transferability_refusals_say_what_to_do() -> None:
    F = draws("F", 4, 2)
    with pytest.raises(DataError, match=r"label for each of 4 rows, found shape \(3,\)"):
        logme(F, [0, 1, 0])
    with pytest.raises(DataError, match="at least 2 classes, found class 1 only"):
        logme(F, [1, 1, 1, 1])
    with pytest.raises(DataError, match="whole class codes"):
        logme(F, [0.5, 1.0, 0.0, 1.0])
    with pytest.raises(DataError, match="for the target labels, found 1 missing"):
        logme(F, [0.5, np.nan, 0.0, 1.0], "regress")
    with pytest.raises(DataError, match="sum to 1 in every row"):
        leep(np.abs(F) + 1.0, [0, 1, 0, 1])
    with pytest.raises(DataError, match=r"label for each of 1 rows, found shape \(2,\)"):
        leep([[1.0, 0.0]], [0, 1])
    with pytest.raises(DataError, match=r"at least one source, found none\. Name a source"):
        source_ranking_power({}, [0.1, 0.2], RNG)
    with pytest.raises(DataError, match="each of 2 users, found 3 of source 'us'"):
        source_ranking_power({"us": [0.1, 0.2, 0.3]}, [0.1, 0.2], RNG)
    with pytest.raises(DataError, match="for the 'us' score, found 1 missing"):
        source_ranking_power({"us": [0.1, np.nan]}, [0.1, 0.2], RNG)
    with pytest.raises(DataError, match="one score a user of 'popularity'"):
        source_ranking_power({"us": [0.1]}, [[0.1]], RNG)
    with pytest.raises(DataError, match="at least 100 resamples, found 9"):
        source_ranking_power({"us": [0.1, 0.2]}, [0.1, 0.2], RNG, 9)

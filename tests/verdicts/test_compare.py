"""Claims about the paired comparison: its formula, its symmetries, its refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st
from scipy import stats

from acclimate.arrays import Array
from acclimate.errors import DataError, UsageError
from acclimate.rng import Rng
from acclimate.verdicts import Contrast, Effect, paired_effect
from acclimate.verdicts.compare import BLOCKS, bootstrap, ends, jackknife


def skewed(n: int, seed: int) -> Array:
    """Differences with a long tail, a mean off 0 and some exact zeros."""
    g = np.random.default_rng(seed)
    return np.where(g.random(n) < 0.3, 0.0, g.exponential(1.0, n) - 0.8)


def interval(effect: Effect) -> tuple[float, float, float]:
    return effect.value, effect.low, effect.high


@pytest.mark.parametrize("n", [40, 150])
def test_plain_bca_agrees_with_scipy_within_monte_carlo_error(n: int) -> None:
    d, replicates = skewed(n, n), 20_000
    contrast = Contrast.of_means(d)
    theta = np.sort(bootstrap(contrast, Rng("ours"), replicates))
    a, _ = jackknife(contrast, Rng("ours"))
    ours = ends(theta, float(d.mean()), float(theta.std()), a, n, 0.05, correct=False)
    theirs = stats.bootstrap(
        (d,), np.mean, n_resamples=replicates, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    # A 2.5 % quantile of 20,000 replicates has a standard error of 0.019 se, to which z0's
    # error of 0.009 adds twice; four of the difference of two runs is 0.15 se.
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.15 * theta.std())


@pytest.mark.parametrize("without", ["bias", "acceleration"])
def test_bias_and_acceleration_each_move_an_end(without: str) -> None:
    # So that the agreement with SciPy above cannot be had without them.
    theta = np.sort(np.random.default_rng(0).exponential(1.0, 20_000))
    value = float(np.median(theta)) if without == "bias" else float(np.mean(theta))
    a = 0.0 if without == "acceleration" else 0.1
    found = ends(theta, value, float(theta.std()), a, 40, 0.05, correct=False)
    full = ends(theta, float(np.mean(theta)), float(theta.std()), 0.1, 40, 0.05, correct=False)
    assert abs(full[1] - found[1]) > 0.15 * theta.std()


def test_acceleration_of_single_units_is_one_sixth_of_the_skewness_over_root_n() -> None:
    d = skewed(120, 5)
    expected = stats.skew(d) / (6 * math.sqrt(d.size))
    assert jackknife(Contrast.of_means(d), Rng())[0] == pytest.approx(expected, rel=1e-9)


def test_grouped_jackknife_keeps_the_acceleration_of_single_units() -> None:
    d = skewed(4000, 6)
    single = stats.skew(d) / (6 * math.sqrt(d.size))
    found = [jackknife(Contrast.of_means(d), Rng().child(i))[0] for i in range(40)]
    # Each is good to about 0.002; forty of them to 0.0004.
    assert np.mean(found) == pytest.approx(single, abs=0.0015)


@pytest.mark.parametrize("n", [5, 60, 200])
def test_jackknife_error_of_a_mean_is_the_textbook_one(n: int) -> None:
    d = skewed(n, 7)
    found = jackknife(Contrast.of_means(d), Rng())[1]
    assert found == pytest.approx(d.std(ddof=1) / math.sqrt(n), rel=1e-9)


@pytest.mark.parametrize("n", [5, 60, 200])
def test_interval_contains_students_t_interval(n: int) -> None:
    # Up to 200 units the standard error is never below the jackknife's, which is exact.
    d = skewed(n, 7)
    effect = paired_effect(Contrast.of_means(d), Rng())
    exact = d.std(ddof=1) / math.sqrt(n)
    half = stats.t.ppf(0.975, n - 1) * exact
    assert effect.low <= d.mean() - half
    assert effect.high >= d.mean() + half
    assert exact <= effect.se <= 1.08 * exact  # four Monte-Carlo errors and the margin of one


@tried(max_examples=20, deadline=None)
@given(shift=st.floats(-5, 5), scale=st.floats(0.01, 100), n=st.integers(2, 60))
def test_interval_moves_with_the_differences(shift: float, scale: float, n: int) -> None:
    d = skewed(n, 8) + np.linspace(0, 0.1, n)
    before = paired_effect(Contrast.of_means(d), Rng(), replicates=200)
    after = paired_effect(Contrast.of_means(scale * d + shift), Rng(), replicates=200)
    expected = [scale * x + shift for x in interval(before)]
    assert interval(after) == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)


@tried(max_examples=20, deadline=None)
@given(n=st.integers(2, 300), seed=st.integers(0, 1000))
def test_swapping_the_arms_flips_the_effect_and_its_interval(n: int, seed: int) -> None:
    d = skewed(n, seed)
    one = paired_effect(Contrast.of_means(d), Rng(), replicates=200)
    two = paired_effect(Contrast.of_means(-d), Rng(), replicates=200)
    assert interval(two) == pytest.approx((-one.value, -one.high, -one.low), abs=1e-9)
    assert two.probability == pytest.approx(1 - one.probability, abs=1e-9)


@pytest.mark.parametrize("n", [2, 37, 450])
def test_fast_path_equals_the_callable_path_with_the_same_rng(n: int) -> None:
    d, omega = skewed(n, n), np.random.default_rng(n).uniform(0.5, 3, n)
    fast = paired_effect(Contrast.of_means(d, omega), Rng(), replicates=300)
    slow = paired_effect(
        Contrast.of_statistic(
            n, lambda w: (w * omega * d).sum(axis=1) / (w * omega).sum(axis=1)
        ),
        Rng(),
        replicates=300,
    )
    assert interval(fast) == pytest.approx(interval(slow), abs=1e-12)
    assert fast.probability == pytest.approx(slow.probability, abs=1e-12)


def test_row_scores_resampled_by_unit_equal_unit_means() -> None:
    g = np.random.default_rng(3)
    unit = np.repeat(np.arange(50), 3)
    a, b = g.random(150), g.random(150)
    rows = Contrast.of_scores(
        lambda w: float(w @ a / w.sum()), lambda w: float(w @ b / w.sum()), unit
    )
    means = Contrast.of_means((a - b).reshape(50, 3).mean(axis=1))
    one, two = (paired_effect(c, Rng(), replicates=200) for c in (rows, means))
    assert one.n == 50
    assert interval(one) == pytest.approx(interval(two), abs=1e-12)


def test_blocks_of_a_large_judge_keep_interval_and_both_paths() -> None:
    n = BLOCKS + 5000
    d = np.random.default_rng(4).normal(0.01, 1, n)
    contrast = Contrast.of_means(d)
    fast = paired_effect(contrast, Rng(), replicates=200)
    slow = paired_effect(Contrast.of_statistic(n, contrast.statistic), Rng(), replicates=200)
    assert interval(fast) == pytest.approx(interval(slow), abs=1e-12)
    assert fast.se == pytest.approx(1 / math.sqrt(n), rel=0.2)  # 4 errors of 400 replicates


def test_same_rng_gives_the_same_effect() -> None:
    contrast = Contrast.of_means(skewed(80, 1))
    assert paired_effect(contrast, Rng("a")) == paired_effect(contrast, Rng("a"))
    assert paired_effect(contrast, Rng("a")).high != paired_effect(contrast, Rng("b")).high


def test_smaller_level_gives_a_wider_interval() -> None:
    contrast = Contrast.of_means(skewed(80, 1))
    wide, narrow = paired_effect(contrast, Rng(), 0.005), paired_effect(contrast, Rng(), 0.05)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert wide.level == 0.005


@tried(max_examples=40, deadline=None)
@given(shift=st.floats(-1, 1), n=st.integers(2, 80), seed=st.integers(0, 99))
def test_probability_passes_its_bounds_exactly_where_the_interval_leaves_zero(
    shift: float, n: int, seed: int
) -> None:
    effect = paired_effect(Contrast.of_means(skewed(n, seed) + shift), Rng(), replicates=200)
    assert 0 <= effect.probability <= 1
    if effect.low > 0:
        assert effect.probability >= 0.975 - 0.01
    else:
        assert effect.probability <= 0.975
    if effect.high >= 0:
        assert effect.probability >= 0.025


def test_probability_of_normal_differences_is_the_normal_one() -> None:
    d = np.random.default_rng(2).normal(0, 1, 2000)
    d = (d - d.mean()) / d.std() + 1 / math.sqrt(2000)  # one standard error above 0
    effect = paired_effect(Contrast.of_means(d), Rng(), replicates=20_000)
    assert effect.probability == pytest.approx(stats.norm.cdf(1), abs=0.02)


def test_differences_that_are_all_zero_give_an_interval_of_zero() -> None:
    effect = paired_effect(Contrast.of_means(np.zeros(100)), Rng())
    assert effect == Effect(0.0, 0.0, 0.0, 100, 0.5, 0.0, 0.05)


def test_differences_that_all_agree_give_certainty() -> None:
    effect = paired_effect(Contrast.of_means(np.full(50, 0.1)), Rng())
    assert (effect.low, effect.high, effect.probability) == (effect.value, effect.value, 1.0)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_units_say_nothing(n: int) -> None:
    effect = paired_effect(Contrast.of_means(np.ones(n)), Rng())
    assert effect.says_nothing
    assert effect.probability == 0.5
    assert effect.n == n


def test_score_that_many_replicates_lack_says_nothing() -> None:
    def only_positive(w: Array) -> Array:
        return np.where(w[:, 0] > 0, 1.0, np.nan)  # absent from 37 % of the replicates

    assert paired_effect(Contrast.of_statistic(40, only_positive), Rng()).says_nothing


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Contrast.of_means(np.zeros((3, 2))), "one difference per unit"),
        (lambda: Contrast.of_means(np.array([1.0, np.nan])), "1 of 2 unit differences are not"),
        (
            lambda: Contrast.of_means(np.ones(2), np.array([1.0, 0.0])),
            "weight above 0 for each",
        ),
        (lambda: Contrast.of_means(np.ones(2), np.ones(3)), "found shape"),
        (lambda: Contrast.of_statistic(-1, lambda w: w[:, 0]), "units ≥ 0, found -1"),
    ],
)
def test_contrast_refuses_what_it_cannot_compare(make: object, text: str) -> None:
    assert callable(make)
    with pytest.raises(DataError, match=text):
        make()


def test_judge_without_a_score_says_nothing() -> None:
    contrast = Contrast.of_statistic(50, lambda w: np.full(len(w), np.nan))
    effect = paired_effect(contrast, Rng())
    assert effect.says_nothing
    assert math.isnan(effect.value)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_level_out_of_range_is_refused(level: float) -> None:
    with pytest.raises(UsageError, match="level between 0 and 1"):
        paired_effect(Contrast.of_means(np.ones(3)), Rng(), level)


def test_too_few_replicates_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 100 replicates, found 50"):
        paired_effect(Contrast.of_means(np.ones(3)), Rng(), replicates=50)


def test_statistic_is_never_given_more_than_64_megabytes_of_weights() -> None:
    sizes = []

    def watched(w: Array) -> Array:
        sizes.append(w.nbytes)
        return np.asarray(w[:, 0], dtype=np.float64)

    paired_effect(Contrast.of_statistic(30_000, watched), Rng(), replicates=100)
    assert max(sizes) <= 64 * 2**20


def rate_of_adoption(differences: list[Array], correct: bool) -> float:
    hits = 0
    for i, d in enumerate(differences):
        contrast, rng = Contrast.of_means(d), Rng.of(i)
        if correct:
            hits += paired_effect(contrast, rng, replicates=300).low > 0
        elif np.any(d):
            theta = np.sort(bootstrap(contrast, rng, 300))
            a, _ = jackknife(contrast, rng)
            hits += ends(theta, d.mean(), theta.std(), a, d.size, 0.05, correct=False)[0] > 0
    return hits / len(differences)


def test_correction_holds_the_level_where_plain_bca_does_not() -> None:
    g = np.random.default_rng(11)
    # Sixty users, most of whom neither arm serves; the arms are exchangeable.
    zero_heavy = [
        np.where(g.random(60) < 0.12, g.choice([-1, 1], 60) * g.uniform(0.3, 1, 60), 0.0)
        for _ in range(1000)
    ]
    # A rate of 2.5 % exceeds 4 % in a thousand with probability 0.2 %.
    assert rate_of_adoption(zero_heavy, correct=False) > 0.04
    assert rate_of_adoption(zero_heavy, correct=True) < 0.04

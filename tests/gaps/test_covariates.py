"""MMD², proxy A-distance and column shifts on domains whose gap is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp

from acclimate.arrays import Array
from acclimate.errors import DataError
from acclimate.gaps.columns import column_shift
from acclimate.gaps.covariates import (
    median_bandwidth,
    mmd2_unbiased,
    mmd_test,
    proxy_a_distance,
    wilson_interval,
)
from acclimate.rng import Rng

RNG = Rng.of(0)


def gaussian(name: object, n: int, d: int = 2, shift: float = 0.0, scale: float = 1.0) -> Array:
    """N(shift in the first column, scale²I).  (n, d)"""
    x = scale * RNG.child(name).generator().standard_normal((n, d))
    x[:, 0] += shift
    return x


def mmd2_of_gaussians(delta: float, s: float, sigma: float, d: int) -> float:
    """The closed form derived in the docstring of `mmd2_unbiased`."""
    wide = sigma**2 + 2.0 * s**2
    within = (sigma**2 / wide) ** (d / 2.0)
    return float(2.0 * within * (1.0 - np.exp(-(delta**2) / (2.0 * wide))))


# MMD²


@pytest.mark.parametrize(
    ("delta", "s", "sigma", "d"), [(1.0, 1.0, 1.5, 2), (0.5, 0.7, 0.8, 3), (1.5, 1.0, 1.0, 2)]
)
def test_mmd2_averages_to_the_closed_form_of_two_gaussians(
    delta: float, s: float, sigma: float, d: int
) -> None:
    draws = [
        mmd2_unbiased(
            gaussian(("a", i), 60, d, 0.0, s), gaussian(("b", i), 40, d, delta, s), sigma
        )
        for i in range(300)
    ]
    error = np.std(draws, ddof=1) / np.sqrt(len(draws))
    truth = mmd2_of_gaussians(delta, s, sigma, d)
    assert abs(np.mean(draws) - truth) < 4.0 * error
    # Counting the diagonal, the likeliest mistake, would add this much: four errors and more.
    diagonal = (1 / 60 + 1 / 40) * (1.0 - (sigma**2 / (sigma**2 + 2 * s**2)) ** (d / 2))
    assert 4.0 * error < 0.9 * diagonal


def test_mmd2_of_one_domain_averages_to_zero_and_is_negative_about_half_the_time() -> None:
    draws = np.array(
        [mmd2_unbiased(gaussian(("a", i), 30), gaussian(("b", i), 30), 1.0) for i in range(400)]
    )
    assert abs(draws.mean()) < 4.0 * draws.std() / np.sqrt(len(draws))
    # The null is skewed to the right (a weighted chi-square): more than half lies below 0.
    assert 0.45 < (draws < 0.0).mean() < 0.75


def test_mmd2_agrees_with_a_sum_over_pairs() -> None:
    xs, xt, sigma = gaussian("s", 7, 3), gaussian("t", 5, 3, shift=1.0), 1.3

    def k(a: Array, b: Array) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / (2.0 * sigma**2)))

    slow = (
        sum(k(a, b) for i, a in enumerate(xs) for j, b in enumerate(xs) if i != j) / (7 * 6)
        + sum(k(a, b) for i, a in enumerate(xt) for j, b in enumerate(xt) if i != j) / (5 * 4)
        - 2.0 * sum(k(a, b) for a in xs for b in xt) / (7 * 5)
    )
    assert mmd2_unbiased(xs, xt, sigma) == pytest.approx(slow, rel=1e-12)


def test_mmd2_does_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    xs, xt = gaussian("s", 50), gaussian("t", 40)
    whole = mmd2_unbiased(xs, xt)
    monkeypatch.setattr("acclimate.gaps.covariates.BLOCK_ROWS", 7)
    assert mmd2_unbiased(xs, xt) == pytest.approx(whole, rel=1e-12)


def test_mmd2_is_symmetric_and_blind_to_units_under_the_median_bandwidth() -> None:
    xs, xt = gaussian("s", 50), gaussian("t", 40, shift=0.5)
    value = mmd2_unbiased(xs, xt)
    assert mmd2_unbiased(xt, xs) == pytest.approx(value, rel=1e-9)
    assert mmd2_unbiased(150.0 * xs, 150.0 * xt) == pytest.approx(value, rel=1e-9)


def test_median_bandwidth_is_the_median_distance_of_the_pooled_rows() -> None:
    # Pooled 0, 1, 3, 7: distances 1, 2, 3, 4, 6, 7, so the median is 3.5.
    assert median_bandwidth([[0.0], [3.0]], [[1.0], [7.0]]) == 3.5


def test_median_bandwidth_stays_above_zero_when_most_rows_are_alike() -> None:
    mostly = np.array([[0.0]] * 9 + [[2.0]])
    assert median_bandwidth(mostly, np.zeros((5, 1))) == 2.0
    assert median_bandwidth(np.ones((5, 1)), np.ones((5, 1))) == 1.0


def test_permutation_p_of_one_domain_is_uniform() -> None:
    p = np.array(
        [
            mmd_test(gaussian(("a", i), 15), gaussian(("b", i), 20), RNG.child(i), 99).p
            for i in range(200)
        ],
        dtype=np.float64,
    )
    # Standard errors over 200 draws: 0.020 for the mean, 0.021 for a share of 0.1.
    assert abs(p.mean() - 0.5) < 0.08
    assert 0.02 < (p <= 0.1).mean() < 0.18
    assert 0.02 < (p > 0.9).mean() < 0.18


def test_mmd_test_finds_a_difference_in_spread_alone() -> None:
    found = mmd_test(gaussian("a", 150, scale=2.0), gaussian("b", 150), RNG, 99)
    assert found.p == 0.01
    assert found.null_high is not None
    assert found.value > found.null_high
    assert "target's rows differ from source's" in found.sentence


def test_mmd_test_reports_the_unbiased_value_of_the_scaled_rows() -> None:
    xs, xt = gaussian("s", 40), gaussian("t", 30, shift=1.0)
    assert mmd_test(xs, xt, RNG, 19, standardise=False).value == pytest.approx(
        mmd2_unbiased(xs, xt), rel=1e-9
    )
    yen = np.array([150.0, 1.0])
    assert mmd_test(xs * yen, xt * yen, RNG, 19).value == pytest.approx(
        mmd_test(xs, xt, RNG, 19).value, rel=1e-9
    )


def test_mmd_permutations_agree_with_recomputing_each() -> None:
    xs, xt = gaussian("s", 12), gaussian("t", 9, shift=0.3)
    found = mmd_test(xs, xt, RNG, 39, bandwidth=1.0, standardise=False)
    pooled = np.vstack([xs, xt])
    generator = np.random.default_rng(1)
    slow = []
    for _ in range(2000):
        order = generator.permutation(21)
        slow.append(mmd2_unbiased(pooled[order[:12]], pooled[order[12:]], 1.0))
    p_slow = (1 + np.count_nonzero(np.array(slow) >= found.value)) / 2001
    assert found.p is not None
    # Four standard errors of a share over 39 permutations.
    assert abs(found.p - p_slow) < 4.0 * np.sqrt(p_slow * (1 - p_slow) / 39) + 1 / 40
    assert found.null_low is not None
    assert found.null_low < float(np.mean(slow)) < (found.null_high or 0.0)


def test_mmd_p_is_one_when_all_rows_are_alike() -> None:
    assert mmd_test(np.ones((20, 2)), np.ones((30, 2)), RNG, 19).p == 1.0


def test_mmd_test_looks_at_no_more_rows_than_asked() -> None:
    found = mmd_test(gaussian("a", 50), gaussian("b", 30), RNG, 19, at_most=40)
    assert (found.n_source, found.n_target) == (40, 30)


# Proxy A-distance


def test_a_distance_of_one_domain_averages_to_zero_inside_its_band() -> None:
    found = [
        proxy_a_distance(
            gaussian(("a", i), 100, 5),
            gaussian(("b", i), 130, 5),
            RNG.child(i),
            permutations=39,
            fourier=20,
        )
        for i in range(40)
    ]
    values = np.array([gap.value for gap in found])
    inside = [(g.null_low or 0.0) <= g.value <= (g.null_high or 0.0) for g in found]
    assert abs(values.mean()) < 4.0 * values.std() / np.sqrt(len(values))
    assert values.std() < 0.3  # 200 held-out rows: 4·√(¼/200) = 0.14, and the fits' own
    assert np.mean(inside) > 0.8  # 0.95 is meant; its standard error over 40 is 0.034
    assert (values < 0.0).any()  # clipped nowhere


def test_a_distance_of_disjoint_domains_is_near_two() -> None:
    found = proxy_a_distance(
        gaussian("a", 100, 5), gaussian("b", 100, 5, shift=20.0), RNG, permutations=39
    )
    assert found.value > 1.85
    assert found.p == 1 / 40
    assert "can be told apart from source's" in found.sentence


@pytest.mark.parametrize(("wrong", "n"), [(0, 20), (7, 50), (100, 200)])
def test_wilson_interval_agrees_with_scipy(wrong: int, n: int) -> None:
    known = binomtest(wrong, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(wrong / n, n) == pytest.approx((known.low, known.high), abs=1e-7)


@pytest.mark.parametrize("fourier", [0, 50])
def test_a_distance_grows_with_the_shift(fourier: int) -> None:
    values = [
        proxy_a_distance(
            gaussian("a", 300, 3),
            gaussian("b", 300, 3, shift=shift),
            RNG,
            permutations=19,
            fourier=fourier,
        ).value
        for shift in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert (np.diff(values) > 0.1).all()


def test_a_distance_approaches_that_of_the_best_classifier_for_two_gaussians() -> None:
    # N(0, I) against N(δ, I): the best error is Φ(−δ/2), at δ = 2 so 0.1587 and 1.365.
    found = proxy_a_distance(
        gaussian("a", 1000, 3), gaussian("b", 1000, 3, shift=2.0), RNG, permutations=19
    )
    assert found.value == pytest.approx(1.365, abs=0.12)  # 4·√(0.1587·0.8413/2000)·3 ≈ 0.1
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(4 * 2 * 1.96 * 0.00817, rel=0.15)


def test_only_fourier_features_see_a_difference_in_spread() -> None:
    xs, xt = gaussian("a", 300, 4, scale=2.0), gaussian("b", 300, 4)
    linear = proxy_a_distance(xs, xt, RNG, permutations=19, fourier=0)
    curved = proxy_a_distance(xs, xt, RNG, permutations=19, fourier=100)
    assert linear.value < 0.3
    assert curved.value > 0.6


def test_a_distance_is_blind_to_monotone_units() -> None:
    xs, xt = gaussian("a", 60, 3), gaussian("b", 60, 3, shift=0.5)
    plain = proxy_a_distance(xs, xt, RNG, permutations=19, fourier=0)
    money = proxy_a_distance(np.exp(xs), np.exp(xt), RNG, permutations=19, fourier=0)
    assert money == plain


def test_a_distance_balances_the_sides_and_takes_constant_columns() -> None:
    xs, xt = gaussian("a", 90), gaussian("b", 30)
    xs[:, 1] = xt[:, 1] = 0.1
    found = proxy_a_distance(xs, xt, RNG, permutations=19)
    assert (found.n_source, found.n_target) == (30, 30)
    assert np.isfinite(found.value)


def test_the_same_key_gives_the_same_gap_and_another_key_another() -> None:
    xs, xt = gaussian("a", 40), gaussian("b", 40)
    for measure in (mmd_test, proxy_a_distance):
        assert measure(xs, xt, RNG, at_most=30) == measure(xs, xt, RNG, at_most=30)
        assert measure(xs, xt, RNG, at_most=30) != measure(xs, xt, RNG.child(1), at_most=30)


def test_a_measure_leaves_its_arrays_as_they_were() -> None:
    xs, xt = gaussian("a", 20), gaussian("b", 20)
    before = xs.copy(), xt.copy()
    mmd_test(xs, xt, RNG, 19)
    proxy_a_distance(xs, xt, RNG, permutations=19)
    column_shift(xs, xt, ["a", "b"])
    np.testing.assert_array_equal(xs, before[0])
    np.testing.assert_array_equal(xt, before[1])


# Columns


def test_column_shift_puts_the_column_that_moved_first() -> None:
    xs, xt = gaussian("a", 400, 3), gaussian("b", 400, 3)
    xt[:, 2] += 1.0
    shifts = column_shift(xs, xt, ["rate", "size", "price"])
    assert shifts[0].name == "price"
    assert shifts[0].difference == pytest.approx(1.0, abs=0.3)
    # Φ(½) − Φ(−½): where two unit Gaussians one apart differ most.
    assert shifts[0].ks == pytest.approx(0.383, abs=0.1)
    assert shifts[0].p < 1e-10
    assert all(shift.p > 0.05 for shift in shifts[1:])
    assert [shift.ks for shift in shifts] == sorted((s.ks for s in shifts), reverse=True)


def test_column_shift_by_hand() -> None:
    # Means 1 and 3, variances 1 and 1; below 2 lie both source rows, no target row but 2.
    (shift,) = column_shift([[0.0], [2.0]], [[2.0], [4.0]], ["x"])
    assert shift.difference == 2.0
    assert shift.ks == 0.5
    assert shift.missing == 0.0


def test_column_shift_counts_missing_values_as_a_difference() -> None:
    xs, xt = np.ones((20, 1)), np.ones((20, 1))
    xt[:15] = np.nan
    (shift,) = column_shift(xs, xt, ["age"])
    assert shift.ks == 0.75
    assert shift.missing == 0.75
    assert shift.difference is None  # nothing varies among the known values


def test_column_shift_adjusts_p_for_the_number_of_columns() -> None:
    # Under one domain a family of 20 columns should seldom show a p below 0.05.
    families = [
        min(
            s.p
            for s in column_shift(
                gaussian(("a", i), 60, 20), gaussian(("b", i), 60, 20), list("x" * 20)
            )
        )
        for i in range(40)
    ]
    assert np.mean(np.array(families) <= 0.05) < 0.2  # without adjustment about 0.6


def test_refusals_of_covariate_measures_say_what_to_do() -> None:
    x = gaussian("a", 30)
    with pytest.raises(DataError, match=r"bandwidth above 0, found -1\.0\. Leave it out"):
        mmd2_unbiased(x, x, -1.0)
    with pytest.raises(DataError, match=r"permutations of at least 19, found 5\. Raise"):
        mmd_test(x, x, RNG, permutations=5)
    with pytest.raises(DataError, match="folds of at least 3, found 2"):
        proxy_a_distance(x, x, RNG, folds=2)
    with pytest.raises(DataError, match="at least 5 target rows, found 4"):
        proxy_a_distance(x, x[:4], RNG)
    with pytest.raises(DataError, match="at_most of at least 5, found 2"):
        proxy_a_distance(x, x, RNG, at_most=2)
    with pytest.raises(DataError, match="rows of 3 named columns on both sides"):
        column_shift(x, x, ["a", "b", "c"])


def test_of_very_many_rows_evenly_spaced_ones_stand_for_all() -> None:
    g = np.random.default_rng(0)
    xs = np.sort(g.standard_normal((120_000, 1)), axis=0)  # in order, as rows by time are
    xt = g.standard_normal((60_000, 1)) + 0.2
    (found,) = column_shift(xs, xt, ["price"])
    every = ks_2samp(xs[:, 0], xt[:, 0]).statistic
    assert found.ks == pytest.approx(every, abs=0.012)
    assert found.difference == pytest.approx(0.2, abs=0.02)

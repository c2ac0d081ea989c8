"""Kernel mean matching: the least of its programme, by a certificate and by other solvers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import LinearConstraint, minimize

from acclimate.arrays import Array
from acclimate.domains.sample import Rows
from acclimate.errors import StrategyError
from acclimate.strategies.instance import kmm
from acclimate.strategies.instance.boxband import lowest, project, solve, steepest
from acclimate.strategies.instance.kernels import (
    columns,
    gaussian,
    median_distance,
    squared_distances,
)
from acclimate.strategies.instance.kmm import Kmm, band, blocks, mean_kernel
from acclimate.strategies.instance.weighting import clipped
from tests.strategies.shapes import RNG, market, problem, table, view


def gaussians(n_source: int, n_target: int, apart: float = 1.0) -> tuple[Array, Array]:
    g = np.random.default_rng(3)
    return g.standard_normal((n_source, 2)), g.standard_normal((n_target, 2)) + np.array(
        [apart, 0.0]
    )


# ── the programme ───────────────────────────────────────────────────────────


def programme(n: int, seed: int, apart: float = 1.0) -> tuple[Array, Array, Array, Array]:
    """K and κ of two small Gaussian samples, with the rows behind them."""
    g = np.random.default_rng(seed)
    xs, xt = g.standard_normal((n, 2)), g.standard_normal((n - 5, 2)) + np.array([apart, 0.0])
    K = np.exp(-0.5 * ((xs[:, None] - xs) ** 2).sum(axis=2))
    kappa = n / (n - 5) * np.exp(-0.5 * ((xs[:, None] - xt) ** 2).sum(axis=2)).sum(axis=1)
    return K, kappa, xs, xt


def objective(K: Array, kappa: Array, beta: Array) -> float:
    return float(0.5 * beta @ K @ beta - kappa @ beta)


@pytest.mark.parametrize(
    ("most", "low", "high"),
    [
        (1000.0, *band(30)),  # the paper's own
        (2.0, *band(30)),  # the box binds
        (1000.0, 29.9, 30.1),  # the band is narrow
        (3.0, 40.0, 90.0),  # more is asked for than would be best
        (1000.0, 0.0, 5.0),  # less is
    ],
)
def test_it_finds_the_least_that_another_solver_finds(
    most: float, low: float, high: float
) -> None:
    for seed in range(3):
        K, kappa, _, _ = programme(30, seed)
        ours, gap = solve(K, kappa, most, low, high)

        def value(b: Array, K: Array = K, k: Array = kappa) -> float:
            return objective(K, k, b)

        def slope(b: Array, K: Array = K, k: Array = kappa) -> Array:
            return np.asarray(K @ b - k)

        def bend(b: Array, K: Array = K) -> Array:
            return K

        theirs = minimize(
            value,
            np.full(30, (low + high) / 60).clip(0, most),
            jac=slope,
            hess=bend,
            bounds=[(0.0, most)] * 30,
            constraints=LinearConstraint(np.ones(30), low, high),
            method="trust-constr",
            options={"gtol": 1e-10, "xtol": 1e-12, "maxiter": 3000},
        )
        assert ours.min() >= 0 and ours.max() <= most
        assert low - 1e-9 <= ours.sum() <= high + 1e-9
        least = objective(K, kappa, ours)
        assert least == pytest.approx(float(theirs.fun), rel=1e-5)
        assert least - gap <= float(theirs.fun) + 1e-9


def test_at_the_least_the_gap_is_small_and_elsewhere_it_bounds_what_is_lost() -> None:
    K, kappa, _, _ = programme(40, 1)
    low, high = band(40)
    best, gap = solve(K, kappa, 1000.0, low, high)
    assert 0 <= gap < 1e-5 * abs(objective(K, kappa, best))
    for elsewhere in (np.ones(40), project(best + 0.5, 1000.0, low, high)):
        slope = K @ elsewhere - kappa
        lost = objective(K, kappa, elsewhere) - objective(K, kappa, best)
        assert 0 < lost <= slope @ (elsewhere - lowest(slope, 1000.0, low, high))


def test_the_nearest_feasible_point_by_hand() -> None:
    inside = np.array([0.5, 1.0])
    np.testing.assert_array_equal(project(inside, 2.0, 1.0, 2.0), inside)
    np.testing.assert_array_equal(project(np.array([-1.0, 5.0]), 2.0, 1.0, 3.0), [0.0, 2.0])
    # Two that add up to 3 and may add up to 2: each gives ½.
    np.testing.assert_allclose(project(np.array([1.0, 2.0]), 9.0, 0.0, 2.0), [0.5, 1.5])
    # 1 must be added, and the second is at its bound after ½.
    np.testing.assert_allclose(project(np.array([0.0, 1.5]), 2.0, 2.75, 9.0), [0.75, 2.0])


def test_the_lowest_feasible_point_by_hand() -> None:
    slope = np.array([3.0, -1.0, -2.0])
    np.testing.assert_allclose(lowest(slope, 2.0, 0.0, 9.0), [0.0, 2.0, 2.0])
    np.testing.assert_allclose(lowest(slope, 2.0, 0.0, 3.0), [0.0, 1.0, 2.0])
    np.testing.assert_allclose(lowest(slope, 2.0, 5.0, 6.0), [1.0, 2.0, 2.0])


def test_the_step_is_never_too_long() -> None:
    for seed in range(5):
        K, _, _, _ = programme(40, seed)
        top = float(np.linalg.eigvalsh(K)[-1])
        assert top <= steepest(K) <= 1.3 * top
    apart = np.eye(6) + np.pad(np.ones((3, 3)), (0, 3))  # three rows like no other
    assert steepest(apart) >= float(np.linalg.eigvalsh(apart)[-1])


def test_weights_are_those_of_another_implementation() -> None:
    adapter = pytest.importorskip("skada", reason="skada is absent; install .[dev]")
    xs, xt = gaussians(60, 50)
    theirs = adapter.KMMReweightAdapter(
        gamma=0.5, B=5.0, tol=1e-12, max_iter=20_000, solver="scipy"
    )
    theirs.fit(np.vstack([xs, xt]), sample_domain=np.r_[np.ones(60, int), np.full(50, -2)])
    K, kappa = gaussian(xs, xs, 1.0), 60 * mean_kernel(xs, xt, 1.0)  # γ = 1 / (2σ²)
    ours, _ = solve(K, kappa, 5.0, *band(60))
    found = np.asarray(theirs.source_weights_)
    assert objective(K, kappa, ours) == pytest.approx(objective(K, kappa, found), rel=1e-5)
    # K is nearly singular in two dimensions: weights move where the objective does not.
    assert np.corrcoef(ours, found)[0, 1] > 0.999


# ── the kernel ──────────────────────────────────────────────────────────────


def test_distances_of_dense_and_sparse_rows_are_those_by_hand() -> None:
    a, b = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0]])
    np.testing.assert_allclose(squared_distances(a, b), [[1.0], [18.0]])
    thin = squared_distances(sp.csr_array(a), sp.csr_array(b))
    np.testing.assert_allclose(thin, [[1.0], [18.0]])
    np.testing.assert_allclose(gaussian(a, b, 3.0)[:, 0], np.exp([-1 / 18, -1.0]))


def test_numbers_codes_and_text_all_count_and_the_intercept_does_not() -> None:
    one = view([[1.0]], codes=[1], sparse=[[1.0, 0.0]])
    two = view([[1.0]], codes=[1], sparse=[[0.0, 1.0]])
    two = replace(two, codes=np.array([[0]]))
    a, b = columns(one, two)
    # One code (the other has none) and two n-grams: 1 + 1 + 1.
    np.testing.assert_allclose(squared_distances(a, b), [[3.0]])
    plain, same = columns(view([[1.0], [2.0]]), view([[2.0]]))
    np.testing.assert_allclose(squared_distances(plain, same), [[1.0], [0.0]])


def test_the_median_distance_is_of_all_pairs_of_different_rows() -> None:
    # Distances: 1 within the source; 2 and 3, hence 1, 2, 3.
    assert median_distance(np.array([[0.0], [1.0]]), np.array([[3.0]]), RNG) == 2.0
    # Most are equal: what is not 0 decides, and 1 where nothing is.
    many = np.r_[np.zeros(9), 4.0][:, None]
    assert median_distance(many, many[:5], RNG) == 4.0
    assert median_distance(many[:5], many[:5], RNG) == 1.0


# ── blocks ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2500])
def test_every_row_is_in_exactly_one_block(n: int) -> None:
    found = list(blocks(n, RNG))
    assert sorted(np.concatenate(found)) == list(range(n))
    assert max(map(len, found)) <= 1000 and len(found) == -(-n // 1000)
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_blocks_weigh_as_the_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    xs, xt = gaussians(600, 300)
    whole = Kmm().matched(xs, xt, RNG)
    monkeypatch.setattr(kmm, "BLOCK", 200)
    monkeypatch.setattr(kmm, "TARGET", 200)
    parts = Kmm().matched(xs, xt, RNG)
    assert len(parts) == 600 and parts.sum() == pytest.approx(whole.sum(), rel=0.02)
    # The mean that both give to the target's side: what they are there to match.
    for beta in (whole, parts):
        mean = beta @ xs / beta.sum()
        np.testing.assert_allclose(mean, xt.mean(axis=0), atol=0.15)


# ── the step ────────────────────────────────────────────────────────────────


def test_the_weighted_mean_of_the_kernel_is_the_targets() -> None:
    xs, xt = gaussians(400, 300)
    beta = Kmm().matched(xs, xt, RNG)
    width = median_distance(xs, xt, RNG)
    probe = np.random.default_rng(0).standard_normal((50, 2))

    def apart(weight: Array) -> float:
        mine = gaussian(probe, xs, width) @ weight / weight.sum()
        return float(np.abs(mine - mean_kernel(probe, xt, width)).max())

    assert apart(beta) < 0.1 * apart(np.ones(400))


def test_weights_follow_the_true_ratio_of_two_gaussians() -> None:
    xs, xt = gaussians(1000, 1000)
    found = clipped(Kmm().matched(xs, xt, RNG), 20.0)
    true = np.exp(xs[:, 0] - 0.5)  # N(1, 1) / N(0, 1) at x
    edge = np.quantile(xs[:, 0], [0, 0.25, 0.5, 0.75, 1])
    parts = [(xs[:, 0] >= a) & (xs[:, 0] <= b) for a, b in pairwise(edge)]
    ours = np.array([found[part].mean() for part in parts])
    np.testing.assert_allclose(ours, [true[part].mean() for part in parts], rtol=0.3)


def test_categories_alone_are_matched() -> None:
    """One number that says nothing; the source has each group as often, the target one."""
    g = np.random.default_rng(0)

    def grouped(n: int, group: Any) -> Rows:
        return table(g.standard_normal((n, 1)), g.integers(0, 2, n), group=group)

    own = grouped(60, np.where(np.arange(60) % 10, 1, 0))
    other = grouped(90, np.arange(90) % 3)
    found = np.asarray(Kmm().weigh(problem(own, other), RNG).sources[0].weight)
    share = np.bincount(np.arange(90) % 3, found) / found.sum()
    assert share[1] > 0.7 and share[2] < 0.1


# ── refusals ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("width", "bound", "at_most"),
    [(0.0, 1.0, 2.0), (1.0, 0.0, 2.0), (1.0, 1.0, 1.0), (np.inf, 1.0, 2.0), (1, np.inf, 2)],
)
def test_settings_out_of_range_are_refused(width: float, bound: float, at_most: float) -> None:
    with pytest.raises(StrategyError, match="Expected a finite width above 0, a finite bound"):
        Kmm(width, bound, at_most)


def test_the_grid_holds_the_default_first() -> None:
    grid = Kmm().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == Kmm() and len(set(grid)) == 3

"""EASE against solvers that share nothing with it: per-column ridge and per-column KKT."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from acclimate.arrays import Array
from acclimate.models.ease import ItemPrior, solve

Case = tuple[Array, float, ItemPrior]


def ridge(X: Array, penalty: float) -> Array:
    """min ‖x_j − X b‖² + λ‖b‖² with b_j = 0, one column at a time, by least squares."""
    items = X.shape[1]
    B = np.zeros((items, items))
    for j in range(items):
        others = np.delete(np.arange(items), j)
        tall = np.vstack([X[:, others], np.sqrt(penalty) * np.eye(items - 1)])
        wanted = np.r_[X[:, j], np.zeros(items - 1)]
        B[others, j] = np.linalg.lstsq(tall, wanted, rcond=None)[0]
    return B


def kkt(X: Array, penalty: float, prior: ItemPrior) -> Array:
    """The stated objective with its constraint, as one linear system a column.

    Gradient of ‖x_j − Xb‖² + λ‖b‖² + Σ μ_s‖b − b_s‖² + γ b_j, halved:
    (G + λ + Σμ) b + γ e_j = G_j + Σ μ_s b_s,  e_jᵀ b = 0.
    """
    items = X.shape[1]
    G = X.T @ X
    B = np.zeros((items, items))
    ridge_of = penalty + sum(prior.strengths)
    for j in range(items):
        system = np.zeros((items + 1, items + 1))
        system[:items, :items] = G + ridge_of * np.eye(items)
        system[items, j] = system[j, items] = 1.0
        right = np.zeros(items + 1)
        right[:items] = G[:, j]
        for mu, B_s in zip(prior.strengths, prior.matrices, strict=True):
            right[:items] += mu * B_s[:, j]
        B[:, j] = np.linalg.solve(system, right)[:items]
    return B


def objective(B: Array, X: Array, penalty: float, prior: ItemPrior) -> float:
    """What `models.ease` says it minimises."""
    loss = ((X - X @ B) ** 2).sum() + penalty * (B**2).sum()
    for mu, B_s in zip(prior.strengths, prior.matrices, strict=True):
        loss += mu * ((B - B_s) ** 2).sum()
    return float(loss)


def made(seed: int, users: int = 40, items: int = 9, sources: int = 3) -> Case:
    """Interactions, a penalty, and priors of other interactions."""
    g = np.random.default_rng(seed)
    X = (g.random((users, items)) < 0.3).astype(float)
    matrices = []
    for _ in range(sources):
        B_s = g.normal(0, 0.3, (items, items))
        np.fill_diagonal(B_s, 0.0)
        matrices.append(B_s)
    strengths = [float(mu) for mu in 10 ** g.uniform(-1, 2, sources)]
    return X, float(10 ** g.uniform(-1, 2)), ItemPrior(matrices, strengths, np.zeros(items))


seeds = st.integers(0, 10**6)


@given(seeds)
def test_ease_is_the_ridge_of_each_item_on_the_others(seed: int) -> None:
    X, penalty, _ = made(seed)
    np.testing.assert_allclose(solve(X.T @ X, penalty), ridge(X, penalty), atol=1e-9)


@given(seeds, st.integers(1, 4))
def test_ease_with_priors_solves_the_kkt_system_of_its_objective(
    seed: int, sources: int
) -> None:
    X, penalty, prior = made(seed, sources=sources)
    np.testing.assert_allclose(
        solve(X.T @ X, penalty, prior), kkt(X, penalty, prior), atol=1e-9
    )


@given(seeds)
def test_no_small_step_within_the_constraint_lowers_the_objective(seed: int) -> None:
    X, penalty, prior = made(seed)
    B = solve(X.T @ X, penalty, prior)
    best = objective(B, X, penalty, prior)
    g = np.random.default_rng(seed)
    for size in (1e-3, 1e-1):
        step = g.normal(0, size, B.shape)
        np.fill_diagonal(step, 0.0)
        assert objective(B + step, X, penalty, prior) > best


@given(seeds)
def test_few_users_and_many_items_give_the_same_by_either_inverse(seed: int) -> None:
    X, penalty, prior = made(seed, users=6, items=30)
    for given_prior in (None, prior):
        by_items = solve(X.T @ X, penalty, given_prior)
        by_rows = solve(X.T @ X, penalty, given_prior, sp.csr_array(X))
        np.testing.assert_allclose(by_rows, by_items, atol=1e-10)
    np.testing.assert_allclose(
        solve(X.T @ X, penalty, prior, sp.csr_array(X)), kkt(X, penalty, prior), atol=1e-9
    )


def test_few_users_take_the_other_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    from acclimate.models import ease

    X, penalty, _ = made(0, users=6, items=30)
    sizes: list[int] = []
    plain = ease.inverse

    def seen(gram: Array, ridge: float, kind: type = np.float64) -> Array:
        sizes.append(len(gram))
        return plain(gram, ridge, kind)

    monkeypatch.setattr(ease, "inverse", seen)
    solve(X.T @ X, penalty, None, sp.csr_array(X))
    solve(X.T @ X, penalty)
    assert sizes == [6, 30]


@pytest.mark.parametrize("seed", range(5))
def test_few_thin_users_give_the_same_without_a_dense_matrix_of_theirs(seed: int) -> None:
    X, penalty, prior = made(seed, users=40, items=60)
    X *= np.random.default_rng(seed + 1).random(X.shape) < 0.04  # 1.2 % of the cells
    for given_prior in (None, prior):
        by_items = solve(X.T @ X, penalty, given_prior)
        thin = solve(X.T @ X, penalty, given_prior, sp.csr_array(X))
        np.testing.assert_allclose(thin, by_items, atol=1e-10)


@pytest.mark.parametrize("users", [300, 3000])
def test_large_matrices_are_solved_in_single_precision_as_well_as_in_double(
    users: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acclimate.models import ease

    g = np.random.default_rng(5)
    X = sp.csr_array((g.random((users, 1000)) < 0.01 * g.random(1000)).astype(float))
    gram, B_s = (X.T @ X).toarray(), g.normal(0, 0.01, (1000, 1000))
    np.fill_diagonal(B_s, 0.0)
    prior = ItemPrior([B_s], [20.0], np.zeros(1000))
    kinds, found = [], []
    for least in (1000, 1001):
        monkeypatch.setattr(ease, "LARGE", least)
        kinds.append(ease.precision(gram, 30.0))
        found.append(solve(gram, 10.0, prior, X))
    assert kinds == [np.float32, np.float64]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_what_rounding_would_spoil_stays_in_double_precision() -> None:
    from acclimate.models import ease

    gram = np.full((ease.LARGE, ease.LARGE), 10.0)  # the largest eigenvalue is 10,000
    assert ease.precision(gram, 0.99) is np.float64
    assert ease.precision(gram, 1.01) is np.float32


@given(seeds)
def test_without_strength_a_prior_changes_nothing(seed: int) -> None:
    X, penalty, prior = made(seed)
    weak = ItemPrior(prior.matrices, [0.0] * 3, prior.popularity)
    np.testing.assert_allclose(
        solve(X.T @ X, penalty, weak), solve(X.T @ X, penalty), atol=1e-10
    )


@given(seeds)
def test_one_strength_without_bound_gives_that_source(seed: int) -> None:
    X, penalty, prior = made(seed)
    strong = ItemPrior(prior.matrices, [1.0, 1e12, 1.0], prior.popularity)
    np.testing.assert_allclose(solve(X.T @ X, penalty, strong), prior.matrices[1], atol=1e-8)


@given(seeds)
def test_two_strengths_without_bound_give_their_weighted_mean(seed: int) -> None:
    X, penalty, prior = made(seed, sources=2)
    strong = ItemPrior(prior.matrices, [1e12, 3e12], prior.popularity)
    mean = (prior.matrices[0] + 3 * prior.matrices[1]) / 4
    np.testing.assert_allclose(solve(X.T @ X, penalty, strong), mean, atol=1e-8)


@given(seeds)
def test_items_in_another_order_give_the_matrix_in_that_order(seed: int) -> None:
    X, penalty, prior = made(seed)
    order = np.random.default_rng(seed).permutation(X.shape[1])
    moved = ItemPrior(
        [B_s[np.ix_(order, order)] for B_s in prior.matrices], prior.strengths, prior.popularity
    )
    Y = X[:, order]
    np.testing.assert_allclose(
        solve(Y.T @ Y, penalty, moved),
        solve(X.T @ X, penalty, prior)[np.ix_(order, order)],
        atol=1e-9,
    )


@given(seeds)
def test_the_same_source_twice_is_that_source_with_both_strengths(seed: int) -> None:
    X, penalty, prior = made(seed, sources=1)
    B_s, mu = prior.matrices[0], prior.strengths[0]
    twice = ItemPrior([B_s, B_s], [mu / 4, 3 * mu / 4], prior.popularity)
    np.testing.assert_allclose(
        solve(X.T @ X, penalty, twice), solve(X.T @ X, penalty, prior), atol=1e-10
    )


@given(seeds)
def test_the_order_of_users_does_not_matter(seed: int) -> None:
    X, penalty, prior = made(seed)
    Y = X[np.random.default_rng(seed).permutation(len(X))]
    np.testing.assert_array_equal(
        solve(X.T @ X, penalty, prior), solve(Y.T @ Y, penalty, prior)
    )

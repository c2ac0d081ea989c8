"""ALS against solvers that share nothing with it: per-row least squares and plain descent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from acclimate.arrays import Array
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models import solving
from acclimate.models.als import Als, FactorPrior
from acclimate.models.items import ItemQuery
from acclimate.models.solving import Side, solved
from acclimate.rng import Rng

KEY = Rng.of(0)
seeds = st.integers(0, 10**6)


def view(X: Array) -> ItemView:
    return ItemView(sp.csr_array(X), X.sum(axis=0))


def drawn(seed: int, users: int = 25, items: int = 12, share: float = 0.3) -> Array:
    X = (np.random.default_rng(seed).random((users, items)) < share).astype(float)
    X[2] = 0.0  # someone who took nothing
    return X


def least_squares(
    row: Array, Y: Array, w: float, ridge: float, pull: float, towards: Array
) -> Array:
    """The objective of `models.solving.solved` for one row, as a tall least-squares problem."""
    taken = row > 0
    tall = np.vstack([Y[taken], np.sqrt(w) * Y, np.sqrt(ridge) * np.eye(Y.shape[1])])
    wanted = np.r_[np.ones(taken.sum()), np.zeros(len(Y) + Y.shape[1])]
    tall = np.vstack([tall, np.sqrt(pull) * np.eye(Y.shape[1])])
    wanted = np.r_[wanted, np.sqrt(pull) * towards]
    found: Array = np.linalg.lstsq(tall, wanted, rcond=None)[0]
    return found


@given(seeds)
def test_each_row_is_its_own_least_squares_problem(seed: int) -> None:
    g = np.random.default_rng(seed)
    X, Y = drawn(seed), g.normal(size=(12, 3))
    ridge, pull, towards = g.random(25) + 0.1, g.random(25), g.normal(size=(25, 3))
    found = solved(sp.csr_array(X), Side(Y), 0.3, ridge, pull, towards)
    for u in range(25):
        expected = least_squares(X[u], Y, 0.3, ridge[u], pull[u], towards[u])
        np.testing.assert_allclose(found[u], expected, atol=1e-9)


def test_rows_are_solved_alike_in_batches_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.random.default_rng(1)
    X, Y, ridge = sp.csr_array(drawn(1, 40)), g.normal(size=(12, 3)), np.ones(40)
    whole = solved(X, Side(Y), 0.3, ridge)
    for numbers in (1, 40, 200):
        monkeypatch.setattr(solving, "NUMBERS", numbers)
        np.testing.assert_allclose(solved(X, Side(Y), 0.3, ridge), whole, atol=1e-12)


def objective(X: Array, users: Array, items: Array, model: Als, prior: FactorPrior) -> float:
    """What `models.als` says it minimises."""
    score = users @ items.T
    w, lam = model.unobserved, model.penalty
    r_u = lam * (X.sum(axis=1) + w * X.shape[1])
    r_i = lam * (X.sum(axis=0) + w * X.shape[0])
    p = prior.scale / (1 / prior.users + 1 / prior.strength)
    return float(
        (X * (1 - score) ** 2).sum()
        + w * (score**2).sum()
        + (r_u * (users**2).sum(axis=1)).sum()
        + (r_i * (items**2).sum(axis=1)).sum()
        + (p * ((items - prior.factors) ** 2).sum(axis=1)).sum()
    )


def prior_of(seed: int, strength: float = 5.0) -> FactorPrior:
    g = np.random.default_rng(seed)
    users = g.integers(1, 9, 12).astype(float)
    return FactorPrior(g.normal(0, 0.5, (12, 3)), users, 0.2, strength, users)


@pytest.mark.parametrize("seed", range(5))
def test_in_the_end_no_small_step_lowers_the_objective(seed: int) -> None:
    X, prior = drawn(seed), prior_of(seed)
    model = Als(3, 0.2, 0.05, sweeps=3000)
    fitted = model.fit(view(X), prior=prior, rng=KEY)
    assert fitted.items is not None
    items = fitted.items
    users = fitted.fold_in(sp.csr_array(X), items)
    best = objective(X, users, items, model, prior)
    g = np.random.default_rng(seed)
    for _ in range(5):
        du, di = g.normal(0, 1e-3, users.shape), g.normal(0, 1e-3, items.shape)
        # To first order nothing changes, whatever the direction; what is left is cubic.
        up = objective(X, users + du, items + di, model, prior)
        down = objective(X, users - du, items - di, model, prior)
        assert abs(up - down) < 1e-6
        assert up + down > 2 * best


def test_every_sweep_lowers_the_objective() -> None:
    X, prior = drawn(3), prior_of(3)
    values = []
    for sweeps in (1, 2, 4, 8):
        model = Als(3, 0.2, 0.05, sweeps=sweeps)
        fitted = model.fit(view(X), prior=prior, rng=KEY)
        assert fitted.items is not None
        users = fitted.fold_in(sp.csr_array(X), fitted.items)
        values.append(objective(X, users, fitted.items, model, prior))
    assert values == sorted(values, reverse=True)


def test_a_prior_without_bound_is_kept_and_one_of_nobody_says_nothing() -> None:
    X, prior = drawn(4), prior_of(4)
    sure = replace(prior, users=np.full(12, 1e15), strength=1e15)
    found = Als(3, 0.2, 0.05).fit(view(X), prior=sure, rng=KEY).items
    np.testing.assert_allclose(np.asarray(found), prior.factors, atol=1e-9)
    unknown = replace(prior, users=np.zeros(12))
    alone = Als(3, 0.2, 0.05).fit(view(X), rng=KEY).items
    found = Als(3, 0.2, 0.05).fit(view(X), prior=unknown, rng=KEY).items
    np.testing.assert_array_equal(np.asarray(found), np.asarray(alone))


def test_certainty_of_a_prior_is_that_of_its_users_and_of_the_distance_of_markets() -> None:
    # 6 users and a distance of 3: 1/(1/6 + 1/3) = 2 users' worth, each of 0.2.
    prior = FactorPrior(np.zeros((2, 3)), np.array([6.0, 0.0]), 0.2, 3.0, np.zeros(2))
    np.testing.assert_allclose(prior.precision, [0.4, 0.0])


def test_the_scale_of_a_fit_is_the_mean_square_of_its_users() -> None:
    X = drawn(5)
    model = Als(3, 0.2, 0.05, sweeps=2000)
    fitted = model.fit(view(X), rng=KEY)
    assert fitted.items is not None
    users = fitted.fold_in(sp.csr_array(X), fitted.items)
    assert fitted.scale == pytest.approx((users**2).mean(), rel=1e-4)


def test_someone_new_gets_what_those_alike_took() -> None:
    # Two kinds of users, six items each; a newcomer took two of the second kind's.
    g = np.random.default_rng(6)
    X = (np.kron(np.eye(2), np.ones((30, 6))) * (g.random((60, 12)) < 0.6)).astype(np.float64)
    fitted = Als(4, 0.1, 0.01).fit(view(X), rng=KEY)
    history = np.zeros((1, 12))
    history[0, [7, 9]] = 1
    ranking = fitted.predict(ItemQuery(4), view(history))
    assert set(ranking.items[0]) == {6, 8, 10, 11}


def test_what_was_saved_scores_alike() -> None:
    X = drawn(7)
    fitted = Als(3).fit(view(X), rng=KEY)
    again = Als.restore(fitted.state())
    histories = sp.csr_array(X)
    np.testing.assert_array_equal(again.scores(histories), fitted.scores(histories))
    assert again.state().meta == fitted.state().meta


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"found 64, 10, 0\.0 and 0\.01"):
        Als(unobserved=0.0)
    with pytest.raises(StrategyError, match="at least one factor and one sweep"):
        Als(factors=0)

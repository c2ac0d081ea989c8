"""BPR and its optimiser against PyTorch's dense Adam and gradients, and the fold-in by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Tensor
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.bpr import Bpr, features
from acclimate.models.items import ItemQuery
from acclimate.models.lazyadam import LazyAdam
from acclimate.rng import Rng

KEY = Rng.of(0)


def view(X: Array) -> ItemView:
    return ItemView(sp.csr_array(X), X.sum(axis=0))


def two_kinds(seed: int = 6) -> Array:
    """60 users of two kinds, each of whom takes most of its kind's six items."""
    kept = np.random.default_rng(seed).random((60, 12)) < 0.7
    return (np.kron(np.eye(2), np.ones((30, 6))) * kept).astype(np.float64)


def touched(seed: int, steps: int) -> list[tuple[Ints, Tensor]]:
    """Rows and gradients of steps; row 0 comes once and early, row 9 never, others at times."""
    g = np.random.default_rng(seed)
    found: list[tuple[Ints, Tensor]] = []
    for step in range(steps):
        rows: Ints = np.flatnonzero(np.r_[step == 1, g.random(8) < 0.2, False])
        found.append((rows, g.normal(0, 0.1, (len(rows), 4)).astype(np.float32)))
    return found


@pytest.mark.parametrize("steps", [1, 7, 60])
def test_rows_move_as_dense_adam_moves_them(steps: int) -> None:
    torch: Any = pytest.importorskip("torch")
    begun = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    dense = torch.tensor(begun.copy(), requires_grad=True)
    theirs = torch.optim.Adam([dense], lr=0.01, eps=1e-12)
    ours = LazyAdam(begun.copy(), steps, rate=0.01, eps=1e-12)
    for rows, gradient in touched(1, steps):
        # What is taken is what dense Adam has at this moment.
        held = ours.take(rows)
        np.testing.assert_allclose(held, dense.detach().numpy()[rows], atol=2e-6)
        ours.give(rows, gradient.copy())
        dense.grad = torch.zeros_like(dense)
        dense.grad[rows] = torch.from_numpy(gradient)
        theirs.step()
    settled = ours.settle()
    np.testing.assert_allclose(settled, dense.detach().numpy(), atol=2e-6)
    np.testing.assert_array_equal(settled[9], begun[9])


def test_settling_twice_pays_once() -> None:
    ours = LazyAdam(np.ones((10, 4), np.float32), 9)
    for rows, gradient in touched(2, 9):
        ours.take(rows)
        ours.give(rows, gradient)
    first = ours.settle().copy()
    np.testing.assert_array_equal(ours.settle(), first)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_the_gradient_is_that_of_the_loss(penalty: float) -> None:
    torch: Any = pytest.importorskip("torch")
    g = np.random.default_rng(3)
    held = g.normal(size=(7, 5)).astype(np.float32)
    where = np.r_[g.integers(0, 3, 6), g.integers(3, 7, 12)]  # rows come more than once
    rows = torch.tensor(held, requires_grad=True)
    x, taken, drawn = rows[torch.from_numpy(where)].reshape(3, 6, 5)
    margin = (x * (taken - drawn)).sum(1)
    norms = (x**2).sum(1) + (taken**2).sum(1) + (drawn**2).sum(1)
    loss = (torch.nn.functional.softplus(-margin) + penalty / 2 * norms).mean()
    loss.backward()
    found = Bpr(factors=5, penalty=penalty)._gradient(held, where)
    np.testing.assert_allclose(found, rows.grad.numpy(), atol=1e-6)


def test_what_was_taken_comes_before_what_was_not() -> None:
    X = two_kinds()
    users, items = Bpr(8, rate=0.01, epochs=60, batch=64, least=0).trained(sp.csr_array(X), KEY)
    scores = users @ items.T
    mine, other = X > 0, np.kron(np.eye(2), np.ones((30, 6))) == 0
    above = scores[:, :, None] > scores[:, None, :]
    pairs = mine[:, :, None] & other[:, None, :]
    assert above[pairs].mean() > 0.99


def test_a_history_is_folded_in_by_the_ridge_of_trained_users_on_theirs() -> None:
    X = sp.csr_array(two_kinds())
    model = Bpr(3, rate=0.01, epochs=20, batch=64, least=0)
    users, items = model.trained(X, KEY)
    fitted = model.fit(view(two_kinds()), rng=KEY)
    # By hand: the sum over the root of the length and a one, regressed with one user's ridge.
    length: Array = two_kinds().sum(axis=1)
    told = np.column_stack([(X @ items) / np.sqrt(length)[:, None], np.ones(60)])
    tall, wanted = np.vstack([told, np.eye(4)]), np.vstack([users, np.zeros((4, 3))])
    by_hand = told @ np.linalg.lstsq(tall, wanted, rcond=None)[0]
    np.testing.assert_allclose(fitted.fold_in(X), by_hand, atol=1e-6)


def test_an_empty_history_has_the_ones_alone() -> None:
    told = features(sp.csr_array(np.zeros((1, 12))), np.ones((12, 3), np.float32))
    np.testing.assert_array_equal(told, [[0, 0, 0, 1]])


def test_someone_new_gets_what_those_alike_took() -> None:
    fitted = Bpr(8, rate=0.01, epochs=60, batch=64, least=0).fit(view(two_kinds()), rng=KEY)
    history = np.zeros((1, 12))
    history[0, [7, 9]] = 1
    ranking = fitted.predict(ItemQuery(4), view(history))
    assert set(ranking.items[0]) == {6, 8, 10, 11}


@pytest.mark.parametrize(("least", "steps"), [(0, 12), (13, 18), (18, 18), (19, 24)])
def test_few_pairs_are_passed_over_until_there_are_steps_enough(
    least: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    settle = LazyAdam.settle

    def counting(adam: LazyAdam) -> Tensor:
        counted.append(adam.step)
        return settle(adam)

    monkeypatch.setattr(LazyAdam, "settle", counting)
    X = sp.csr_array(np.ones((6, 10)))  # 60 pairs: six steps of ten a pass
    Bpr(2, epochs=2, batch=10, least=least).trained(X, KEY)
    assert counted == [steps]


def test_nothing_taken_leaves_what_it_began_with() -> None:
    fitted = Bpr(4, epochs=2, least=0).fit(view(np.zeros((3, 5))), rng=KEY)
    assert fitted.items is not None and np.isfinite(fitted.scores(sp.csr_array((2, 5)))).all()


def test_what_was_saved_scores_alike() -> None:
    fitted = Bpr(4, epochs=2, least=0).fit(view(two_kinds()), rng=KEY)
    again = Bpr.restore(fitted.state())
    histories = sp.csr_array(two_kinds(1))
    np.testing.assert_array_equal(again.scores(histories), fitted.scores(histories))
    assert again.state().meta == fitted.state().meta


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"found 64, 30, 2048, 1000, 0\.0 and 0\.0"):
        Bpr(rate=0.0)
    with pytest.raises(StrategyError, match=r"found 64, 0, 2048, 1000, 0\.001 and 0\.0"):
        Bpr(epochs=0)

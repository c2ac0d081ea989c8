"""LightGCN against dense matrices, PyTorch's own gradients, and users added to the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemQuery
from acclimate.models.lightgcn import LightGcn, joined, passing
from acclimate.rng import Rng

torch: Any = pytest.importorskip("torch")

KEY = Rng.of(0)
# Three users, two items: a was taken by two, b by two; user 2 took nothing.
X = np.array([[1, 1], [1, 1], [0, 0]], dtype=float)


def view(matrix: Array) -> ItemView:
    return ItemView(sp.csr_array(matrix), matrix.sum(axis=0))


def two_kinds(seed: int = 6) -> Array:
    kept = np.random.default_rng(seed).random((60, 12)) < 0.7
    return (np.kron(np.eye(2), np.ones((30, 6))) * kept).astype(np.float64)


def dense(matrix: Array) -> Array:
    """Â by the paper's eq. 8, written out."""
    n, m = matrix.shape
    A = np.block([[np.zeros((n, n)), matrix], [matrix.T, np.zeros((m, m))]])
    degree = A.sum(axis=1)
    root = np.array([1 / np.sqrt(d) if d else 0.0 for d in degree])
    found: Array = root[:, None] * A * root
    return found


def test_users_and_items_are_joined_by_one_over_the_root_of_both_their_ends() -> None:
    found = joined(sp.csr_array(X)).toarray()
    assert found[0, 3] == found[3, 0] == pytest.approx(1 / 2)
    np.testing.assert_allclose(found, dense(X), atol=1e-7)
    larger = joined(sp.csr_array(two_kinds())).toarray()
    np.testing.assert_allclose(larger, dense(two_kinds()), atol=1e-7)


def test_what_is_passed_along_has_the_gradient_of_a_dense_product() -> None:
    graph = dense(two_kinds())
    nodes = torch.randn(72, 3, requires_grad=True)
    again = nodes.detach().clone().requires_grad_()
    along = passing(joined(sp.csr_array(two_kinds())))
    (along(along(nodes)) ** 3).sum().backward()
    A = torch.from_numpy(graph.astype(np.float32))
    ((A @ (A @ again)) ** 3).sum().backward()
    np.testing.assert_allclose(nodes.grad.numpy(), again.grad.numpy(), atol=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_history_scores_as_a_user_of_whom_nothing_was_learned(layers: int) -> None:
    """Such a user added to the graph, who hears the items and whom they do not hear."""
    model = LightGcn(4, layers, epochs=3, batch=64)
    fitted = model.fit(view(two_kinds()), rng=KEY)
    learned = model._learned(
        joined(sp.csr_array(two_kinds())),
        sp.csr_array(two_kinds()),
        begun(4),
        KEY,
        lambda: None,
    )
    history = np.zeros(12)
    history[[1, 2, 8]] = 1
    A, users = dense(two_kinds()), 60
    hears = history / np.sqrt(3) / np.sqrt(two_kinds().sum(axis=0))
    nodes, mine = learned.astype(float), np.zeros(4)
    kept, whole = [mine], [nodes]
    for _ in range(layers):
        mine = hears @ nodes[users:]
        nodes = A @ nodes
        kept.append(mine)
        whole.append(nodes)
    expected = np.mean(whole, axis=0)[users:] @ np.mean(kept, axis=0)
    found = fitted.scores(sp.csr_array(history[None]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def begun(factors: int) -> Any:
    """What `fit` begins with under the same key."""
    draw = KEY.child("nodes").generator()
    return draw.normal(0.0, 0.1, (72, factors)).astype(np.float32)


def test_one_step_goes_down_the_slope_of_the_pairwise_loss() -> None:
    model = LightGcn(3, 2, rate=1e-4, penalty=0.5, epochs=1, batch=10**6)
    graph, matrix = joined(sp.csr_array(two_kinds())), sp.csr_array(two_kinds())
    before = begun(3)
    moved = model._learned(graph, matrix, before.copy(), KEY, lambda: None) - before
    # Adam's first step is the rate against the sign of the gradient: that of the expected
    # loss wherever the draw of the items not taken does not decide it.
    nodes = torch.from_numpy(before).requires_grad_()
    A = torch.from_numpy(dense(two_kinds()).astype(np.float32))
    whole = (nodes + A @ nodes + A @ (A @ nodes)) / 3
    user, item = map(torch.from_numpy, np.nonzero(two_kinds()))
    apart = (whole[user] * whole[60 + item]).sum(1)[:, None] - whole[user] @ whole[60:].T
    norms = (nodes[user] ** 2).sum(1) + (nodes[60 + item] ** 2).sum(1)
    mean = (nodes[60:] ** 2).sum(1).mean()
    loss = (torch.nn.functional.softplus(-apart).mean(1) + 0.25 * (norms + mean)).mean()
    loss.backward()
    slope = nodes.grad.numpy()
    clear = np.abs(slope) > np.quantile(np.abs(slope), 0.5)
    assert (np.sign(moved[clear]) == -np.sign(slope[clear])).mean() > 0.97
    np.testing.assert_allclose(np.abs(moved), 1e-4, rtol=0.02)


def test_someone_new_gets_what_those_alike_took() -> None:
    fitted = LightGcn(8, 2, rate=0.05, epochs=40, batch=256).fit(view(two_kinds()), rng=KEY)
    history = np.zeros((1, 12))
    history[0, [7, 9]] = 1
    assert set(fitted.predict(ItemQuery(4), view(history)).items[0]) == {6, 8, 10, 11}


def test_nothing_taken_and_what_was_saved() -> None:
    empty = LightGcn(4, epochs=1).fit(view(np.zeros((3, 5))), rng=KEY)
    assert np.isfinite(empty.scores(sp.csr_array((2, 5)))).all()
    fitted = LightGcn(4, epochs=1).fit(view(two_kinds()), rng=KEY)
    again = LightGcn.restore(fitted.state())
    histories = sp.csr_array(two_kinds(1))
    np.testing.assert_array_equal(again.scores(histories), fitted.scores(histories))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"found 64, 0, 60, 8192, 0\.005 and 0\.0001"):
        LightGcn(layers=0)

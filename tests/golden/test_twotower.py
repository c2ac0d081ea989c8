"""Two towers: the loss by hand, and what attributes alone can say of new users and items."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models import twotower
from acclimate.models.items import ItemQuery
from acclimate.models.twotower import TwoTower, compact
from acclimate.rng import Rng

torch: Any = pytest.importorskip("torch")

KEY = Rng.of(0)
SMALL = TwoTower(factors=8, epochs=1, least=150, batch=32)
KIND = np.repeat(np.eye(2), 5, axis=0)  # five items of each of two kinds


def kinds() -> ItemView:
    """40 users who take items of their own kind; the last item of each kind nobody took."""
    draw = np.random.default_rng(0)
    likes = np.repeat(np.eye(2), 20, axis=0)  # (40, 2), users of each kind
    X = (likes @ KIND.T) * (draw.random((40, 10)) < 0.7)
    X[:, [4, 9]] = 0
    return ItemView(
        sp.csr_array(X), X.sum(axis=0), users=sp.csr_array(likes), items=sp.csr_array(KIND)
    )


def asked(histories: Array, users: Array | None) -> ItemView:
    told = None if users is None else sp.csr_array(users)
    return ItemView(sp.csr_array(histories), histories.sum(axis=0), users=told)


def scores(model: TwoTower, view: ItemView) -> Array:
    every = np.tile(np.arange(10), (view.matrix.shape[0], 1))
    return model.predict(ItemQuery(1, every), view).scores


def test_the_loss_is_a_softmax_over_items_that_anybody_took() -> None:
    draw = np.random.default_rng(1)
    F, a = draw.normal(size=(4, 3)), draw.normal(size=(2, 2))
    p = {
        "W": draw.normal(size=(3, 2)), "e": draw.normal(size=(4, 2)),
        "M": draw.normal(size=(2, 2)), "A": draw.normal(size=(2, 2)),
        "d": draw.normal(size=2), "w": draw.normal(size=3), "c": draw.normal(size=4),
    }  # fmt: skip
    taken = np.array([[1, 1, 1, 0], [1, 0, 1, 0]], float)
    seen = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], float)
    own, shown = np.array([True, True, True, False]), np.array([1.0, 0.0, 1.0, 1.0])
    v = F @ p["W"] + shown[:, None] * p["e"]
    b = F @ p["w"] + shown * p["c"]
    expected = 0.0
    for user in range(2):
        held, wanted = np.flatnonzero(seen[user]), np.flatnonzero(taken[user] - seen[user])
        x = a[user] @ p["A"] + p["d"]
        if len(held):
            x = x + v[held].sum(axis=0) @ p["M"] / np.sqrt(len(held))
        s = (v @ x + b)[own]
        logs = s - np.log(np.exp(s).sum())
        expected -= logs[wanted].mean() / 2
    expected += 0.01 * sum((p[name] ** 2).sum() for name in "eWA")

    def tensor(value: Array) -> Any:
        return torch.from_numpy(np.asarray(value, np.float64))

    found = TwoTower(penalty=0.01).loss(
        {name: tensor(value) for name, value in p.items()},
        tensor(F),
        torch.from_numpy(own),
        tensor(taken),
        tensor(seen),
        tensor(a),
        tensor(shown),
    )
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_a_new_item_and_a_new_user_meet_by_their_attributes() -> None:
    fitted = SMALL.fit(kinds(), rng=KEY)
    found = scores(fitted, asked(np.zeros((2, 10)), np.eye(2)))
    assert (found[0, :5].min() > found[0, 5:].max()) and (
        found[1, 5:].min() > found[1, :5].max()
    )


def test_one_event_tells_the_kind_of_a_user_of_whom_nothing_else_is_known() -> None:
    fitted = SMALL.fit(kinds(), rng=KEY)
    history = np.zeros((1, 10))
    history[0, 7] = 1
    found = scores(fitted, asked(history, None))[0]
    assert found[5:].min() > found[:5].max()
    listed = fitted.predict(ItemQuery(10), asked(history, None)).items[0]
    assert set(listed[:4]) == {5, 6, 8, 9} and 7 not in listed


def test_a_score_is_the_product_of_both_towers() -> None:
    model = SMALL.fit(kinds(), rng=KEY)
    history, user = np.zeros((1, 10)), np.array([[0.0, 1.0]])
    history[0, [0, 6, 7]] = 1
    items = np.asarray(model.items, float)
    assert model.people is not None and model.mixing is not None
    x = items[[0, 6, 7]].sum(axis=0) / np.sqrt(3) @ model.mixing + user[0] @ model.people[1:]
    expected = (x + model.people[0]) @ items.T + model.bias
    assert np.allclose(scores(model, asked(history, user))[0], expected, atol=1e-5)


def test_nobody_of_whom_nothing_is_known_gets_what_is_popular() -> None:
    model = SMALL.fit(kinds(), rng=KEY)
    assert model.standing is not None
    assert np.array_equal(scores(model, asked(np.zeros((1, 10)), None))[0], model.standing)


def test_many_features_become_their_first_principal_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    F = np.random.default_rng(2).normal(size=(9, 7))
    assert np.allclose(compact(sp.csr_array(F)), F)
    monkeypatch.setattr(twotower, "DIRECTIONS", 3)
    left, size, right = np.linalg.svd(F, full_matrices=False)
    best = (left[:, :3] * size[:3]) @ right[:3]
    found = compact(sp.csr_array(F))
    assert found.shape == (9, 3)
    assert np.allclose(found @ found.T, best @ best.T, atol=1e-4)


def test_it_is_the_same_after_a_rest_on_disk() -> None:
    model = SMALL.fit(kinds(), rng=KEY)
    back = TwoTower.restore(model.state())
    view = asked(np.zeros((2, 10)), np.eye(2))
    assert np.array_equal(scores(back, view), scores(model, view))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"share hidden between 0 and 1; .* and 1.5"):
        TwoTower(hide=1.5)
    with pytest.raises(StrategyError, match=r"at least one factor.* found 0, 60, 600, 256"):
        TwoTower(factors=0)

"""Content by its formulas: ridge regressions that a dense solver repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.artifacts.states import _model, _state
from acclimate.artifacts.states import _node as node
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models import content
from acclimate.models.content import Content, around, bridged
from acclimate.models.ease import Ease
from acclimate.models.items import ItemQuery
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng

# Six items of which the last two were never taken; the fifth is the first one's twin by
# attributes, and the sixth has none that is known.
F = np.array([[1, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [0, 0, 0]], float)
X = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 0], [0, 0, 0, 1]], float)
A = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], float)
MATRIX = np.hstack([X, np.zeros((5, 2))])


def view(matrix: np.ndarray, users: np.ndarray | None = None, items: bool = True) -> ItemView:
    return ItemView(
        sp.csr_array(matrix),
        matrix.sum(axis=0),
        users=None if users is None else sp.csr_array(users),
        items=sp.csr_array(F) if items else None,
    )


def nobody(items: int) -> ItemView:
    """A user without a history, before so many items."""
    nothing = np.zeros(items)
    return ItemView(sp.csr_array(nothing[None]), nothing, items=sp.csr_array(F[:items]))


def fitted(model: Content, seen: ItemView) -> Content:
    return model.fit(model.prepare(seen), rng=Rng.of(0))


def every(n: int, items: int = 6) -> ItemQuery:
    return ItemQuery(1, np.tile(np.arange(items), (n, 1)))


def test_a_new_item_scores_what_ridge_regression_on_attributes_expects() -> None:
    model = fitted(Content(Ease(10.0), ridge=0.7), view(MATRIX))
    alone = Ease(10.0)
    base = alone.fit(alone.prepare(ItemView(sp.csr_array(X), X.sum(axis=0))), rng=Rng.of(0))
    known = base.scores(sp.csr_array(X))
    mean = known.mean(axis=1, keepdims=True)
    weights = np.linalg.solve(F[:4].T @ F[:4] + 0.7 * np.eye(3), F[:4].T @ (known - mean).T)
    wanted = np.hstack([known, mean + (F[4:] @ weights).T])
    found = model.predict(every(5), view(MATRIX)).scores
    assert np.allclose(found, wanted, atol=1e-6)
    assert np.allclose(found[:, 5], mean[:, 0], atol=1e-6)  # nothing known: the mean


def test_both_ways_to_solve_the_bridge_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = sp.csr_array(np.random.default_rng(0).normal(size=(4, 9)))
    tall = sp.csr_array(np.random.default_rng(1).normal(size=(9, 4)))
    for rows in (wide, tall):
        F_, new = rows.toarray(), rows.toarray()[:2]
        wanted = F_ @ np.linalg.solve(F_.T @ F_ + 2 * np.eye(F_.shape[1]), new.T)
        assert np.allclose(bridged(rows, sp.csr_array(new), 2.0), wanted, atol=1e-5)
    monkeypatch.setattr(content, "DENSE", 3)
    with pytest.raises(StrategyError, match=r"at most 3 items, or features .* found 4 and 9"):
        bridged(wide, wide, 1.0)


def test_users_are_told_what_people_of_their_attributes_take() -> None:
    model = fitted(Content(Popularity(), profile=0.5, people=10.0), view(X, A, items=False))
    whole = np.hstack([np.ones((5, 1)), A])
    penalty = np.diag([0.0, 10.0, 10.0])
    weights = np.linalg.solve(whole.T @ whole + penalty, whole.T @ X)
    history = np.array([[1.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    asked = np.array([[1.0, 0], [0, 1.0], [0, 0]])
    says = np.hstack([np.ones((3, 1)), asked]) @ weights
    popular = X.sum(axis=0)
    wanted = np.stack([popular + 0.5 * says[0], says[1], popular])
    found = model.predict(every(3, 4), view(history, asked, items=False)).scores
    assert np.allclose(found, wanted, atol=1e-6)


def test_a_new_user_of_some_attributes_is_told_of_new_items_too() -> None:
    model = fitted(Content(Ease(10.0)), view(MATRIX, A))
    newcomers = view(np.zeros((2, 6)), np.eye(2))
    scores = model.predict(every(2), newcomers).scores
    assert scores[0, 4] > scores[0, 5] or scores[1, 4] > scores[1, 5]
    assert not np.allclose(scores[0], scores[1])
    listed = model.predict(ItemQuery(6), newcomers).items
    assert all(sorted(row) == list(range(6)) for row in listed)


def test_what_was_taken_is_not_listed_and_the_rest_is_in_the_order_of_scores() -> None:
    model = fitted(Content(Ease(10.0)), view(MATRIX))
    answer = model.predict(ItemQuery(6), view(MATRIX))
    scores = model.predict(every(5), view(MATRIX)).scores
    for row, listed in enumerate(answer.items):
        there = listed[listed >= 0]
        assert not MATRIX[row, there].any() and len(there) == 6 - MATRIX[row].sum()
        assert (np.diff(scores[row, there]) <= 1e-12).all()


def test_without_attributes_it_is_its_base() -> None:
    base = Ease(10.0)
    alone = base.fit(base.prepare(view(X, items=False)), rng=Rng.of(0))
    model = fitted(Content(base), view(X, items=False))
    asked = ItemQuery(3)
    assert np.array_equal(
        model.predict(asked, view(X, items=False)).items,
        alone.predict(asked, view(X, items=False)).items,
    )


@pytest.mark.parametrize("base", [Popularity(), Ease(10.0)])
def test_around_a_fitted_model_new_items_score_as_if_they_had_been_there(
    base: Model,
) -> None:
    first = ItemView(sp.csr_array(X), X.sum(axis=0))
    alone = base.fit(base.prepare(first), rng=Rng.of(0))
    launched = around(alone, nobody(4), sp.csr_array(F[4:]))
    whole = fitted(Content(base), view(MATRIX))
    for found, wanted in (
        (launched.predict(every(5), view(MATRIX)), whole.predict(every(5), view(MATRIX))),
        (
            launched.predict(ItemQuery(6), view(0 * MATRIX)),
            whole.predict(ItemQuery(6), view(0 * MATRIX)),
        ),
    ):
        assert np.array_equal(found.items, wanted.items)
        assert np.allclose(found.scores, wanted.scores, atol=1e-6)
    one = around(alone, nobody(4), sp.csr_array(F[4:5]))
    again = around(one, nobody(5), sp.csr_array(F[5:]))
    assert np.allclose(
        again.predict(every(5), view(MATRIX)).scores,
        launched.predict(every(5), view(MATRIX)).scores,
    )


def test_it_is_the_same_after_a_rest_on_disk() -> None:
    model = fitted(Content(Ease(10.0)), view(MATRIX, A))
    tensors: dict[str, np.ndarray] = {}
    tree = node(model.state(), "model", tensors)
    back = _model(_state(tree, "model", tensors))
    assert isinstance(back, Content)
    asked = view(MATRIX, A)
    assert np.array_equal(
        back.predict(every(5), asked).scores, model.predict(every(5), asked).scores
    )


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(
        StrategyError, match=r"finite ridge and number .* found 0.0, 30.0 and 0.3"
    ):
        Content(ridge=0.0)
    with pytest.raises(StrategyError, match=r"at least 0; found 1.0, 30.0 and -1.0"):
        replace(Content(), profile=-1.0)

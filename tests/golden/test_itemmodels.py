"""Item models by hand: item-kNN by users of either, RP3β's walks, and the graph filter."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any, cast

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.exam import Ranking
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models import items, sparseease, walks
from acclimate.models.ease import solve
from acclimate.models.graphfilter import GraphFilter, normalised, smoothest
from acclimate.models.items import ItemQuery, gram_of
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.models.sparseease import SparseEase
from acclimate.models.walks import Rp3Beta
from acclimate.rng import Rng
from acclimate.strategies.stacking import stack

# Four users, three items: a was taken by three, b by two, c by two.
X = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 1]], dtype=float)
KEY = Rng.of(0)


def view(matrix: Array) -> ItemView:
    return ItemView(sp.csr_array(matrix), matrix.sum(axis=0))


def fitted(model: Any, matrix: Array = X) -> Any:
    return fitted_on(model, view(matrix))


def fitted_on(model: Any, seen: Any) -> Any:
    return model.fit(model.prepare(seen), rng=KEY)


def drawn(seed: int, users: int, items: int, share: float = 0.3) -> Array:
    """Users and items of which some are in no pair."""
    made = (np.random.default_rng(seed).random((users, items)) < share).astype(float)
    made[1] = made[:, 2] = 0.0
    return made


# ── popularity ──────────────────────────────────────────────────────────────


def timed(*events: tuple[int, int, float]) -> ItemView:
    """Of (user, item, day)."""
    user, item = (np.array([event[k] for event in events]) for k in (0, 1))
    days = np.array([event[2] for event in events])
    taken = Taken(user, item, (3, 3), 86_400.0 * days)
    count = np.bincount(item, minlength=3).astype(np.float64)
    return ItemView(taken.rows, count, taken=taken)


def test_a_user_is_worth_half_as_much_in_popularity_after_a_half_life() -> None:
    seen = timed((0, 0, -np.inf), (1, 0, 100), (0, 1, 110), (1, 1, 90), (2, 2, 105))
    found = fitted_on(Popularity(10.0), seen).counts
    # Ten days before the last event ½, twenty ¼, five √½; one that nobody can date nothing.
    np.testing.assert_allclose(found, [0.5, 1.25, sqrt(0.5)])
    assert fitted_on(Popularity(), seen).counts.tolist() == [2, 2, 1]
    assert seen.taken is not None
    untimed = replace(seen, taken=replace(seen.taken, time=None))
    assert fitted_on(Popularity(10.0), untimed).counts.tolist() == [2, 2, 1]


def test_recent_popularity_comes_back_with_its_half_life() -> None:
    found = fitted_on(Popularity(10.0), timed((0, 0, 1), (1, 1, 5)))
    again = Popularity.restore(found.state())
    assert again.half_life_days == 10.0
    np.testing.assert_array_equal(again.counts, found.counts)


def test_users_below_each_other_keep_their_times() -> None:
    one, other = timed((0, 0, 10), (1, 1, 0)), timed((2, 2, 20))
    both = stack([one, other])
    np.testing.assert_allclose(fitted_on(Popularity(10.0), both).counts, [0.5, 0.25, 1.0])


@pytest.mark.parametrize("days", [0.0, -1.0, np.inf, np.nan])
def test_a_half_life_that_is_none_is_refused(days: float) -> None:
    with pytest.raises(StrategyError, match="Expected a half-life above 0 days; found"):
        Popularity(days)


# ── item-kNN ────────────────────────────────────────────────────────────────


def test_item_knn_by_iou_counts_users_of_both_over_users_of_either() -> None:
    # a and b: 2 users of 3; a and c: 1 of 4; b and c: none of 4.
    found = fitted(ItemKnn(3, 0.0, measure="iou")).similarity.toarray()
    np.testing.assert_allclose(found, [[0, 2 / 3, 1 / 4], [2 / 3, 0, 0], [1 / 4, 0, 0]])
    shrunk = fitted(ItemKnn(3, 10.0, measure="iou")).similarity.toarray()
    assert shrunk[0, 1] == pytest.approx(2 / 13)


# ── RP3β ────────────────────────────────────────────────────────────────────


def test_a_walk_from_an_item_goes_to_its_users_and_on_to_an_item_of_theirs() -> None:
    # From a to one of its three users, each of whom has two items: a itself is not counted,
    # b is reached by two of the three with ½, c by one with ½.  From c: u1 (½) then a (½).
    found = fitted(Rp3Beta(alpha=1.0, beta=0.0)).similarity.toarray()
    np.testing.assert_allclose(found, [[0, 1 / 3, 1 / 6], [1 / 2, 0, 0], [1 / 4, 0, 0]])


def test_popular_items_are_marked_down_by_their_users_to_the_power_of_beta() -> None:
    plain = fitted(Rp3Beta(alpha=1.0, beta=0.0)).similarity.toarray()
    found = fitted(Rp3Beta(alpha=1.0, beta=0.5)).similarity.toarray()
    np.testing.assert_allclose(found, plain / np.sqrt([3, 2, 2]))


def test_alpha_is_the_power_of_each_steps_probability() -> None:
    found = fitted(Rp3Beta(alpha=2.0, beta=0.0)).similarity.toarray()
    np.testing.assert_allclose(found[0], [0, 2 * (1 / 9) * (1 / 4), (1 / 9) * (1 / 4)])


def slow_walk(X: Array, alpha: float, beta: float) -> Array:
    """The formula of `models.walks`, one way after the other."""
    users, items = X.sum(axis=0), X.sum(axis=1)
    W = np.zeros((X.shape[1],) * 2)
    for u, i in np.argwhere(X > 0):
        for j in np.flatnonzero(X[u]):
            step = (1 / users[i]) ** alpha * (1 / items[u]) ** alpha
            W[i, j] += step / users[j] ** beta
    np.fill_diagonal(W, 0.0)
    return W


@pytest.mark.parametrize("seed", range(3))
def test_walks_are_those_taken_one_by_one_in_blocks_of_any_size(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = drawn(seed, 30, 14)
    monkeypatch.setattr(walks, "AT_ONCE", 14 * 4)
    found = fitted(Rp3Beta(0.7, 0.4, 14), matrix).similarity.toarray()
    np.testing.assert_allclose(found, slow_walk(matrix, 0.7, 0.4), atol=1e-12)


def test_an_item_keeps_its_strongest_ways() -> None:
    found = fitted(Rp3Beta(1.0, 0.0, neighbours=1)).similarity.toarray()
    np.testing.assert_allclose(found, [[0, 1 / 3, 0], [1 / 2, 0, 0], [1 / 4, 0, 0]])


# ── graph filter ────────────────────────────────────────────────────────────


def test_the_linear_filter_is_the_product_of_normalised_interactions() -> None:
    # R = D_u^(−½) X D_i^(−½): B_ab = Σ_u 1/(d_u √(d_a d_b)) = 2 · ½ / √6, B_ac = ½ / √6.
    found = fitted(GraphFilter(smooth=0.0)).matrix
    ab, ac = 1 / sqrt(6), 0.5 / sqrt(6)
    whole = [[0.5, ab, ac], [ab, 0.5, 0], [ac, 0, 0.75]]
    np.testing.assert_allclose(found, whole, atol=1e-7)


def test_the_low_pass_filter_lets_the_smoothest_signals_through() -> None:
    matrix = drawn(5, 40, 12)
    users = matrix.sum(axis=0)
    some = np.where(users > 0, users, 1.0)
    rows = np.where(matrix.sum(axis=1) > 0, matrix.sum(axis=1), 1.0)
    R = matrix / np.sqrt(rows)[:, None] / np.sqrt(some)
    # Eigenvectors of RᵀR by another road, the three of the largest eigenvalues.
    V = np.linalg.eigh(R.T @ R)[1][:, -3:]
    low = np.diag(some**-0.5) @ V @ V.T @ np.diag(some**0.5)
    found = fitted(GraphFilter(smooth=0.4, vectors=3), matrix).matrix
    expected = R.T @ R + 0.4 * low
    expected[2] = expected[:, 2] = 0.0  # the item nobody took
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_smoothest_signal_of_all_is_the_root_of_popularity() -> None:
    matrix = drawn(7, 40, 12)
    R = normalised(sp.csr_array(matrix), matrix.sum(axis=0))
    found = np.abs(smoothest(R, 1, KEY)[:, 0])
    root = np.sqrt(matrix.sum(axis=0))
    np.testing.assert_allclose(found, root / np.linalg.norm(root), atol=1e-10)


def test_signals_that_no_user_carries_do_not_pass() -> None:
    # Rank 3 at most, twelve asked for: VVᵀ projects on what users carry, and on no more.
    matrix = np.repeat(np.eye(3), 4, axis=1)
    R = normalised(sp.csr_array(matrix), matrix.sum(axis=0))
    for size in (12, 3, 2):
        assert smoothest(R, size, KEY).shape == (12, min(size, 3))


# ── all of them ─────────────────────────────────────────────────────────────

MODELS = [ItemKnn(30, 0.0, measure="iou"), Rp3Beta(), GraphFilter(), SparseEase()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_a_ranking_repeats_nothing_and_serves_someone_without_a_history(model: Any) -> None:
    matrix = drawn(3, 60, 25)
    found = fitted(model, matrix)
    ranking = found.predict(ItemQuery(25), view(matrix))
    assert isinstance(ranking, Ranking)
    for user, row in enumerate(ranking.items):
        assert sorted([*row[row >= 0], *np.flatnonzero(matrix[user])]) == list(range(25))
    popular = np.argsort(-matrix.sum(axis=0), kind="stable")
    assert ranking.items[1].tolist() == popular.tolist(), "user 1 took nothing"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_a_fit_on_a_gram_matrix_of_rows_is_that_on_the_view(model: Any) -> None:
    """A stack hands all its bases the same prepared rows."""
    matrix = drawn(3, 60, 25)
    histories = sp.csr_array(matrix[:9])
    by_gram = model.fit(gram_of(view(matrix)), rng=KEY).scores(histories)
    np.testing.assert_allclose(by_gram, fitted(model, matrix).scores(histories), atol=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
def test_what_was_saved_scores_alike(model: Any) -> None:
    matrix = drawn(4, 50, 20)
    found = fitted(model, matrix)
    again = type(model).restore(found.state())
    histories = sp.csr_array(matrix)
    np.testing.assert_array_equal(again.scores(histories), found.scores(histories))
    assert [type(model).restore(found.state()).state().meta] == [found.state().meta]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ItemKnn(0), "found 0, 10.0 and 'cosine'"),
        (
            lambda: ItemKnn(measure=cast(Any, "pearson")),
            "among cosine, iou; found 100, 10.0 and 'pearson'",
        ),
        (lambda: Rp3Beta(alpha=0.0), "a finite alpha above 0, .*; found 0.0, 0.5 and 100"),
        (lambda: Rp3Beta(beta=-1.0), "found 1.0, -1.0 and 100"),
        (lambda: GraphFilter(smooth=-0.1), "a finite smooth of at least 0 .*; found -0.1 and"),
        (lambda: GraphFilter(vectors=0), "at least one vector; found 0.3 and 0"),
        (lambda: SparseEase(0.0), "a finite penalty above 0 and .*; found 0.0 and 100"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, text: str) -> None:
    with pytest.raises(StrategyError, match=text):
        make()


# ── sparse EASE ─────────────────────────────────────────────────────────────


def test_sparse_ease_over_all_items_is_ease() -> None:
    matrix = drawn(8, 40, 12, 0.5)
    found = fitted(SparseEase(7.0, neighbours=12), matrix).similarity.toarray()
    np.testing.assert_allclose(found, solve(matrix.T @ matrix, 7.0), atol=1e-10)


def test_sparse_ease_is_the_ridge_of_an_item_on_those_most_like_it() -> None:
    matrix = drawn(9, 60, 12, 0.5)
    found = fitted(SparseEase(7.0, neighbours=3), matrix).similarity.toarray()
    users = matrix.sum(axis=0)
    for j in (0, 5, 11):
        cosine = (matrix.T @ matrix[:, j]) / np.sqrt(np.maximum(users, 1) * users[j])
        cosine[j] = -1
        near = np.argsort(-cosine)[:3]
        tall = np.vstack([matrix[:, near], np.sqrt(7.0) * np.eye(3)])
        ridge = np.linalg.lstsq(tall, np.r_[matrix[:, j], np.zeros(3)], rcond=None)[0]
        assert set(np.flatnonzero(found[:, j])) == set(near)
        np.testing.assert_allclose(found[near, j], ridge, atol=1e-10)


def test_blocks_of_any_size_give_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = drawn(9, 60, 12, 0.5)
    whole = fitted(SparseEase(neighbours=3), matrix).similarity.toarray()
    monkeypatch.setattr(sparseease, "AT_ONCE", 60)
    np.testing.assert_array_equal(
        fitted(SparseEase(neighbours=3), matrix).similarity.toarray(), whole
    )


def test_a_dense_matrix_of_too_many_items_is_refused_and_a_sparse_one_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(items, "DENSE", 2)
    with pytest.raises(StrategyError, match=r"at most 2 items for a dense .* found 3\. Keep"):
        gram_of(view(X))
    with pytest.raises(StrategyError, match="sparse-ease, rp3beta, als or bpr"):
        fitted(GraphFilter())
    assert fitted(SparseEase()).similarity.shape == (3, 3)


def test_lists_are_the_same_however_few_rows_are_scored_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matrix = drawn(3, 60, 25)
    found = fitted(Rp3Beta(), matrix)
    asked = ItemQuery(5, np.tile(np.arange(25), (60, 1)))
    for query in (ItemQuery(5), asked):
        monkeypatch.setattr(items, "CELLS", 2**24)
        whole = found.predict(query, view(matrix))
        monkeypatch.setattr(items, "CELLS", 100)
        few = found.predict(query, view(matrix))
        np.testing.assert_array_equal(few.items, whole.items)
        np.testing.assert_array_equal(few.scores, whole.scores)

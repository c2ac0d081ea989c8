"""Item models by hand: EASE, item-kNN, popularity, ties, cold users, and what is left out."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.best import best
from acclimate.models.ease import Ease, ItemPrior, inverse, solve
from acclimate.models.items import ItemQuery, gram_of, rank
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng

# Four users, three items: a was taken by three, b by two, c by two.
X = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 1]], dtype=float)
KEY = Rng.of(0)


def view(matrix: Array) -> ItemView:
    return ItemView(sp.csr_array(matrix), matrix.sum(axis=0))


def ranked(model: Ease | ItemKnn | Popularity, histories: Array, k: int = 3) -> Ranking:
    return model.predict(ItemQuery(k), view(histories))


# ── EASE ────────────────────────────────────────────────────────────────────


def test_ease_of_two_items_is_the_ridge_of_one_on_the_other() -> None:
    # G = [[3, 2], [2, 2]], λ = 1.  With one other item the best weight is
    # B_ab = G_ab / (G_aa + λ) = 2/4 to predict b from a, and 2/3 to predict a from b.
    B = solve(np.array([[3.0, 2.0], [2.0, 2.0]]), 1.0)
    np.testing.assert_allclose(B, [[0, 2 / 4], [2 / 3, 0]], atol=1e-12)


def test_ease_of_three_items_by_hand() -> None:
    # G = [[3,2,1],[2,2,0],[1,0,2]], λ = 1: G + I = [[4,2,1],[2,3,0],[1,0,3]], of
    # determinant 4·9 − 2·6 + 1·(0 − 3) = 21 and inverse 1/21 · adj:
    # [[9, −6, −3], [−6, 11, 2], [−3, 2, 8]] / 21.  B_ij = −P_ij / P_jj.
    expected = np.array([[0, 6 / 11, 3 / 8], [6 / 9, 0, -2 / 8], [3 / 9, -2 / 11, 0]])
    np.testing.assert_allclose(solve(X.T @ X, 1.0), expected, atol=1e-12)


def test_ease_predicts_from_the_rows_of_its_matrix() -> None:
    # Someone who took a: b scores 6/11 and c 3/8 (rows of B are what was taken).
    model = Ease(1.0)
    fitted = model.fit(model.prepare(view(X)), rng=KEY)
    ranking = ranked(fitted, np.array([[1.0, 0, 0]]))
    assert ranking.items.tolist() == [[1, 2, -1]]
    np.testing.assert_allclose(ranking.scores[0, :2], [6 / 11, 3 / 8], atol=1e-7)


def test_the_diagonal_is_zero_with_and_without_a_prior() -> None:
    prior = ItemPrior([np.ones((3, 3)) - np.eye(3)], [2.0], np.zeros(3))
    for B in (solve(X.T @ X, 1.0), solve(X.T @ X, 1.0, prior)):
        np.testing.assert_array_equal(np.diag(B), 0)


def test_inverse_is_the_inverse_and_symmetric() -> None:
    P = inverse(X.T @ X, 0.5)
    np.testing.assert_allclose(P @ (X.T @ X + 0.5 * np.eye(3)), np.eye(3), atol=1e-12)
    np.testing.assert_array_equal(P, P.T)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_a_penalty_that_is_not_above_0_is_refused(penalty: float) -> None:
    with pytest.raises(StrategyError, match="Expected a penalty above 0 and strengths"):
        solve(X.T @ X, penalty)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_no_number_of_users_is_refused(strength: float) -> None:
    prior = ItemPrior([np.zeros((3, 3))], [strength], np.zeros(3))
    with pytest.raises(StrategyError, match="strengths of at least 0; found 1"):
        solve(X.T @ X, 1.0, prior)


def test_a_gram_matrix_that_is_none_is_refused() -> None:
    with pytest.raises(StrategyError, match="Expected a positive definite Gram matrix"):
        solve(np.array([[1.0, 9.0], [9.0, 1.0]]), 0.1)


def test_gram_counts_users_who_took_both_whatever_the_density() -> None:
    np.testing.assert_array_equal(gram_of(view(X)).gram, X.T @ X)
    sparse = np.zeros((50, 40))
    sparse[3, [1, 2]] = 1
    np.testing.assert_array_equal(gram_of(view(sparse)).gram, sparse.T @ sparse)


# ── item-kNN ────────────────────────────────────────────────────────────────


def test_item_knn_is_the_cosine_of_columns() -> None:
    # a·b = 2 over √3·√2; a·c = 1 over √3·√2; b·c = 0.
    fitted = ItemKnn(neighbours=3, shrink=0.0).fit(gram_of(view(X)), rng=KEY)
    assert fitted.similarity is not None
    ab, ac = 2 / sqrt(6), 1 / sqrt(6)
    np.testing.assert_allclose(
        fitted.similarity.toarray(), [[0, ab, ac], [ab, 0, 0], [ac, 0, 0]], atol=1e-12
    )


def test_item_knn_shrinks_by_users_in_the_bottom() -> None:
    fitted = ItemKnn(neighbours=3, shrink=10.0).fit(gram_of(view(X)), rng=KEY)
    assert fitted.similarity is not None
    assert fitted.similarity.toarray()[0, 1] == pytest.approx(2 / (sqrt(6) + 10))


def test_item_knn_keeps_the_nearest_of_each_item() -> None:
    # The nearest of c is a; that of a is b.  Column j holds the neighbours of j.
    fitted = ItemKnn(neighbours=1, shrink=0.0).fit(gram_of(view(X)), rng=KEY)
    assert fitted.similarity is not None
    kept = fitted.similarity.toarray() > 0
    assert kept.tolist() == [[False, True, True], [True, False, False], [False] * 3]


def test_an_item_that_nobody_took_resembles_nothing() -> None:
    unseen = np.column_stack([X, np.zeros(4)])
    fitted = ItemKnn(neighbours=9, shrink=0.0).fit(gram_of(view(unseen)), rng=KEY)
    assert fitted.similarity is not None
    dense = fitted.similarity.toarray()
    assert np.isfinite(dense).all() and not dense[3].any() and not dense[:, 3].any()


# ── ranking ─────────────────────────────────────────────────────────────────


def test_popularity_ranks_by_users_and_leaves_out_what_was_taken() -> None:
    fitted = Popularity().fit(Popularity().prepare(view(X)), rng=KEY)
    ranking = ranked(fitted, np.array([[0.0, 0, 1], [1, 0, 0]]))
    assert ranking.items[0].tolist() == [0, 1, -1]
    assert ranking.scores[0].tolist() == [3, 2, -np.inf]
    assert ranking.items[1][0] in (1, 2) and ranking.size == 3


def test_among_equal_scores_the_more_popular_item_comes_first() -> None:
    popularity = np.array([1.0, 5.0, 3.0, 4.0])
    histories = ItemView(sp.csr_array(np.array([[1.0, 0, 0, 0]])), np.zeros(4))
    tied = rank(lambda h: np.full(h.shape, 0.7), histories, ItemQuery(3), popularity)
    assert tied.items.tolist() == [[1, 3, 2]]


def test_a_higher_score_by_the_smallest_step_beats_any_popularity() -> None:
    popularity = np.array([0.0, 1e9, 2.0])
    scores = np.array([[0.0, 0.5, np.nextafter(0.5, 1)]])
    histories = ItemView(sp.csr_array(np.array([[1.0, 0, 0]])), np.zeros(3))
    found = rank(lambda h: scores.copy(), histories, ItemQuery(2), popularity)
    assert found.items.tolist() == [[2, 1]]


def test_ties_at_the_edge_of_a_list_are_broken_by_popularity_too() -> None:
    # 300 equal items and a list of 2: the two most popular ones, wherever they stand.
    popularity = np.arange(300.0)
    popularity[[17, 250]] = [1000, 2000]
    histories = ItemView(sp.csr_array(np.eye(1, 300)), np.zeros(300))
    tied = rank(lambda h: np.zeros(h.shape), histories, ItemQuery(2), popularity)
    assert tied.items.tolist() == [[250, 17]]


@pytest.mark.parametrize("model", [Ease(1.0), ItemKnn(3, 0.0), Popularity()], ids=str)
def test_a_user_without_a_history_gets_what_is_popular(
    model: Ease | ItemKnn | Popularity,
) -> None:
    fitted = model.fit(model.prepare(view(X)), rng=KEY)  # type: ignore[arg-type]
    ranking = ranked(fitted, np.zeros((1, 3)))
    assert ranking.items[0, 0] == 0 and ranking.scores[0].tolist() == [3, 2, 2]


@pytest.mark.parametrize("model", [Ease(5.0), ItemKnn(30, 0.0), Popularity()], ids=str)
def test_a_ranking_never_repeats_what_a_user_took_nor_itself(
    model: Ease | ItemKnn | Popularity,
) -> None:
    g = np.random.default_rng(3)
    matrix = (g.random((60, 25)) < 0.3).astype(float)
    fitted = model.fit(model.prepare(view(matrix)), rng=KEY)  # type: ignore[arg-type]
    ranking = ranked(fitted, matrix, k=25)
    for user, row in enumerate(ranking.items):
        listed = row[row >= 0]
        taken = np.flatnonzero(matrix[user])
        assert sorted([*listed, *taken]) == list(range(25)), "everything else, once"


@pytest.mark.parametrize("model", [Ease(5.0), ItemKnn(30, 0.0), Popularity()], ids=str)
def test_scores_fall_along_a_list(model: Ease | ItemKnn | Popularity) -> None:
    g = np.random.default_rng(4)
    matrix = (g.random((60, 80)) < 0.2).astype(float)
    fitted = model.fit(model.prepare(view(matrix)), rng=KEY)  # type: ignore[arg-type]
    ranking = ranked(fitted, matrix, k=10)
    assert (np.diff(ranking.scores, axis=1) <= 0).all()


def test_candidates_are_scored_in_their_order_and_unknown_ones_not_at_all() -> None:
    model = Ease(1.0)
    fitted = model.fit(model.prepare(view(X)), rng=KEY)
    candidates: Ints = np.array([[2, -1, 1]])
    ranking = fitted.predict(ItemQuery(3, candidates), view(np.array([[1.0, 0, 0]])))
    assert ranking.pool and ranking.items.tolist() == [[2, -1, 1]]
    np.testing.assert_allclose(ranking.scores, [[3 / 8, -np.inf, 6 / 11]], atol=1e-7)


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize(("size", "k"), [(700, 5), (701, 20), (3000, 10), (50, 10)])
def test_the_best_are_those_of_a_full_sort_however_many_are_equal(
    kind: type, size: int, k: int
) -> None:
    g = np.random.default_rng(size)
    scores: Array = g.normal(size=(40, size)).astype(kind)
    scores[10:20] = g.integers(0, 4, (10, size))  # ties at every edge
    scores[20:30] = np.where(g.random((10, size)) < 0.01, scores[20:30], 0.0)
    scores[30:35] = -np.inf  # nothing is left
    scores[35:, k // 2 :] = -np.inf  # less than a list is
    favoured = g.permutation(size)
    place = np.argsort(favoured)
    items, top = best(scores, favoured, k)
    for row in range(40):
        order = np.lexsort((place, -scores[row]))[:k]
        left = np.isfinite(scores[row][order])
        assert items[row].tolist() == np.where(left, order, -1).tolist()
        assert top[row].tolist() == scores[row][order].tolist()

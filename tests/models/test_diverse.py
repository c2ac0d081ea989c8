"""Maximal marginal relevance by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.models.diverse import cosines, marginal

# Items 0 and 1 were taken by the same users, item 2 by half of them, item 3 by others.
ROWS = sp.csc_array(
    np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=float)
)


def test_cosines_of_items_are_those_of_their_users() -> None:
    half = 1 / np.sqrt(2)
    expected = [[1, 1, half, 0], [1, 1, half, 0], [half, half, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(cosines(ROWS, np.arange(4)), expected, atol=1e-6)


def test_the_next_item_weighs_its_score_against_the_most_alike_so_far() -> None:
    # Scores 4, 3, 2, 1 → 1, 2/3, 1/3, 0.  θ = .3: 0 first; then 1 has .7·2/3 − .3·1 = .167,
    # 2 has .7/3 − .3·.707 = .021, 3 has 0 − 0 = 0: 1 is next.  Then 2: .021, 3: 0.
    items, scores = np.array([[0, 1, 2, 3]]), np.array([[4.0, 3, 2, 1]])
    assert marginal(items, scores, ROWS, 4, 0.3).tolist() == [[0, 1, 2, 3]]
    # θ = .5: 1 has 1/3 − .5 = −.167, 2 has .167 − .354 = −.187, 3 has 0: 3 is next; 3 is
    # alike to none, so that 1 follows and 2 is last.
    assert marginal(items, scores, ROWS, 4, 0.5).tolist() == [[0, 3, 1, 2]]
    # θ = 1: difference alone; 2 is less like 0 than 1 is.
    assert marginal(items, scores, ROWS, 4, 1.0).tolist() == [[0, 3, 2, 1]]


def test_the_most_alike_so_far_counts_and_not_the_last() -> None:
    # After 0 and 3, item 1 is alike to 0 though not to 3: with θ = .9 it has .1·.9 − .9 and
    # item 2 .1·0 − .9·.707, which is more.
    items, scores = np.array([[0, 3, 1, 2]]), np.array([[10.0, 9.9, 9, 0]])
    assert marginal(items, scores, ROWS, 3, 0.9).tolist() == [[0, 1, 3]]


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_places_without_an_item_stay_empty(spread: float) -> None:
    items, scores = np.array([[2, -1, -1], [-1, -1, -1]]), np.full((2, 3), -np.inf)
    scores[0, 0] = 5.0
    found = marginal(items, scores, ROWS, 2, spread)
    assert found.tolist() == [[0, -1], [-1, -1]]


def test_without_a_spread_the_order_is_that_of_the_scores() -> None:
    g = np.random.default_rng(0)
    items = np.array([g.permutation(4) for _ in range(9)])
    scores = -np.sort(-g.normal(size=(9, 4)))
    found = marginal(items, scores, ROWS, 3, 0.0)
    assert found.tolist() == [[0, 1, 2]] * 9

"""The item graph as a strategy: its closed form, its limit, and items of others' ids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.problem import Statistics
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease, solve
from acclimate.models.popularity import Popularity
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.relation.itemgraph import ItemGraph, spread_over, taken_together
from acclimate.strategies.relation.itemprior import SourceSettings
from tests.golden.test_itemprior import (
    ITEMS,
    KEY,
    ONE,
    TARGET,
    TWO,
    drawn,
    matrix,
    problem,
    taken,
)


def test_two_items_share_their_scores_by_hand() -> None:
    # S = [[0, 1], [1, 0]]: (1 − α)/(1 − α²) · [[1, α], [α, 1]] = [[1, α], [α, 1]] / (1 + α).
    found = spread_over(np.array([[0.0, 7.0], [7.0, 0.0]]), 0.25)
    np.testing.assert_allclose(found, np.array([[1, 0.25], [0.25, 1]]) / 1.25, rtol=1e-12)


def test_an_item_without_neighbours_keeps_its_score() -> None:
    W = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    found = spread_over(W, 0.5)
    assert found[2].tolist() == [0, 0, 1] and found[:, 2].tolist() == [0, 0, 1]


def test_it_is_the_end_of_spreading_again_and_again() -> None:
    given = problem(TARGET, TWO)
    fitted = ItemGraph(0.6).adapt(given, Ease(20.0), KEY)
    X, S, R = drawn(1, 30), drawn(2, 80), drawn(3, 50)
    W = S.T @ S + R.T @ R
    np.fill_diagonal(W, 0.0)
    near = W / np.sqrt(np.outer(W.sum(axis=1), W.sum(axis=1)))
    y = X @ solve(X.T @ X, 20.0)
    f = y
    for _ in range(200):
        f = 0.6 * f @ near + 0.4 * y
    np.testing.assert_allclose(X @ matrix(fitted), f, atol=1e-5)


def test_without_spread_it_is_target_only() -> None:
    given = problem(TARGET, ONE)
    alone = TargetOnly().adapt(given.encoded(Statistics.BOTH), Ease(20.0), KEY)
    none = ItemGraph(0.0).adapt(given, Ease(20.0), KEY)
    np.testing.assert_allclose(matrix(none), matrix(alone), atol=1e-7)


def test_an_item_nobody_took_here_is_scored_by_what_it_is_taken_with_there() -> None:
    X, S = np.zeros((20, 4)), np.zeros((40, 4))
    X[:10, :2], X[10:, 2] = 1, 1
    S[:, [1, 3]] = 1
    names = ["a", "b", "c", "d"]
    given = problem(taken(X, names), {"s": taken(S, names)})
    scores = np.eye(4)[0] @ matrix(ItemGraph(0.5).adapt(given, Ease(1.0), KEY))
    assert scores[3] > 10 * abs(scores[2])
    alone = np.eye(4)[0] @ matrix(ItemGraph(0.0).adapt(given, Ease(1.0), KEY))
    assert alone[3] == 0


def test_items_in_another_order_give_the_same_relations() -> None:
    order = np.random.default_rng(5).permutation(10)
    there = {"s": taken(drawn(2, 80)[:, order], [ITEMS[at] for at in order])}
    one = ItemGraph().adapt(problem(TARGET, ONE), Ease(20.0), KEY)
    other = ItemGraph().adapt(problem(TARGET, there), Ease(20.0), KEY)
    np.testing.assert_allclose(matrix(other), matrix(one), atol=1e-6)


def test_a_source_gives_counts_of_users_and_no_diagonal() -> None:
    X = drawn(2, 80)
    expected = X.T @ X
    np.fill_diagonal(expected, 0.0)
    found = taken_together(ONE["s"], SourceSettings())
    np.testing.assert_array_equal(found.matrix, expected)


def test_what_cannot_be_spread_is_refused() -> None:
    given = problem(TARGET, ONE)
    why = ItemGraph().why_not(given, Popularity())
    assert why == "popularity has no item–item matrix whose scores a graph could spread"
    shy = [replace(given.sources[0], shares=frozenset({"moments"}))]
    why = ItemGraph().why_not(given.with_sources(shy), Ease())
    assert why == "source 's' does not share its gram"
    for spread in (-0.1, 1.0):
        with pytest.raises(StrategyError, match="spread of at least 0 and below 1, found"):
            ItemGraph(spread)

"""What markets say for a candidate, against the definitions written out; and what is hidden
from whom."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.taken import Taken
from acclimate.models.across import Across, Evidence
from acclimate.models.ease import solve
from acclimate.models.known import Reach
from acclimate.models.lessons import Lesson
from acclimate.models.voices import STATISTICS, Effects, Market, Order, voices
from acclimate.rng import Rng

KEY = Rng.of(0)
N = 9


def rows(seed: int, users: int, items: int = N) -> Array:
    matrix = (np.random.default_rng(seed).random((users, items)) < 0.4).astype(float)
    matrix[0] = 0.0
    return matrix


def taken(seed: int, users: int, items: int = N) -> Taken:
    """Events in a random order."""
    user, item = np.nonzero(rows(seed, users, items))
    order = np.random.default_rng(seed + 1).permutation(len(user))
    return Taken(user[order], item[order], (users, items))


def test_statistics_are_those_of_their_definitions() -> None:
    X, H = rows(1, 40), rows(2, 6)
    X[:, 8] = 0.0  # an item nobody took
    G = X.T @ X
    count = np.diag(G)
    user, item = np.nonzero(H == 0)
    found = voices(Market.of(sp.csr_array(X)), sp.csr_array(H), user, item)
    for row, (u, i) in enumerate(zip(user, item, strict=True)):
        history = np.flatnonzero(H[u])
        both, mine, theirs = G[history, i], max(count[i], 1), np.maximum(count[history], 1)
        cosine = np.sort(both / np.sqrt(mine * theirs))
        wanted = [0.0] * 9
        if len(history):
            wanted = [
                cosine.sum(),
                cosine.max(),
                cosine[-2:].mean(),
                cosine.mean(),
                np.median(cosine),
                (both / (mine + theirs - both)).sum(),
                (both / theirs).sum(),
                (both / theirs).max(),
                (both > 0).sum(),
            ]
        np.testing.assert_allclose(found[row], [*wanted, count[i]], rtol=1e-5)
    assert found.shape == (len(user), len(STATISTICS))


def test_pairs_are_the_same_however_many_are_looked_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market, H = Market.of(sp.csr_array(rows(1, 40))), rows(2, 6)
    user, item = np.nonzero(H == 0)
    whole = voices(market, sp.csr_array(H), user, item)
    assert H[user].sum() > N**2 / 8  # found in a table; one pair alone in sorted columns
    for pair in range(len(user)):
        one = voices(market, sp.csr_array(H), user[[pair]], item[[pair]])
        np.testing.assert_allclose(one[0], whole[pair], rtol=1e-6)
    monkeypatch.setattr("acclimate.models.voices.AT_ONCE", 3)
    assert (voices(market, sp.csr_array(H), user, item) == whole).all()


def test_markets_as_one_are_the_market_of_all_their_rows() -> None:
    one, other = rows(1, 30), rows(2, 20)
    both = Market.of(sp.csr_array(one)).plus([Market.of(sp.csr_array(other))])
    whole = Market.of(sp.csr_array(np.vstack([one, other])))
    assert (both.together.toarray() == whole.together.toarray()).all()
    assert (both.count == whole.count).all()
    assert not both.together.diagonal().any()


def test_effects_are_ease_over_the_items_taken_most() -> None:
    X, H = rows(1, 60), rows(2, 5)
    market = Market.of(sp.csr_array(X))
    whole = Effects.of(market, 3.0, N)
    B = solve(X.T @ X, 3.0)
    np.testing.assert_allclose(whole.scores(sp.csr_array(H)), H @ B, atol=1e-5)
    few = Effects.of(market, 3.0, 4)
    most = np.sort(np.argsort(-X.sum(axis=0), kind="stable")[:4])
    assert few.items.tolist() == most.tolist()
    wanted = np.zeros((5, N))
    wanted[:, most] = H[:, most] @ solve(X[:, most].T @ X[:, most], 3.0)
    np.testing.assert_allclose(few.scores(sp.csr_array(H)), wanted, atol=1e-5)
    user, item = np.nonzero(H == 0)
    pairs = few.pairs(sp.csr_array(H), user, item)
    np.testing.assert_allclose(pairs, wanted[user, item], atol=1e-5)


def test_places_in_order_by_hand() -> None:
    # Events in order: items 1, 0, 1, 2 at 1/8, 3/8, 5/8, 7/8; item 3 was never taken.
    order = Order.of(np.array([1, 0, 1, 2]), 4)
    assert order.usual.tolist() == [0.375, 0.375, 0.875, -1.0]
    assert order.latest.tolist() == [0.375, 0.625, 0.875, -1.0]
    found = order.columns(np.array([1, -1]), np.array([0, 1]), np.array([2, 0]))
    assert found.tolist() == [[0.875, 0.875, 0.5], [0.375, 0.375, 1.375]]


def test_nothing_that_is_learned_from_has_seen_what_is_hidden() -> None:
    """Whatever a user's hidden item is, features of every candidate are the same."""
    whole = taken(5, 40)
    source = Market.of(sp.csr_array(rows(6, 30)))
    last = [np.flatnonzero(whole.user == user)[-1] for user in np.unique(whole.user)]
    dense = whole.rows.toarray()
    other = replace(whole, item=whole.item.copy())
    for event in last:
        free = np.flatnonzero(dense[whole.user[event]] == 0)
        if len(free):
            other.item[event] = free[0]
    assert (other.item != whole.item).sum() > 30
    model = Across(reach=Reach(5.0, 6), folds=1, names=N)
    for mine, theirs in zip(
        model.lessons(Evidence(whole, (source,)), KEY),
        model.lessons(Evidence(other, (source,)), KEY),
        strict=True,
    ):
        columns = [
            {(u, *map(float, f[-5:])): f for u, f in zip(each.user, each.features, strict=True)}
            for each in (mine, theirs)
        ]
        shared = set(columns[0]) & set(columns[1])
        assert len(shared) > 60
        for key in shared:
            assert (columns[0][key] == columns[1][key]).all()
    named = [
        model.lessons(Evidence(each, (source,)), KEY)[1].features for each in (whole, other)
    ]
    assert (named[0] == named[1]).all()


def ordered(columns: list[int]) -> Any:
    """What `judged` asks of all that is known: the features that order by themselves."""
    return SimpleNamespace(ordering=np.array(columns))


def test_trees_that_find_nothing_leave_the_best_score_to_answer() -> None:
    draw = np.random.default_rng(0)
    user = np.repeat(np.arange(60), 12)
    found = np.tile(np.arange(12) == 0, 60)
    good = found + 0.8 * draw.random(720)
    noise = draw.random((720, 3))
    ones = np.ones(60, np.int64)
    lesson = Lesson(user, np.column_stack([noise, good]), found, ones, ones)
    told = Across().judged(lesson, ordered([0, 3]), KEY, lambda: None)
    assert (told.column, told.model) == (3, "")
    two = np.column_stack([noise, found + draw.random(720) * 2, found + draw.random(720) * 2])
    more = Lesson(np.repeat(np.arange(60), 12), two, found, ones, ones)
    # What either says alone, both say better: now trees earn their place.
    told = Across(leaves=4).judged(more, ordered([3, 4]), KEY, lambda: None)
    assert told.model
    assert told.score(two).shape == (720,)

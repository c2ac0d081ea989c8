"""The item–item prior as a strategy: its limits, its vocabulary, and its sum over sources."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from acclimate.arrays import Array, Strings, Tensor
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemRecipe
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease, solve
from acclimate.models.model import Model
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.relation.itemprior import (
    ItemItemPrior,
    SourceItems,
    SourceSettings,
    map_items,
    source_items,
)
from acclimate.tasks.recommend import Recommend

KEY = Rng.of(0)
ITEMS = [f"i{n}" for n in range(10)]


def taken(X: Array, items: list[str]) -> Interactions:
    """The interactions of a matrix of users × items."""
    user, item = np.nonzero(X)
    users = np.array([f"u{n}" for n in range(len(X))], dtype=object)
    return Interactions(user, item, users, np.array(items, dtype=object))


def drawn(seed: int, users: int, items: int = 10) -> Array:
    X = (np.random.default_rng(seed).random((users, items)) < 0.35).astype(float)
    X[0] = 1.0  # someone took everything, so that every item is known everywhere
    return X


def problem(target: Interactions, sources: Mapping[str, Interactions]) -> Problem:
    given = tuple(Source(name, sample) for name, sample in sources.items())
    raw = Problem("t", target, given, Claim.LATER, ItemRecipe(target.items))
    return raw.encoded(Statistics.BOTH)


def matrix(model: Model) -> Array:
    assert isinstance(model, Ease) and model.matrix is not None
    return model.matrix.astype(float)


TARGET = taken(drawn(1, 30), ITEMS)
ONE = {"s": taken(drawn(2, 80), ITEMS)}
TWO = {"s": taken(drawn(2, 80), ITEMS), "r": taken(drawn(3, 50), ITEMS)}


def test_a_vanishing_strength_is_target_only_exactly() -> None:
    given = problem(TARGET, TWO)
    # The same encoder on both sides: every item is known in target and sources alike.
    alone = given.encoded(Statistics.TARGET)
    assert alone.encoder is not None and given.encoder is not None
    assert alone.encoder.fingerprint == given.encoder.fingerprint
    weak = ItemItemPrior(strength=1e-9).adapt(given, Ease(20.0), KEY)
    own = TargetOnly().adapt(alone, Ease(20.0), KEY)
    np.testing.assert_allclose(matrix(weak), matrix(own), atol=1e-8)


def test_an_unbounded_strength_is_the_source_own_matrix() -> None:
    given = problem(TARGET, ONE)
    strong = ItemItemPrior(strength=1e12, source_penalty=40.0).adapt(given, Ease(20.0), KEY)
    X = drawn(2, 80)
    np.testing.assert_allclose(matrix(strong), solve(X.T @ X, 40.0), atol=1e-6)


def test_the_strategy_solves_the_kkt_system_of_its_sum_over_sources() -> None:
    given = problem(TARGET, TWO)
    fitted = ItemItemPrior(strength=25.0, source_penalty=40.0).adapt(given, Ease(7.0), KEY)
    X, grams = drawn(1, 30), [drawn(2, 80), drawn(3, 50)]
    priors = [solve(S.T @ S, 40.0) for S in grams]
    n, G = 10, X.T @ X
    for j in range(n):
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = G + (7.0 + 2 * 25.0) * np.eye(n)
        system[n, j] = system[j, n] = 1.0
        right = np.r_[G[:, j] + 25.0 * (priors[0][:, j] + priors[1][:, j]), 0.0]
        expected = np.linalg.solve(system, right)[:n]
        np.testing.assert_allclose(matrix(fitted)[:, j], expected, atol=1e-6)


def test_two_sources_of_different_strengths_solve_the_kkt_system() -> None:
    given = problem(TARGET, TWO)
    strategy = ItemItemPrior(8.0, source_penalty=40.0, strengths=(("r", 60.0), ("?", 9.0)))
    fitted = strategy.adapt(given, Ease(7.0), KEY)
    X, S, R = drawn(1, 30), drawn(2, 80), drawn(3, 50)
    B_s, B_r = solve(S.T @ S, 40.0), solve(R.T @ R, 40.0)
    n, G = 10, X.T @ X
    for j in range(n):
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = G + (7.0 + 8.0 + 60.0) * np.eye(n)
        system[n, j] = system[j, n] = 1.0
        right = np.r_[G[:, j] + 8.0 * B_s[:, j] + 60.0 * B_r[:, j], 0.0]
        expected = np.linalg.solve(system, right)[:n]
        np.testing.assert_allclose(matrix(fitted)[:, j], expected, atol=1e-6)


def test_one_source_of_unbounded_strength_outweighs_another() -> None:
    given = problem(TARGET, TWO)
    sure = ItemItemPrior(20.0, source_penalty=40.0, strengths=(("r", 1e12),))
    R = drawn(3, 50)
    expected = solve(R.T @ R, 40.0)
    np.testing.assert_allclose(matrix(sure.adapt(given, Ease(20.0), KEY)), expected, atol=1e-6)
    silent = ItemItemPrior(20.0, source_penalty=40.0, strengths=(("r", 0.0),))
    alone = ItemItemPrior(20.0, source_penalty=40.0).adapt(
        given.with_sources(given.sources[:1]), Ease(20.0), KEY
    )
    both = silent.adapt(given, Ease(20.0), KEY)
    np.testing.assert_allclose(matrix(both), matrix(alone), atol=1e-6)


def test_inner_folds_trust_the_source_that_is_alike() -> None:
    # The target's users and those of "s" take pairs, those of "r" others: B_r misleads.
    def pairs(users: int, seed: int, step: int) -> Array:
        g = np.random.default_rng(seed)
        X = np.zeros((users, 12))
        for user in range(users):
            for first in g.choice(6, 2, replace=False):
                X[user, [2 * first, (2 * first + step) % 12]] = 1
        return X

    names = [f"i{n}" for n in range(12)]
    apart = {"s": taken(pairs(400, 2, 1), names), "r": taken(pairs(400, 3, 5), names)}
    given = problem(taken(pairs(25, 1, 1), names), apart)
    tuned = tune(
        Arm(ItemItemPrior(), Ease()), Recommend(k=2), given, KEY, cross_fit=False
    ).arm.strategy
    assert isinstance(tuned, ItemItemPrior)
    assert (tuned.strength, tuned.strengths) == (10.0, (("s", 300.0),))


def test_sources_are_set_apart_by_tuning_where_they_are_two_to_four() -> None:
    one, two = problem(TARGET, ONE), problem(TARGET, TWO)
    five = problem(TARGET, {f"s{n}": taken(drawn(n, 40), ITEMS) for n in range(5)})
    for given, count in ((one, 5), (two, 7), (five, 5)):
        grid = ItemItemPrior().grid(given)
        assert len(grid) == count and ItemItemPrior() in grid
    apart = [ItemItemPrior(10.0, strengths=((name, 300.0),)) for name in ("s", "r")]
    assert list(ItemItemPrior().grid(two)[5:]) == apart


def test_with_a_source_that_is_the_target_and_equal_penalties_nothing_moves() -> None:
    # B_s minimises the target's own loss, and the pull to it is 0 there.
    given = problem(TARGET, {"s": TARGET})
    fitted = ItemItemPrior(strength=50.0, source_penalty=20.0).adapt(given, Ease(20.0), KEY)
    own = TargetOnly().adapt(given, Ease(20.0), KEY)
    np.testing.assert_allclose(matrix(fitted), matrix(own), atol=1e-6)


def test_the_order_of_sources_does_not_matter() -> None:
    forth = ItemItemPrior().adapt(problem(TARGET, TWO), Ease(20.0), KEY)
    back = dict(reversed(TWO.items()))
    np.testing.assert_allclose(
        matrix(forth),
        matrix(ItemItemPrior().adapt(problem(TARGET, back), Ease(20.0), KEY)),
        atol=1e-6,
    )


def test_items_in_another_order_give_the_same_relations() -> None:
    order = np.random.default_rng(5).permutation(10)
    names = [ITEMS[at] for at in order]
    there = {"s": taken(drawn(2, 80)[:, order], names)}
    one = ItemItemPrior().adapt(problem(TARGET, ONE), Ease(20.0), KEY)
    other = ItemItemPrior().adapt(
        problem(taken(drawn(1, 30)[:, order], names), there), Ease(20.0), KEY
    )
    np.testing.assert_allclose(matrix(other), matrix(one)[np.ix_(order, order)], atol=1e-6)


# ── vocabulary ──────────────────────────────────────────────────────────────


def encoder(items: list[str]) -> ItemEncoder:
    return ItemEncoder(np.array(items, dtype=object), np.arange(len(items)))


def given_by(items: list[str], values: Tensor) -> SourceItems:
    names: Strings = np.array(items, dtype=object)
    return SourceItems(names, values, np.arange(1.0, len(items) + 1))


def test_a_matrix_is_mapped_by_item_id_and_lacking_items_relate_to_nothing() -> None:
    # The source knows b, a, z; the target a, b, c.
    theirs = np.array([[0, 1, 2], [3, 0, 4], [5, 6, 0]], dtype=np.float32)
    mapped = map_items(given_by(["b", "a", "z"], theirs), encoder(["a", "b", "c"]))
    assert mapped.matrix.tolist() == [[0, 3, 0], [1, 0, 0], [0, 0, 0]]
    assert mapped.popularity.tolist() == [2, 1, 0]


def test_an_item_outside_the_catalogue_is_left_out_of_what_is_mapped() -> None:
    known = np.array([[0, 1], [2, 0]], dtype=np.float32)
    more = np.array([[0, 9, 1], [9, 0, 9], [2, 9, 0]], dtype=np.float32)
    mine = encoder(["a", "b"])
    small = map_items(given_by(["a", "b"], known), mine)
    large = map_items(given_by(["a", "zzz", "b"], more), mine)
    np.testing.assert_array_equal(small.matrix, large.matrix)


def test_a_source_with_an_item_that_nobody_took_changes_nothing() -> None:
    # Its own B_s has a row of zeros for it: an item without users relates to nothing.
    wider = taken(np.column_stack([drawn(2, 80), np.zeros(80)]), [*ITEMS, "zzz"])
    one = ItemItemPrior().adapt(problem(TARGET, ONE), Ease(20.0), KEY)
    other = ItemItemPrior().adapt(problem(TARGET, {"s": wider}), Ease(20.0), KEY)
    np.testing.assert_array_equal(matrix(one), matrix(other))


def test_a_source_item_outside_the_catalogue_taken_by_others_alone_changes_nothing() -> None:
    # Users of "zzz" took nothing else, so that it has no part in any relation.
    wider = np.zeros((100, 11))
    wider[:80, :10], wider[80:, 10] = drawn(2, 80), 1
    one = ItemItemPrior().adapt(problem(TARGET, ONE), Ease(20.0), KEY)
    other = ItemItemPrior().adapt(
        problem(TARGET, {"s": taken(wider, [*ITEMS, "zzz"])}), Ease(20.0), KEY
    )
    np.testing.assert_allclose(matrix(one), matrix(other), atol=1e-7)


def test_a_source_matrix_is_solved_on_its_own_vocabulary() -> None:
    X = drawn(2, 80)
    found = source_items(ONE["s"], SourceSettings(40.0, 6000))
    assert found.items.tolist() == ITEMS
    np.testing.assert_allclose(found.matrix, solve(X.T @ X, 40.0), atol=1e-6)
    np.testing.assert_array_equal(found.popularity, X.sum(axis=0))


def test_a_source_keeps_its_most_taken_items() -> None:
    X = np.zeros((9, 4))
    X[:1, 0], X[:7, 1], X[:3, 2], X[:5, 3] = 1, 1, 1, 1
    found = source_items(taken(X, ["a", "b", "c", "d"]), SourceSettings(1.0, 2))
    assert found.items.tolist() == ["b", "d"]


def test_a_source_without_common_items_is_more_penalty_and_nothing_else() -> None:
    # B_s = 0 on the target's items: the objective's μ‖B‖² adds to λ‖B‖².
    foreign = taken(drawn(4, 60), [f"other-{n}" for n in range(10)])
    fitted = ItemItemPrior(strength=30.0).adapt(
        problem(TARGET, {"s": foreign}), Ease(20.0), KEY
    )
    X = drawn(1, 30)
    np.testing.assert_allclose(matrix(fitted), solve(X.T @ X, 50.0), atol=1e-6)


def test_popularity_of_sources_breaks_ties_and_no_more() -> None:
    # Items 0 and 1 are equally popular in the target; the source's users took 1 more often.
    X = np.zeros((10, 3))
    X[:4, 0], X[4:8, 1], X[8:, 2] = 1, 1, 1
    S = np.zeros((40, 3))
    S[:2, 0], S[2:9, 1], S[9:, 2] = 1, 1, 1
    names = ["a", "b", "c"]
    fitted = ItemItemPrior().adapt(
        problem(taken(X, names), {"s": taken(S, names)}), Ease(), KEY
    )
    assert isinstance(fitted, Ease) and fitted.popularity is not None
    assert np.argsort(-fitted.popularity).tolist() == [1, 0, 2]
    assert np.abs(fitted.popularity - X.sum(axis=0)).max() < 1


@pytest.mark.parametrize("strength", [-1.0, float("nan")])
def test_a_strength_that_is_no_number_of_users_is_refused(strength: float) -> None:
    with pytest.raises(StrategyError, match="strengths of at least 0"):
        ItemItemPrior(strength=strength).adapt(problem(TARGET, ONE), Ease(20.0), KEY)
    apart = ItemItemPrior(strengths=(("s", strength),))
    with pytest.raises(StrategyError, match="strengths of at least 0"):
        apart.adapt(problem(TARGET, ONE), Ease(20.0), KEY)

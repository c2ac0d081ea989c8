"""The factor prior as a strategy: what it draws on, its limits, and who reaches its source."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemRecipe
from acclimate.errors import StrategyError
from acclimate.models.als import Als
from acclimate.models.ease import Ease
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.relation.factorprior import ItemFactorPrior, source_factors

KEY = Rng.of(0)
MODEL = Als(3, 0.2, 0.05, sweeps=20)
ITEMS = [f"i{n}" for n in range(10)]


def taken(X: Array, items: list[str]) -> Interactions:
    user, item = np.nonzero(X)
    users = np.array([f"u{n}" for n in range(len(X))], dtype=object)
    return Interactions(user, item, users, np.array(items, dtype=object))


def drawn(seed: int, users: int, items: int = 10) -> Array:
    return (np.random.default_rng(seed).random((users, items)) < 0.35).astype(float)


def problem(target: Interactions, *sources: Interactions) -> Problem:
    given = tuple(Source(f"s{n}", sample) for n, sample in enumerate(sources))
    return Problem("t", target, given, Claim.LATER, ItemRecipe(target.items))


TARGET = taken(drawn(1, 30), ITEMS)
SHUFFLED = [ITEMS[n] for n in (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)]
ONE = taken(drawn(2, 80), SHUFFLED)


def fitted(arm: Arm, given: Problem) -> Als:
    found = arm.fit(given, KEY).model
    assert isinstance(found, Als)
    return found


def test_a_sources_factors_stand_where_the_target_has_its_items() -> None:
    given = problem(TARGET, ONE).encoded(Statistics.BOTH)
    assert isinstance(given.encoder, ItemEncoder)
    known = source_factors(given.sources, MODEL, 6000)
    prior = ItemFactorPrior(7.0).prior(known, given.encoder)
    theirs = {item: n for n, item in enumerate(known.items)}
    counts = dict(zip(SHUFFLED, drawn(2, 80).sum(axis=0), strict=True))
    for column, item in enumerate(given.encoder.catalogue[given.encoder.known]):
        np.testing.assert_array_equal(
            prior.factors[column], known.factors[theirs[item]], err_msg=item
        )
        assert prior.users[column] == counts[item]
    assert prior.strength == 7.0 and prior.scale == known.scale


def test_of_items_that_the_sources_lack_nothing_is_known() -> None:
    # Ids of both sides in another order: a0 … a2 stand before theirs, and i0, i1, i9 are ours.
    names = ["a0", "a1", "a2", *ITEMS[2:9]]
    given = problem(TARGET, taken(drawn(3, 50), names)).encoded(Statistics.BOTH)
    assert isinstance(given.encoder, ItemEncoder)
    known = source_factors(given.sources, MODEL, 6000)
    prior = ItemFactorPrior().prior(known, given.encoder)
    assert known.items.tolist() == names
    np.testing.assert_array_equal(prior.factors[2:9], known.factors[3:])
    np.testing.assert_array_equal(prior.users > 0, [False] * 2 + [True] * 7 + [False])
    assert not prior.factors[[0, 1, 9]].any()


def test_a_strength_without_bound_stands_on_what_the_sources_counted() -> None:
    # μ → ∞ leaves 1/n_i: beside 120,000 users of a source, the target's 30 move nothing.
    crowd = problem(TARGET, taken(np.repeat(drawn(2, 80), 1500, axis=0), ITEMS))
    known = source_factors(crowd.sources, MODEL, 6000)
    moved = {}
    for strength in (1e12, 1e-9):
        found = fitted(Arm(ItemFactorPrior(strength), MODEL), crowd).items
        moved[strength] = np.abs(np.asarray(found) - known.factors).mean()
    assert moved[1e12] < 0.002 < 0.2 < moved[1e-9]


def test_two_sources_are_one_of_all_their_users() -> None:
    X = drawn(4, 60)
    halves = problem(TARGET, taken(X[:30], ITEMS), taken(X[30:], ITEMS))
    whole = problem(TARGET, taken(X, ITEMS))
    both = [source_factors(each.sources, MODEL, 6000) for each in (halves, whole)]
    np.testing.assert_allclose(both[0].factors, both[1].factors, atol=1e-9)
    np.testing.assert_array_equal(both[0].users, X.sum(axis=0))


def test_the_target_never_reaches_the_sources_fit() -> None:
    known = source_factors(problem(TARGET, ONE).sources, MODEL, 6000)
    other = source_factors(problem(taken(drawn(9, 12), ITEMS), ONE).sources, MODEL, 6000)
    assert known is other, "computed once for every target"


def test_it_takes_als_only_and_a_strength_above_nothing() -> None:
    why = Arm(ItemFactorPrior(), Ease()).why_not(problem(TARGET, ONE))
    assert why == "ease has no item factors that a prior could draw on"
    with pytest.raises(StrategyError, match=r"a finite strength above 0, found 0\.0"):
        ItemFactorPrior(0.0)

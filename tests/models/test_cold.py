"""Users without a history get what the target's own users take, wherever a fit read them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.artifacts.states import pack, unpack
from acclimate.domains.exam import Ranking, RankQuery
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.fitted import Fitted
from tests.contract.cases import named, of_form, quick

ITEMS = np.array(list("abcdefgh"), dtype=object)
# Each user takes the next few items from where it starts: the target's favourites are a
# and b, the sources' g and h.  Nobody at home took f, g or h.
HOME = [(0, 2)] * 9 + [(1, 2)] * 5 + [(2, 3)] * 2 + [(0, 4)] * 3
ABROAD = [(6, 2)] * 40 + [(5, 3)] * 20 + [(3, 2)] * 7 + [(0, 1)]

# The others go by attributes of items, and these have none.
arms = pytest.mark.parametrize(
    "arm", [arm for arm in of_form("items") if arm.strategy.kind != "content-bridge"], ids=named
)


def taken(spans: list[tuple[int, int]], name: str) -> Interactions:
    pairs = [
        (user, at) for user, (start, n) in enumerate(spans) for at in range(start, start + n)
    ]
    user, item = np.array(pairs).T
    users = np.array([f"{name}{number}" for number in range(len(spans))], dtype=object)
    return Interactions(user, item, users, ITEMS)


def counts(sample: Interactions) -> Array:
    return np.bincount(sample.item, minlength=len(ITEMS)).astype(float)


HERE, THERE = taken(HOME, "t"), taken(ABROAD, "s")


@cache
def served(arm: Arm) -> Fitted:
    recipe = ItemRecipe(ITEMS)
    problem = Problem("t", HERE, (Source("s", THERE),), Claim.LATER, recipe)
    return quick(arm).fit(problem, Rng.of(0))


def list_of_a_newcomer(fitted: Fitted) -> Ints:
    nothing = np.empty(0, np.int64)
    nobody = np.array(["new"], dtype=object)
    context = Interactions(nothing, nothing, nobody, ITEMS)
    ranking = fitted.predict(RankQuery(nobody, None, len(ITEMS)), context)
    assert isinstance(ranking, Ranking)
    listed: Ints = ranking.items[0][ranking.items[0] >= 0]
    return listed


@arms
def test_a_newcomer_gets_the_targets_bestsellers_unless_the_arm_reads_the_sources_alone(
    arm: Arm,
) -> None:
    own, theirs = counts(HERE), counts(THERE)
    if not arm.strategy.reads_fit:
        first, then = theirs, np.zeros(len(ITEMS))
    elif arm.strategy.transfers and arm.strategy.statistics != Statistics.TARGET:
        first, then = own, theirs
    else:
        first, then = own, np.zeros(len(ITEMS))
    expected = np.lexsort((-then, -first))
    expected = expected[(first + then)[expected] > 0]
    np.testing.assert_array_equal(list_of_a_newcomer(served(arm)), expected)


def test_the_two_markets_favour_other_items() -> None:
    assert counts(HERE).argmax() == 1 and counts(THERE).argmax() == 6


@arms
def test_a_newcomer_gets_the_same_list_from_what_was_saved(arm: Arm) -> None:
    fitted = served(arm)
    restored = unpack(*pack(fitted))
    np.testing.assert_array_equal(list_of_a_newcomer(restored), list_of_a_newcomer(fitted))


def test_someone_with_a_history_still_gets_what_both_markets_took_most() -> None:
    (arm,) = (a for a in of_form("items") if a.name == "pooled/popularity")
    context = Interactions(np.array([0]), np.array([0]), np.array(["u"], dtype=object), ITEMS)
    ranking = served(arm).predict(RankQuery(context.users, None, 3), context)
    assert isinstance(ranking, Ranking)
    both = counts(HERE) + counts(THERE)
    both[0] = -1
    np.testing.assert_array_equal(ranking.items[0], np.argsort(-both, kind="stable")[:3])

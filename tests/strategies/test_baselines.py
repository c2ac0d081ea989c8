"""The three that always run: which rows each is fitted on, and by what weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.view import RowView
from acclimate.models.design import stack_views
from acclimate.models.linear import Linear
from acclimate.models.popularity import Popularity
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.strategy import Adapt
from tests.golden import test_itemprior as items
from tests.strategies.shapes import RNG, market, problem, rows, views_of

WEIGHT = np.linspace(0.0, 2.0, 70)  # of the first source's rows


def asked() -> Problem:
    markets = market(50, 1), market(70, 2, shift=1.0), market(60, 3, flip=-1.0)
    return problem(*markets, on=Statistics.BOTH).weighed({"s0": WEIGHT})


def coefficients(strategy: Adapt, given: Problem) -> Array:
    fitted = strategy.adapt(given, Linear(), RNG)
    return np.asarray(fitted.state().tensors["coefficients"])


def by_hand(views: list[RowView], weight: Array | None) -> Array:
    fitted = Linear().fit(Linear().prepare(stack_views(views)), weight=weight, rng=RNG)
    return np.asarray(fitted.state().tensors["coefficients"])


def own(given: Problem) -> RowView:
    return rows(given.view(given.fit))


def test_target_only_is_the_fit_of_its_own_rows() -> None:
    given = asked()
    expected = by_hand([own(given)], None)
    np.testing.assert_array_equal(coefficients(TargetOnly(), given), expected)


def test_source_only_is_the_fit_of_the_sources_rows_by_their_weights() -> None:
    given = asked()
    expected = by_hand(views_of(given), np.r_[WEIGHT, np.ones(60)])
    np.testing.assert_array_equal(coefficients(SourceOnly(), given), expected)
    equal = given.with_sources([replace(each, weight=None) for each in given.sources])
    expected = by_hand(views_of(given), None)
    np.testing.assert_array_equal(coefficients(SourceOnly(), equal), expected)


def test_pooled_is_the_fit_of_all_rows_those_of_the_target_weighing_one() -> None:
    given = asked()
    everyone = [own(given), *views_of(given)]
    expected = by_hand(everyone, np.r_[np.ones(50), WEIGHT, np.ones(60)])
    np.testing.assert_array_equal(coefficients(Pooled(), given), expected)
    equal = given.with_sources([replace(each, weight=None) for each in given.sources])
    np.testing.assert_array_equal(coefficients(Pooled(), equal), by_hand(everyone, None))


def test_users_without_a_history_get_what_is_popular_in_the_target() -> None:
    target, source = np.zeros((6, 10)), np.zeros((40, 10))
    target[:, 3] = target[:2, 4] = source[:, 4] = source[:20, 3] = 1.0
    given = items.problem(
        items.taken(target, items.ITEMS), {"s": items.taken(source, items.ITEMS)}
    )
    fitted = Pooled().adapt(given, Popularity(), RNG)
    assert isinstance(fitted, Popularity) and fitted.standing is not None
    assert given.encoder is not None
    liked = int(fitted.standing.argmax())
    assert given.encoder.catalogue[given.encoder.known][liked] == "i3"  # type: ignore[attr-defined]

"""Evidence weights: the loss they are found by, what they leave alone, and what gets none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.problem import Problem
from acclimate.domains.sample import spread
from acclimate.domains.source import ALL, Derived, Source
from acclimate.errors import BudgetError, StrategyError
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.neighbours import ItemKnn
from acclimate.rng import Rng
from acclimate.strategies.baselines import Pooled
from acclimate.strategies.chain import Chain
from acclimate.strategies.instance import sources as module
from acclimate.strategies.instance.sources import (
    EvidenceWeights,
    descended,
    losses_of,
    neighbours,
    row_losses,
)
from acclimate.strategies.parameter.prior import SourcePrior
from tests.strategies.shapes import chances, log_loss, market, problem, rows

RNG = Rng.of(0)


def harmful() -> Problem:
    """A source like the target, and one whose labels are turned round."""
    return problem(market(60, 1), market(400, 2), market(400, 3, flip=-1.0))


def alike() -> Problem:
    return problem(market(60, 1), market(400, 2), market(400, 3))


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WEIGHTS", Derived())


def test_a_harmful_source_gets_no_weight_and_the_other_all() -> None:
    given = harmful()
    assert EvidenceWeights().shares(given, RNG).tolist() == [1.0, 0.0]
    weighed = EvidenceWeights().weigh(given, RNG)
    first, second = (source.weight for source in weighed.sources)
    assert first is not None and second is not None
    assert set(first) == {2.0} and set(second) == {0.0}
    assert weighed.facts == (
        "s0: a row counts 2.00 of one of the target",
        "s1: a row counts 0.00 of one of the target",
    )


def test_sources_that_are_alike_stay_pooled_exactly() -> None:
    given = alike()
    assert EvidenceWeights().shares(given, RNG).tolist() == [0.5, 0.5]
    _, weighed = Chain((EvidenceWeights(), Pooled())).step(given, Linear(), RNG)
    pooled = Pooled().adapt(given, Linear(), RNG)
    view = rows(given.view(market(50, 9)))
    np.testing.assert_array_equal(chances(weighed.predict(view)), chances(pooled.predict(view)))


def test_leaving_the_harmful_source_out_helps_pooling_and_the_prior() -> None:
    given, held = harmful(), market(2000, 9)
    view = rows(given.view(held))
    for last in (Pooled(), SourcePrior(100.0)):
        plain = last.adapt(given, Linear(), RNG)
        _, weighed = Chain((EvidenceWeights(), last)).step(given, Linear(), RNG)
        before, after = (log_loss(chances(m.predict(view)), held) for m in (plain, weighed))
        assert after < before - 0.05


@pytest.mark.parametrize("w", [(0.5, 0.5), (0.8, 0.2), (1.0, 0.0)])
def test_the_loss_is_that_of_fits_to_rows_that_are_there_so_many_times(
    w: tuple[float, float],
) -> None:
    given = harmful()
    assert isinstance(given.fit, type(market(1, 0)))
    key = RNG.child("evidence-weights")
    found = losses_of(given, EvidenceWeights(), key)(np.array(w))
    fold = spread(given.fit.units(), given.fit.label, 3, key)  # type: ignore[arg-type]
    expected = np.empty(60)
    for number in range(3):
        rest = given.fit.take(np.flatnonzero(fold != number))
        inner = given.with_fit(rest)
        weight = [np.full(400, 2 * each) for each in w]
        pooled = Pooled().adapt(
            inner.weighed({"s0": weight[0], "s1": weight[1]}), Linear(), RNG
        )
        asked = np.flatnonzero(fold == number)
        held = given.fit.take(asked)
        p = chances(pooled.predict(rows(given.view(held))))
        expected[asked] = -np.log(p[np.arange(held.n), held.label])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_row_losses_are_log_loss_of_chances_and_squares_of_numbers() -> None:
    p = np.array([[0.25, 0.75], [0.5, 0.5]])
    assert row_losses(p, np.array([1, 0])) == pytest.approx([-np.log(0.75), -np.log(0.5)])
    assert row_losses(np.array([1.0, 4.0]), np.array([3.0, 3.0])).tolist() == [4.0, 1.0]


def bowl(at: tuple[float, ...], units: int = 20) -> Any:
    """Losses that are least at these weights, alike for every unit."""

    def losses(w: Array) -> Array:
        return np.full(units, 1.0 + float(((w - np.array(at)) ** 2).sum()))

    return losses


@pytest.mark.parametrize(
    "at", [(1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.2, 0.4, 0.4), (1 / 3,) * 3]
)
def test_the_descent_ends_where_no_neighbour_is_lower_and_near_the_least(
    at: tuple[float, ...],
) -> None:
    found = descended(bowl(at), 3, 1.0)
    assert found.sum() == pytest.approx(1.0) and (found >= 0).all()
    here = bowl(at)(found)[0]
    assert all(bowl(at)(w)[0] >= here - 1e-9 for w in neighbours(found))
    assert np.abs(found - np.array(at)).max() < 0.1


def test_a_gain_within_its_error_is_not_taken_unless_asked_for() -> None:
    noise = np.random.default_rng(0).normal(size=50)

    def losses(w: Array) -> Array:
        found: Array = 1.0 - (w[0] - 0.5) * (0.05 + noise - noise.mean())
        return found

    assert descended(losses, 2, 1.0).tolist() == [0.5, 0.5]
    assert descended(losses, 2, 0.0)[0] == 1.0


def test_neighbours_double_halve_or_leave_out_one_source() -> None:
    found = {tuple(np.round(w, 6)) for w in neighbours(np.array([0.5, 0.5]))}
    assert found == {
        (0.0, 1.0),
        (1.0, 0.0),
        (round(1 / 3, 6), round(2 / 3, 6)),
        (round(2 / 3, 6), round(1 / 3, 6)),
    }
    assert neighbours(np.array([1.0, 0.0])) == []


def test_weights_that_sources_have_are_kept_and_multiplied() -> None:
    given = harmful().weighed({"s0": np.full(400, 0.5)})
    weighed = EvidenceWeights().weigh(given, RNG)
    assert weighed.sources[0].weight is not None
    assert set(weighed.sources[0].weight) == {1.0}


def test_weights_are_worked_out_once_for_all_settings_of_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    descend = module.descended

    def counted(*args: Any) -> Array:
        asked.append(1)
        found: Array = descend(*args)
        return found

    monkeypatch.setattr(module, "descended", counted)
    given = harmful()
    first = EvidenceWeights().shares(given, RNG.child("a"))
    assert first.tolist() == EvidenceWeights().shares(given, RNG.child("b")).tolist()
    assert len(asked) == 1
    EvidenceWeights(errors=0.0).shares(given, RNG)
    EvidenceWeights().shares(given.with_fit(market(60, 7)), RNG)
    EvidenceWeights().shares(given, Rng.of(1))
    assert len(asked) == 4


def test_a_budget_that_ends_keeps_nothing() -> None:
    def over() -> None:
        raise BudgetError("the budget ended")

    with pytest.raises(BudgetError):
        EvidenceWeights().shares(harmful(), RNG, over)
    assert EvidenceWeights().shares(harmful(), RNG).sum() == 1.0


def test_refusals_say_why() -> None:
    given = alike()
    asked = EvidenceWeights()
    assert asked.why_not(given, Linear()) is None
    assert asked.why_not(given.with_sources(given.sources[:1]), Linear()) == (
        "there is one source, and no other to weigh it against; density-ratio weighs rows"
    )
    assert asked.why_not(given.with_fit(market(9, 1)), Linear()) == (
        "the target's labelled rows are of fewer than 10 entities to weigh sources by"
    )
    assert asked.why_not(given.with_fit(market(9, 1).unlabelled()), Linear()) == (
        "the target has no labelled rows to fit on"
    )
    shy = [replace(source, shares=ALL - {"rows"}) for source in given.sources]
    assert asked.why_not(given.with_sources(shy), Linear()) == (
        "source 's0' does not share its rows"
    )
    blank = [Source("us", market(50, 2).unlabelled()), *given.sources]
    assert asked.why_not(given.with_sources(blank), Linear()) == (
        "source 'us' has no labelled rows to learn from"
    )
    assert asked.refuses(given, Ease()) == "ease takes no row weights"
    assert asked.refuses(given, ItemKnn()) == "item-knn takes no row weights"


def test_grid_begins_with_the_default_and_it_waits_to_be_asked_for() -> None:
    grid = EvidenceWeights().grid(alike())
    assert grid[0] == EvidenceWeights() and len(set(grid)) == len(grid) == 2
    assert not EvidenceWeights.unasked


@pytest.mark.parametrize("settings", [{"folds": 1}, {"errors": -1.0}, {"penalty": 0.0}])
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected at least 2 folds"):
        EvidenceWeights(**settings)

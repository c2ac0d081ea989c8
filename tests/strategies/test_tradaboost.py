"""TrAdaBoost: its vote, what it leaves of the sources, and what it refuses."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease
from acclimate.models.ensemble import Ensemble, calibrate, mixed, recalibrated
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled
from acclimate.strategies.instance.tradaboost import (
    Learner,
    Round,
    TrAdaBoost,
)
from tests.strategies.shapes import RNG, chances, log_loss, market, problem, rows, table


def test_trees_are_prepared_for_many_fits() -> None:
    view = rows(problem(market(60, 1)).view(market(60, 1)))
    learner = Learner(Trees(rounds=2), view)
    assert learner.prepared.often and not Trees().prepare(view).often


# ── the strategy ────────────────────────────────────────────────────────────


def fitted(given: Any, model: Any, rounds: int = 4) -> Ensemble:
    found = TrAdaBoost(rounds).adapt(given, model, RNG)
    assert isinstance(found, Ensemble)
    return found


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Round]:
    """The rounds of what is boosted from here on."""
    kept: list[Round] = []
    boost = TrAdaBoost.boost

    def keeping(self: TrAdaBoost, *args: Any) -> list[Round]:
        rounds = boost(self, *args)
        kept.extend(rounds)
        return rounds

    monkeypatch.setattr(TrAdaBoost, "boost", keeping)
    return kept


def test_the_vote_is_of_the_later_half_by_the_logarithms_of_beta(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = watched(monkeypatch)
    given = problem(market(60, 1), market(120, 2))
    found = fitted(given, Linear(), rounds=5)
    assert len(kept) == 5 and len(found.members) == 3
    votes = np.array([math.log(1 / each.beta) for each in kept[2:]])
    np.testing.assert_allclose(found.weights, votes / votes.sum())
    # Calibrated on what folds answered, and not on what learners say of their own rows.
    p = mixed([each.p for each in kept[2:]], found.weights)
    assert isinstance(given.fit, Rows) and given.fit.label is not None
    ours = recalibrated(calibrate(p, given.fit.label), p)
    assert found.calibration is not None
    np.testing.assert_allclose(recalibrated(found.calibration, p), ours)


def test_a_vote_of_errors_on_fitted_rows_is_not_calibrated() -> None:
    given = problem(market(60, 1), market(120, 2))
    found = TrAdaBoost(4, 0).adapt(given, Linear(), RNG)
    assert isinstance(found, Ensemble) and found.calibration is None


def test_a_strong_learner_has_errors_above_0(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = watched(monkeypatch)
    fitted(problem(market(60, 1), market(100, 2)), Trees(rounds=30), rounds=3)
    # On rows it was fitted on, half a row in 60 would be all: β = 0.0084.
    assert len(kept) == 3 and min(each.beta for each in kept) > 0.1


def test_a_source_of_which_half_contradicts_is_survived_better_than_by_pooling() -> None:
    given, held = problem(market(150, 1), market(600, 2, half=True)), market(1000, 3)
    view = rows(given.view(held.unlabelled()))
    ours = log_loss(chances(fitted(given, Linear(), rounds=10).predict(view)), held)
    pooled = log_loss(chances(Pooled().adapt(given, Linear(), RNG).predict(view)), held)
    assert ours < pooled - 0.05, (ours, pooled)


def test_what_the_last_learner_left_of_each_source_is_told() -> None:
    """Two sources, of which one contradicts: it is worth less in the end, row for row."""
    given = problem(market(80, 1), market(200, 2), market(200, 3, half=True))
    facts = Arm(TrAdaBoost(6), Linear()).fit(given, RNG).facts
    found = [
        re.fullmatch(r"s(\d): weighted, its 200 rows are worth (\d+) equal ones", fact)
        for fact in facts
    ]
    assert [match is not None and match[1] for match in found] == ["0", "1"]
    kept = [int(match[2]) for match in found if match is not None]
    assert kept[1] < 0.9 * kept[0] <= 0.9 * 200


def test_weights_that_a_source_came_with_are_where_its_rows_begin() -> None:
    target, mixed = market(60, 1), market(600, 2, half=True)
    told = Source("s0", mixed, weight=np.where(np.arange(600) < 300, 1.0, 1e-9))
    held = market(500, 3)
    losses = []
    for source in (mixed, told):
        given = problem(target, source)
        p = chances(fitted(given, Linear(), rounds=2).predict(rows(given.view(held))))
        losses.append(log_loss(p, held))
    assert losses[1] < losses[0] - 0.02, losses


def test_several_classes_are_told_apart() -> None:
    def three(n: int, seed: int) -> Rows:
        g = np.random.default_rng(seed)
        x = g.standard_normal((n, 2))
        label = np.argmax(
            np.column_stack([x, -x.sum(axis=1)]) + 0.3 * g.standard_normal((n, 3)), 1
        )
        return table(x, label.astype(np.int64), classes=("a", "b", "c"))

    given, held = problem(three(60, 1), three(200, 2)), three(300, 3)
    found = fitted(given, Linear())
    p = chances(found.predict(rows(given.view(held.unlabelled()))))
    assert p.shape == (300, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.mean(p.argmax(axis=1) == held.label) > 0.75 and len(found.members) > 1


def test_all_target_rows_of_one_user_fall_into_one_fold() -> None:
    lone = replace(market(20, 1), entity=np.array(["one user"] * 20, dtype=object))
    p = chances(
        Arm(TrAdaBoost(2), Linear()).fit(problem(lone, market(50, 2)), RNG).predict(lone)
    )
    assert np.isfinite(p).all()


def test_the_same_seed_gives_the_same_answers() -> None:
    given = problem(market(40, 1), market(80, 2))
    view = rows(given.view(market(20, 3).unlabelled()))
    ours, again = (chances(fitted(given, Trees(rounds=5)).predict(view)) for _ in range(2))
    np.testing.assert_array_equal(ours, again)


# ── refusals ────────────────────────────────────────────────────────────────


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    boost = TrAdaBoost()
    assert boost.why_not(given, Linear()) is None
    assert boost.why_not(given, Ease()) == "ease takes no row weights"
    assert boost.why_not(given, Popularity()) == "popularity takes no row weights"
    if MixedNetwork().why_not() is None:
        assert boost.why_not(given, MixedNetwork()) == "network would be trained 30 times"
    few = problem(market(9, 1), market(40, 2), on=None)
    assert boost.why_not(few, Linear()) == (
        "the target has fewer than 10 labelled rows to take errors from"
    )
    one = replace(market(30, 1), entity=np.array(["c1"] * 30, dtype=object))
    assert boost.why_not(problem(one, market(40, 2), on=None), Linear()) == (
        "the target's rows are of fewer than 10 entities to take errors from"
    )
    blind = problem(market(30, 1), market(40, 2).unlabelled(), on=None)
    assert boost.why_not(blind, Linear()) == "source 's0' has no labelled rows to learn from"


def test_a_model_of_items_that_takes_weights_is_refused_for_its_form() -> None:
    class Weighted(Ease):
        takes_weights = True

    given = problem(market(30, 1), market(40, 2), on=None)
    why = TrAdaBoost().why_not(given, Weighted())
    assert why == "ease reads no rows whose errors could weigh them"


@pytest.mark.parametrize(("rounds", "folds"), [(1, 2), (2, 1), (2, -1)])
def test_settings_out_of_range_are_refused(rounds: int, folds: int) -> None:
    with pytest.raises(
        StrategyError, match="Expected at least 2 rounds, and 0 or at least 2 folds"
    ):
        TrAdaBoost(rounds, folds)


def test_three_settings_of_a_model_are_tried_and_more_rounds() -> None:
    tried = TrAdaBoost().models(Linear())
    assert len(tried) == 3 and set(tried) <= set(Linear().grid())
    grid = TrAdaBoost().grid(problem(market(30, 1), market(40, 2)))
    assert grid == (TrAdaBoost(), TrAdaBoost(rounds=20))

"""Blend: the weights that explain held-out rows best, and no member that harms."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease
from acclimate.models.ensemble import LEAST, Ensemble
from acclimate.models.linear import Linear
from acclimate.models.model import idle
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly, TargetOnly
from acclimate.strategies.blend import Blend, blind_answers, evidence, mixture
from acclimate.strategies.fitted import Fitted
from tests.contract.content import content
from tests.strategies.shapes import RNG, chances, log_loss, market, problem, rows


def likelihood(right: Array, weights: Array) -> float:
    return float(np.log(right @ weights).sum())


def grid(step: float) -> list[Array]:
    """Every (a, b, 1 − a − b) on a grid."""
    ticks = np.arange(0, 1 + step / 2, step)
    pairs = [(a, b) for a, b in product(ticks, ticks) if a + b <= 1 + 1e-9]
    return [np.array([a, b, max(0.0, 1 - a - b)]) for a, b in pairs]


def drawn(seed: int, n: int = 200, members: int = 3) -> Array:
    """Probabilities of the true class by members of which each knows part of the rows."""
    g = np.random.default_rng(seed)
    right = g.beta(2, 2, (n, members))
    right[: n // 3, 0] = 0.95
    right[n // 3 : n // 2, 1] = 0.95
    return right


# ── the weights ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(3))
def test_em_finds_what_a_grid_of_all_weights_finds(seed: int) -> None:
    right = drawn(seed)
    found = mixture(right)
    best = max(grid(0.01), key=lambda weights: likelihood(right, weights))
    np.testing.assert_allclose(found, best, atol=0.011)
    assert likelihood(right, found) >= likelihood(right, best) - 0.01  # 200 steps
    assert found.sum() == pytest.approx(1) and (found >= 0).all()


def test_two_members_that_know_a_quarter_and_three_quarters_share_alike() -> None:
    # Σ log: 3 log w + log(1 − w) is highest at w = ¾.
    right = np.array([[1.0, 1e-300], [1.0, 1e-300], [1.0, 1e-300], [1e-300, 1.0]])
    np.testing.assert_allclose(mixture(right), [0.75, 0.25], atol=1e-6)


def test_a_perfect_member_gets_all_and_a_flipped_one_nothing() -> None:
    g = np.random.default_rng(1)
    own, perfect = g.uniform(0.4, 0.9, 300), np.full(300, 0.999)
    flipped = 1 - g.uniform(0.6, 0.95, 300)
    weights = evidence(np.column_stack([own, perfect, flipped]), np.arange(300))
    assert weights[1] > 0.99 and weights[2] == 0
    np.testing.assert_array_equal(
        evidence(np.column_stack([own, flipped]), np.arange(300)), [1.0, 0.0]
    )


def test_the_targets_own_model_stays_even_where_it_is_worst() -> None:
    right = np.column_stack([np.full(50, 0.1), np.full(50, 0.9)])
    assert len(evidence(right, np.arange(50))) == 2
    assert evidence(right, np.arange(50))[1] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(evidence(right[:, :1], np.arange(50)), [1.0])


def test_of_two_equal_sources_one_is_enough() -> None:
    right = drawn(1, members=2)
    twice = evidence(np.column_stack([right, right[:, 1]]), np.arange(200))
    assert (twice == 0).sum() == 1
    assert twice.max() == pytest.approx(evidence(right, np.arange(200)).max(), abs=1e-3)


def test_a_source_that_one_unit_alone_speaks_for_goes() -> None:
    # Member 1 is right on 40 rows, a little less so on the other 40.
    own = np.full(80, 0.6)
    other = np.where(np.arange(80) < 40, 0.9, 0.5)
    right = np.column_stack([own, other])
    many = evidence(right, np.arange(80))
    assert many[1] > 0.3
    lone = np.r_[np.zeros(40, int), np.arange(1, 41)]  # the 40 are one user's
    assert evidence(right, lone)[1] == 0


def test_a_lenient_blend_keeps_what_a_strict_one_drops() -> None:
    g = np.random.default_rng(4)
    right = np.column_stack([g.uniform(0.3, 0.9, 40), g.uniform(0.3, 0.9, 40)])
    strict, lenient = (evidence(right, np.arange(40), errors)[1] for errors in (5.0, 0.0))
    assert strict == 0 and lenient > 0


def test_a_member_that_is_sure_and_wrong_costs_a_finite_price() -> None:
    right = np.column_stack([np.zeros(20), np.zeros(20), np.full(20, 0.5)])
    found = evidence(right, np.arange(20))
    assert np.isfinite(found).all() and found[2] == pytest.approx(1, abs=1e-6)
    both = evidence(right[:, :2], np.arange(20))
    assert np.isfinite(both).all() and both.sum() == pytest.approx(1)
    assert LEAST > 0


# ── the strategy ────────────────────────────────────────────────────────────


def blended(given: Problem, model: Any = None) -> Fitted:
    return Arm(Blend(), model or Linear()).fit(given, RNG)


def weights_of(fitted: Fitted) -> tuple[float, ...]:
    assert isinstance(fitted.model, Ensemble)
    return fitted.model.weights


def test_a_like_source_is_weighed_up_and_a_flipped_one_left_out() -> None:
    given = problem(market(60, 1), market(800, 2), market(800, 3, flip=-1.0), on=None)
    found = blended(given)
    own, like, flipped = weights_of(found)
    assert like > 0.5 and flipped == 0 and own + like == pytest.approx(1)
    held = market(1000, 4)
    alone = Arm(TargetOnly(), Linear()).fit(given, RNG)
    ours, theirs = (
        log_loss(chances(each.predict(held.unlabelled())), held) for each in (found, alone)
    )
    assert ours < theirs - 0.01


def test_the_targets_own_answers_are_by_folds_it_has_not_seen() -> None:
    # Labels are noise: a model that saw its rows would be right on them, and weigh all.
    g = np.random.default_rng(1)
    noise = replace(market(80, 1), label=g.integers(0, 2, 80))
    given = problem(noise, on=Statistics.TARGET)
    seen = rows(given.view(given.fit))
    fold = g.permutation(np.arange(80) % 5)
    p = blind_answers(Trees(rounds=30, leaves=15), seen, fold, RNG, idle)
    assert np.mean(p.argmax(axis=1) == noise.label) < 0.65
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_members_see_rows_through_their_own_encoders() -> None:
    far = market(300, 2, shift=5.0)
    given = problem(market(60, 1), far, on=None)
    found = blended(given)
    assert isinstance(found.model, Ensemble) and found.model.sees == (0, 1)
    alone = Arm(SourceOnly(), Linear()).fit(given, RNG)
    held = market(30, 4)
    # One setting of the same model on the same rows, by its own statistics.
    parts = found.encoder.encode(held.unlabelled()).parts
    member = chances(found.model.members[1].predict(parts[1]))
    np.testing.assert_allclose(member, chances(alone.predict(held.unlabelled())), atol=1e-9)


def test_an_artifact_counts_as_the_same_model_fitted_from_rows() -> None:
    target, source = market(60, 1), market(500, 2)
    given = problem(target, source, on=None)
    learned = Arm(SourceOnly(), Linear()).fit(given, RNG)
    handed = Source("s0", None, frozenset({"fitted"}), learned)
    from_rows, from_artifact = (
        blended(each) for each in (given, problem(target, handed, on=None))
    )
    assert Blend().why_not(problem(target, handed, on=None), Linear()) is None
    np.testing.assert_allclose(weights_of(from_artifact), weights_of(from_rows), atol=1e-9)
    held = market(30, 3).unlabelled()
    np.testing.assert_allclose(
        chances(from_artifact.predict(held)), chances(from_rows.predict(held)), atol=1e-9
    )


def test_an_artifact_of_another_model_and_one_that_is_a_blend_itself_take_part() -> None:
    target = market(60, 1)
    first = blended(problem(market(50, 5), market(400, 6), on=None), Trees(rounds=5))
    handed = Source("theirs", None, frozenset({"fitted"}), first)
    given = problem(target, handed, market(300, 2), on=None)
    assert Blend().why_not(given, Linear()) is None
    p = chances(blended(given).predict(market(20, 3).unlabelled()))
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_weights_of_a_sources_rows_are_respected() -> None:
    mixed, target = market(1600, 2, half=True), market(40, 1)
    good = Source("s0", mixed, weight=(np.arange(1600) < 800).astype(float))
    even, told = (blended(problem(target, each, on=None)) for each in (mixed, good))
    assert weights_of(told)[1] > weights_of(even)[1] + 0.1


def test_rows_of_one_user_fall_into_one_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    users = np.repeat([f"u{n}" for n in range(12)], 5).astype(object)
    target = replace(market(60, 1), entity=users)
    folds: list[Array] = []

    def kept(model: Any, view: Any, fold: Any, *rest: Any) -> Array:
        folds.append(fold)
        return blind_answers(model, view, fold, *rest)

    monkeypatch.setattr("acclimate.strategies.blend.blind_answers", kept)
    blended(problem(target, market(100, 2), on=None))
    assert all(len(set(folds[0][users == user])) == 1 for user in set(users))
    assert len(set(folds[0])) == 5


def test_the_same_seed_gives_the_same_blend() -> None:
    given = problem(market(60, 1), market(100, 2), on=None)
    ours, again = (blended(given, Trees(rounds=5)) for _ in range(2))
    assert content(ours.model.state()) == content(again.model.state())


# ── refusals ────────────────────────────────────────────────────────────────


def named(rows: Rows, *classes: str) -> Rows:
    return replace(rows, classes=classes)


def test_refusals_say_why() -> None:
    target, source = market(30, 1), market(40, 2)
    assert Blend().why_not(problem(target, source, on=None), Linear()) is None
    assert Blend().why_not(problem(target, source, on=None), Ease()) == (
        "ease answers with rankings, and only probabilities are mixed"
    )
    few = problem(market(9, 1), source, on=None)
    assert Blend().why_not(few, Linear()) == (
        "the target has fewer than 10 labelled rows to weigh members by"
    )
    one = replace(target, entity=np.array(["c1"] * target.n, dtype=object))
    assert Blend().why_not(problem(one, source, on=None), Linear()) == (
        "the target's rows are of fewer than 10 entities to weigh members by"
    )
    blind = problem(target, source.unlabelled(), on=None)
    assert Blend().why_not(blind, Linear()) == "source 's0' has no labelled rows to learn from"
    learned = Arm(SourceOnly(), Linear()).fit(
        problem(named(target, "a", "b"), named(source, "a", "b"), on=None), RNG
    )
    other = Source("theirs", None, frozenset({"fitted"}), learned)
    assert Blend().why_not(problem(target, other, on=None), Linear()) == (
        "source 'theirs' tells apart a, b, and the target no, yes"
    )
    closed = replace(other, shares=frozenset({"moments"}))
    assert Blend().why_not(problem(target, closed, on=None), Linear()) == (
        "source 'theirs' does not share its rows"
    )


@pytest.mark.parametrize(("folds", "errors"), [(1, 1.0), (5, -0.1), (5, np.nan)])
def test_settings_out_of_range_are_refused(folds: int, errors: float) -> None:
    with pytest.raises(
        StrategyError, match="Expected at least 2 folds and errors of at least 0"
    ):
        Blend(folds, errors)

"""An ensemble: the weighted mean by hand, the same after a save, calibrated with restraint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.artifacts.states import pack, unpack
from acclimate.domains.exam import Probabilities
from acclimate.domains.moved import Several
from acclimate.domains.view import Views
from acclimate.models.ensemble import Ensemble, calibrate, mixed, recalibrated
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.blend import Blend
from acclimate.strategies.fitted import Fitted
from tests.strategies.shapes import RNG, chances, market, problem, rows, view


class Saying(Linear):
    """Answers with numbers it was given, a row of the view's first column at a time."""

    def __init__(self, p: Any) -> None:
        object.__setattr__(self, "p", np.asarray(p, float))

    def predict(self, query: Any, context: Any = None) -> Probabilities:
        p: Array = self.p  # type: ignore[attr-defined]
        return Probabilities(p[query.numeric[:, 0].astype(int)])


def test_the_answer_is_the_weighted_mean_of_the_members() -> None:
    one = Saying([[0.2, 0.8], [1.0, 0.0]])
    two = Saying([[0.6, 0.4], [0.5, 0.5]])
    both = Ensemble((one, two), (0.25, 0.75))
    # ¼ · 0.2 + ¾ · 0.6 = 0.5, ¼ · 1 + ¾ · 0.5 = 0.625
    p = both.predict(view([[0], [1]])).p
    np.testing.assert_allclose(p, [[0.5, 0.5], [0.625, 0.375]])
    np.testing.assert_allclose(mixed([np.ones((1, 2)), np.zeros((1, 2))], (0.25, 0.75)), 0.25)


def test_each_member_sees_its_own_part() -> None:
    says = Saying([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
    both = Ensemble((says, says), (0.5, 0.5), sees=(2, 0))
    asked = Views((view([[0]]), view([[1]]), view([[2]])))
    np.testing.assert_allclose(both.predict(asked).p, [[0.55, 0.45]])


def test_a_blend_is_the_same_to_the_last_bit_after_a_save() -> None:
    given = problem(market(60, 1), market(200, 2), market(200, 3, shift=2.0), on=None)
    for model in (Linear(), Trees(rounds=5)):
        fitted = Arm(Blend(errors=0.0), model).fit(given, RNG)
        tree, tensors = pack(fitted)
        again = unpack(tree, {name: tensor.copy() for name, tensor in tensors.items()})
        asked = market(20, 4).unlabelled()
        np.testing.assert_array_equal(
            chances(again.predict(asked)), chances(fitted.predict(asked))
        )
        assert isinstance(again.encoder, Several) and isinstance(again.model, Ensemble)
        assert again.encoder.names == ("t", "s0", "s1")
        assert isinstance(fitted.model, Ensemble)
        assert (again.model.weights, again.model.sees) == (fitted.model.weights, (0, 1, 2))
        assert again.encoder.fingerprint == fitted.encoder.fingerprint


def test_members_come_back_in_their_order_beyond_ten_of_them() -> None:
    given = problem(market(30, 1), market(40, 2))
    seen = rows(given.view(given.fit))
    members = tuple(
        Linear(penalty).fit(Linear().prepare(seen), rng=RNG) for penalty in np.arange(1.0, 13.0)
    )
    weights = tuple((np.arange(1, 13) / 78).tolist())
    assert given.encoder is not None
    whole = Fitted(given.encoder, Ensemble(members, weights))
    again = unpack(*pack(whole)).model
    assert isinstance(again, Ensemble)
    kept = [member for member in again.members if isinstance(member, Linear)]
    assert [member.penalty for member in kept] == list(range(1, 13))


def drawn(p: Array, seed: int) -> Ints:
    """Labels drawn from (n, k) chances."""
    u = np.random.default_rng(seed).random((len(p), 1))
    return np.asarray((p.cumsum(axis=1) < u).sum(axis=1), np.int64)


def honest(n: int, k: int, seed: int) -> Array:
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.7), n)


def loss(p: Array, label: Ints) -> float:
    return float(-np.log(p[np.arange(len(p)), label]).mean())


@pytest.mark.parametrize("k", [2, 3])
def test_calibration_leaves_calibrated_answers_alone(k: int) -> None:
    p = np.clip(honest(4000, k, 1), 1e-3, None)
    p = p / p.sum(axis=1, keepdims=True)
    after = recalibrated(calibrate(p, drawn(p, 2)), p)
    assert np.abs(after - p).mean() < 0.02
    np.testing.assert_allclose(after.sum(axis=1), 1)


@pytest.mark.parametrize("k", [2, 3])
def test_one_row_that_came_as_expected_changes_little(k: int) -> None:
    p = honest(6, k, 1)
    likely = np.full((1, k), 0.05)
    likely[0, 0] = 1 - 0.05 * (k - 1)
    once = calibrate(likely, np.zeros(1, np.int64))
    # A prior around anything but no change would move all of them.
    assert np.abs(recalibrated(once, p) - p).max() < 0.05


@pytest.mark.parametrize("k", [2, 3, 10])
def test_few_rows_of_many_classes_do_little_harm_to_calibrated_answers(k: int) -> None:
    p = np.clip(honest(2060, k, 3), 1e-3, None)
    p = p / p.sum(axis=1, keepdims=True)
    label = drawn(p, 4)
    after = recalibrated(calibrate(p[:60], label[:60]), p[60:])
    # With every class free to answer for every other, ten classes lost more than 1 nat.
    assert loss(after, label[60:]) < loss(p[60:], label[60:]) + 0.1


@pytest.mark.parametrize("k", [2, 3])
def test_calibration_mends_answers_that_are_too_sure(k: int) -> None:
    p = np.clip(honest(3000, k, 1), 1e-2, None)
    p = p / p.sum(axis=1, keepdims=True)
    label = drawn(p, 2)
    sure = p**3 / (p**3).sum(axis=1, keepdims=True)
    mended = recalibrated(calibrate(sure[:1500], label[:1500]), sure[1500:])
    assert loss(mended, label[1500:]) < loss(sure[1500:], label[1500:]) - 0.1
    assert loss(mended, label[1500:]) < loss(p[1500:], label[1500:]) + 0.01


def test_calibration_mends_a_base_rate_that_is_off() -> None:
    p = np.full((500, 2), 0.5)
    label = (np.arange(500) % 10 == 0).astype(np.int64)
    after = recalibrated(calibrate(p, label), p)
    assert after[0, 1] == pytest.approx(0.1, abs=0.03)


def test_calibrated_answers_are_saved_with_their_calibration() -> None:
    given = problem(market(50, 1), market(60, 2))
    seen = rows(given.view(given.fit))
    member = Linear().fit(Linear().prepare(seen), rng=RNG)
    p = chances(member.predict(seen))
    assert seen.label is not None and given.encoder is not None
    whole = Ensemble((member,), (1.0,)).calibrated(p, 1 - seen.label)
    plain, turned = Ensemble((member,), (1.0,)).predict(seen).p, whole.predict(seen).p
    assert ((plain > 0.5) != (turned > 0.5)).any()
    again = unpack(*pack(Fitted(given.encoder, whole))).model
    assert isinstance(again, Ensemble)
    np.testing.assert_array_equal(again.predict(seen).p, turned)


def test_it_is_no_model_that_tuning_could_try() -> None:
    assert Ensemble().grid() == (Ensemble(),) and Ensemble().why_not() is None
    with pytest.raises(AssertionError, match="put together by strategies"):
        Ensemble().fit(None, rng=RNG)

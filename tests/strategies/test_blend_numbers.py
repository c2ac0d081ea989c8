"""Mixing numbers by squared error: the least is found, and members that harm go."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.domains.split import Cut
from acclimate.models.ensemble import Ensemble
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.blend import Blend, least_squares, least_wrong
from acclimate.tasks.regress import Regress
from tests.made_numbers import make_prices


def test_two_members_are_mixed_as_a_person_computes() -> None:
    # Σ (w·2 − (1 − w))² is least at w = 1/3 for errors 2 and −1.
    away = np.array([[2.0, -1.0]] * 5)
    np.testing.assert_allclose(least_squares(away), [1 / 3, 2 / 3], rtol=1e-9)
    # Errors of one sign: the smaller one alone.
    np.testing.assert_allclose(least_squares(np.array([[1.0, 2.0]] * 5)), [1.0, 0.0])


@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e9])
def test_no_other_weights_leave_less(scale: float) -> None:
    g = np.random.default_rng(0)
    away = g.normal(size=(60, 4)) * [1, 2, 1, 3] + [0, 1, -1, 2]
    weights = least_squares(away * scale)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)

    def left(w: Array) -> float:
        return float(((away @ w) ** 2).sum())

    found = minimize(  # type: ignore[call-overload]
        left,
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    )
    np.testing.assert_allclose(weights, found.x, atol=1e-4)
    assert left(weights) <= left(found.x) * (1 + 1e-9)


def test_members_without_any_error_share_the_weight() -> None:
    np.testing.assert_allclose(least_squares(np.zeros((5, 4))), 0.25)


def test_a_member_that_harms_is_worth_nothing() -> None:
    g = np.random.default_rng(1)
    own, harmful, helpful = (g.normal(m, s, 200) for m, s in ((0, 2), (9, 1), (0, 1)))
    weights = least_wrong(np.column_stack([own, harmful, helpful]), np.arange(200))
    assert weights[1] == 0 and weights[2] > 0.5
    # One unit alone shows nothing: no source stays.
    alone = least_wrong(np.column_stack([own, harmful, helpful]), np.zeros(200, np.int64))
    np.testing.assert_array_equal(alone, [1, 0, 0])


def test_a_blend_takes_from_a_source_of_prices_what_helps() -> None:
    target, useful = make_prices(1, 200, name="jp"), make_prices(2, 400, name="us")
    strange = make_prices(3, 400, slope=0.0, level=500.0, name="uk")
    cut = Cut(labels=30, by="random")
    posed = Regress("price").pose(target, [useful, strange], cut, Rng.of(0))
    case, errors = posed.exam.judge[0], []
    for strategy in (Blend(), TargetOnly()):
        fitted = Arm(strategy, Linear()).fit(posed.problem, Rng.of(1))
        found = fitted.answer(case)
        assert isinstance(found, Numbers) and case.truth.label is not None
        errors.append(float(np.mean((found.y - case.truth.label) ** 2)))
        if isinstance(fitted.model, Ensemble):
            own, us, uk = fitted.model.weights
            assert us > own and uk == 0
    assert errors[0] < errors[1]

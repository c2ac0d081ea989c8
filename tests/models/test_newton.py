"""Newton's method: its directions, where it may begin, what single precision must not cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.models import newton
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from tests.models.designs import made
from tests.strategies.shapes import chances

RNG = Rng.of(0)


@pytest.mark.parametrize(
    "view", [made(), made(n_classes=3), made(text=400)], ids=["two", "three", "text"]
)
def test_from_wherever_it_starts_it_ends_at_the_minimum(view: RowView) -> None:
    g = np.random.default_rng(3)
    prepared, weight = Linear().prepare(view), np.exp(g.standard_normal(view.n))
    plain = Linear().fit(prepared, weight=weight, rng=RNG)
    near = Linear().fit(prepared, rng=RNG)
    assert near.fitted is not None
    wild = 5 * g.standard_normal(near.fitted.coefficients.shape)
    far = replace(near, fitted=replace(near.fitted, coefficients=wild))
    for start in (near, far):
        ours = Linear().fit(prepared, weight=weight, start=start, rng=RNG)
        np.testing.assert_allclose(
            chances(ours.predict(view)), chances(plain.predict(view)), atol=1e-6
        )


@pytest.mark.parametrize("k", [1, 3])
def test_a_direction_is_newton_s_by_a_hessian_of_finite_differences(k: int) -> None:
    g = np.random.default_rng(0)
    matrix, beta = g.normal(size=(40, 4)), g.normal(size=(4, k))
    weight, precision = g.uniform(0, 2, 40), g.uniform(0.1, 2, (4, k))
    rest = np.full((40, 1), float(k == 1))  # of one column, what is left is class 0

    def slope(flat: Array) -> Array:
        """Of the loss where every label is class 0, and of the quadratic around 0."""
        at = flat.reshape(4, k)
        odds = np.exp(matrix @ at)
        p = odds / (odds.sum(axis=1, keepdims=True) + rest)
        return np.asarray((matrix.T @ (weight[:, None] * p) + precision * at).ravel())

    flat, steps = beta.ravel(), 1e-5 * np.eye(4 * k)
    hessian = np.array([slope(flat + step) - slope(flat - step) for step in steps]) / 2e-5
    gradient, options = slope(flat), (weight, newton.chances(matrix @ beta), precision)
    expected = -np.linalg.solve(hessian, gradient).reshape(4, k)
    if k == 1:
        for exact, close in ((True, 1e-5), (False, 1e-4)):
            factor = newton._factor(matrix, *options, exact)
            found = newton._by_cholesky(factor, gradient[:, None])
            np.testing.assert_allclose(found, expected, rtol=close)
    else:
        right = gradient.reshape(4, k)
        found = newton._by_conjugate_gradients(matrix, *options, right, 1e-9)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e25], ids=["alike", "far apart", "too large"])
def test_columns_beyond_single_precision_end_at_the_minimum(scale: float) -> None:
    g = np.random.default_rng(0)
    one, other = g.standard_normal((2, 500))
    # The label hangs on what two columns differ in, which is a hundred thousandth of them.
    x = np.column_stack([one, one + 1e-5 * other, scale * g.random(500)])
    label = (other + g.standard_normal(500) > 0).astype(np.int64)
    matrix = np.column_stack([np.ones(500), x])
    precision = np.array([0.0, 1e-12, 1e-12, 1e-6 / scale**2])[:, None]
    shown = label[:, None].astype(np.float64)
    found = newton.minimise(matrix, shown, np.ones(500), 0 * precision, precision, lambda: None)
    gradient = matrix.T @ (newton.chances(matrix @ found) - shown) + precision * found
    # As a share of what each column's gradient is made of, and of what the two differ in.
    assert (np.abs(gradient[:, 0]) / np.abs(matrix).sum(axis=0)).max() < 1e-9
    apart = gradient[2, 0] - gradient[1, 0]
    assert abs(apart) < 1e-6 * 1e-5 * np.abs(other).sum(), apart


def test_from_near_by_fewer_factors_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made_of: list[int] = []
    factor = newton._factor

    def counted(*args: Any) -> Any:
        made_of.append(1)
        return factor(*args)

    monkeypatch.setattr(newton, "_factor", counted)
    view = made(n=1000)
    prepared = Linear().prepare(view)
    first = Linear().fit(prepared, rng=RNG)
    cold, weight = len(made_of), np.linspace(0.8, 1.2, view.n)
    Linear().fit(prepared, weight=weight, start=first, rng=RNG)
    assert len(made_of) - cold == 1 < cold

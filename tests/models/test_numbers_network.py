"""A network of numbers: squared error in the scale of the rows it was trained on first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from tests.models.test_numbers import answer, view

torch = pytest.importorskip("torch")

RNG = Rng.of(0)
SMALL = MixedNetwork(width=16, epochs=30, dropout=0.0)


def fitted(net: MixedNetwork, n: int = 300, level: float = 100.0) -> MixedNetwork:
    return net.fit(net.prepare(view(n, level=level)), rng=RNG)


def test_a_network_learns_numbers_in_their_own_unit() -> None:
    asked = view(200, seed=1)
    assert asked.label is not None
    left = np.var(answer(fitted(SMALL), asked) - asked.label) / np.var(asked.label)
    # Noise is 1 of 31 in variance; a network without the scale would answer about 0.
    assert left < 0.1
    assert abs((answer(fitted(SMALL), asked) - asked.label).mean()) < 0.5


@pytest.mark.parametrize("scale", [1e-5, 1e6])
def test_answers_follow_the_unit_of_the_label(scale: float) -> None:
    given = view(80)
    assert given.label is not None
    other = replace(given, label=given.label * scale)
    ours, theirs = (SMALL.fit(SMALL.prepare(each), rng=RNG) for each in (given, other))
    np.testing.assert_allclose(answer(theirs, given), answer(ours, given) * scale, rtol=1e-3)


def test_the_loss_is_the_weighted_mean_of_squared_errors_in_units_of_spread() -> None:
    given, weight = view(50), np.random.default_rng(1).uniform(0.5, 2, 50)
    assert given.label is not None
    net = fitted(SMALL, 50)
    prepared = net.prepare(given)
    batch = net.stream(prepared, weight).tensors
    found = float(net.loss(net.parameters(), batch))
    errors = (answer(net, given) - given.label) / given.label.std()
    assert found == pytest.approx((weight * errors**2).sum() / weight.sum(), rel=1e-4)


def test_going_on_keeps_the_scale_of_what_was_learned_first() -> None:
    source, target = fitted(SMALL), view(60, level=150.0)
    assert source.fitted is not None
    prepared = source.prepare(target)
    assert prepared.shape.scale == source.fitted.shape.scale
    still = replace(source, epochs=0).fit(prepared, start=source, rng=RNG)
    np.testing.assert_allclose(answer(still, target), answer(source, target), rtol=1e-6)


def test_a_head_taken_over_into_another_scale_answers_alike() -> None:
    source, target = fitted(SMALL), view(60, level=150.0)
    other = SMALL.prepare(target)
    assert source.fitted is not None and other.shape.scale != source.fitted.shape.scale
    still = replace(SMALL, epochs=0).fit(other, start=source, rng=RNG)
    np.testing.assert_allclose(answer(still, target), answer(source, target), rtol=1e-5)


def test_a_restored_network_answers_alike_and_one_number_is_answered() -> None:
    net, asked = fitted(SMALL, 60), view(20, seed=1)
    np.testing.assert_allclose(
        answer(MixedNetwork.restore(net.state()), asked), answer(net, asked)
    )
    flat = replace(view(30), label=np.full(30, 7.0))
    np.testing.assert_allclose(
        answer(SMALL.fit(SMALL.prepare(flat), rng=RNG), flat), 7.0, atol=0.5
    )

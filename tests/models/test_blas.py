"""One thread of BLAS for small matrices, and what there was afterwards."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from acclimate.arrays import Array
from acclimate.models import newton
from acclimate.models.blas import SMALL, unshared
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from tests.models.designs import made


def blas() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_small_work_has_one_thread_and_large_work_what_there_is() -> None:
    with threadpool_limits(2, "blas"):
        with unshared(SMALL):
            assert blas() == {1}
        assert blas() == {2}
        with unshared(SMALL + 1):
            assert blas() == {2}


def test_newton_s_steps_are_small_work() -> None:
    seen: list[set[int]] = []

    def told() -> None:
        seen.append(blas())

    view = made(n=50)
    with threadpool_limits(2, "blas"):
        Linear().fit(Linear().prepare(view), rng=Rng.of(0), tick=told)
        assert blas() == {2}
    assert len(seen) > 1 and all(each == {1} for each in seen)


def test_one_thread_changes_no_number() -> None:
    g = np.random.default_rng(0)
    x: Array = np.column_stack([np.ones(300), g.standard_normal((300, 4))])
    shown = (x[:, 1:2] > 0).astype(np.float64)
    flat = np.full((5, 1), 1.0)
    options = (x, shown, np.ones(300), 0 * flat, flat, lambda: None)
    with threadpool_limits(2, "blas"):
        one = newton.minimise(*options)
    np.testing.assert_array_equal(one, newton.minimise(*options))

"""One thread of BLAS for small matrices, and what there was afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_info, threadpool_limits

from acclimate.arrays import Array
from acclimate.domains.view import ItemView
from acclimate.models import newton
from acclimate.models.blas import SMALL, shared, unshared
from acclimate.models.bpr import Bpr
from acclimate.models.items import ItemQuery
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from acclimate.settings import settings
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


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ACCLIMATE_THREADS", "2")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_blocks_are_shared_among_threads_and_come_in_their_order(two_threads: None) -> None:
    both, seen = threading.Barrier(2, timeout=30), set[str]()

    def work(start: int) -> tuple[int, set[int], list[int]]:
        both.wait()  # passes where two are at work alone
        seen.add(threading.current_thread().name)
        return start, blas(), shared(lambda inner: inner, range(3))

    with threadpool_limits(2, "blas"):
        found = shared(work, range(0, 80, 10))
        assert blas() == {2}
    assert [start for start, _, _ in found] == [*range(0, 80, 10)]
    assert all(within == {1} and inner == [0, 1, 2] for _, within, inner in found)
    assert len(seen) == 2


def test_one_thread_works_in_turn_where_it_is() -> None:
    assert (
        shared(lambda _: threading.current_thread(), range(3)) == [threading.main_thread()] * 3
    )


def test_a_ranking_does_not_hang_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    X = sp.csr_array((draw.random((300, 40)) < 0.2).astype(float))
    view = ItemView(X, np.bincount(X.indices, minlength=40).astype(float))
    model = Bpr(8, epochs=1, least=0).fit(view, rng=Rng.of(0))
    monkeypatch.setattr("acclimate.models.items.CELLS", 40 * 7)  # seven rows a block
    asked = draw.integers(0, 40, (300, 5))
    for query in (ItemQuery(5), ItemQuery(5, asked)):
        one = model.predict(query, view)
        monkeypatch.setenv("ACCLIMATE_THREADS", "2")
        settings.cache_clear()
        two = model.predict(query, view)
        monkeypatch.delenv("ACCLIMATE_THREADS")
        settings.cache_clear()
        assert (one.items == two.items).all() and (one.scores == two.scores).all()

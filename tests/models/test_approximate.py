"""An index finds nearly all, says how much, and is not used where it does not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.models import approximate
from acclimate.models.approximate import WANTED, Approximate
from acclimate.models.search import largest
from acclimate.rng import Rng

pytest.importorskip("faiss")
M, D, K = 20_000, 16, 10


def factors(n: int, seed: int, apart: float = 3.0) -> np.ndarray:
    """Factors around fifty tastes, some items with larger ones, as popular items have."""
    tastes = np.random.default_rng(0).standard_normal((50, D))
    draw = np.random.default_rng(seed)
    found = apart * tastes[draw.integers(0, 50, n)] + draw.standard_normal((n, D))
    return (found * np.exp(0.3 * draw.standard_normal((n, 1)))).astype(np.float32)


def none(n: int, items: int = M) -> sp.csr_array:
    return sp.csr_array((n, items))


def test_an_index_finds_nearly_all_that_a_look_at_every_item_does() -> None:
    items, fresh = factors(M, 1), factors(200, 2)
    index = Approximate.of(items, factors(256, 3), none(256), K, Rng.of(0))
    assert index is not None and WANTED <= index.recall <= 1
    (at, top), (exact, best) = index.largest(fresh, K), largest(fresh, items, K)
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(at, exact, strict=True)])
    assert recall >= 0.95
    same = at == exact
    np.testing.assert_allclose(top[same], best[same], rtol=1e-5)
    assert (np.diff(top, axis=1) <= 0).all()
    # It reads a part of them alone.
    assert index.probes * 8 <= index.index.nlist
    assert f"{index.recall:.1%} of the best 10 for 256 histories" in index.said


def test_the_same_factors_give_the_same_lists() -> None:
    items, fresh = factors(M, 1), factors(20, 2)
    one, two = (Approximate.of(items, fresh, none(20), K, Rng.of(0)) for _ in range(2))
    assert one is not None and two is not None
    assert (one.largest(fresh, K)[0] == two.largest(fresh, K)[0]).all()


def test_what_the_lists_read_do_not_hold_is_said_to_be_missing() -> None:
    items = factors(M, 1)
    index = Approximate.of(items, factors(256, 3), none(256), K, Rng.of(0))
    assert index is not None
    at, top = index.largest(factors(3, 4), M)
    assert (at[:, -1] == -1).all() and (top[:, -1] == -np.inf).all()
    assert (at[:, 0] >= 0).all()


def test_items_without_any_order_are_looked_at_one_by_one() -> None:
    draw = np.random.default_rng(0)
    items, queries = (draw.standard_normal((n, 64), np.float32) for n in (M, 100))
    assert Approximate.of(items, queries, none(100), K, Rng.of(0)) is None


def test_without_the_library_there_is_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate, "find_spec", lambda name: None)
    assert Approximate.of(factors(100, 1), factors(9, 2), none(9, 100), K, Rng.of(0)) is None

"""The largest inner products are those of the whole product, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.models import search
from acclimate.models.search import largest


@pytest.mark.parametrize("k", [1, 7, 60])
@pytest.mark.parametrize("order", ["drawn", "rising", "falling"])
def test_the_largest_are_those_of_the_whole_product(
    k: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BLOCK", 50)
    monkeypatch.setattr(search, "AT_ONCE", 3)
    g = np.random.default_rng(k)
    # Small whole numbers: products are exact, and many are equal.
    items = g.integers(-2, 3, (1013, 4)).astype(np.float32)
    queries = g.integers(-2, 3, (8, 4)).astype(np.float32)
    if order != "drawn":
        items = items[np.argsort(items @ queries[0])]
    if order == "falling":
        items = items[::-1]
    found, top = largest(queries, items, k)
    whole = queries @ items.T
    for row in range(8):
        expected = np.lexsort((np.arange(1013), -whole[row]))[:k]
        assert found[row].tolist() == expected.tolist()
        assert top[row].tolist() == whole[row][expected].tolist()


def test_nobody_asks_for_nothing() -> None:
    found, top = largest(np.zeros((0, 4)), np.zeros((9, 4)), 3)
    assert found.shape == top.shape == (0, 3)

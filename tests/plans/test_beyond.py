"""Novelty, diversity, lift and segments by hand; and that re-ranking has its cost shown."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.domains.exam import Case, Ranking, RankQuery, Truth
from acclimate.domains.sample import Interactions
from acclimate.plans.beyond import Lists

USERS = np.array(["a", "b", "c", "d"], dtype=object)
ITEMS = np.array([f"i{n}" for n in range(6)], dtype=object)
# Item 0 was taken by all four, 1 by two, 2 by the same two, 3 by one; 4 and 5 by nobody.
TAKEN = ((0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (0, 2), (1, 2), (0, 3))


def lists(items: list[list[int]], wanted: list[int], k: int = 2) -> Lists:
    """Lists for a (four items), b (three), c (one) and d (one)."""
    user, item = np.array(TAKEN).T
    known = Interactions(user, item, USERS, ITEMS)
    truth = Truth(
        np.arange(4), user=np.arange(4), item=np.array(wanted), missed=np.zeros(4, int)
    )
    scores = -np.tile(np.arange(len(items[0]), dtype=float), (4, 1))
    ranking = Ranking(np.array(items), scores, len(ITEMS))
    return Lists("x/y", Case(known, RankQuery(USERS), truth), ranking, known, k)


def test_segments_are_by_the_length_of_a_history() -> None:
    found = lists([[4, 5], [3, 4], [1, 2], [1, 3]], [5, 3, 0, 3]).segments()
    rows = {row["segment"]: row for row in found}
    assert [(name, row["n"]) for name, row in rows.items()] == [
        ("all", 4),
        ("new", 2),
        ("light", 2),
    ]
    second = 1 / np.log2(3)
    # c gets nothing right, d its second; a its second, b its first.
    assert rows["new"]["value"] == pytest.approx(second / 2)
    assert rows["light"]["value"] == pytest.approx((1 + second) / 2)
    half = 1.96 * abs(second - 0) / 2  # two values: their distance over √2, over √2
    assert rows["new"]["high"] - rows["new"]["value"] == pytest.approx(half)
    assert rows["all"]["coverage"] == 5 / 6


def test_novelty_lift_and_diversity_by_hand() -> None:
    rows = {
        row["segment"]: row
        for row in lists([[4, 5], [3, 4], [1, 2], [1, 3]], [0] * 4).segments()
    }
    # Shares of users: 1, .5, .5, .25, 0, 0; what nobody took counts as taken by one of four.
    # c: items 1, 2 have 1 bit each; d: 1 and 3 have 1 and 2 bits.
    assert rows["new"]["novelty"] == pytest.approx((1.0 + 1.5) / 2)
    # Histories of c and d are item 0, share 1: lists have .5 and .375.
    assert rows["new"]["lift"] == pytest.approx((0.5 + 0.375) / 2 - 1)
    # a has 1, .5, .5, .25 and gets 0; b has 1, .5, .5 and gets .125.
    assert rows["light"]["lift"] == pytest.approx((0.0 / 0.5625 + 0.125 / (2 / 3)) / 2 - 1)
    # c: items 1 and 2 have the same users, cosine 1; d: 1 and 3 share one of two and one, √½.
    assert rows["new"]["diversity"] == pytest.approx((0 + 1 - np.sqrt(0.5)) / 2, abs=1e-6)


def test_short_lists_count_what_they_hold() -> None:
    (row, *_) = lists([[4, -1], [-1, -1], [1, -1], [1, 3]], [0] * 4).segments()
    assert row["diversity"] == pytest.approx(1 - np.sqrt(0.5), abs=1e-6)
    assert row["novelty"] == pytest.approx((2.0 + 1.0 + 1.5) / 3)


def test_a_spread_tells_its_cost_and_what_it_gives() -> None:
    # 1 and 2 are alike, 3 is less so: a spread puts 3 second, where c wanted 2.
    asked = lists([[1, 2, 3]] * 4, [1, 1, 2, 3])
    asked.ranking.scores[:] = [1.0, 0.1, 0.0]
    rows = asked.spreads()
    plain = asked.ndcg(asked.items).mean()
    assert [row["spread"] for row in rows] == [0.1, 0.3, 0.5]
    for row in rows:
        assert row["n"] == 4 and row["change"] == pytest.approx(row["value"] - plain)
        assert row["low"] <= row["change"] <= row["high"]
    assert rows[0]["diversity"] == pytest.approx(0.0, abs=1e-6)
    assert rows[-1]["diversity"] == pytest.approx(1 - np.sqrt(0.5), abs=1e-6)
    # c loses its second place and d wins it: the mean is what it was.
    assert rows[-1]["change"] == pytest.approx(0.0)

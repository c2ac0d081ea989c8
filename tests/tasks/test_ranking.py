"""Ranking metrics by hand, and against a slow transcription of their definitions."""

from __future__ import annotations

from collections.abc import Callable
from math import log2

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Ranking, Truth
from acclimate.tasks import ranking as fast


def truth(taken: list[list[int]], missed: list[int] | None = None) -> Truth:
    """What each user took, and how much of it no catalogue holds."""
    return Truth(
        units=np.arange(len(taken)),
        user=np.array([u for u, items in enumerate(taken) for _ in items], np.int64),
        item=np.array([i for items in taken for i in items], np.int64),
        missed=np.array(missed or [0] * len(taken), np.int64),
    )


def lists(*items: list[int], size: int = 20) -> Ranking:
    found = np.array(items, np.int64)
    return Ranking(found, -np.arange(float(found.size)).reshape(found.shape), size)


def of(metric: str, ranking: Ranking, true: Truth, k: int) -> Array:
    """One metric per user by its name."""
    hits, wanted = fast.relevance(ranking, true, k)
    function: Callable[..., Array] = getattr(fast, metric)
    return (
        function(hits) if metric in ("precision", "hit_rate", "mrr") else function(hits, wanted)
    )


# ── by hand ─────────────────────────────────────────────────────────────────

# Three were taken; the list of five holds two of them, at ranks 2 and 5.
BY_HAND = {
    "ndcg": (1 / log2(3) + 1 / log2(6)) / (1 + 1 / log2(3) + 1 / log2(4)),
    "precision": 2 / 5,
    "recall": 2 / 3,
    "f1": 2 * (2 / 5) * (2 / 3) / (2 / 5 + 2 / 3),
    "hit_rate": 1.0,
    "mrr": 1 / 2,
    "average_precision": (1 / 2 + 2 / 5) / 3,
}


@pytest.mark.parametrize("metric", BY_HAND)
def test_a_metric_is_what_a_person_computes(metric: str) -> None:
    true = truth([[3, 9, 12]])
    ranking = lists([1, 9, 4, 5, 12, 3])
    assert of(metric, ranking, true, 5)[0] == pytest.approx(BY_HAND[metric], rel=1e-14)


@pytest.mark.parametrize("metric", BY_HAND)
def test_a_perfect_list_scores_one_and_a_useless_one_nothing(metric: str) -> None:
    true = truth([[3, 9], [3, 9]])
    found = of(metric, lists([3, 9], [1, 2]), true, 2)
    assert found.tolist() == [1.0, 0.0]


def test_the_ideal_list_is_cut_at_k_and_short_truths_have_short_ideals() -> None:
    # Four taken, k = 2: two hits are all that a list of two can hold.
    assert of("ndcg", lists([1, 2]), truth([[1, 2, 3, 4]]), 2)[0] == 1.0
    assert of("average_precision", lists([1, 2]), truth([[1, 2, 3, 4]]), 2)[0] == 1.0
    assert of("recall", lists([1, 2]), truth([[1, 2, 3, 4]]), 2)[0] == 0.5
    assert of("ndcg", lists([1, 5]), truth([[1]]), 2)[0] == 1.0


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("ndcg", 1 / (1 + 1 / log2(3))),
        ("recall", 1 / 2),
        ("average_precision", 1 / 2),
        ("precision", 1 / 3),
    ],
)
def test_an_item_that_no_catalogue_holds_was_wanted_and_missed(
    metric: str, expected: float
) -> None:
    true = truth([[4]], missed=[1])
    assert of(metric, lists([4, 5, 6]), true, 3)[0] == pytest.approx(expected)


def test_a_user_whose_every_item_is_unknown_scores_nothing() -> None:
    for metric in BY_HAND:
        assert of(metric, lists([4, 5, 6]), truth([[]], missed=[2]), 3)[0] == 0.0


def test_an_empty_place_never_counts_as_another_users_item() -> None:
    # −1 of user 1 would be the last item of user 0.
    true = truth([[19], [3]])
    ranking = lists([19, 1], [-1, -1])
    assert of("hit_rate", ranking, true, 2).tolist() == [1.0, 0.0]


def test_a_list_shorter_than_k_has_empty_places() -> None:
    assert of("precision", lists([3, 9]), truth([[3, 9]]), 10)[0] == 0.2
    assert of("ndcg", lists([3, 9]), truth([[3, 9]]), 10)[0] == 1.0


def test_coverage_is_the_share_of_the_catalogue_shown_to_anyone() -> None:
    ranking = lists([1, 2, 3], [1, 4, -1], size=10)
    assert fast.coverage(ranking, 2) == 0.3
    assert fast.coverage(ranking, 3) == 0.4


# ── candidates ──────────────────────────────────────────────────────────────


def pool(items: list[int], scores: list[float], size: int = 20) -> Ranking:
    return Ranking(np.array([items]), np.array([scores]), size, pool=True)


def test_candidates_are_ordered_by_score_whatever_place_they_stand_at() -> None:
    ranking = pool([5, 6, 7], [0.1, 0.9, 0.5])
    assert fast.relevance(ranking, truth([[6]]), 3)[0].tolist() == [[True, False, False]]
    assert fast.relevance(ranking, truth([[5]]), 3)[0].tolist() == [[False, False, True]]


@pytest.mark.parametrize("items", [[5, 6, 7], [7, 6, 5], [6, 5, 7]])
def test_a_tie_among_candidates_is_broken_against_us(items: list[int]) -> None:
    hits, _ = fast.relevance(pool(items, [1.0, 1.0, 1.0]), truth([[5]]), 3)
    assert hits.tolist() == [[False, False, True]]


def test_candidates_that_the_model_does_not_know_come_last() -> None:
    hits, _ = fast.relevance(pool([5, 6, 7], [-np.inf, -3.0, -2.0]), truth([[5]]), 3)
    assert hits.tolist() == [[False, False, True]]
    # Padding ties with what is unknown, and the truth still stands behind it.
    hits, _ = fast.relevance(pool([5, 6, -1], [-np.inf, 0.0, -np.inf]), truth([[5]]), 2)
    assert hits.tolist() == [[False, False]]


# ── against the definitions ─────────────────────────────────────────────────


def slowly(metric: str, ranked: list[int], taken: set[int], missed: int, k: int) -> float:
    """The definitions, word by word; a rank counts from 1."""
    wanted = len(taken) + missed
    gains = [1.0 if rank < len(ranked) and ranked[rank] in taken else 0.0 for rank in range(k)]
    found = sum(gains)
    p, r = found / k, found / wanted if wanted else 0.0
    if metric == "ndcg":
        ideal = sum(1 / log2(rank + 2) for rank in range(min(wanted, k)))
        return sum(g / log2(rank + 2) for rank, g in enumerate(gains)) / ideal
    if metric == "average_precision":
        seen = [sum(gains[: rank + 1]) / (rank + 1) for rank, g in enumerate(gains) if g]
        return sum(seen) / min(wanted, k)
    if metric == "mrr":
        return next((1 / (rank + 1) for rank, g in enumerate(gains) if g), 0.0)
    f1 = 2 * p * r / (p + r) if p + r else 0.0
    return {"precision": p, "recall": r, "f1": f1, "hit_rate": float(found > 0)}[metric]


@pytest.mark.parametrize("metric", BY_HAND)
@pytest.mark.parametrize("sampled", [False, True])
def test_a_metric_is_its_definition_on_random_cases(metric: str, sampled: bool) -> None:
    generator = np.random.default_rng(sum(map(ord, metric)) + sampled)
    for _ in range(30):
        users, size, k = 6, 15, int(generator.integers(1, 12))
        length = int(generator.integers(1, 12))
        items = np.array([generator.permutation(size)[:length] for _ in range(users)])
        scores = generator.integers(0, 4, items.shape).astype(float)
        taken = [
            generator.permutation(size)[: generator.integers(1, 6)].tolist()
            for _ in range(users)
        ]
        missed = generator.integers(0, 3, users)
        true = truth(taken, missed.tolist())
        if sampled:
            given = Ranking(items, scores, size, pool=True)
        else:
            items[generator.random(items.shape) < 0.1] = -1
            given = Ranking(items, np.sort(scores, axis=1)[:, ::-1], size)
        got = of(metric, given, true, k)
        for user in range(users):
            mine = set(taken[user])
            ranked = items[user].tolist()
            if sampled:
                # Best first; among equals, what was taken stands last.
                ranked.sort(key=lambda i, u=user, m=mine: (
                    -scores[u, items[u].tolist().index(i)], i in m
                ))  # fmt: skip
            expected = slowly(metric, ranked, mine, int(missed[user]), k)
            assert got[user] == pytest.approx(expected, abs=1e-12)

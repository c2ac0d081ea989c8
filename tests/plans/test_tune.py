"""Tuning asks what the exam asks: by the clock where the exam goes by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Ranking
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.models import popularity
from acclimate.models.popularity import Popularity
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly, TargetOnly
from acclimate.tasks.recommend import Recommend

DAY = 86_400.0
KEY = Rng.of(0)
FASHION = 25  # days that a hit stays one


def fashions(users: int = 60, days: int = 150) -> Interactions:
    """Each user takes one of 30 items now and then; what most take changes every 25 days."""
    draw = np.random.default_rng(0)
    pairs: dict[tuple[int, int], float] = {}
    for day in range(days):
        for user in draw.choice(users, 12, replace=False):
            hit = 5 * (day // FASHION) + draw.integers(5)
            item = int(hit if draw.random() < 0.7 else draw.integers(30))
            pairs.setdefault((int(user), item), DAY * day)
    user, item = np.array(list(pairs), np.int64).T
    return Interactions(
        user, item, ids("u", users), ids("i", 30), time=np.array([*pairs.values()])
    )


def ids(letter: str, n: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array([f"{letter}{k:02}" for k in range(n)], dtype=object)


def problem(fit: Interactions, *sources: Interactions) -> Problem:
    given = tuple(Source(f"s{n}", each) for n, each in enumerate(sources))
    return Problem("t", fit, given, Claim.LATER, ItemRecipe(fit.items))


def test_by_the_clock_tuning_learns_how_soon_popularity_is_over() -> None:
    fit = fashions()
    arm = Arm(TargetOnly(), Popularity())

    def tuned(sample: Interactions) -> float | None:
        found = tune(arm, Recommend(), arm.encoded(problem(sample)), KEY, cross_fit=False)
        assert isinstance(found.arm.model, Popularity) and found.tried == 4
        return found.arm.model.half_life_days

    assert tuned(fit) == 30.0
    # Without a clock all half-lives are the same, and the plain count comes first.
    assert tuned(replace(fit, time=None)) is None


def test_sources_of_a_fold_by_the_clock_end_where_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The source takes from the fold's origin on just what the target will take."""
    monkeypatch.setattr(popularity, "RECENT", ())
    fit = fashions()
    arm = Arm(SourceOnly(), Popularity())
    posed = arm.encoded(problem(fit, fit))
    found = tune(arm, Recommend(), posed, KEY, cross_fit=True)
    assert isinstance(found.prediction, Ranking)
    first = found.prediction.items[:, 0]
    for inner, held in posed.inner(5, KEY.child("folds")):
        asked, first = first[: held.truth.n_units], first[held.truth.n_units :]
        known = inner.fit
        assert isinstance(known, Interactions)
        count: Ints = np.bincount(known.item, minlength=len(known.items))
        histories: Array = np.zeros((len(held.query.users), len(known.items)))
        histories[held.context.user, held.context.item] = 1
        best = np.where(histories > 0, -1, count).max(axis=1)
        assert (count[asked] == best).all()
    assert not len(first)

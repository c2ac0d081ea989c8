"""Episodes: which rows are tasks, how they are dealt, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Ints
from acclimate.domains.episodes import Episodes, allot, episodes
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.rng import Rng

RNG = Rng.of(5)


def rows(n: int, seed: int = 0, *, rare: float = 0.5) -> Rows:
    """Orders of users and brands; every third belongs to nobody, every fifth has no brand."""
    g = np.random.default_rng(seed)
    user = [None if k % 3 == 0 else f"u{k % 7}" for k in range(n)]
    brand = [None if k % 5 == 0 else f"b{k % 4}" for k in range(n)]
    return Rows(
        pl.DataFrame(
            {"x": g.normal(size=n), "brand": brand, "shop": [f"s{k % 2}" for k in range(n)]},
            {"x": pl.Float64, "brand": pl.String, "shop": pl.String},
        ),
        {"x": ColumnType.NUMERIC, "brand": ColumnType.CATEGORY, "shop": ColumnType.CATEGORY},
        ("no", "yes"),
        (g.random(n) < rare).astype(np.int64),
        entity=np.array(user, dtype=object),
    )


def problem(*sources: Rows, fit: Rows | None = None) -> Problem:
    named = tuple(Source(f"s{k}", each) for k, each in enumerate(sources))
    return Problem("t", rows(20, 9) if fit is None else fit, named, Claim.LATER, RowRecipe())


def stacked(given: Problem, name: str) -> Any:
    """A value of every source row, in the order of the stacked views."""
    return np.concatenate([getattr(source.sample, name) for source in given.sources])


def column(given: Problem, name: str) -> list[str | None]:
    found: list[str | None] = []
    for source in given.sources:
        assert isinstance(source.sample, Rows)
        found += source.sample.columns[name].to_list()
    return found


def of_source(given: Problem, at: Ints) -> Ints:
    ends = np.cumsum([source.n for source in given.sources])
    return np.searchsorted(ends, at, side="right")


# ── what is a task ──────────────────────────────────────────────────────────────


def test_by_domain_an_episode_stays_within_one_source() -> None:
    given = problem(rows(60, 1), rows(90, 2), rows(70, 3))
    drawn = given.episodes("domain", 8, 6, RNG).draw(50)
    assert drawn.support.shape == (50, 8) and drawn.query.shape == (50, 6)
    for task, at in zip(drawn.task, np.hstack([drawn.support, drawn.query]), strict=True):
        assert set(of_source(given, at)) == {task}


def test_by_entity_an_episode_stays_with_one_user_of_one_source() -> None:
    given = problem(rows(120, 1), rows(90, 2))
    found = given.episodes("entity", 4, 4, RNG)
    users, drawn = stacked(given, "entity"), found.draw(80)
    assert {group.name for group in found.groups} == {
        f"s{s} u{u}" for s in (0, 1) for u in range(7)
    }
    for at in np.hstack([drawn.support, drawn.query]):
        assert len({(users[k], s) for k, s in zip(at, of_source(given, at), strict=True)}) == 1
        assert users[at[0]] is not None


def test_by_category_an_episode_stays_with_one_value_of_one_source() -> None:
    given = problem(rows(100, 1), rows(90, 2))
    found = given.episodes("category", 4, 4, RNG)
    brands, drawn = column(given, "brand"), found.draw(80)
    assert len(found.groups) == 8  # four brands each, though there are only two shops
    for at in np.hstack([drawn.support, drawn.query]):
        assert len({(brands[k], s) for k, s in zip(at, of_source(given, at), strict=True)}) == 1
        assert brands[at[0]] is not None


def test_the_category_with_most_values_of_enough_rows_is_taken_unless_one_is_named() -> None:
    given = problem(rows(40, 1), rows(40, 2))
    assert len(given.episodes("category", 4, 4, RNG).groups) == 8
    # Eight rows of each brand a source, but twenty of each shop.
    assert len(given.episodes("category", 8, 8, RNG).groups) == 4
    assert len(given.episodes("category", 4, 4, RNG, column="shop").groups) == 4
    assert len(given.episodes("category", 4, 4, RNG, column="brand").groups) == 8


def test_the_targets_rows_are_a_task_only_if_asked_for_and_stand_behind_the_sources() -> None:
    given = problem(rows(60, 1), rows(60, 2), fit=rows(40, 3))
    assert given.episodes("domain", 8, 8, RNG).draw(40).support.max() < 120
    found = given.episodes("domain", 8, 8, RNG, own=True)
    assert [(group.name, group.rows.min(), group.rows.max()) for group in found.groups] == [
        ("s0", 0, 59),
        ("s1", 60, 119),
        ("target", 120, 159),
    ]


# ── how an episode is dealt ─────────────────────────────────────────────────────


def test_support_and_query_share_no_row_and_repeat_none() -> None:
    given = problem(rows(40, 1), rows(33, 2))
    drawn = given.episodes("domain", 16, 16, RNG).draw(60)
    for at in np.hstack([drawn.support, drawn.query]):
        assert len(set(at)) == 32


def test_every_task_is_drawn_as_often_as_any_other() -> None:
    given = problem(rows(1000, 1), rows(60, 2), rows(60, 3))
    drawn = given.episodes("domain", 8, 8, RNG).draw(100)
    assert sorted(np.bincount(drawn.task)) == [33, 33, 34]


def test_classes_are_balanced_as_far_as_there_are_rows() -> None:
    rare = rows(200, 1)
    label = np.zeros(200, np.int64)
    label[:5] = 1
    given = problem(replace(rare, label=label), rows(200, 2))
    drawn = given.episodes("domain", 8, 8, RNG).draw(40)
    labels = stacked(given, "label")
    for task, support, query in zip(drawn.task, drawn.support, drawn.query, strict=True):
        counts = labels[support].sum(), labels[query].sum()
        assert counts == ((3, 2) if task == 0 else (4, 4))


def test_weights_give_each_class_its_share_in_the_task_back() -> None:
    given = problem(rows(500, 1, rare=0.1), rows(500, 2, rare=0.3))
    drawn, labels = given.episodes("domain", 8, 8, RNG).draw(40), stacked(given, "label")
    share = [labels[:500].mean(), labels[500:].mean()]
    sides = (
        (drawn.support, drawn.support_weight),
        (drawn.query, drawn.query_weight),
    )
    for at, weight in sides:
        np.testing.assert_allclose(weight.mean(axis=1), 1.0)
        np.testing.assert_allclose(
            (weight * labels[at]).mean(axis=1), np.take(share, drawn.task), rtol=1e-12
        )


def test_every_row_of_a_task_is_drawn_in_time_and_rows_of_a_class_alike() -> None:
    given = problem(rows(40, 1), rows(40, 2))
    drawn = given.episodes("domain", 8, 8, RNG).draw(2000)
    labels = stacked(given, "label")
    counts = np.bincount(np.hstack([drawn.support, drawn.query]).ravel(), minlength=80)
    for first in (0, 40):
        for label in (0, 1):
            mine = counts[first : first + 40][labels[first : first + 40] == label]
            # 8 of each class in 1,000 episodes: binomial, deviation below √mean.
            assert np.abs(mine - mine.mean()).max() < 5 * np.sqrt(mine.mean())


def test_weighed_rows_are_drawn_in_proportion_and_rows_of_weight_zero_never() -> None:
    weight = np.where(np.arange(300) % 3 == 0, 0.0, np.where(np.arange(300) % 3 == 1, 1.0, 3.0))
    given = problem(rows(300, 1), rows(60, 2)).weighed({"s0": weight})
    drawn = given.episodes("domain", 2, 2, RNG).draw(4000)
    counts = np.bincount(drawn.support.ravel(), minlength=360)[:300]
    assert not counts[::3].any()
    assert counts[2::3].sum() / counts[1::3].sum() == pytest.approx(3.0, rel=0.15)
    # And the share of a class is that of its weight.
    label = given.sources[0].sample.label  # type: ignore[union-attr]
    share = (weight * label).sum() / weight.sum()
    mine = drawn.task == 0
    both = np.ptp(stacked(given, "label")[drawn.query[mine]], axis=1) == 1
    found = (drawn.query_weight[mine] * stacked(given, "label")[drawn.query[mine]]).mean(axis=1)
    np.testing.assert_allclose(found[both], share)


def test_the_same_key_draws_the_same_and_another_key_other_episodes() -> None:
    given = problem(rows(60, 1), rows(60, 2))

    def drawn(rng: Rng) -> Ints:
        return given.episodes("domain", 8, 8, rng).draw(20).support

    assert np.array_equal(drawn(RNG), drawn(RNG))
    assert not np.array_equal(drawn(RNG), drawn(Rng.of(6)))


def test_allot_deals_evenly_and_never_above_the_room() -> None:
    def dealt(total: int, *room: int) -> list[int]:
        return [int(each) for each in allot(total, np.array(room))]

    assert dealt(8, 10, 10) == [4, 4]
    assert dealt(8, 2, 10) == [2, 6]
    assert dealt(7, 3, 9) == [3, 4]
    assert dealt(7, 9, 9, 1) == [3, 3, 1]
    assert dealt(2, 5, 6, 7) == [0, 1, 1]
    assert dealt(0, 3, 3) == [0, 0]
    assert dealt(5, 2, 0, 3) == [2, 0, 3]


# ── too few ─────────────────────────────────────────────────────────────────────


def test_shots_and_queries_are_halved_until_two_tasks_have_as_many_rows() -> None:
    def sizes(found: Episodes) -> tuple[int, int, int]:
        return found.shots, found.queries, len(found.groups)

    given = problem(rows(100, 1), rows(40, 2), rows(20, 3))
    assert sizes(given.episodes("domain", 16, 16, RNG)) == (16, 16, 2)
    assert sizes(given.episodes("domain", 32, 32, RNG)) == (16, 16, 2)
    assert sizes(given.episodes("domain", 32, 8, RNG)) == (32, 8, 2)
    assert sizes(given.episodes("domain", 8, 8, RNG)) == (8, 8, 3)
    alone = given.with_sources(given.sources[1:2])
    assert sizes(alone.episodes("domain", 32, 32, RNG)) == (16, 16, 1)
    assert alone.episodes("domain", 32, 32, RNG).draw(3).support.shape == (3, 16)


def test_one_task_is_too_few_and_said_so() -> None:
    given = problem(rows(60, 1), rows(60, 2))
    assert given.episodes("domain", 8, 8, RNG).why_not() is None
    alone = given.with_sources(given.sources[:1])
    assert alone.episodes("domain", 8, 8, RNG).why_not() == (
        "learning across tasks takes at least 2 sources with 4 labelled rows each, and 1 has "
        "as many"
    )


def test_rows_of_nobody_make_no_users_and_said_so() -> None:
    bare = replace(rows(60, 1), entity=None)
    found = problem(bare, bare).episodes("entity", 8, 8, RNG)
    assert found.why_not() == (
        "learning across tasks takes at least 2 users of the sources with 4 labelled rows "
        "each, and none have as many"
    )
    with pytest.raises(StrategyError, match="Expected tasks to draw episodes from"):
        found.draw(1)


def test_sources_without_a_category_have_no_values_and_said_so() -> None:
    bare = replace(
        rows(60, 1), columns=rows(60, 1).columns.select("x"), types={"x": ColumnType.NUMERIC}
    )
    assert problem(bare).episodes("category", 8, 8, RNG).why_not() == (
        "learning across tasks takes at least 2 values of one category column in the sources "
        "with 4 labelled rows each, and none have as many"
    )


def test_a_source_without_labels_or_without_weight_is_no_task() -> None:
    given = problem(rows(60, 1), rows(60, 2).unlabelled(), rows(60, 3))
    found = given.episodes("domain", 8, 8, RNG)
    assert [(group.name, group.rows.min()) for group in found.groups] == [
        ("s0", 0),
        ("s2", 120),
    ]
    silenced = given.weighed({"s0": np.zeros(60)}).episodes("domain", 8, 8, RNG)
    assert [group.name for group in silenced.groups] == ["s2"]


def test_asking_for_no_known_way_or_too_few_rows_is_a_mistake() -> None:
    given = problem(rows(60, 1))
    with pytest.raises(StrategyError, match="Expected tasks by domain, entity, category with"):
        given.episodes("store", 8, 8, RNG)  # type: ignore[arg-type]
    with pytest.raises(StrategyError, match="at least 2 shots and queries; found 'domain', 1"):
        episodes(given.sources, "domain", 1, 8, RNG)


def test_a_column_that_is_no_category_is_a_mistake() -> None:
    with pytest.raises(StrategyError, match="Expected a category column 'x' to take"):
        problem(rows(60, 1)).episodes("category", 8, 8, RNG, column="x")

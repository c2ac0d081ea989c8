"""A target is cut before anything is fitted, and nothing later reaches a fit."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.domains.problem import Claim
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.split import Cut, EventParts, RowParts, cut_events, cut_rows
from acclimate.errors import UsageError
from acclimate.rng import Rng

SPRING = datetime(2024, 3, 1)


def rows(
    n: int,
    *,
    timed: bool = True,
    entities: int | None = None,
    unlabelled: int = 0,
    seed: int = 0,
) -> Rows:
    """n rows in no order of time; the first `unlabelled` of them have no label."""
    generator = np.random.default_rng(seed)
    label = generator.integers(0, 2, n)
    label[:unlabelled] = -1
    who = np.array([f"e{k}" for k in generator.integers(0, entities or 1, n)], dtype=object)
    return Rows(
        columns=pl.DataFrame({"x": np.arange(float(n))}),
        types={"x": ColumnType.NUMERIC},
        classes=("no", "yes"),
        label=label,
        entity=who if entities else None,
        time=generator.permutation(n).astype(np.float64) * 3600 if timed else None,
    )


def events(*rows: tuple[str, str, int], timed: bool = True) -> pl.DataFrame:
    """(user, item, day) in this order."""
    table = pl.DataFrame(
        {
            "user": [user for user, _, _ in rows],
            "item": [item for _, item, _ in rows],
            "time": [SPRING + timedelta(days=day) for _, _, day in rows],
        }
    )
    return table if timed else table.drop("time")


def many(seed: int = 0, users: int = 80, n: int = 900, days: int = 60) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    return events(
        *zip(
            [f"u{k}" for k in generator.integers(0, users, n)],
            [f"i{k}" for k in generator.integers(0, 30, n)],
            generator.integers(0, days, n).tolist(),
            strict=True,
        )
    )


def disjoint(parts: RowParts) -> bool:
    together = np.concatenate([parts.fit, parts.choose, parts.judge, parts.unlabelled])
    return len(set(together.tolist())) == len(together)


def pairs(table: pl.DataFrame) -> list[tuple[str, str]]:
    return table.select("user", "item").rows()


# ── rows ────────────────────────────────────────────────────────────────────


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 60),
    ties=st.integers(1, 10),
    cross_below=st.sampled_from([0, 1000]),
    labels=st.sampled_from([None, 2, 7]),
    unlabelled=st.integers(0, 5),
    seed=st.integers(0, 20),
)
def test_a_cut_by_time_never_puts_a_later_row_before_an_earlier_part(
    n: int, ties: int, cross_below: int, labels: int | None, unlabelled: int, seed: int
) -> None:
    made = rows(n + unlabelled, unlabelled=unlabelled, seed=seed)
    assert made.time is not None and made.label is not None
    made.time[:] = made.time // (3600.0 * ties)
    parts = cut_rows(made, Cut(labels=labels, cross_below=cross_below), Rng.of(seed))
    assert disjoint(parts)
    assert (made.label[parts.unlabelled] < 0).all() or labels is not None
    for part in (parts.fit, parts.choose, parts.judge):
        assert (made.label[part] >= 0).all()
    if parts.claim == Claim.NEW:  # too many rows have the earliest time
        times = made.time[made.label >= 0]
        assert (times == times.min()).mean() >= 0.5
        assert parts.clock is None and "cut at random" in parts.notes[0]
        return
    assert parts.clock is not None
    clock = (parts.clock - datetime(1970, 1, 1)).total_seconds()
    assert made.time[parts.fit].max(initial=-1) <= clock
    assert made.time[parts.unlabelled].max(initial=-1) <= clock
    later = np.concatenate([parts.choose, parts.judge])
    if len(parts.choose):
        assert made.time[parts.fit].max() == clock
        assert made.time[parts.fit].max() <= made.time[parts.choose].min()
    assert (made.time[parts.judge] > clock).all()
    assert len(later) + len(parts.fit) <= n


def test_the_judge_is_the_latest_share_and_ties_at_its_edge_are_judged(rng: Rng) -> None:
    made = rows(10)
    assert made.time is not None
    made.time[:] = [0, 1, 2, 3, 4, 5, 6, 6, 6, 9]
    parts = cut_rows(made, Cut(judge=0.2), rng)
    # Two of ten would be 6 and 9; the other two sixes cannot be told from the first.
    assert parts.judge.tolist() == [6, 7, 8, 9]
    assert parts.fit.tolist() == [0, 1, 2, 3, 4, 5]
    assert parts.clock == datetime(1970, 1, 1, 0, 0, 5)
    assert parts.claim == Claim.LATER


def test_ties_in_time_keep_file_order_between_fit_and_choose(rng: Rng) -> None:
    made = rows(10)
    assert made.time is not None
    made.time[:] = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    parts = cut_rows(made, Cut(judge=0.3, choose=0.3, cross_below=0), rng)
    assert parts.fit.tolist() == [0, 1, 2, 3]
    assert parts.choose.tolist() == [4, 5, 6]


def test_what_came_while_choose_was_collected_is_not_seen_unlabelled(rng: Rng) -> None:
    made = rows(12, unlabelled=4)
    assert made.time is not None
    made.time[:] = [1.5, 4.5, 7.5, np.nan, 0, 1, 2, 3, 4, 5, 6, 7]
    parts = cut_rows(made, Cut(judge=0.25, choose=0.5, cross_below=0), rng)
    assert made.time[parts.fit].tolist() == [0, 1, 2]
    assert made.time[parts.choose].tolist() == [3, 4, 5]
    # Row 1 lies in choose's time and row 2 in the judge's; row 3 has none to tell by.
    assert parts.unlabelled.tolist() == [0, 3]


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("cross_below", [0, 10_000])
def test_a_label_budget_counts_fit_and_choose_together(
    rng: Rng, timed: bool, cross_below: int
) -> None:
    made = rows(200, timed=timed)
    parts = cut_rows(made, Cut(labels=24, cross_below=cross_below), rng)
    assert len(parts.fit) + len(parts.choose) == 24
    assert bool(len(parts.choose)) == (cross_below == 0)
    assert disjoint(parts)
    # Nothing else may use those labels; by time, a longer judge would be an earlier clock.
    assert len(parts.judge) == (100 if timed else 140)
    assert "label budget: 24" in " ".join(parts.notes)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(20, 300), labels=st.integers(2, 300), seed=st.integers(0, 9))
def test_a_random_judge_grows_only_by_rows_that_a_label_budget_leaves(
    n: int, labels: int, seed: int
) -> None:
    parts = cut_rows(rows(n, timed=False), Cut(labels=labels), Rng.of(seed))
    spared = min(labels, n - len(parts.judge))
    assert len(parts.fit) == spared
    if labels >= n / 2:
        assert len(parts.judge) == round(0.3 * n)
    elif len(parts.judge) > n // 2 + 1:
        assert len(parts.judge) <= round(0.7 * n)
        assert len(parts.unlabelled) >= labels - 1
    else:
        assert len(parts.judge) >= n // 2 and 2 * labels >= 0.5 * n - 1


def test_a_share_that_was_asked_for_is_kept_under_a_label_budget(rng: Rng) -> None:
    parts = cut_rows(rows(200, timed=False), Cut(labels=24, judge=0.4), rng)
    assert len(parts.judge) == 80


def test_a_label_budget_larger_than_the_target_changes_nothing(rng: Rng) -> None:
    made = rows(50)
    with_budget, without = cut_rows(made, Cut(labels=500), rng), cut_rows(made, Cut(), rng)
    assert np.array_equal(with_budget.fit, without.fit)
    assert np.array_equal(with_budget.judge, without.judge)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 80), entities=st.integers(1, 9), seed=st.integers(0, 9))
def test_entities_never_straddle_where_there_is_no_time(
    n: int, entities: int, seed: int
) -> None:
    made = rows(n, timed=False, entities=entities, seed=seed)
    assert made.entity is not None
    parts = cut_rows(made, Cut(cross_below=0), Rng.of(seed))
    assert disjoint(parts) and parts.claim == Claim.NEW and parts.clock is None
    assert len(parts.fit) + len(parts.choose) + len(parts.judge) == n
    assert len(parts.fit) > 0
    who = [set(made.entity[part]) for part in (parts.fit, parts.choose, parts.judge)]
    assert not who[0] & who[1] and not who[0] & who[2] and not who[1] & who[2]
    assert bool(who[2]) == (len(set(made.entity)) > 1)


def test_a_random_cut_keeps_the_classes_in_proportion(rng: Rng) -> None:
    made = rows(200, timed=False)
    assert made.label is not None
    made.label[:] = np.arange(200) < 40
    parts = cut_rows(made, Cut(), rng)
    assert (len(parts.judge), made.label[parts.judge].sum()) == (60, 12)


@pytest.mark.parametrize("rare", [0, 1])
def test_a_rare_class_is_on_both_sides_of_a_random_cut(rare: int) -> None:
    made = rows(200, timed=False)
    assert made.label is not None
    made.label[:] = 1 - rare
    made.label[np.random.default_rng(0).permutation(200)[:6]] = rare
    judged = []
    for seed in range(40):
        parts = cut_rows(made, Cut(cross_below=0), Rng.of(seed))
        assert len(parts.judge) == 60 and len(parts.choose) == 35
        judged.append(int((made.label[parts.judge] == rare).sum()))
    # 30 % of six are 1.8: one or two, and two four times in five.
    assert set(judged) == {1, 2}
    assert 25 <= judged.count(2) <= 39


def test_a_small_target_keeps_no_rows_aside_to_choose_on(rng: Rng) -> None:
    for n, aside in ((2856, False), (2858, True)):  # 70 % of them: 1,999 and 2,000
        assert bool(len(cut_rows(rows(n), Cut(), rng).choose)) == aside


def test_another_seed_cuts_other_rows_and_the_same_seed_the_same() -> None:
    made = rows(100, timed=False)
    first, again, other = (cut_rows(made, Cut(), Rng.of(seed)).judge for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rows_of_one_time_are_cut_at_random_with_the_rest_of_the_cut_kept(rng: Rng) -> None:
    made = rows(40)
    assert made.time is not None
    made.time[:] = 7.0
    parts = cut_rows(made, Cut(cross_below=0), rng)
    assert parts.claim == Claim.NEW and len(parts.choose) > 0
    with pytest.raises(UsageError, match="fewer than 70% of the labelled rows at the earliest"):
        cut_rows(made, Cut(by="time"), rng)


def test_a_labelled_row_without_a_time_makes_the_cut_random_and_says_so(rng: Rng) -> None:
    made = rows(40)
    assert made.time is not None
    made.time[5] = np.nan
    parts = cut_rows(made, Cut(), rng)
    assert parts.claim == Claim.NEW
    assert parts.notes == ("cut at random, as some labelled rows have no time",)
    with pytest.raises(UsageError, match="Expected a time on every labelled row"):
        cut_rows(made, Cut(by="time"), rng)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"by": "moon"}, "Expected a split among auto, time, last, random; found 'moon'"),
        ({"judge": 0.0}, "Expected judge between 0 and 1"),
        ({"judge": float("nan")}, "Expected judge between 0 and 1"),
        ({"choose": 1.0}, "Expected choose between 0 and 1"),
        ({"labels": 1}, "at least 2 rows; found 1"),
    ],
)
def test_a_cut_that_cannot_be_is_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Cut(**wrong)  # type: ignore[arg-type]


def test_last_is_refused_for_rows(rng: Rng) -> None:
    with pytest.raises(UsageError, match="'last', which is for events"):
        cut_rows(rows(9), Cut(by="last"), rng)


# ── events ──────────────────────────────────────────────────────────────────


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), days=st.integers(3, 40))
def test_a_cut_of_events_by_time_never_puts_a_later_order_in_fit(seed: int, days: int) -> None:
    table = many(seed, users=10, n=60, days=days)
    parts = cut_events(table, Cut(by="time"), Rng.of(0))
    if parts.clock is None:  # ties left one side empty: each user's last is judged
        return
    times = [part["time"] for part in (parts.fit, parts.choose, parts.judge)]
    assert times[0].max() == parts.clock
    assert times[0].max() < times[1].min()  # type: ignore[operator]
    assert times[1].max() < times[2].min()  # type: ignore[operator]
    assert parts.context.height == parts.fit.height + parts.choose.height
    firsts = table.sort("time", maintain_order=True).unique(
        ["user", "item"], keep="first", maintain_order=True
    )
    every = [*pairs(parts.fit), *pairs(parts.choose), *pairs(parts.judge)]
    assert every == pairs(firsts)


def test_leave_last_out_judges_one_item_of_each_user_with_three(rng: Rng) -> None:
    apart = pl.duration(seconds=pl.int_range(pl.len()))
    table = many().with_columns(pl.col("time") + apart)
    parts = cut_events(table, Cut(by="last"), rng)
    table = table.sort("time", maintain_order=True)
    firsts = table.unique(["user", "item"], keep="first", maintain_order=True)
    for user, mine in firsts.group_by("user", maintain_order=True):
        items = mine["item"].to_list()
        held = [
            part.filter(pl.col("user") == user[0])["item"].to_list()
            for part in (parts.fit, parts.choose, parts.judge)
        ]
        if len(items) >= 3:
            assert held == [items[:-2], items[-2:-1], items[-1:]]
        else:
            assert held == [items, [], []]
    # What was chosen on may not be known when the judge asks.
    assert pairs(parts.context) == pairs(parts.fit)
    assert parts.clock is None


def test_ties_in_time_keep_file_order_where_a_protocol_is_repeated(rng: Rng) -> None:
    table = events(("u", "c", 1), ("u", "a", 1), ("u", "b", 1), ("u", "d", 0))
    parts = cut_events(table, Cut(by="last"), rng, repeats=True)
    assert pairs(parts.fit) == [("u", "d"), ("u", "c")]
    assert (pairs(parts.choose), pairs(parts.judge)) == ([("u", "a")], [("u", "b")])


def test_any_item_of_the_last_moment_may_be_the_last(rng: Rng) -> None:
    table = events(*[(f"u{n}", item, 1) for n in range(90) for item in "abc"])
    parts = cut_events(table, Cut(by="last"), rng)
    counts = parts.judge["item"].value_counts()["count"]
    assert len(counts) == 3 and counts.min() >= 15  # type: ignore[operator]
    assert parts.choose.height == parts.fit.height == 90


def test_an_item_taken_again_is_not_a_new_item_unless_repeats_count(rng: Rng) -> None:
    table = events(("u", "a", 0), ("u", "b", 1), ("u", "c", 2), ("u", "a", 3))
    assert pairs(cut_events(table, Cut(by="last"), rng).judge) == [("u", "c")]
    assert pairs(cut_events(table, Cut(by="last"), rng, repeats=True).judge) == [("u", "a")]


def test_auto_cuts_by_time_where_enough_users_are_on_both_sides(rng: Rng) -> None:
    assert cut_events(many(), Cut(), rng).clock is not None
    # Forty users are fewer than the fifty that a cut by time wants.
    assert cut_events(many(users=40), Cut(), rng).clock is None
    # A hundred users, each seen for a few days only: nobody is on both sides.
    brief = [(f"u{k}", f"i{j}", k + j) for k in range(100) for j in range(3)]
    assert cut_events(events(*brief), Cut(), rng).clock is None


def test_auto_leaves_a_random_item_out_where_there_is_no_time(rng: Rng) -> None:
    table = events(*[(f"u{k}", f"i{j}", 0) for k in range(9) for j in range(5)], timed=False)
    first, again, other = (cut_events(table, Cut(), Rng.of(s)).judge for s in (0, 0, 1))
    assert first.equals(again) and not first.equals(other)
    assert first["user"].n_unique() == first.height == 9
    assert first["item"].n_unique() > 1
    assert "random item" in cut_events(table, Cut(), rng).notes[0]


def test_one_unknown_time_is_no_time_for_events(rng: Rng) -> None:
    table = many().with_columns(
        time=pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col("time"))
    )
    assert cut_events(table, Cut(), rng).clock is None
    with pytest.raises(UsageError, match="a time on every target event"):
        cut_events(table, Cut(by="time"), rng)


def test_a_label_budget_is_refused_for_events(rng: Rng) -> None:
    with pytest.raises(UsageError, match="no label budget for recommend"):
        cut_events(many(), Cut(labels=9), rng)


@pytest.mark.parametrize("by", ["auto", "time", "last", "random"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_events_are_cut_without_a_word(rng: Rng, by: str, n: int) -> None:
    few = events(("u", "a", 0), ("u", "b", 1), ("u", "c", 2))[:n]
    parts: EventParts = cut_events(few, Cut(by=by), rng)
    assert parts.fit.height + parts.choose.height + parts.judge.height == n
    assert parts.fit.height >= 1

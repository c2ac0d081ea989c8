"""Folds are disjoint, cover, and never ask about the past; fingerprints know content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.arrays import Ints
from acclimate.domains.sample import Interactions, Rows, id_text, spread, stack_rows
from acclimate.domains.schema import ColumnType
from acclimate.rng import Rng


def rows(n: int = 12, entities: list[str | None] | None = None) -> Rows:
    """x = 0, 1, 2, …; labels 0 and 1 in turn."""
    return Rows(
        columns=pl.DataFrame({"x": np.arange(float(n)), "c": [f"c{i % 3}" for i in range(n)]}),
        types={"x": ColumnType.NUMERIC, "c": ColumnType.CATEGORY},
        classes=("no", "yes"),
        label=np.arange(n, dtype=np.int64) % 2,
        entity=None if entities is None else np.array(entities, dtype=object),
        time=np.arange(float(n)),
    )


def taken(*pairs: tuple[int, int], users: int = 3, items: int = 6) -> Interactions:
    """Interactions in this order."""
    user, item = (np.array(part, np.int64) for part in zip(*pairs, strict=True))
    return Interactions(user, item, ids("u", users), ids("i", items))


def ids(letter: str, n: int) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array([f"{letter}{k}" for k in range(n)], dtype=object)


# ── rows ────────────────────────────────────────────────────────────────────


def test_row_folds_are_disjoint_and_cover(rng: Rng) -> None:
    pairs = rows().folds(4, rng)
    held = [case.query.columns["x"].to_list() for _, case in pairs]
    assert sorted(x for fold in held for x in fold) == list(range(12))
    for (rest, case), asked in zip(pairs, held, strict=True):
        assert sorted(rest.columns["x"].to_list() + asked) == list(range(12))
        assert case.query.label is None
        assert case.truth.label is not None
        assert case.truth.label.tolist() == [x % 2 for x in asked]


def test_row_folds_keep_the_classes_in_proportion(rng: Rng) -> None:
    few = replace(rows(40), label=(np.arange(40) < 8).astype(np.int64))
    for _, case in few.folds(4, rng):
        assert case.truth.label is not None
        assert case.truth.label.sum() == 2


def test_an_entity_never_straddles_two_folds(rng: Rng) -> None:
    made = rows(30, [f"e{k % 7}" for k in range(30)])
    for rest, case in made.folds(3, rng):
        assert rest.entity is not None
        assert not set(rest.entity) & set(case.query.entity)
        assert case.truth.n_units == len(set(case.query.entity))


def test_a_row_of_nobody_is_a_unit_of_its_own() -> None:
    units = rows(6, ["b", None, "a", None, "b", "None"]).units()
    assert units[0] == units[4]
    assert len(set(units.tolist())) == 5
    assert sorted(set(units.tolist())) == list(range(5))


def test_rows_of_one_unit_cannot_be_folded(rng: Rng) -> None:
    assert rows(8, ["e"] * 8).folds(3, rng) == []
    assert rows(1).folds(3, rng) == []
    assert rows(8).unlabelled().folds(3, rng) == []


def test_more_folds_than_units_leave_one_out(rng: Rng) -> None:
    assert len(rows(3).folds(10, rng)) == 3


@settings(max_examples=40, deadline=None)
@given(
    units=st.lists(st.integers(0, 9), min_size=2, max_size=40),
    k=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_spread_keeps_units_whole_and_folds_even(units: list[int], k: int, seed: int) -> None:
    unit = np.array(units)
    label = unit % 2  # a unit is of one class
    fold = spread(unit, label, k, Rng.of(seed))
    of_unit = {u: set(fold[unit == u].tolist()) for u in units}
    assert all(len(found) == 1 for found in of_unit.values())
    sizes = np.bincount([found.pop() for found in of_unit.values()])
    assert sizes.max() - sizes.min() <= 1
    for each in (0, 1):
        members = [u for u in set(units) if u % 2 == each]
        counts = np.bincount([int(fold[unit == u][0]) for u in members], minlength=len(sizes))
        assert counts.max() - counts.min() <= 1


def test_spread_depends_on_its_key_and_on_nothing_else() -> None:
    unit, label = np.arange(50), np.arange(50) % 2
    first, again, other = (spread(unit, label, 5, Rng.of(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_stacked_rows_stand_below_each_other_and_lose_what_one_part_lacks() -> None:
    both = stack_rows([rows(3), rows(2)])
    assert both.columns["x"].to_list() == [0, 1, 2, 0, 1]
    assert both.label is not None
    assert both.label.tolist() == [0, 1, 0, 0, 1]
    assert stack_rows([rows(3), rows(2).unlabelled()]).label is None


# ── interactions ────────────────────────────────────────────────────────────


def test_interaction_folds_roll_the_origin_back() -> None:
    made = taken((0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (2, 5))
    (rest0, held0), (rest1, held1) = made.folds(2, Rng.of(0))
    # u0: 0 2 4, u1: 1 3, u2: 5.  Each user's last item; u2 keeps its only one.
    assert pairs_of(held0) == {("u0", "i4"), ("u1", "i3")}
    assert set(zip(rest0.user, rest0.item, strict=True)) == {(0, 0), (1, 1), (0, 2), (2, 5)}
    # The last but one; what came later is hidden as well.
    assert pairs_of(held1) == {("u0", "i2")}
    assert set(zip(rest1.user, rest1.item, strict=True)) == {(0, 0), (1, 1), (1, 3), (2, 5)}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 4))
def test_nothing_later_than_the_held_item_stays_in_fit(users: list[int], k: int) -> None:
    # The item's number is its place in time.
    made = taken(*((user, place) for place, user in enumerate(users)), users=5, items=30)
    for rest, case in made.folds(k, Rng.of(0)):
        for user, item in pairs_of(case):
            u, place = int(user[1:]), int(item[1:])
            mine = rest.item[rest.user == u]
            assert len(mine) and mine.max() < place
        assert case.truth.missed is not None and not case.truth.missed.any()
        asked = case.query.users.tolist()
        assert case.context.users.tolist() == asked and len(set(asked)) == len(asked)


def by_the_clock(*events: tuple[int, int, float]) -> Interactions:
    """Interactions of (user, item, time)."""
    made = taken(*((user, item) for user, item, _ in events))
    return replace(made, time=np.array([time for _, _, time in events]))


def test_folds_by_the_clock_ask_everyone_at_one_moment() -> None:
    made = by_the_clock(
        (0, 0, 0), (1, 1, 1), (0, 2, 2), (1, 3, 3), (1, 2, 4), (0, 1, 5), (2, 0, 6), (0, 4, 7)
    )
    (rest0, held0), (rest1, held1) = made.folds(2, Rng.of(0))
    # Of eight events the last two are asked about; u2 is new and i4 not yet sold then.
    assert rest0.items.tolist() == ["i0", "i1", "i2", "i3"]
    assert rest0.time is not None and rest0.time.tolist() == [0, 1, 2, 3, 4, 5]
    assert held0.query.users.tolist() == ["u0"]
    assert pairs_of(held0) == set() and held0.truth.missed is not None
    assert held0.truth.missed.tolist() == [1]
    # Then the last two of six; u1 took i3 just before.
    assert rest1.time is not None and rest1.time.tolist() == [0, 1, 2, 3]
    assert pairs_of(held1) == {("u1", "i2"), ("u0", "i1")}
    assert held1.truth.missed is not None and not held1.truth.missed.any()


EVENTS = st.tuples(st.integers(0, 4), st.integers(0, 29), st.integers(0, 9).map(float))


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=40, unique_by=lambda each: each[:2]))
def test_no_fold_by_the_clock_knows_anything_from_its_origin_on(
    events: list[tuple[int, int, float]],
) -> None:
    made = by_the_clock(*sorted(events, key=lambda each: each[2]))
    made = replace(made, users=ids("u", 5), items=ids("i", 30))
    when = {(f"u{u}", f"i{i}"): time for u, i, time in events}
    for rest, case in made.folds(3, Rng.of(0)):
        names = rest.items.tolist()
        assert rest.time is not None and case.truth.user is not None
        assert case.truth.item is not None
        asked = [
            (case.query.users[u], names[i])
            for u, i in zip(case.truth.user, case.truth.item, strict=True)
        ]
        known = list(zip(rest.users[rest.user], rest.items[rest.item], strict=True))
        assert set(names) == {item for _, item in known}
        latest = max(when[pair] for pair in known)
        assert rest.time.tolist() == [when[pair] for pair in known]
        assert all(when[pair] > latest for pair in asked)
        assert not set(asked) & set(known)
        assert case.context.time.max() <= latest


def test_asking_keeps_users_with_a_history_and_something_later() -> None:
    before = taken((0, 0), (1, 1), (1, 2))
    later = taken((1, 3), (2, 4))
    case = before.ask(later, unknown=np.array([0, 2, 0]))
    # u0 took nothing later, u2 has no history.
    assert case.query.users.tolist() == ["u1"]
    assert pairs_of(case) == {("u1", "i3")}
    assert case.truth.missed is not None
    assert case.truth.missed.tolist() == [2]
    assert case.context.item.tolist() == [1, 2]


def test_of_items_renumbers_in_the_order_asked_for() -> None:
    made = replace(taken((0, 0), (1, 1), (2, 2), (0, 3)), time=np.arange(4.0))
    some = made.of_items(np.array([3, 1]))
    assert some.items.tolist() == ["i3", "i1"]
    assert list(zip(some.user, some.item, strict=True)) == [(1, 1), (0, 0)]
    assert some.time is not None and some.time.tolist() == [1, 3]


def test_of_users_renumbers_in_the_order_asked_for() -> None:
    some = taken((0, 0), (1, 1), (2, 2), (0, 3)).of_users(np.array([2, 0]))
    assert some.users.tolist() == ["u2", "u0"]
    assert list(zip(some.user, some.item, strict=True)) == [(1, 0), (0, 2), (1, 3)]


def pairs_of(case: object) -> set[tuple[str, str]]:
    """What a case holds as true, by ids; items are named after their place."""
    truth, query = case.truth, case.query  # type: ignore[attr-defined]
    return {(str(query.users[u]), f"i{i}") for u, i in zip(truth.user, truth.item, strict=True)}


# ── fingerprints ────────────────────────────────────────────────────────────


CHANGES: dict[str, Callable[[Rows], Rows]] = {
    "a value": lambda r: replace(r, columns=r.columns.with_columns(x=pl.col("x") + 1)),
    "a null": lambda r: replace(r, columns=r.columns.with_columns(c=pl.lit(None, pl.String))),
    "a name": lambda r: replace(r, columns=r.columns.rename({"x": "y"})),
    "a type": lambda r: replace(r, types={**r.types, "c": ColumnType.TEXT}),
    "a label": lambda r: replace(r, label=1 - np.asarray(r.label)),
    "no label": lambda r: r.unlabelled(),
    "a class": lambda r: replace(r, classes=("no", "maybe")),
    "an entity": lambda r: replace(r, entity=np.array(["e"] * r.n, dtype=object)),
    "a time": lambda r: replace(r, time=np.asarray(r.time) + 1),
    "an order": lambda r: r.take(np.arange(r.n)[::-1].astype(np.int64)),
    "a row less": lambda r: r.take(np.arange(r.n - 1)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_fingerprint_of_rows_changes_with(what: str) -> None:
    assert CHANGES[what](rows()).fingerprint != rows().fingerprint


def test_equal_rows_have_one_fingerprint() -> None:
    assert rows().fingerprint == rows().fingerprint


def test_the_fingerprint_of_interactions_tells_ids_and_pairs_apart() -> None:
    def one(user: str, item: str) -> Interactions:
        zero: Ints = np.zeros(1, np.int64)
        users, items = (np.array([name], dtype=object) for name in (user, item))
        return Interactions(zero, zero, users, items)

    assert one("a", "bc").fingerprint == one("a", "bc").fingerprint
    assert one("a", "bc").fingerprint != one("ab", "c").fingerprint
    first = taken((0, 1), (1, 2))
    assert first.fingerprint != taken((1, 2), (0, 1)).fingerprint
    assert first.fingerprint != taken((0, 1), (1, 3)).fingerprint
    timed = replace(first, time=np.array([0.0, 1.0]))
    assert timed.fingerprint != first.fingerprint
    assert timed.fingerprint != replace(first, time=np.array([0.0, 2.0])).fingerprint


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_no_two_lists_of_ids_give_one_text(a: list[str], b: list[str]) -> None:
    texts = [id_text(np.array(each, dtype=object)) for each in (a, b)]
    assert (texts[0] == texts[1]) == (a == b)

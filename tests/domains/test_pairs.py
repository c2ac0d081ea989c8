"""Pairs of positions, and what of them was known when."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.arrays import Strings
from acclimate.domains.pairs import Past, ids_of, interactions, positions

NAMES = st.sampled_from(["a", "b", "é", "10", "9", ""])
DAY = st.one_of(st.none(), st.integers(1, 6))


def frame(rows: list[tuple[str, str, int | None]], timed: bool = True) -> pl.DataFrame:
    times = [None if day is None else datetime(2024, 1, day) for _, _, day in rows]
    table = pl.DataFrame(
        {"user": [u for u, _, _ in rows], "item": [i for _, i, _ in rows], "time": times},
        schema={"user": pl.String, "item": pl.String, "time": pl.Datetime("us")},
    )
    return table if timed else table.drop("time")


def slowly(events: pl.DataFrame, clock: datetime | None) -> list[tuple[str, str]]:
    """The same said one event after the other."""
    rows = events.rows(named=True)
    if all(row.get("time") is not None for row in rows):
        rows = sorted(rows, key=lambda row: row["time"])
    known = [
        (row["user"], row["item"])
        for row in rows
        if clock is None or row.get("time") is None or row["time"] <= clock
    ]
    return list(dict.fromkeys(known))


@given(st.lists(st.tuples(NAMES, NAMES, DAY), min_size=1, max_size=30), DAY, st.booleans())
def test_a_past_knows_what_was_known_at_each_moment(
    rows: list[tuple[str, str, int | None]], day: int | None, timed: bool
) -> None:
    events, clock = frame(rows, timed), None if day is None else datetime(2024, 1, day)
    found = Past.of(events).until(clock)
    wanted = slowly(events, clock)
    got = list(zip(found.users[found.user], found.items[found.item], strict=True))
    assert got == wanted
    assert found.users.tolist() == sorted({user for user, _ in wanted})
    assert found.items.tolist() == sorted({item for _, item in wanted})


def test_pairs_of_others_are_left_out_and_the_order_is_that_of_the_events() -> None:
    events = frame([("b", "y", 3), ("a", "x", 1), ("b", "y", 2), ("c", "x", 1), ("a", "z", 1)])
    users, items = ids_of(pl.Series(["b", "a"])), ids_of(pl.Series(["y", "x"]))
    found = interactions(events, users, items)
    assert (found.user.tolist(), found.item.tolist()) == ([1, 0], [1, 0])
    assert found.user.dtype == found.item.dtype == np.int64
    assert found.time is None


@given(st.lists(st.tuples(NAMES, NAMES, DAY), min_size=1, max_size=30), DAY, st.booleans())
def test_a_timed_past_says_when_each_pair_was_first_known(
    rows: list[tuple[str, str, int | None]], day: int | None, timed: bool
) -> None:
    events, clock = frame(rows, timed), None if day is None else datetime(2024, 1, day)
    found = Past.of(events).until(clock, timed=True)
    assert found.time is not None and Past.of(events).until(clock).time is None
    when = {(user, item): set[float]() for user, item, _ in rows}
    for user, item, each in rows:
        there = timed and each is not None
        when[user, item].add(
            datetime(2024, 1, each or 1, tzinfo=UTC).timestamp() if there else -np.inf
        )
    for user, item, time in zip(found.user, found.item, found.time, strict=True):
        assert time in when[found.users[user], found.items[item]]
        assert clock is None or time <= clock.replace(tzinfo=UTC).timestamp()


def test_interactions_say_when_each_was_first_taken_where_the_exam_goes_by_the_clock() -> None:
    events = frame([("a", "x", 1), ("c", "x", 2), ("b", "y", 3), ("b", "y", 4), ("a", "z", 5)])
    users = ids_of(pl.Series(["a", "b"]))
    found = interactions(events, users, ids_of(pl.Series(["x", "y"])), timed=True)
    start = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    assert found.time is not None
    assert found.time.tolist() == [start, start + 2 * 86_400]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a", "b"], [1, -1, -1, 0]),
        ([None, "b", "a"], [1, -1, -1, 2]),
        ([None], [-1] * 4),
        ([], [-1] * 4),
    ],
)
def test_a_position_is_minus_one_where_an_id_is_unknown(
    ids: list[str | None], expected: list[int]
) -> None:
    known: Strings = np.array(ids, dtype=object)
    values = pl.Series(["b", "z", None, "a"], dtype=pl.String)
    assert positions(values, known).tolist() == expected


def test_events_of_one_moment_keep_their_order() -> None:
    # NumPy's other sorts keep it, too, but only for a handful.
    rows: list[tuple[str, str, int | None]] = [
        (f"u{n % 7}", f"i{n}", 2 - n % 2) for n in range(500)
    ]
    events = frame(rows)
    found = Past.of(events).until(None)
    got = list(zip(found.users[found.user], found.items[found.item], strict=True))
    assert got == slowly(events, None)

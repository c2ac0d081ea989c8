"""An item counts for a user while the weights of its events reach the threshold."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest

from acclimate.domains.declared import Kinds
from acclimate.domains.interest import counting, standing, strength

KINDS = Kinds({"order": 1.0, "view": 0.1, "return": -1.0}, {}, 0.1)
START = datetime(2024, 1, 1)


def events(*kinds: str, item: str = "a") -> pl.DataFrame:
    n = len(kinds)
    return pl.DataFrame(
        {
            "user": ["u"] * n,
            "item": [item] * n,
            "kind": list(kinds),
            "time": [START + timedelta(days=day) for day in range(n)],
        }
    )


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["view", "view", "order"], [0.1, 0.2, 1.2]),
        (["order", "return"], [1.0, 0.0]),
        (["view", "order", "return", "view"], [0.1, 1.1, 0.0, 0.1]),
        (["order", "order", "return"], [1.0, 2.0, 1.0]),
        (["return", "order"], [0.0, 1.0]),  # what was bought before the data begins
        (["return", "return", "view"], [0.0, 0.0, 0.1]),
    ],
)
def test_strength_adds_up_and_a_return_takes_the_weaker_with_it(
    kinds: list[str], expected: list[float]
) -> None:
    assert strength(events(*kinds), KINDS).to_list() == expected


def test_users_and_items_do_not_mix() -> None:
    frame = pl.concat([events("order"), events("return", item="b")])
    other = frame.with_columns(user=pl.lit("v"))
    assert strength(pl.concat([frame, other]), KINDS).to_list() == [1.0, 0.0, 1.0, 0.0]


def test_a_returned_item_does_not_stand_but_did_so_far() -> None:
    frame = events("view", "order", "return")
    assert counting(frame, KINDS)["kind"].to_list() == ["view", "order"]
    assert standing(frame, frame, KINDS).height == 0
    before = START + timedelta(days=1)
    assert standing(frame.head(2), frame, KINDS, before).height == 2


def test_more_may_be_asked_than_a_single_weak_event() -> None:
    asked = Kinds(KINDS.weights, {}, 0.3)
    assert counting(events("view", "view", "view"), asked).height == 1
    assert counting(events("view", "view"), asked).height == 0


def test_without_kinds_or_events_nothing_changes() -> None:
    frame = events("view", "return")
    assert counting(frame, None) is frame
    assert standing(frame, frame, None) is frame
    assert counting(frame.clear(), KINDS).height == 0
    assert standing(frame.clear(), frame, KINDS).height == 0

"""A source never keeps the rows it will be judged on."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from acclimate.domains.copies import without_copies
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.rng import Rng


def test_a_source_that_holds_the_target_loses_its_rows_and_says_so() -> None:
    target = make_rows(Rng.of(0).child("t"), 60, name="target").domain
    other = make_rows(Rng.of(0).child("s"), 80, name="all").domain
    both = pl.concat([other.tables["rows"], target.tables["rows"]])
    cleaned = without_copies(replace(other, tables={"rows": both}), target)
    assert cleaned.tables["rows"].equals(other.tables["rows"])
    assert "60 of 140 rows are those of target and are left out" in cleaned.findings[-1].message


def test_events_of_the_target_are_taken_out_too() -> None:
    target = make_events(Rng.of(0).child("t"), 20, 30, name="target").domain
    other = make_events(Rng.of(0).child("s"), 20, 30, name="all").domain
    both = pl.concat([other.tables["events"], target.tables["events"]])
    cleaned = without_copies(replace(other, tables={"events": both}), target)
    assert cleaned.tables["events"].height == other.tables["events"].height


def test_a_source_of_its_own_is_left_as_it_is() -> None:
    target = make_rows(Rng.of(0).child("t"), 60, name="target").domain
    other = make_rows(Rng.of(0).child("s"), 80, name="other").domain
    assert without_copies(other, target) is other


def test_rows_that_hardly_differ_say_nothing() -> None:
    few = pl.DataFrame({"label": ["0", "1"] * 30, "colour": ["red", "blue"] * 30})
    made = make_rows(Rng.of(0), 10).domain
    target = replace(made, name="target", tables={"rows": few})
    source = replace(made, name="source", tables={"rows": few})
    assert without_copies(source, target) is source

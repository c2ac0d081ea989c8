"""A source never keeps the rows it will be judged on."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from acclimate.domains.copies import without_copies
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify


def test_a_source_that_holds_the_target_loses_its_rows_and_says_so() -> None:
    target = make_rows(Rng.of(0).child("t"), 60, name="target").domain
    other = make_rows(Rng.of(0).child("s"), 80, name="all").domain
    both = pl.concat([other.tables["rows"], target.tables["rows"]])
    cleaned = without_copies(
        replace(other, tables={"rows": both}), target.tables["rows"], "rows"
    )
    assert cleaned.tables["rows"].equals(other.tables["rows"])
    assert "60 of 140 rows of all are the target's own labelled ones" in (
        cleaned.findings[-1].message
    )


def test_events_of_the_target_are_taken_out_too() -> None:
    target = make_events(Rng.of(0).child("t"), 20, 30, name="target").domain
    other = make_events(Rng.of(0).child("s"), 20, 30, name="all").domain
    both = pl.concat([other.tables["events"], target.tables["events"]])
    cleaned = without_copies(
        replace(other, tables={"events": both}), target.tables["events"], "events"
    )
    assert cleaned.tables["events"].height == other.tables["events"].height


def test_a_source_of_its_own_is_left_as_it_is() -> None:
    target = make_rows(Rng.of(0).child("t"), 60, name="target").domain
    other = make_rows(Rng.of(0).child("s"), 80, name="other").domain
    assert without_copies(other, target.tables["rows"], "rows") is other


def test_rows_that_hardly_differ_say_nothing() -> None:
    few = pl.DataFrame({"label": ["0", "1"] * 30, "colour": ["red", "blue"] * 30})
    made = make_rows(Rng.of(0), 10).domain
    source = replace(made, name="source", tables={"rows": few})
    assert without_copies(source, few, "rows") is source


def test_of_a_source_that_holds_the_whole_target_only_what_has_no_label_here_stays() -> None:
    target = make_rows(Rng.of(0).child("t"), 200, name="target").domain
    whole = replace(target, name="whole")
    posed = Classify().pose(target, [whole], Cut(labels=40), Rng.of(0))
    judged = posed.exam.judge[0].truth.n_units
    assert posed.problem.fit.n == 40
    assert posed.problem.sources[0].sample.n == 200 - judged - 40
    assert any("must not hold what it is judged on" in note for note in posed.notes)


def test_a_markets_name_is_never_markup() -> None:
    made = replace(make_rows(Rng.of(0), 10).domain, name="<script>")
    assert "<script>" not in made._repr_html_() and "&lt;script&gt;" in made._repr_html_()

"""What the gap says, and what it says it does not know."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.plans.assess import assess
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend


def test_text_is_said_not_to_be_measured() -> None:
    target = make_rows(Rng.of(0).child("t"), 60, text=True, name="target").domain
    source = make_rows(Rng.of(0).child("s"), 60, text=True, name="source").domain
    posed = Classify().pose(target, [source], Cut(), Rng.of(0))
    said = [
        gap for gap in assess(posed.task, posed.problem, Rng.of(0)) if gap.measure == "text"
    ]
    assert len(said) == 1 and "is not measured" in said[0].sentence
    assert said[0].as_row()["value"] is None


def test_a_far_source_is_farther_than_a_near_one() -> None:
    target = make_rows(Rng.of(0).child("t"), 300, name="target").domain
    near = make_rows(Rng.of(0).child("n"), 300, name="near").domain
    far = make_rows(Rng.of(0).child("f"), 300, covariate=2.0, name="far").domain
    posed = Classify().pose(target, [near, far], Cut(), Rng.of(0))
    found = assess(posed.task, posed.problem, Rng.of(0))
    distance = {gap.source: gap.value for gap in found if gap.measure == "a-distance"}
    assert distance["far"] > 1 > distance["near"] + 0.5


def test_events_are_compared_by_users_items_and_how_sources_rank() -> None:
    target = make_events(Rng.of(0).child("t"), 60, 40, name="target").domain
    source = make_events(Rng.of(0).child("s"), 60, 40, catalogue=0.5, name="source").domain
    posed = Recommend(k=5).pose(target, [source], Cut(), Rng.of(0))
    found = {gap.measure: gap for gap in assess(posed.task, posed.problem, Rng.of(0))}
    assert "source-ranking-power" in found
    assert sum("overlap" in measure for measure in found) >= 2


def test_a_far_sources_rows_are_worth_fewer() -> None:
    target = make_rows(Rng.of(0).child("t"), 300, name="target").domain
    near = make_rows(Rng.of(0).child("n"), 300, name="near").domain
    far = make_rows(Rng.of(0).child("f"), 300, covariate=2.0, name="far").domain
    posed = Classify().pose(target, [near, far], Cut(), Rng.of(0))
    found = assess(posed.task, posed.problem, Rng.of(0))
    worth = {gap.source: gap for gap in found if gap.measure == "effective-share"}
    assert worth["near"].value > 0.6 > 2 * worth["far"].value
    assert "near's 300 rows are worth about" in worth["near"].sentence


def test_a_source_that_shares_no_item_is_not_said_to_rank() -> None:
    target = make_events(Rng.of(0).child("t"), 60, 40, name="target").domain
    made = make_events(Rng.of(0).child("s"), 60, 40, name="source").domain
    other = made.tables["events"].with_columns(item="other " + pl.col("item"))
    source = replace(made, tables={"events": other})
    posed = Recommend(k=5).pose(target, [source], Cut(), Rng.of(0))
    found = {gap.measure for gap in assess(posed.task, posed.problem, Rng.of(0))}
    assert "source-ranking-power" not in found

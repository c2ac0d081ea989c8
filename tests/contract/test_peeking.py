"""No strategy sees what it is examined on, nor what its sources learned later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from acclimate.domains.sample import Interactions, Rows
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from tests.contract import checks, poison
from tests.contract.cases import FORMS, SEED, Scene, applicable, named, posed, scene
from tests.contract.content import content

every_arm = pytest.mark.parametrize("arm", applicable(), ids=named)
every_form = pytest.mark.parametrize("form", FORMS)


# ── what is posed ───────────────────────────────────────────────────────────


@every_form
@pytest.mark.parametrize("kind", ["values", "more", "fewer"])
def test_the_problem_is_the_same_whatever_is_chosen_and_judged_on(form: str, kind: str) -> None:
    clean = scene(form)
    ours, theirs = checks.poses_alike(clean, poison.poisoned(clean, kind))
    sizes = [sum(c.truth.n_units for c in p.exam.judge) for p in (ours, theirs)]
    if kind != "values":
        assert sizes[0] != sizes[1]


def test_the_problem_is_the_same_whatever_is_judged_where_choose_is_cross_fitted() -> None:
    ours, _ = checks.poses_alike(*poison.cross_fitted(scene("rows")))
    assert not ours.exam.choose


def test_the_problem_is_the_same_whatever_each_user_took_last() -> None:
    checks.poses_alike(*poison.left_out(scene("items")))


def test_catalogue_vocabulary_and_popularity_do_not_move_with_the_exam() -> None:
    clean = scene("items")
    ours, theirs = checks.poses_alike(clean, poison.poisoned(clean, "more"))
    for arm in (arm for arm in applicable() if arm.model.form == "items"):
        views = []
        for one in (ours, theirs):
            encoded = arm.encoded(one.problem)
            views.append(content((encoded.encoder, encoded.view(encoded.fit))))
        assert views[0] == views[1]
    assert isinstance(theirs.problem.fit, Interactions)
    assert not [item for item in theirs.problem.fit.items if "spoiled" in item]


def test_an_items_table_makes_the_catalogue_and_the_exam_does_not() -> None:
    key = Rng.of(3)
    target = make_events(key.child("t"), 60, 30, table=True, name="target").domain
    clean = replace(scene("items"), target=target)
    ours, _ = checks.poses_alike(clean, poison.poisoned(clean, "more"))
    assert isinstance(ours.problem.fit, Interactions) and len(ours.problem.fit.items) == 30


def test_a_random_cut_is_the_same_whatever_features_are_judged() -> None:
    made = [make_rows(SEED.child(name), 100, name=name).domain for name in "ts"]
    clean = Scene(Classify(), made[0], (made[1],), Cut(cross_below=20))
    names = ("x0", "x1")
    probe = clean.posed()
    judged = probe.exam.judge[0].query
    assert isinstance(judged, Rows)
    table = clean.target.tables["rows"]
    asked = table.select(names).is_duplicated() & False
    for name in names:
        asked = asked | table[name].is_in(judged.columns[name].implode())
    spoiled = table.with_columns(
        pl.when(asked).then(9e9).otherwise(name).alias(name) for name in names
    )
    other = replace(clean, target=poison.with_table(clean.target, "rows", spoiled))
    checks.poses_alike(clean, other)


@every_form
@pytest.mark.parametrize("by", ["time", "auto"])
def test_no_path_leads_from_the_problem_to_the_exam(form: str, by: str) -> None:
    given = scene(form)
    checks.hides_exam(replace(given, cut=replace(given.cut, by=by)).posed())


@every_form
def test_no_path_leads_from_an_inner_problem_to_the_exam_or_to_its_own_fold(form: str) -> None:
    given = posed(form)
    for inner, held in given.problem.inner(3, SEED):
        checks.hides_exam(replace(given, problem=inner))
        checks.hides_exam(
            replace(given, problem=inner, exam=replace(given.exam, choose=(), judge=(held,)))
        )


def test_rows_of_the_exam_are_not_among_the_rows_to_fit_on() -> None:
    given = posed("rows")
    assert isinstance(given.problem.fit, Rows)
    mine = set(given.problem.fit.columns.select(pl.exclude("note")).rows())
    for case in (*given.exam.choose, *given.exam.judge):
        assert isinstance(case.query, Rows) and case.query.label is None
        assert not mine & set(case.query.columns.select(pl.exclude("note")).rows())


def test_pairs_of_the_exam_are_not_among_the_pairs_to_fit_on() -> None:
    given = posed("items")
    fit = given.problem.fit
    assert isinstance(fit, Interactions)
    mine = set(zip(fit.users[fit.user], fit.items[fit.item], strict=True))
    for case in (*given.exam.choose, *given.exam.judge):
        user, item = case.truth.user, case.truth.item
        assert user is not None and item is not None
        assert not mine & set(zip(case.query.users[user], fit.items[item], strict=True))


# ── what is learned ─────────────────────────────────────────────────────────


@every_arm
def test_what_is_learned_moves_neither_with_the_exam_nor_with_what_sources_saw_after_the_clock(
    arm: Arm, few_settings: None
) -> None:
    checks.learns_alike(arm, *checks.poisoned_alike(arm.model.form))


@every_form
def test_no_source_holds_anything_from_after_the_clock(form: str) -> None:
    clean = scene(form)
    fit = poison.parts_of(clean)[0]
    late = poison.late_sources(clean, fit["time"].max())  # type: ignore[arg-type]
    checks.hears_no_future(clean, late)
    if form == "rows":
        for source in posed(form).problem.sources:
            assert isinstance(source.sample, Rows) and source.sample.time is not None
            latest = pl.Series([fit["time"].max()]).dt.epoch("us")[0] / 1e6
            assert np.nanmax(source.sample.time) <= latest


def test_a_class_that_sources_saw_only_after_the_clock_is_not_known() -> None:
    clean = scene("rows")
    clock = poison.parts_of(clean)[0]["time"].max()
    near, far = clean.sources
    third = pl.when(pl.col("time") > clock).then(pl.lit("2")).otherwise("label")
    table = near.tables["rows"].with_columns(label=third)
    late = replace(clean, sources=(poison.with_table(near, "rows", table), far))
    fit = late.posed().problem.fit
    assert isinstance(fit, Rows) and fit.classes == ("0", "1")


@pytest.mark.parametrize("labels", [None, 40])
@pytest.mark.parametrize("cross_below", [20, 10**6])
def test_no_row_without_a_label_is_later_than_the_clock(
    labels: int | None, cross_below: int
) -> None:
    clean = scene("rows")
    table = clean.target.tables["rows"]
    some = pl.when(pl.int_range(pl.len()) % 4 > 0).then("label").alias("label")
    cut = replace(clean.cut, labels=labels, cross_below=cross_below)
    target = poison.with_table(clean.target, "rows", table.with_columns(some))
    given = replace(clean, target=target, cut=cut).posed()
    seen, fit = given.problem.unlabelled, given.problem.fit
    assert isinstance(seen, Rows) and isinstance(fit, Rows) and seen.label is None
    assert seen.time is not None and fit.time is not None
    judged = given.exam.judge[0].query
    assert isinstance(judged, Rows) and judged.time is not None
    known = judged.time.min() if not given.exam.choose else fit.time.max()
    assert (seen.time <= known).all()


def test_a_source_whose_rows_are_all_late_is_left_out() -> None:
    clean = scene("rows")
    clock = poison.parts_of(clean)[0]["time"].max()
    late = clean.sources[1].tables["rows"].filter(pl.col("time") > clock)
    other = replace(
        clean, sources=(clean.sources[0], poison.with_table(clean.sources[1], "rows", late))
    )
    assert [source.name for source in other.posed().problem.sources] == ["near"]


def test_a_source_whose_events_are_all_late_is_left_out() -> None:
    clean = scene("items")
    clock = poison.parts_of(clean)[0]["time"].max()
    late = clean.sources[1].tables["events"].filter(pl.col("time") > clock)
    other = replace(
        clean, sources=(clean.sources[0], poison.with_table(clean.sources[1], "events", late))
    )
    assert [source.name for source in other.posed().problem.sources] == ["near"]


def test_candidates_of_a_published_protocol_are_drawn_for_the_exam_alone() -> None:
    target = scene("items").target
    # Published protocols keep repeats; without any, both cuts count alike.
    first = target.tables["events"].unique(["user", "item"], keep="first", maintain_order=True)
    target = poison.with_table(target, "events", first)
    clean = replace(scene("items"), task=Recommend(k=5, negatives=5), target=target)
    ours, _ = checks.poses_alike(clean, poison.poisoned(clean, "more"))
    assert ours.exam.judge[0].query.candidates is not None

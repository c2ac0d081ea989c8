"""Regress: how numbers are read, cut, settled and scored, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Numbers, Truth
from acclimate.domains.sample import Rows
from acclimate.domains.schema import Schema
from acclimate.domains.split import Cut
from acclimate.errors import TaskError, UsageError
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.numbers import counts_numbers
from acclimate.tasks.regress import Regress
from acclimate.tasks.task import Posed
from tests.made_numbers import make_prices, with_labels

RNG = Rng.of(0)


def pose(
    task: Regress | None = None,
    target: Domain | None = None,
    source: Domain | None = None,
    cut: Cut | None = None,
) -> Posed:
    target = make_prices(1, 120, name="jp") if target is None else target
    source = make_prices(2, 150, name="us") if source is None else source
    return (task or Regress("price")).pose(target, [source], cut or Cut(), RNG.child("pose"))


def fit_of(posed: Posed) -> Rows:
    assert isinstance(posed.problem.fit, Rows)
    return posed.problem.fit


# ── posing ──────────────────────────────────────────────────────────────────


def test_labels_are_numbers_without_classes_on_both_sides() -> None:
    posed = pose()
    fit, theirs = fit_of(posed), posed.problem.sources[0].sample
    assert posed.problem.numbers and fit.numbers and fit.label is not None
    assert fit.label.dtype == np.float64 and isinstance(theirs, Rows)
    assert theirs.label is not None and theirs.label.dtype == np.float64 and theirs.n == 150
    read = make_prices(1, 120).tables["rows"]["label"].cast(float).to_numpy()
    judged = posed.exam.judge[0].truth.label
    assert judged is not None
    np.testing.assert_array_equal(np.sort(np.r_[fit.label, judged]), np.sort(read))


def test_every_part_of_a_cut_has_small_and_large_numbers_alike() -> None:
    labels = np.arange(1000.0)
    target = with_labels(make_prices(1, 1000), pl.Series(labels))
    posed = pose(target=target, cut=Cut(by="random"))
    judged = posed.exam.judge[0].truth.label
    assert judged is not None and len(judged) == 300
    tenths = np.bincount((judged // 100).astype(int), minlength=10)
    # Drawn without regard to the label a tenth would differ by 5 from 30 now and then.
    assert np.abs(tenths - 30).max() <= 1
    for rest, held in fit_of(posed).folds(5, RNG):
        assert held.truth.label is not None and rest.n + len(held.truth.label) == 700
        assert np.abs(np.bincount((held.truth.label // 100).astype(int)) - 14).max() <= 2


def test_missing_labels_are_rows_that_are_seen_without_them() -> None:
    whole = make_prices(1, 120, name="jp")
    some = pl.when(pl.int_range(pl.len()) % 3 > 0).then("label").alias("label")
    label = whole.tables["rows"].select(some)["label"]
    posed = pose(target=with_labels(whole, label))
    unlabelled = posed.problem.unlabelled
    assert unlabelled is not None and unlabelled.n == 40
    assert posed.whole.fit.n == 80 and np.isfinite(fit_of(posed).label).all()  # type: ignore[arg-type]


def test_a_file_that_writes_numbers_its_own_way_is_read_so() -> None:
    whole = make_prices(1, 60, name="jp")
    prices = whole.tables["rows"]["label"].cast(float)
    written = pl.Series([f"{each:.2f}".replace(".", ",") for each in prices.to_list()])
    table = whole.schema.tables["rows"]
    noted = replace(table, notations={"label": "commas as decimals"})
    target = Domain("jp", with_labels(whole, written).tables, Schema({"rows": noted}))
    ours, theirs = pose(target=target), pose(target=make_prices(1, 60, name="jp"))
    np.testing.assert_array_equal(fit_of(ours).label, fit_of(theirs).label)


def test_what_is_worth_having_is_a_hundredth_of_the_spread_to_fit_on() -> None:
    for metric in ("rmse", "mae", "pinball"):
        posed = pose(Regress("price", score_by=metric))
        label = fit_of(posed).label
        assert label is not None
        assert posed.task.metric.delta == pytest.approx(0.01 * label.std(ddof=1))
    assert pose(Regress("price", score_by="r2")).task.metric.delta == 0.005
    assert pose(Regress("price", delta=2.0)).task.metric.delta == 2.0


def test_notes_tell_what_the_label_is_like_and_of_one_that_lies_far_out() -> None:
    posed = pose()
    assert any("label in fit: " in n and "scored by rmse" in n for n in posed.notes)
    assert not any("far from all others" in note for note in posed.notes)
    whole = make_prices(1, 120, time=True, name="jp")
    label = whole.tables["rows"]["label"].to_list()
    label[0] = "99999999"
    posed = pose(target=with_labels(whole, pl.Series(label)))
    assert any("the label 1e+08 lies far from all others" in note for note in posed.notes)


def test_a_few_labels_that_are_no_numbers_count_as_unlabelled_and_are_told() -> None:
    whole = make_prices(1, 200, name="jp")
    label = whole.tables["rows"]["label"].to_list()
    label[7] = "call us"
    posed = pose(target=with_labels(whole, pl.Series(label)))
    assert posed.problem.unlabelled is not None and posed.problem.unlabelled.n == 1
    said = (
        "1 label of jp cannot be read as numbers, such as 'call us'; "
        "what has no number counts as unlabelled"
    )
    assert said in posed.notes


# ── what is refused ─────────────────────────────────────────────────────────


def test_words_are_sent_to_classify() -> None:
    words = pl.Series(["yes", "no"] * 60)
    for sides in ({"target": "jp"}, {"source": "us"}):
        ((side, name),) = sides.items()
        domain = with_labels(make_prices(1, 120, name=name), words)
        with pytest.raises(
            TaskError,
            match=f"of '{name}' to regress on; found 120 of 120 .*'yes'.*--task classify",
        ):
            pose(**{side: domain})  # type: ignore[arg-type]


def test_two_numbers_are_sent_to_classify() -> None:
    two = with_labels(make_prices(1, 120, name="jp"), pl.Series(["0", "1"] * 60))
    with pytest.raises(TaskError, match="found only 0, 1"):
        pose(target=two)


def test_infinite_and_overflowing_numbers_are_explained() -> None:
    whole = make_prices(1, 120, name="jp")
    for strange, match in (
        ("-Inf", "found 1 infinite"),
        ("1e150", "below 1e\\+100 in size; found 1e\\+150"),
    ):
        label = whole.tables["rows"]["label"].to_list()
        label[3] = strange
        with pytest.raises(TaskError, match=match):
            pose(target=with_labels(whole, pl.Series(label)))


def test_a_target_without_labels_is_told_what_to_do() -> None:
    bare = with_labels(make_prices(1, 50, name="jp"), pl.Series([None] * 50))
    with pytest.raises(
        TaskError,
        match=r"'jp' to regress on; found none in 50 rows.*write the number as a few ranges "
        r"and predict these with --task classify, which does without labels",
    ):
        pose(target=bare)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="among rmse, mae, r2, pinball; found 'log-loss'"):
        Regress(score_by="log-loss")
    with pytest.raises(UsageError, match="a level between 0 and 1"):
        Regress(score_by="pinball", level=1.0)
    with pytest.raises(UsageError, match="with the metric pinball alone"):
        Regress(level=0.9)
    with pytest.raises(UsageError, match="a finite delta of at least 0; found -1"):
        Regress(delta=-1.0)


def test_thousands_of_numbers_are_sent_to_regress() -> None:
    codes = pl.Series([str(row % 1500) for row in range(6000)])
    many = with_labels(make_prices(1, 6000, name="jp"), codes)
    with pytest.raises(TaskError, match="the number with --task regress"):
        Classify("price").pose(many, [make_prices(2, 100)], Cut(), RNG)
    with pytest.raises(TaskError, match="a number with --task regress"):
        Classify("price").pose(make_prices(1, 300), [make_prices(2, 100)], Cut(), RNG)


def test_a_label_counts_numbers_where_it_has_more_than_twenty() -> None:
    made = make_prices(1, 100)
    assert counts_numbers(made)
    assert not counts_numbers(with_labels(made, pl.Series([f"{r % 20}" for r in range(100)])))
    assert not counts_numbers(with_labels(made, pl.Series([f"id {r}" for r in range(100)])))


# ── scoring ─────────────────────────────────────────────────────────────────

TRUTH = Truth(units=np.array([0, 0, 1, 2]), label=np.array([1.0, 2.0, 4.0, 8.0]))
ANSWER = Numbers(np.array([2.0, 2.0, 3.0, 5.0]), np.array([[3.0], [3], [4], [6]]), (0.8,))


def test_scores_reweight_units_and_point_the_right_way() -> None:
    rmse, r2 = Regress(), Regress(score_by="r2")
    assert not rmse.metric.higher and r2.metric.higher
    assert not rmse.metric.mean and not r2.metric.mean
    assert rmse.score(ANSWER, TRUTH)[0] == pytest.approx(np.sqrt(11 / 4))
    # The first unit twice and the last not at all: errors 1, 0 twice, and 1.
    weight = np.array([[2.0, 1.0, 0.0]])
    assert rmse.score(ANSWER, TRUTH, weight)[0] == pytest.approx(np.sqrt(3 / 5))
    assert r2.score(ANSWER, TRUTH)[0] == pytest.approx(1 - 11 / 28.75)


def test_means_have_unit_scores_and_pinball_asks_for_its_quantile() -> None:
    mae, pinball = Regress(score_by="mae"), Regress(score_by="pinball", level=0.8)
    assert mae.metric.mean and pinball.metric.mean
    np.testing.assert_allclose(mae.unit_scores(ANSWER, TRUTH), [0.5, 1.0, 3.0])
    # Quantiles 3, 3, 4 and 6: too high by 2 and 1, right, too low by 2.
    np.testing.assert_allclose(pinball.unit_scores(ANSWER, TRUTH), [0.3, 0.0, 1.6])
    assert pinball.score(ANSWER, TRUTH)[0] == pytest.approx((0.4 + 0.2 + 1.6) / 4)
    found = pinball.metrics(ANSWER, TRUTH)
    assert found["below"] == 0.75 and found["bias"] == pytest.approx(-0.75)
    assert found["mae"] == 1.25 and found["pinball"] == pytest.approx(0.55)


def test_joined_answers_keep_units_apart_and_their_quantiles() -> None:
    task = Regress()
    answer, truth = task.join([(ANSWER, TRUTH), (ANSWER, TRUTH)])
    assert isinstance(answer, Numbers) and truth.n_units == 6 and len(answer.y) == 8
    assert answer.quantiles is not None and answer.quantiles.shape == (8, 1)
    bare = Numbers(ANSWER.y)
    answer, _ = task.join([(ANSWER, TRUTH), (bare, TRUTH)])
    assert isinstance(answer, Numbers) and answer.quantiles is None

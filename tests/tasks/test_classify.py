"""Classify poses rows honestly: its metric, its positive class, its columns, its clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.exam import Probabilities, Truth
from acclimate.domains.problem import Claim
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.split import Cut
from acclimate.errors import DomainError, TaskError, UsageError
from acclimate.rng import Rng
from acclimate.tasks.classes import may_come
from acclimate.tasks.classify import Classify
from acclimate.tasks.tables import shared_types
from acclimate.tasks.task import Posed

NUMERIC, CATEGORY, TEXT, IGNORED = (
    ColumnType.NUMERIC, ColumnType.CATEGORY, ColumnType.TEXT, ColumnType.IGNORED,
)  # fmt: skip
START = datetime(2024, 1, 1)


def market(name: str, n: int, label: list[str | None], **kinds: ColumnType) -> Domain:
    """Rows with the label repeated to n, and columns of these types."""
    generator = np.random.default_rng(len(name) + n)
    columns: dict[str, Any] = {"label": [label[i % len(label)] for i in range(n)]}
    types: dict[str, ColumnType] = {}
    for column, kind in (kinds or {"x": NUMERIC}).items():
        values = generator.normal(size=n)
        columns[column] = values if kind == NUMERIC else [f"v{k}" for k in values.astype(int)]
        types[column] = kind
    schema = Schema({"rows": TableSchema({"label": "label"}, types, name)})
    return Domain(name, {"rows": pl.DataFrame(columns)}, schema)


def dated(domain: Domain, starts: datetime, hours: float = 1.0) -> Domain:
    """The same rows, one an hour from a moment on."""
    table = domain.tables["rows"]
    times = [starts + timedelta(hours=hours * i) for i in range(table.height)]
    rows = table.with_columns(time=pl.Series(times, dtype=pl.Datetime("us")))
    return Domain(domain.name, {"rows": rows}, domain.schema)


def posed(target: Domain, *sources: Domain, task: Classify | None = None, **cut: Any) -> Posed:
    given = sources or (market("us", 40, ["yes", "no"]),)
    return (task or Classify()).pose(target, given, Cut(**cut), Rng.of(0))


def settled(found: Posed) -> Classify:
    assert isinstance(found.task, Classify)
    return found.task


# ── the metric and the positive class ───────────────────────────────────────


@pytest.mark.parametrize(
    ("share", "metric"), [(0.03, "pr-auc"), (0.1, "log-loss"), (0.5, "log-loss")]
)
@pytest.mark.parametrize("rare", ["yes", "no"])
def test_a_rare_class_is_scored_by_pr_auc_and_shown(
    share: float, metric: str, rare: str
) -> None:
    common = "no" if rare == "yes" else "yes"
    labels: list[str | None] = [rare if i < 1000 * share else common for i in range(1000)]
    found = posed(market("jp", 1000, labels))
    assert found.task.metric.name == metric
    assert f"scored by {metric}" in found.notes[0]
    assert f"{rare} {share:.1%}" in found.notes[0]
    if share < 0.5:
        assert settled(found).positive == rare


def test_the_metric_is_decided_on_fit_alone() -> None:
    # Early rows hold 2 % of "yes", the judged ones nothing else.
    labels: list[str | None] = ["yes" if i % 50 == 0 or i >= 70 else "no" for i in range(100)]
    found = posed(dated(market("jp", 100, labels), START))
    assert found.task.metric.name == "pr-auc"


def test_what_the_caller_names_is_kept() -> None:
    labels: list[str | None] = ["yes", "no", "no"]
    task = Classify(score_by="roc-auc", positive="no")
    found = posed(market("jp", 90, labels), task=task)
    assert (settled(found).metric.name, settled(found).positive_at) == ("roc-auc", 0)


def test_three_classes_are_scored_by_log_loss_however_rare_one_is() -> None:
    labels: list[str | None] = [*["a"] * 50, *["b"] * 49, "c"]
    found = posed(market("jp", 100, labels), market("us", 50, ["a", "b", "c"]))
    assert found.task.metric.name == "log-loss"
    for metric in ("pr-auc", "roc-auc"):
        with pytest.raises(UsageError, match=f"two classes for {metric}; found 3"):
            posed(
                market("jp", 100, labels),
                market("us", 50, ["a", "b", "c"]),
                task=Classify(score_by=metric),
            )


def test_metrics_point_where_they_should() -> None:
    signs = {m: Classify(score_by=m).metric.sign for m in ("log-loss", "pr-auc", "accuracy")}
    assert signs == {"log-loss": -1.0, "pr-auc": 1.0, "accuracy": 1.0}


def test_of_many_classes_precision_and_recall_are_of_the_rarest_one_that_is_there() -> None:
    labels: list[str | None] = [*["a"] * 60, *["c"] * 40, *["d"] * 20]
    found = posed(market("jp", 120, labels), market("us", 120, ["a", "c", *["d"] * 117, "b"]))
    assert isinstance(found.problem.fit, Rows) and len(found.problem.fit.classes) == 4
    assert getattr(found.task, "positive", None) == "d"
    assert "precision, recall and f1 are of d; another: --positive" in found.notes


# ── classes and columns ─────────────────────────────────────────────────────


def test_classes_are_those_of_target_and_rare_ones_of_sources_in_order() -> None:
    found = posed(market("jp", 30, ["b", "a"]), market("us", 30, ["c", *["a"] * 29]))
    assert isinstance(found.problem.fit, Rows)
    assert found.problem.fit.classes == ("a", "b", "c")
    assert any(
        note.startswith(
            "classes of sources that no row of jp has yet: 'c'; every arm keeps a chance"
        )
        for note in found.notes
    )
    same = posed(market("jp", 30, ["b", "a"]), market("us", 30, ["b", "a"]))
    assert not any("classes" in note and "sources" in note for note in same.notes)
    source = found.problem.sources[0].sample
    assert isinstance(source, Rows) and source.label is not None
    assert set(source.label.tolist()) == {0, 2}


def test_rows_of_a_class_that_the_target_would_have_shown_are_left_out() -> None:
    found = posed(market("jp", 30, ["b", "a"]), market("us", 30, ["c", "a", "b"]))
    assert isinstance(found.problem.fit, Rows)
    assert found.problem.fit.classes == ("a", "b")
    source = found.problem.sources[0].sample
    assert isinstance(source, Rows) and source.n == 20
    assert (
        "rows of sources with classes that 30 labelled rows of jp would have shown are left "
        "out: 'c'; label a row of jp if they can come" in found.notes
    )


def test_of_classes_that_sources_alone_have_the_rarest_stay_while_they_may_come() -> None:
    us = market("us", 1000, [*["a"] * 900, *["c"] * 70, *["d"] * 20, *["e"] * 10])
    # (1 − .03)^n ≥ .001 up to 226 rows, (1 − .1)^n up to 65, (1 − .01)^n up to 687.
    assert may_come(["a"], 65, [us]) == ("c", "d", "e")
    assert may_come(["a"], 66, [us]) == ("d", "e")
    assert may_come(["a"], 226, [us]) == ("d", "e")
    assert may_come(["a"], 227, [us]) == ("e",)
    assert may_come(["a"], 688, [us]) == ()


@pytest.mark.parametrize(
    ("target", "source", "error", "text"),
    [
        ([None], ["a"], TaskError, "two classes in the sources, as target 'jp' has no labels"),
        (["a"], ["a", "b"], TaskError, "at least two classes in target 'jp'; found only 'a'"),
        (list(map(str, range(30))), ["1", "2"], TaskError, "classes that recur"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(
    target: list[str | None], source: list[str | None], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        posed(market("jp", 30, target), market("us", 30, source))


@pytest.mark.parametrize(
    ("mine", "theirs", "shared"),
    [
        (NUMERIC, NUMERIC, NUMERIC),
        (NUMERIC, CATEGORY, CATEGORY),
        (CATEGORY, TEXT, TEXT),
        (NUMERIC, IGNORED, NUMERIC),  # constant over there
        (IGNORED, NUMERIC, None),
        (NUMERIC, TEXT, None),
        (ColumnType.ID, ColumnType.ID, None),
        (ColumnType.TIME, NUMERIC, None),
    ],
)
def test_a_column_is_shared_as_what_both_sides_can_be_read_as(
    mine: ColumnType, theirs: ColumnType, shared: ColumnType | None
) -> None:
    markets = [
        market("jp", 9, ["a", "b"], x=NUMERIC, y=mine),
        market("us", 9, ["a", "b"], x=NUMERIC, y=theirs, z=NUMERIC),
    ]
    expected = {"x": NUMERIC} if shared is None else {"x": NUMERIC, "y": shared}
    assert shared_types(markets) == expected


def test_markets_that_share_nothing_list_what_they_have() -> None:
    with pytest.raises(DomainError, match=r"jp: x \(numeric\); us: y \(category\)"):
        posed(market("jp", 30, ["a", "b"], x=NUMERIC), market("us", 9, ["a", "b"], y=CATEGORY))


# ── the clock ───────────────────────────────────────────────────────────────


def test_sources_are_cut_at_the_targets_clock_and_the_shipped_model_at_its_end() -> None:
    target = dated(market("jp", 100, ["yes", "no"]), START)
    source = dated(market("us", 200, ["yes", "no"]), START - timedelta(hours=50))
    found = posed(target, source)
    fit = found.problem.fit
    assert isinstance(fit, Rows) and fit.time is not None
    assert found.problem.claim == Claim.LATER
    clock = fit.time.max()
    for problem, last in ((found.problem, clock), (found.whole, clock + 30 * 3600)):
        sample = problem.sources[0].sample
        assert isinstance(sample, Rows) and sample.time is not None
        assert sample.time.max() == last
    assert f"nothing after {START + timedelta(hours=69):%Y-%m-%d %H:%M}" in found.notes[-1]


def test_a_source_of_the_future_is_left_out_and_named() -> None:
    target = dated(market("jp", 100, ["yes", "no"]), START)
    future = dated(market("us", 50, ["yes", "no"]), START + timedelta(days=99))
    now = market("uk", 50, ["yes", "no"])
    found = posed(target, future, now)
    assert [source.name for source in found.problem.sources] == ["uk"]
    assert any(note.startswith("us is left out: no labelled rows") for note in found.notes)


def test_parts_of_a_posed_target_are_disjoint_and_the_whole_is_all_of_them() -> None:
    target = market("jp", 120, ["yes", "no", None])
    found = posed(target, labels=20, cross_below=10)
    parts = [found.problem.fit, found.problem.unlabelled]
    parts += [case.query for case in (*found.exam.choose, *found.exam.judge)]
    values = [set(part.columns["x"].to_list()) for part in parts if isinstance(part, Rows)]
    assert len(values) == 4
    assert sum(map(len, values)) == len(set().union(*values)) == 120
    assert isinstance(found.problem.unlabelled, Rows)
    assert found.problem.unlabelled.label is None
    whole = found.whole.fit
    assert isinstance(whole, Rows) and whole.label is not None
    assert set(whole.columns["x"].to_list()) == values[0] | values[2] | values[3]
    assert (whole.label >= 0).all()


# ── scoring ─────────────────────────────────────────────────────────────────


def answer(n: int = 40, units: int = 15, seed: int = 0) -> tuple[Probabilities, Truth]:
    generator = np.random.default_rng(seed)
    unit = np.r_[np.arange(units), generator.integers(0, units, n - units)]
    p = generator.random(n)
    label = generator.integers(0, 2, n)
    return Probabilities(np.column_stack([1 - p, p])), Truth(units=unit, label=label)


@pytest.mark.parametrize("metric", ["log-loss", "accuracy", "pr-auc", "roc-auc"])
def test_a_unit_weight_of_two_is_the_unit_twice(metric: str) -> None:
    task, (prediction, truth) = Classify(score_by=metric), answer()
    assert truth.label is not None
    counts = np.random.default_rng(1).integers(0, 3, truth.n_units)
    rows = np.repeat(np.arange(40), counts[truth.units])
    again = task.score(
        Probabilities(prediction.p[rows]),
        Truth(units=np.arange(len(rows)), label=truth.label[rows]),
    )
    weighted = task.score(prediction, truth, counts[None].astype(float))
    assert weighted[0] == pytest.approx(again[0], rel=1e-12)


@pytest.mark.parametrize("metric", ["log-loss", "accuracy"])
def test_unit_scores_are_each_units_own_mean(metric: str) -> None:
    task, (prediction, truth) = Classify(score_by=metric), answer()
    assert truth.label is not None
    for unit in range(truth.n_units):
        mine = truth.units == unit
        alone = Truth(units=np.arange(int(mine.sum())), label=truth.label[mine])
        expected = task.score(Probabilities(prediction.p[mine]), alone)[0]
        assert task.unit_scores(prediction, truth)[unit] == pytest.approx(expected)


def test_precision_and_recall_are_about_the_positive_class() -> None:
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    truth = Truth(units=np.arange(4), label=np.array([0, 1, 1, 0]))
    of_no = Classify(score_by="log-loss", positive_at=0).metrics(
        Probabilities(p), Truth(units=np.arange(4), label=np.array([0, 0, 0, 1]))
    )
    assert of_no["precision"] == 1.0
    assert of_no["recall"] == pytest.approx(2 / 3)
    assert of_no["f1"] == pytest.approx(0.8)
    of_yes = Classify(score_by="log-loss").metrics(Probabilities(p), truth)
    assert (of_yes["precision"], of_yes["recall"], of_yes["accuracy"]) == (0.5, 0.5, 0.5)


def test_areas_turn_with_the_positive_class() -> None:
    prediction, truth = answer()
    assert truth.label is not None
    yes, no = (Classify(score_by="pr-auc", positive_at=at) for at in (1, 0))
    swapped = Probabilities(prediction.p[:, ::-1]), Truth(truth.units, 1 - truth.label)
    assert yes.score(prediction, truth)[0] == pytest.approx(no.score(*swapped)[0])
    assert yes.score(prediction, truth)[0] != pytest.approx(no.score(prediction, truth)[0])


def test_metrics_leave_out_what_one_class_cannot_have() -> None:
    prediction, truth = answer()
    one = Truth(units=truth.units, label=np.zeros(40, np.int64))
    found = Classify(score_by="log-loss").metrics(prediction, one)
    assert "pr-auc" not in found and "roc-auc" not in found
    assert np.isfinite(list(found.values())).all()


def test_joined_answers_keep_their_units_apart() -> None:
    task = Classify(score_by="log-loss")
    parts = [answer(seed=s) for s in (0, 1)]
    prediction, truth = task.join(parts)
    assert truth.n_units == 30
    expected = np.concatenate([task.unit_scores(*part) for part in parts])
    np.testing.assert_allclose(task.unit_scores(prediction, truth), expected)

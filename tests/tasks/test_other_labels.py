"""Other labels ride on the rows: they are no features, and folds and exams keep them apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.split import Cut
from acclimate.errors import TaskError
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed


def market(name: str, n: int, *, status: bool = True) -> Domain:
    """Rows with the label, one feature, and perhaps a status that is null every fifth row."""
    generator = np.random.default_rng(n)
    columns: dict[str, object] = {
        "label": ["yes" if i % 3 else "no" for i in range(n)],
        "x": generator.normal(size=n),
    }
    types = {"x": ColumnType.NUMERIC}
    if status:
        columns["status"] = [None if i % 5 == 0 else f"s{i % 2}" for i in range(n)]
        types["status"] = ColumnType.CATEGORY
    schema = Schema({"rows": TableSchema({"label": "label"}, types, name)})
    return Domain(name, {"rows": pl.DataFrame(columns)}, schema)


def posed(*sources: Domain, labels: int | None = None) -> Posed:
    task = Classify("label", also=("status",))
    given = sources or (market("us", 40),)
    return task.pose(market("jp", 60), given, Cut(labels=labels), Rng.of(0))


def rows(found: object) -> Rows:
    assert isinstance(found, Rows)
    return found


def test_another_label_is_no_feature_and_rides_on_fit_and_sources() -> None:
    problem = posed().problem
    for sample in (problem.fit, problem.sources[0].sample):
        assert rows(sample).columns.columns == ["x"]
        also = rows(sample).also
        assert also is not None and also.columns == ["status"] and also.height == sample.n


def test_rows_seen_without_their_label_keep_the_other_one() -> None:
    problem = posed(labels=20).problem
    unlabelled = rows(problem.unlabelled)
    assert unlabelled.label is None and unlabelled.also is not None


def test_no_question_of_an_exam_or_a_fold_shows_another_label() -> None:
    found = posed()
    inner = [case for _, case in found.problem.inner(3, Rng.of(0))]
    for case in (*found.exam.choose, *found.exam.judge, *inner):
        assert rows(case.query).also is None and rows(case.query).label is None


def test_a_source_without_the_column_has_no_value_of_it() -> None:
    problem = posed(market("us", 40, status=False)).problem
    also = rows(problem.sources[0].sample).also
    assert also is not None and also["status"].null_count() == also.height


def test_rows_under_another_label_are_those_where_it_is_known() -> None:
    fit = rows(posed().problem.fit)
    assert fit.also is not None
    under = fit.under("status", ("s0", "s1"))
    known = fit.also["status"].drop_nulls().to_list()
    assert under.label is not None and [("s0", "s1")[i] for i in under.label] == known
    assert fit.under("status", ("s1",)).n == known.count("s1")


def test_another_label_changes_the_fingerprint() -> None:
    fit = rows(posed().problem.fit)
    assert fit.also is not None

    other = replace(fit, also=fit.also.reverse())
    assert other.fingerprint != fit.fingerprint


def test_a_label_that_the_target_lacks_is_refused() -> None:
    task = Classify("label", also=("income",))
    with pytest.raises(TaskError, match=r"found no income among x, status\. Name others with"):
        task.pose(market("jp", 60), (market("us", 40),), Cut(), Rng.of(0))

"""Which groups the units of a judge fall into, and what happens where one of them is hurt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.domains.exam import Case, Truth
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events
from acclimate.plans.examine import _whom_it_hurts
from acclimate.plans.segments import members_of
from acclimate.rng import Rng
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed
from acclimate.verdicts import Contrast, judge, paired_effect


def case_of(columns: Mapping[str, Sequence[object]], units: list[int]) -> Case:
    table = pl.DataFrame(columns)
    rows = Rows(table, dict.fromkeys(table.columns, ColumnType.CATEGORY), ("no", "yes"))
    label = np.zeros(table.height, np.int64)
    return Case(None, rows, Truth(label=label, units=np.array(units)))


def test_values_of_columns_with_few_of_them_are_groups() -> None:
    case = case_of(
        {"os": ["a", "a", "b", None], "id": ["1", "2", "3", "4"], "one": ["x"] * 4},
        [0, 1, 2, 3],
    )
    found = members_of((case,))
    assert found["os = a"].tolist() == [0, 1]
    assert found["os = b"].tolist() == [2]
    assert "one = x" not in found
    many = case_of({"id": [str(k) for k in range(20)]}, list(range(20)))
    assert members_of((many,)) == {}


def test_a_unit_whose_rows_disagree_is_in_no_group() -> None:
    case = case_of({"os": ["a", "b", "a", "a", "b"]}, [0, 0, 1, 1, 2])
    found = members_of((case,))
    assert found["os = a"].tolist() == [1]
    assert found["os = b"].tolist() == [2]


def test_users_are_grouped_by_how_much_they_did() -> None:
    key = Rng.of(3)
    target = make_events(key.child("t"), 60, 12).domain
    posed = Recommend(k=3).pose(target, [make_events(key, 30, 12, name="s").domain], Cut(), key)
    (case,) = posed.exam.judge
    found = members_of((case,))
    length = np.bincount(case.context.user, minlength=len(case.context.users))
    for name, units in found.items():
        assert name in ("new users", "light users", "heavy users")
        assert (np.minimum(length[units], 5) // 5 == (name == "heavy users")).all()
    assert members_of((case, case)) == {}


def systems() -> Case:
    return case_of({"os": [*["old"] * 100, *["new"] * 500]}, list(range(600)))


@pytest.fixture
def hurting() -> tuple[Contrast, Case]:
    g = np.random.default_rng(0)
    d = g.normal(0.4, 1.0, 600)
    d[:100] -= 1.2
    return Contrast.of_means(d), case_of(
        {"os": ["old"] * 100 + ["new"] * 500}, list(range(600))
    )


def test_harm_is_said_and_by_a_setting_refused(
    hurting: tuple[Contrast, Case], small_rows: Posed, tmp_path: Path
) -> None:
    contrast, case = hurting
    exam = replace(small_rows.exam, judge=(case,))
    verdict = judge(paired_effect(contrast, Rng.of(0)), delta=0.01)
    assert verdict.answer == "adopt"
    said = _whom_it_hurts(verdict, contrast, exam, Rng.of(0), refuse=False)
    assert said.answer == "adopt"
    assert [group.segment for group in said.hurt] == ["os = old"]
    assert "but it hurts os = old" in said.sentence
    refused = _whom_it_hurts(verdict, contrast, exam, Rng.of(0), refuse=True)
    assert refused.answer == "keep-target-only"
    assert refused.sentence.startswith("Keep target-only")
    assert "but it hurts os = old" in refused.sentence


def test_without_harm_the_setting_changes_nothing(small_rows: Posed) -> None:
    d = np.random.default_rng(1).normal(0.4, 1.0, 600)
    case = systems()
    exam = replace(small_rows.exam, judge=(case,))
    verdict = judge(paired_effect(Contrast.of_means(d), Rng.of(0)), delta=0.01)
    assert _whom_it_hurts(verdict, Contrast.of_means(d), exam, Rng.of(0), True) == verdict

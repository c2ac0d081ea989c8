"""Sources that tell other classes apart than the target: kept, for one strategy alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.sample import OWN, Rows
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.split import Cut
from acclimate.errors import TaskError
from acclimate.plans.agreement import agreements
from acclimate.plans.assess import assess
from acclimate.plans.plan import plan, require_teacher
from acclimate.rng import Rng
from acclimate.strategies.catalogue import arms
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed

KINDS = ("shoe", "shirt", "bag")
WHY = "source 'us' tells other classes apart than the target, which co-tuning alone learns from"


def market(name: str, n: int, *classes: str | None) -> Domain:
    """Rows whose label goes round these classes, and one feature."""
    columns = {
        "label": pl.Series([classes[i % len(classes)] for i in range(n)], dtype=pl.String),
        "x": np.random.default_rng(n).normal(size=n),
    }
    types = {"x": ColumnType.NUMERIC}
    schema = Schema({"rows": TableSchema({"label": "label"}, types, name)})
    return Domain(name, {"rows": pl.DataFrame(columns)}, schema)


def posed(*sources: Domain) -> Posed:
    return Classify("label").pose(market("jp", 60, "no", "yes"), sources, Cut(), Rng.of(0))


def rows(found: object) -> Rows:
    assert isinstance(found, Rows)
    return found


def test_its_own_classes_ride_beside_rows_that_have_no_label_here() -> None:
    found = posed(market("us", 40, *KINDS, None))
    for problem in (found.problem, found.whole):
        theirs = rows(problem.sources[0].sample)
        assert theirs.label is None and theirs.elsewhere and theirs.classes == ("no", "yes")
        assert theirs.also is not None and theirs.n == 30  # ten have no label at all
        assert theirs.also[OWN].to_list()[:4] == ["shoe", "shirt", "bag", "shoe"]
        assert not rows(problem.fit).elsewhere
    said = "us tells other classes apart than jp: co-tuning alone learns from it"
    assert said in found.notes


def test_a_source_that_shares_a_class_stays_what_it_was() -> None:
    found = posed(market("us", 40, *KINDS), market("de", 40, *["yes"] * 39, "maybe"))
    us, de = (rows(source.sample) for source in found.problem.sources)
    assert us.elsewhere and not de.elsewhere
    # A rare class of a source that shares some is one the target may have yet.
    assert de.classes == us.classes == rows(found.problem.fit).classes == ("maybe", "no", "yes")
    assert de.label is not None and set(de.label) == {0, 2}


def test_a_source_without_any_label_is_left_out_as_before() -> None:
    found = posed(market("us", 40, None), market("de", 40, "yes", "no"))
    assert [source.name for source in found.problem.sources] == ["de"]


def test_others_stand_on_the_sources_that_share_classes_and_say_why() -> None:
    pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")
    problem = posed(market("us", 40, *KINDS), market("de", 40, "yes", "no")).problem
    planned = plan(problem, arms("rows", ("co-tuning",), ("network",)), [])
    assert [step.arm.name for step in planned.steps] == [
        "target-only/network",
        "source-only/network from de",
        "pooled/network from de",
        "co-tuning/network",
    ]
    alone = posed(market("us", 40, *KINDS)).problem
    refused = plan(alone, arms("rows", (), ("linear",)), []).refused
    assert {each.why for each in refused} == {WHY} and len(refused) == 2


def test_its_labels_are_compared_with_none_of_the_target() -> None:
    found = posed(market("us", 40, *KINDS))
    assert agreements(found.problem, Rng.of(1)) == []
    measures = {gap.measure for gap in assess(found.task, found.problem, Rng.of(1))}
    assert "mmd2" in measures and "label-shift" not in measures


def test_where_nothing_asked_for_learns_from_such_sources_it_is_refused() -> None:
    problem = posed(market("us", 40, *KINDS)).problem
    with pytest.raises(TaskError) as caught:
        require_teacher(plan(problem, arms("rows", None, ("linear",)), []), problem)
    assert str(caught.value) == (
        "Expected sources to share classes with target 'jp'; found no, yes in the target and "
        "bag, shirt, shoe in the sources. Map one label to the other where they mean the same; "
        "where they do not, learn how they are related: --strategy co-tuning."
    )
    with pytest.raises(TaskError, match=r"\(asked for, but co-tuning/linear: linear has"):
        require_teacher(plan(problem, arms("rows", ("co-tuning",), ("linear",)), []), problem)
    shared = posed(market("us", 40, *KINDS), market("de", 40, "yes", "no")).problem
    require_teacher(plan(shared, arms("rows", None, ("linear",)), []), shared)

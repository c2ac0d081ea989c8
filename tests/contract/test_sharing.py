"""A source that keeps its rows to itself: nothing reads them but what it shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions, Rows, Sample
from acclimate.domains.schema import Schema
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.plans.agreement import agreements
from acclimate.plans.assess import assess
from acclimate.plans.plan import plan
from acclimate.reports.report import render
from acclimate.strategies.strategy import Strategy
from acclimate.workflow import adapt
from tests.contract.cases import (
    SEED,
    answers,
    cases,
    combinations,
    forget,
    named,
    posed,
    quick,
    scene,
    scene_of,
)

# What anybody may know of rows that are not shared: how many, and which they are.
KNOWN = ("n", "fingerprint")
SHARED = {"items": "gram", "rows": "moments"}


class Touched(BaseException):
    """Not an Exception, so that nothing that handles mistakes can hide it."""


class Closed:
    """A sample whose every field raises, but behind the one door."""

    opened = 0

    def __getattribute__(self, name: str) -> Any:
        if name in KNOWN:
            Closed.opened += 1
            try:
                return object.__getattribute__(self, name)
            finally:
                Closed.opened -= 1
        if name.startswith("__") or Closed.opened:
            return object.__getattribute__(self, name)
        raise Touched(name)


class ClosedItems(Closed, Interactions):
    """Interactions that are not shared."""


class ClosedRows(Closed, Rows):
    """Rows that are not shared."""


def closed(sample: Sample | None) -> Sample:
    """The same sample, for the door alone."""
    kind = ClosedItems if isinstance(sample, Interactions) else ClosedRows
    values: dict[str, Any] = {f.name: getattr(sample, f.name) for f in fields(sample)}  # type: ignore[arg-type]
    return kind(**values)


@pytest.fixture(autouse=True)
def one_door(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What an owner does: work of `derive`, and cutting at a moment by `until`."""

    def through(work: Callable[..., Any]) -> Callable[..., Any]:
        def at_its_owner(*given: Any) -> Any:
            Closed.opened += 1
            try:
                return work(*given)
            finally:
                Closed.opened -= 1

        return at_its_owner

    forget()
    for door in ("derive", "until"):
        monkeypatch.setattr(Source, door, through(getattr(Source, door)))
    yield
    forget()


def guarded(form: str, *shares: str) -> Problem:
    """The scene's problem with sources that share only this."""
    given = posed(form).problem
    kept = [
        replace(source, held=closed(source.held), shares=frozenset(shares))
        for source in given.sources
    ]
    return given.with_sources(kept)


def test_the_guard_bites() -> None:
    source = guarded("rows", "moments").sources[0]
    assert source.n > 0 and len(source.fingerprint) == 64
    with pytest.raises(Touched, match="label"):
        _ = source.held.label  # type: ignore[union-attr]
    with pytest.raises(StrategyError, match="to share its rows; it shares moments"):
        _ = source.sample


@pytest.mark.parametrize(
    "arm",
    [a for a in combinations() if a.model.form in SHARED and a.strategy.transfers],
    ids=named,
)
def test_an_arm_does_without_the_rows_or_says_what_is_not_shared(arm: Any) -> None:
    form, shared = scene_of(arm.strategy, arm.model.form), SHARED[arm.model.form]
    problem = guarded(form, shared)
    why, whole = arm.why_not(problem), arm.why_not(posed(form).problem)
    if why is None:
        fitted = quick(arm).fit(problem, SEED.child("fit"))
        assert answers(fitted, cases(posed(form)))
    elif whole is None:
        strategy: Strategy = arm.strategy
        missing = sorted(strategy.reads - {shared})
        assert why == f"source 'near' does not share its {' or '.join(missing)}"


def test_a_gram_matrix_is_enough_for_the_item_prior() -> None:
    problem = guarded("items", "gram")
    arms = [arm for arm in combinations() if arm.model.form == "items"]
    fitting = {arm.name for arm in arms if arm.why_not(problem) is None}
    assert {"item-prior/ease", "target-only/ease"} <= fitting
    assert not any(name.startswith(("source-only", "pooled")) for name in fitting)


@pytest.mark.parametrize("form", SHARED)
def test_gap_agreement_and_plan_do_not_touch_them(form: str) -> None:
    problem, task = guarded(form, SHARED[form]), posed(form).task
    gap = assess(task, problem, SEED.child("gap"))
    said = [each.sentence for each in gap if each.measure == "rows"]
    words = {"items": "Gram matrix", "rows": "moments"}[form]
    assert said == [
        f"How far {name} is from target is not measured: it shares its {words}, and no rows"
        for name in ("near", "far")
    ]
    assert agreements(problem, SEED) == []
    planned = plan(problem, [a for a in combinations() if a.model.form == form], gap)
    assert planned.steps and planned.refused


def test_nothing_shared_leaves_doing_without() -> None:
    problem = guarded("items")
    arms = [arm for arm in combinations() if arm.model.form == "items"]
    fitting = [arm for arm in arms if arm.why_not(problem) is None]
    assert fitting and not any(arm.strategy.transfers for arm in fitting)


def sharing(domain: Domain, *shares: str) -> Domain:
    """The market as if its market.toml said so."""
    declared = replace(domain.schema.declared, shares=shares)
    return replace(domain, schema=Schema(domain.schema.tables, declared))


def test_what_market_toml_says_reaches_strategies_and_the_report() -> None:
    given = scene("items")
    sources = [sharing(each, "gram") for each in given.sources]
    result = adapt(
        given.task,
        sources,
        given.target,
        strategies=("item-prior",),
        cut=given.cut,
        budget_seconds=60,
    )
    tried = {row["arm"] for row in result.summary["leaderboard"]}
    assert "item-prior/ease" in tried
    assert not any(name.startswith(("source-only", "pooled")) for name in tried)
    whys = {row["why"] for row in result.summary["refused"] if row["strategy"] == "pooled"}
    assert "source 'near' does not share its rows" in whys
    assert "does not share its rows" in render(result.summary)


def test_whoever_may_read_rows_may_read_the_rest() -> None:
    given = scene("rows")
    for said, seen in ((("rows",), True), (("moments",), False), ((), False)):
        target, sources = given.target, [sharing(each, *said) for each in given.sources]
        problem = given.task.pose(target, sources, given.cut, SEED).problem
        assert [source.seen for source in problem.sources] == [seen, seen]
        assert ("gram" in problem.sources[0].shares) == seen

"""A plan says in which order, why, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.gaps.gap import Gap
from acclimate.plans.plan import FAR, plan
from acclimate.strategies.catalogue import arms
from acclimate.tasks.task import Posed


def apart(value: float, source: str = "near") -> Gap:
    """A proxy A-distance."""
    return Gap(
        measure="a-distance",
        source=source,
        target="target",
        value=value,
        low=None,
        high=None,
        p=None,
        null_low=None,
        null_high=None,
        n_source=9,
        n_target=9,
        sentence="",
    )


def test_cheap_models_come_first_and_target_only_before_transfer(posed_rows: Posed) -> None:
    steps = plan(posed_rows.problem, arms("rows"), []).steps
    kinds = [step.arm.model.kind for step in steps]
    assert kinds == sorted(kinds, key=["linear", "trees", "network"].index)
    for model in ("linear", "trees", "network"):
        mine = [step.arm.strategy for step in steps if step.arm.model.kind == model]
        assert mine[0].kind == "target-only"
        assert [s.complexity for s in mine] == sorted(s.complexity for s in mine)


def test_the_order_the_arms_come_in_does_not_matter(posed_events: Posed) -> None:
    every = arms("items")
    straight, turned = (plan(posed_events.problem, a, []) for a in (every, every[::-1]))
    for model in ("popularity", "item-knn", "ease"):
        first, second = (
            [s.arm.strategy.complexity for s in p.steps if s.arm.model.kind == model]
            for p in (straight, turned)
        )
        assert first == second


def test_every_step_has_its_reason_and_every_refusal_its_why(posed_rows: Posed) -> None:
    made = plan(posed_rows.problem, arms("rows"), [])
    assert len(made.steps) + len(made.refused) == len(arms("rows"))
    assert all(step.reason for step in made.steps)
    assert all(refusal.why for refusal in made.refused)
    rows = {row["arm"]: row["reason"] for row in made.as_rows()}
    assert rows["target-only/linear"] == "what transfer must beat"
    assert rows["pooled/trees"] == "the simplest way to transfer; always tried"
    assert made.refused[0].as_row().keys() == {"strategy", "model", "why"}


@pytest.mark.parametrize(
    ("fit", "distance", "words"),
    [
        (43, None, "216 source observations to 43 of the target: too few to learn alone"),
        (44, None, "216 source observations to 44 of the target: both sides can teach"),
        (43, FAR, "too few to learn alone"),
        (43, FAR + 0.01, "far is far away, so what it knows is a start, not an answer"),
    ],
)
def test_the_reason_weighs_how_much_there_is_and_how_far_it_is(
    posed_rows: Posed, fit: int, distance: float | None, words: str
) -> None:
    problem = posed_rows.problem
    assert sum(source.sample.n for source in problem.sources) == 216  # 5 × 43 are 215
    fewer = replace(problem, fit=problem.fit.take(np.arange(fit)))
    gap = [] if distance is None else [apart(0.1), apart(distance, "far")]
    rows = {row["arm"]: row["reason"] for row in plan(fewer, arms("rows"), gap).as_rows()}
    assert words in rows["source-prior/linear"]


def test_without_a_source_only_target_only_is_left(posed_rows: Posed) -> None:
    alone = posed_rows.problem.with_sources([])
    made = plan(alone, arms("rows"), [])
    assert {step.arm.strategy.kind for step in made.steps} == {"target-only"}
    assert {refusal.why for refusal in made.refused} == {"there is no source"}
    told = plan(alone, arms("rows"), [], left_out=["us means the opposite"])
    assert {refusal.why for refusal in told.refused} == {"us means the opposite"}

"""A plan says in which order, why, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.problem import Problem
from acclimate.domains.source import Source
from acclimate.gaps.gap import Gap
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.plans.plan import FAR, formed, plan
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.blend import Blend
from acclimate.strategies.catalogue import arms, named
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


def test_the_first_models_baselines_come_first_and_then_every_target_only(
    posed_rows: Posed,
) -> None:
    models = ["linear", "trees", "network"]
    steps = plan(posed_rows.problem, arms("rows"), []).steps
    names = [step.arm.name for step in steps]
    assert names[:3] == ["target-only/linear", "source-only/linear", "pooled/linear"]
    assert names[3:5] == [f"target-only/{m}" for m in models[1:]]
    assert len({*names}) == len(names)
    rest = [step.arm for step in steps[5:]]
    kinds = [arm.model.kind for arm in rest]
    assert kinds == sorted(kinds, key=models.index)
    for model in models:
        mine = [arm.strategy for arm in rest if arm.model.kind == model]
        assert "target-only" not in [s.kind for s in mine]
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


# ── what an arm is formed from ──────────────────────────────────────────────


def shared(problem: Problem, **shares: str | None) -> Problem:
    """The problem whose sources share one thing each, or all where it is None."""
    return problem.with_sources(
        [
            source
            if (what := shares[source.name]) is None
            else replace(source, shares=frozenset({what}))
            for source in problem.sources
        ]
    )


def learned(problem: Problem, name: str, model: Linear | Trees | None = None) -> Source:
    """An artifact: the first source's model, under another name."""
    taught = problem.with_sources(problem.sources[:1])
    fitted = Arm(SourceOnly(), model or Linear()).fit(taught, Rng.of(0))
    return Source(name, None, frozenset({"fitted"}), fitted)


def only(arm: Arm, problem: Problem) -> list[tuple[str, ...] | None]:
    return [each.only for each in formed(arm, problem)[0]]


def test_an_arm_that_applies_is_left_as_it_is(posed_rows: Posed) -> None:
    arm = Arm(Pooled(), Linear())
    assert formed(arm, posed_rows.problem) == ([arm], None)
    without = Arm(TargetOnly(), Linear())
    assert formed(without, posed_rows.problem.with_sources([])) == ([without], None)


def test_sources_that_keep_their_rows_are_left_out_of_arms_that_read_rows(
    posed_rows: Posed,
) -> None:
    half = shared(posed_rows.problem, near=None, far="moments")
    for strategy in (Pooled(), named("coral + pooled"), Blend()):
        made, why = formed(Arm(strategy, Linear()), half)
        assert why is None and [each.only for each in made] == [("near",)]
        assert made[0].name == f"{strategy.kind}/linear from near"
        assert made[0].why_not(made[0].selected(half)) is None
    none = shared(posed_rows.problem, near="moments", far="moments")
    assert formed(Arm(Pooled(), Linear()), none) == (
        [],
        "source 'near' does not share its rows",
    )


def test_a_fitted_source_stands_alone_beside_those_with_rows(posed_rows: Posed) -> None:
    problem = posed_rows.problem
    both = problem.with_sources([*problem.sources, learned(problem, "theirs")])
    assert only(Arm(SourceOnly(), Linear()), both) == [("near", "far"), ("theirs",)]
    two = problem.with_sources([learned(problem, "a"), learned(problem, "b")])
    assert only(Arm(SourceOnly(), Linear()), two) == [("a",), ("b",)]
    # What reads rows alone leaves it out, and what mixes models takes them all.
    assert only(Arm(Pooled(), Linear()), both) == [("near", "far")]
    assert only(Arm(Blend(), Linear()), both) == [None]
    assert only(Arm(named("density-ratio + pooled"), Linear()), both) == [("near", "far")]


def test_a_fitted_source_of_another_model_is_no_use_to_this_one(posed_rows: Posed) -> None:
    problem = posed_rows.problem
    lone = problem.with_sources([learned(problem, "theirs", Trees(rounds=4))])
    made, why = formed(Arm(SourceOnly(), Linear()), lone)
    assert made == [] and why == "source 'theirs' is a fitted trees, not linear"
    assert only(Arm(SourceOnly(), Trees()), lone) == [None]


def test_every_formed_arm_is_a_step_of_its_own(posed_rows: Posed) -> None:
    problem = posed_rows.problem
    both = problem.with_sources([*problem.sources, learned(problem, "theirs")])
    names = [step.arm.name for step in plan(both, [Arm(SourceOnly(), Linear())], []).steps]
    assert names == ["source-only/linear from near+far", "source-only/linear from theirs"]

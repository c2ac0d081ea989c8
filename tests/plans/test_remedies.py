"""Harm is answered with fewer sources, and only harm is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.plans.remedies import remedies
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import arms
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed


@pytest.fixture(scope="module")
def posed() -> Posed:
    rng = Rng.of(3)
    target = make_rows(rng.child("t"), 200, name="target").domain
    sources = [make_rows(rng.child(name), 100, name=name).domain for name in ("us", "uk")]
    return Classify().pose(target, sources, Cut(), rng)


def trial(kind: str, value: float) -> Trial:
    arm = next(arm for arm in arms("rows") if arm.name == f"{kind}/linear")
    return Trial(arm, "done", "", "log-loss", value)


def test_harm_is_answered_with_each_source_alone(posed: Posed) -> None:
    trials = [trial("target-only", 0.3), trial("pooled", 0.4), trial("source-only", 0.5)]
    steps = remedies(trials, posed.task, posed.problem)
    assert [step.arm.name for step in steps] == [
        "pooled/linear from us",
        "pooled/linear from uk",
    ]
    assert "try us alone" in steps[0].reason


def test_a_source_that_was_tried_alone_is_not_tried_again(posed: Posed) -> None:
    alone = trial("pooled", 0.4)
    alone = replace(alone, arm=replace(alone.arm, only=("us",)))
    steps = remedies([trial("target-only", 0.3), alone], posed.task, posed.problem)
    assert [step.arm.name for step in steps] == ["pooled/linear from uk"]


def test_help_needs_no_remedy(posed: Posed) -> None:
    trials = [trial("target-only", 0.4), trial("pooled", 0.3)]
    assert remedies(trials, posed.task, posed.problem) == []


def test_one_source_cannot_become_fewer(posed: Posed) -> None:
    trials = [trial("target-only", 0.3), trial("pooled", 0.4)]
    alone = replace(posed.problem, sources=posed.problem.sources[:1])
    assert remedies(trials, posed.task, alone) == []


def test_a_narrowed_arm_fits_on_its_source_only(posed: Posed) -> None:
    arm = Arm(trial("source-only", 0.0).arm.strategy, trial("source-only", 0.0).arm.model)
    narrowed = replace(arm, only=("uk",))
    by_hand = posed.problem.with_sources(posed.problem.sources[1:])
    assert [s.name for s in narrowed.encoded(posed.problem).sources] == ["uk"]
    query = posed.exam.judge[0]
    one = narrowed.fit(posed.problem, Rng.of(0)).answer(query)
    other = arm.fit(by_hand, Rng.of(0)).answer(query)
    assert repr(one) == repr(other)

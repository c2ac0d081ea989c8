"""An adopted arm is held against itself on sources that know nothing, if there is time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Model, Tick, idle
from acclimate.models.trees import Trees
from acclimate.plans.budget import Budget
from acclimate.plans.examine import Examined, examine
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, TargetOnly
from acclimate.strategies.strategy import Adapt, Strategy
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed
from acclimate.verdicts.ledger import Ledger
from acclimate.verdicts.verdict import SHUFFLED, Against

SPENT = "not compared with shuffled sources: the budget ended before, so raise --budget."


@dataclass(frozen=True)
class Penalty(Adapt):
    """Reads no source: a firmer penalty under the name of transfer."""

    kind: ClassVar[str] = "penalty"
    statistics: ClassVar[Statistics] = Statistics.TARGET
    complexity: ClassVar[int] = 1

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        tick()
        return TargetOnly().adapt(problem, Linear(penalty=5.0), rng)


@dataclass(frozen=True)
class Sulking(Penalty):
    """Fits once, and then no more."""

    fits: ClassVar[list[int]] = []

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        self.fits.append(problem.sources[0].n)
        if len(self.fits) > 1:
            raise StrategyError("Expected sources; found none. Add one.")
        return super().adapt(problem, model, rng, tick)


@pytest.fixture(scope="module")
def posed() -> Posed:
    """Few labelled rows of the target, over 500 to judge on, and a source like it of 600."""
    key = Rng.of(8)
    target = make_rows(key.child("t"), 800, numeric=15, name="target").domain
    source = make_rows(key.child("s"), 600, numeric=15, name="near").domain
    return Classify().pose(target, [source], Cut(labels=40, by="random"), key)


def done(strategy: Strategy, model: Model, value: float = 0.5) -> Trial:
    return Trial(Arm(strategy, model), "done", "", "log-loss", value, n=20)


Judge = Callable[..., Examined]


@pytest.fixture
def verdict_of(posed: Posed, tmp_path: Path) -> Judge:
    """What becomes of a strategy against target-only with hardly any penalty."""

    def examined(
        strategy: Strategy,
        budget: Budget | None,
        problem: Problem = posed.problem,
        seed: int = 0,
        *others: Trial,
    ) -> Examined:
        trials = [done(TargetOnly(), Linear(penalty=1e-3)), done(strategy, Linear()), *others]
        ledger = Ledger(tmp_path / "ledger.jsonl")
        rng = Rng.of(seed)
        return examine(
            trials, posed.task, problem, posed.exam, rng, ledger, "once", budget=budget
        )

    return examined


def row(found: Examined) -> Against:
    (one,) = [each for each in found.verdict.against if each.baseline == SHUFFLED]
    return one


def test_a_source_that_knows_the_target_is_what_the_gain_needs(verdict_of: Judge) -> None:
    found = verdict_of(Pooled(), Budget(60))
    verdict, against = found.verdict, row(found)
    assert verdict.answer == "adopt"
    assert against.low is not None and against.low > 0
    assert (
        "; the gain needs what the sources know, as pooled/linear beats itself without it (+"
        in verdict.sentence
    )
    assert verdict.unshuffled == ""
    assert verdict.as_row()["against"] == [against._asdict()]


def test_what_a_penalty_gains_is_not_owed_to_the_sources(verdict_of: Judge) -> None:
    found = verdict_of(Penalty(), Budget(60))
    against = row(found)
    assert found.verdict.answer == "adopt"
    # It reads none: with or without what they know it is the same.
    assert against == (SHUFFLED, 0.0, 0.0, 0.0)
    assert (
        "; penalty/linear is not ahead of the same way with its sources shuffled (+0, +0 to +0)"
        ", so that the gain may be owed to the method (one more penalty, another model) and "
        "not to the sources: try target-only with more settings and models."
    ) in found.verdict.sentence


def test_target_only_with_the_arms_model_stands_beside_where_another_was_the_baseline(
    verdict_of: Judge, posed: Posed
) -> None:
    trees = done(TargetOnly(), Trees(), 0.4)
    found = verdict_of(Pooled(), Budget(60), posed.problem, 0, trees)
    assert found.verdict.answer == "adopt"
    assert found.verdict.baseline == "target-only/trees"
    assert [each.baseline for each in found.verdict.against] == [SHUFFLED, "target-only/linear"]
    ours, theirs = (
        found.scores[f"{name}/linear"]["log-loss"] for name in ("pooled", "target-only")
    )
    assert found.verdict.against[1].effect == pytest.approx(theirs - ours)
    assert "; pooled/linear beats target-only/linear (+" in found.verdict.sentence


def test_the_placebo_decides_nothing_and_is_the_same_again(verdict_of: Judge) -> None:
    first, again = (verdict_of(Pooled(), Budget(60)).verdict for _ in "ab")
    alone = verdict_of(Pooled(), None).verdict
    assert first == again
    assert first.looks == alone.looks == 1
    assert replace(first, against=()) == alone
    assert (
        row(verdict_of(Pooled(), Budget(60), seed=1)).effect
        != row(verdict_of(Pooled(), Budget(60))).effect
    )


def test_a_source_without_rows_is_said_to_be_one(verdict_of: Judge, posed: Posed) -> None:
    given = Source("given", None, frozenset({"fitted"}), object())
    problem = posed.problem.with_sources([*posed.problem.sources, given])
    verdict = verdict_of(Penalty(), Budget(60), problem).verdict
    assert verdict.answer == "adopt"
    assert verdict.sentence.endswith(
        "; not compared with shuffled sources: given is an artifact without rows that could be "
        "shuffled, so name the market that it was learned on."
    )
    assert verdict.as_row()["unshuffled"] == verdict.unshuffled != ""
    assert verdict.against == ()


def test_a_budget_that_is_gone_leaves_it_out_and_says_so(verdict_of: Judge) -> None:
    now = [0.0]
    budget = Budget(10.0, lambda: now[0])
    now[0] = 10.0
    verdict = verdict_of(Penalty(), budget).verdict
    assert verdict.answer == "adopt"
    assert verdict.sentence.endswith(SPENT)


def test_a_placebo_that_would_cost_the_shipping_is_abandoned(verdict_of: Judge) -> None:
    readings = iter([0.0, 0.0, *[math.inf] * 9])  # made; allowed to begin; and then late
    verdict = verdict_of(Penalty(), Budget(10.0, lambda: next(readings))).verdict
    assert verdict.sentence.endswith(SPENT)


def test_an_arm_that_cannot_be_fitted_on_shuffled_sources_is_said_so(verdict_of: Judge) -> None:
    Sulking.fits.clear()
    verdict = verdict_of(Sulking(), Budget(60)).verdict
    assert Sulking.fits == [600, 600]
    assert verdict.sentence.endswith(
        "; not compared with shuffled sources: it cannot be fitted on them."
    )

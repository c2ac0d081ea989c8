"""Settings are searched in waves, baselines as hard as the rest, and kills change nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import acclimate as ac
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.synthetic import make_rows
from acclimate.errors import TaskError, UsageError
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.plans.budget import BASELINES, Budget
from acclimate.plans.plan import Plan, Step
from acclimate.plans.pool import at_once, cores, in_turn
from acclimate.plans.runner import compared, run
from acclimate.plans.search import WAVE, search
from acclimate.plans.space import Axes, Range, Space
from acclimate.plans.store import Store
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.tasks.task import Posed

KINDS = (TargetOnly, SourceOnly, Pooled, SourcePrior)
PLAN = Plan(tuple(Step(Arm(kind(), Linear()), kind.kind) for kind in KINDS), ())


class Kept:
    """Remembers what was kept, in order, and answers with it where it is asked to."""

    def __init__(self, answers: bool = False) -> None:
        self.trials: dict[tuple[str, str], Trial] = {}
        self.answers = answers

    def found(self, arm: Arm, problem: Problem, how: str) -> Trial | None:
        return self.trials.get((how, repr(arm))) if self.answers else None

    def keep(self, arm: Arm, trial: Trial, how: str) -> None:
        self.trials[how, repr(arm)] = trial

    def of(self, how: str) -> list[Trial]:
        return [trial for (each, _), trial in self.trials.items() if each == how]


def searched(
    posed: Posed, trials: int, store: Any = None, budget: Budget | None = None, **more: Any
) -> list[Trial]:
    budget = budget or Budget(600)
    given = (PLAN, posed.task, posed.problem, posed.exam, budget, Rng.of(3))
    return search(*given, store=store, trials=trials, **more)


def told(trials: list[Trial]) -> list[tuple[object, ...]]:
    return [
        (trial.arm.name, trial.arm.settings, trial.status, trial.value, trial.facts)
        for trial in trials
    ]


# ── the space ───────────────────────────────────────────────────────────────


def test_numbers_that_vary_in_a_grid_are_ranges_between_its_ends() -> None:
    axes = Axes.of(Trees(), Trees().grid())
    rounds = [each.rounds for each in Trees().grid()]
    leaves = [each.leaves for each in Trees().grid()]
    assert axes.ranges["leaves"] == Range(3, max(leaves), whole=True)
    assert axes.ranges["leaves"].log
    assert axes.ranges["rounds"] == Range(min(rounds), max(rounds), whole=True)
    assert not axes.ranges["rounds"].log
    drawn = axes.at({**axes.defaults("m."), "m.leaves": 5}, "m.")
    assert drawn == replace(Trees(), leaves=5)


@dataclass(frozen=True)
class Named:
    name: str = "one"
    size: int = 3


def test_what_is_no_number_is_chosen_whole() -> None:
    axes = Axes.of(Named(), (Named("other", 5), Named()))
    assert axes.ranges == {} and axes.variants == (Named(), Named("other", 5))
    assert axes.at({"m.which": 1}, "m.") == Named("other", 5)
    assert Axes.of(Named(), (Named(),)).distributions("m.") == {}


def test_the_defaults_of_a_space_are_the_arm_itself(small_rows: Posed) -> None:
    for number, arm in enumerate([Arm(Coral(), Linear()), Arm(SourcePrior(), Linear())]):
        space = Space.of(number, arm, small_rows.problem)
        assert repr(space.at(space.defaults)) == repr(arm)
        assert set(space.defaults) == set(space.distributions)
        assert all(name.startswith(f"{number}.") for name in space.defaults)


# ── the search ──────────────────────────────────────────────────────────────


def test_the_first_trials_are_the_plan_at_its_defaults(small_rows: Posed) -> None:
    store = Kept()
    searched(small_rows, 3, store)
    assert [trial.arm.name for trial in store.of("folds")] == [
        step.arm.name for step in PLAN.steps[:3]
    ]
    assert all(trial.arm.model == Linear() for trial in store.of("folds"))


def test_steps_that_were_not_reached_are_abandoned(small_rows: Posed) -> None:
    trials = searched(small_rows, 3)
    assert [trial.status for trial in trials] == ["done", "done", "done", "abandoned"]


@pytest.mark.parametrize("number", [4, 8, 13, 30])
def test_baselines_are_tried_as_often_as_the_way_that_is_tried_most(
    number: int, small_rows: Posed
) -> None:
    seen: list[str] = []

    def counted(do: Any, these: Any) -> list[Any]:
        seen.extend(each.kind for each in these)
        return in_turn(do, these)

    searched(small_rows, number, each_of=counted)
    count = Counter(seen)
    assert sum(count.values()) == number
    ways = max(times for kind, times in count.items() if kind not in BASELINES)
    assert all(count[kind] >= ways for kind in BASELINES)
    assert ways >= number // 4


def test_the_best_setting_on_inner_folds_is_what_answers(small_rows: Posed) -> None:
    store = Kept()
    trials = searched(small_rows, 30, store)
    sign = small_rows.task.metric.sign
    for trial in trials:
        own = [each for each in store.of("folds") if each.arm.name == trial.arm.name]
        best = max(own, key=lambda each: sign * each.value)
        assert trial.arm.settings == best.arm.settings
        assert trial.n == 21 and np.isfinite(trial.value)
        assert trial.facts[-1].startswith("searched: the best of ")
    drawn = {trial.arm.model.penalty for trial in store.of("folds")}  # type: ignore[attr-defined]
    assert drawn - {model.penalty for model in Linear().grid()}, "nothing between the grid"


def test_a_setting_is_scored_as_tuning_scores_it(small_rows: Posed) -> None:
    # A plan whose tuning compares the same settings ends with the same one.
    arm = Arm(TargetOnly(), Linear())
    given = (small_rows.task, small_rows.problem, small_rows.exam, Budget(600), Rng.of(3))
    (tuned,) = run(Plan((Step(arm, ""),), ()), *given)
    scores = [compared(arm.with_model(model), *given) for model in Linear().grid()]
    best = max(scores, key=lambda each: small_rows.task.metric.sign * each.value)
    assert tuned.arm.settings == best.arm.settings


def test_a_search_goes_on_from_what_was_kept_and_proposes_the_same(small_rows: Posed) -> None:
    whole, part = Kept(), Kept(answers=True)
    wanted = searched(small_rows, 20, whole)
    killed = list(whole.trials)[:11]
    part.trials = {key: whole.trials[key] for key in killed}
    assert told(searched(small_rows, 20, part)) == told(wanted)
    assert {*part.trials} == {*whole.trials}


def test_what_is_proposed_does_not_depend_on_which_trial_ended_first(small_rows: Posed) -> None:
    def backwards(do: Any, these: Any) -> list[Any]:
        return in_turn(do, these[::-1])[::-1]

    wanted = told(searched(small_rows, 20))
    assert told(searched(small_rows, 20, each_of=backwards)) == wanted
    assert told(searched(small_rows, 20, each_of=at_once(2, 1))) == wanted


def test_a_search_that_is_stopped_answers_with_what_was_tried(small_rows: Posed) -> None:
    budget, waves = Budget(600), [0]

    def stopped(do: Any, these: Any) -> list[Any]:
        waves[0] += 1
        if waves[0] == 3:
            budget.stop()
        return in_turn(do, these)

    store = Kept()
    trials = searched(small_rows, 500, store, budget, each_of=stopped)
    assert waves == [3] and len(store.of("folds")) == len(PLAN.steps) + WAVE
    assert [trial.status for trial in trials] == ["done"] * 4


def test_a_search_leaves_time_to_answer_with_all_it_tried(small_rows: Posed) -> None:
    budget, left = Budget(600), []

    def watched(do: Any, these: Any) -> list[Any]:
        left.append(budget.left)
        return in_turn(do, these)

    store = Kept()
    searched(small_rows, 12, store, budget, each_of=watched)
    slowest: dict[str, float] = {}
    for trial in store.of("folds")[:4]:
        slowest[trial.arm.name] = trial.seconds
    assert left[0] - left[1] > 2 * sum(slowest.values())
    assert budget.due == 0


def test_labels_are_needed_and_a_number_above_zero(small_rows: Posed) -> None:
    fit = small_rows.problem.fit
    assert isinstance(fit, Rows)
    unlabelled = replace(small_rows.problem, fit=replace(fit, label=None))
    with pytest.raises(TaskError, match="Leave --trials out"):
        searched(replace(small_rows, problem=unlabelled), 5)
    with pytest.raises(UsageError, match="Expected trials to be 1 or more; found 0"):
        ac.Options(trials=0)


def test_no_more_workers_than_cores_bear() -> None:
    assert at_once(1, 1) is in_turn
    assert at_once(8, cores()) is in_turn
    assert at_once(2, cores() + 1) is in_turn


def test_a_searched_run_says_what_it_tried(tmp_path: Path) -> None:
    key = Rng.of(11)
    target = make_rows(key.child("t"), 120, name="target").domain
    source = make_rows(key.child("s"), 90, name="near").domain
    given: dict[str, Any] = {"models": ("linear",), "strategies": ("source-prior",)}
    found = ac.adapt(ac.Classify(), [source], target, out=tmp_path, trials=12, **given)
    facts = found.summary["facts"]["target-only/linear"]
    assert facts[-1] == "searched: the best of 3 settings on inner folds"
    assert found.artifact is not None and not Store.at(tmp_path, None, [], True).count()

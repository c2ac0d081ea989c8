"""Tuning shows every arm the same folds; a budget abandons trials and changes none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest

from acclimate.domains.exam import Case, Prediction
from acclimate.domains.problem import Problem
from acclimate.errors import BudgetError
from acclimate.models import network
from acclimate.models.model import Tick, idle
from acclimate.plans.budget import Budget
from acclimate.plans.plan import Plan, Step
from acclimate.plans.runner import run
from acclimate.plans.trial import Trial
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.fitted import Fitted
from tests.contract.cases import FORMS, SEED, forget, numbers, of_form, small

every_form = pytest.mark.parametrize("form", FORMS)
pytestmark = pytest.mark.usefixtures("few_settings")


@every_form
def test_every_arm_is_tuned_on_the_same_folds(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = small(form)
    fits: set[str] = set()
    asked: set[str] = set()
    fit, answer = Arm.fit, Fitted.answer

    def fit_seen(self: Arm, problem: Problem, rng: Rng, tick: Tick = idle) -> Fitted:
        fits.add(problem.fit.fingerprint)
        return fit(self, problem, rng, tick)

    def answer_seen(self: Fitted, case: Case) -> Prediction:
        asked.add(case.truth.fingerprint)
        return answer(self, case)

    monkeypatch.setattr(Arm, "fit", fit_seen)
    monkeypatch.setattr(Fitted, "answer", answer_seen)
    folds, questions = [], []
    for arm in of_form(form):
        fits.clear()
        asked.clear()
        problem = arm.encoded(given.problem)
        tune(arm, given.task, problem, SEED.child("tune"), cross_fit=True)
        questions.append(frozenset(asked))
        if arm.strategy.reads_fit:
            folds.append(frozenset(fits))
    assert len(set(questions)) == 1 and len(questions[0]) > 1
    assert len(set(folds)) == 1 and len(folds[0]) == len(questions[0])
    assert given.problem.fit.fingerprint not in folds[0], "a fold was not left out"


# ── budget ──────────────────────────────────────────────────────────────────


@dataclass
class Clock:
    """A clock that stands still, but is far too late during some trials after some ticks."""

    late: Collection[int] = ()
    after: int = 3
    trial: int = -1
    ticks: int = 0

    def __call__(self) -> float:
        self.ticks += 1
        return 1e9 if self.trial in self.late and self.ticks > self.after else 0.0

    def begins(self, text: str, done: int, total: int) -> None:
        self.trial, self.ticks = done, 0


def trials_of(form: str, clock: Clock, seconds: float = 60.0) -> list[Trial]:
    """Every arm's trial from empty caches; the clock hears which trial runs."""
    given = small(form)
    steps = tuple(Step(arm, "contract") for arm in of_form(form))
    budget = Budget(seconds, clock)
    forget()
    return run(
        Plan(steps, ()),
        given.task,
        given.problem,
        given.exam,
        budget,
        SEED,
        clock.begins,
    )


@pytest.fixture(scope="module")
def unlimited() -> dict[str, list[Trial]]:
    return {}


def finished(form: str, kept: dict[str, list[Trial]]) -> list[Trial]:
    """The trials of an unlimited run, made once."""
    if form not in kept:
        kept[form] = trials_of(form, Clock())
    return kept[form]


def alike(ours: Trial, theirs: Trial) -> None:
    """Two trials agree in everything but the time they took."""
    assert {**ours.as_row(), "seconds": 0} == {**theirs.as_row(), "seconds": 0}
    assert ours.arm.settings == theirs.arm.settings
    assert ours.answer is not None and theirs.answer is not None
    assert (numbers(ours.answer[0]) == numbers(theirs.answer[0])).all()


@every_form
def test_every_applicable_arm_is_done_in_a_generous_budget(
    form: str, unlimited: dict[str, list[Trial]]
) -> None:
    trials = finished(form, unlimited)
    assert [(t.arm.name, t.status, t.why) for t in trials] == [
        (arm.name, "done", "") for arm in of_form(form)
    ]
    assert all(t.low <= t.value <= t.high for t in trials)


@every_form
@pytest.mark.parametrize("odd", [0, 1])
def test_an_abandoned_trial_changes_no_other(
    form: str, odd: int, unlimited: dict[str, list[Trial]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finished(form, unlimited)
    # Abandon in the middle of a fit, a half-trained source network among them.
    monkeypatch.setattr(network, "STEPS_BETWEEN_TICKS", 1)
    # Doing without must be known, and has one model in some forms.
    alone = [number for number, t in enumerate(whole) if not t.arm.strategy.transfers]
    late = [number for number in range(odd, len(whole), 2) if alone != [number]]
    trials = trials_of(form, Clock(late))
    abandoned = [number for number, t in enumerate(trials) if t.status == "abandoned"]
    # Popularity has nothing to tune and is done before it ticks three times.
    assert set(abandoned) <= set(late) and len(abandoned) > len(late) / 2
    for number, (ours, theirs) in enumerate(zip(trials, whole, strict=True)):
        if number not in abandoned:
            alike(ours, theirs)


@every_form
def test_a_small_budget_finishes_the_first_trials_as_a_large_one_does(
    form: str, unlimited: dict[str, list[Trial]]
) -> None:
    whole = finished(form, unlimited)
    stop = len(whole) // 2
    trials = trials_of(form, Clock(range(stop, len(whole))))
    assert [t.status for t in trials[:stop]] == ["done"] * stop
    assert "abandoned" in [t.status for t in trials[stop:]]
    for ours, theirs in zip(trials[:stop], whole[:stop], strict=True):
        alike(ours, theirs)


def test_a_budget_without_one_target_only_arm_is_an_error_with_exit_code_6() -> None:
    with pytest.raises(BudgetError, match="Expected at least one target-only arm within") as e:
        trials_of("items", Clock(range(100), after=0))
    assert e.value.exit_code == 6

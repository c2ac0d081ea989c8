"""A budget keeps back what judging and shipping take, and only ever abandons."""

from __future__ import annotations

import pytest

from acclimate.errors import UsageError
from acclimate.plans.budget import Budget, OutOfBudget


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_tenth_is_kept_back_to_judge(clock: Clock) -> None:
    budget = Budget(100.0, clock)
    assert (budget.spent, budget.reserve, budget.left) == (0.0, 10.0, 90.0)
    clock.now += 90.0
    budget.tick()
    clock.now += 0.001
    with pytest.raises(OutOfBudget):
        budget.tick()


def test_five_fits_as_slow_as_the_slowest_are_kept_back(clock: Clock) -> None:
    budget = Budget(100.0, clock)
    for seconds in (2.0, 6.0, 1.0):
        budget.saw_fit(seconds)
    assert budget.reserve == 40.0
    clock.now += 25.0
    assert (budget.spent, budget.left) == (25.0, 35.0)


def test_trials_always_get_a_fifth(clock: Clock) -> None:
    budget = Budget(100.0, clock)
    budget.saw_fit(60.0)
    assert budget.reserve == 80.0
    clock.now += 20.0
    budget.tick()
    clock.now += 0.001
    with pytest.raises(OutOfBudget):
        budget.tick()


def test_time_counts_from_when_the_budget_was_made(clock: Clock) -> None:
    clock.now = 5.0
    budget = Budget(10.0, clock)
    clock.now = 8.0
    assert budget.spent == 3.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_has_a_length(seconds: float) -> None:
    with pytest.raises(UsageError, match=f"in seconds, finite and above 0; found {seconds:g}"):
        Budget(seconds)

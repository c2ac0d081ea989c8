"""A budget keeps back what judging and shipping take, and only ever abandons."""

from __future__ import annotations

import pytest

from acclimate.errors import UsageError
from acclimate.plans.budget import Budget, OutOfBudget, growth
from acclimate.tasks.task import Posed


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


def test_what_judging_and_shipping_fit_again_is_kept_back_as_it_was_measured(
    clock: Clock,
) -> None:
    budget = Budget(100.0, clock)
    for kind, seconds in (("target-only", 2.0), ("target-only", 1.0), ("source-only", 0.5)):
        budget.saw_fit(kind, seconds)
    # target-only and source-only; source-only if it is chosen; the slower of both ships
    assert budget.reserve == pytest.approx(10 + 2 + 0.5 + 0.5 + 2)
    for kind, seconds in (("pooled", 3.0), ("coral", 6.0), ("kmm", 4.0)):
        budget.saw_fit(kind, seconds)
    assert budget.reserve == pytest.approx(10 + 2 + 0.5 + 3 + 6 + 6)
    budget.growth = (4.0, 1.5)
    assert budget.reserve == pytest.approx(10 + 2 + 0.5 + 3 + 6 + 1.5 * 6)
    budget.growth = (5.0, 1.5)
    assert budget.reserve == pytest.approx(10 + 2 + 0.5 + 3 + 6 + 5 * 2)
    budget.growth = (1.0, 1.0)
    clock.now += 25.0
    assert budget.spent == 25.0
    assert budget.left == pytest.approx(47.5)


def test_a_transfer_slower_than_all_before_leaves_time_to_fit_it_twice_more(
    clock: Clock,
) -> None:
    budget = Budget(100.0, clock)
    with budget.fitting("coral"):
        clock.now += 30.0  # 30 for itself, 30 to judge it, 30 to ship it and a tenth
        budget.tick()
        clock.now += 0.001
        with pytest.raises(OutOfBudget):
            budget.tick()
    budget = Budget(100.0, clock)

    def fit() -> None:
        with budget.fitting("coral"):
            clock.now += 40.0
            budget.tick()

    with pytest.raises(OutOfBudget):
        fit()
    assert budget.reserve == 10.0  # what was abandoned is not fitted again


def test_target_only_may_take_all_there_is(clock: Clock) -> None:
    budget = Budget(100.0, clock)
    with budget.fitting("target-only"):
        clock.now += 90.0
        budget.tick()
    assert budget.reserve == 80.0


def test_trials_always_get_a_fifth(clock: Clock) -> None:
    budget = Budget(100.0, clock)
    budget.saw_fit("target-only", 60.0)
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


def test_what_ships_is_fitted_on_all_that_the_trials_were_cut_from(small_rows: Posed) -> None:
    # 63 target rows to fit on, 120 in all, and 90 of the source.
    assert growth(small_rows) == (120 / 63, 210 / 153)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_has_a_length(seconds: float) -> None:
    with pytest.raises(UsageError, match=f"in seconds, finite and above 0; found {seconds:g}"):
        Budget(seconds)


def test_a_part_of_the_budget_ends_before_the_whole_and_counts_from_where_it_begins(
    clock: Clock,
) -> None:
    budget = Budget(100.0, clock)
    clock.now += 30.0
    tick = budget.part(0.1)
    clock.now += 10.0
    tick()
    clock.now += 0.001
    with pytest.raises(OutOfBudget):
        tick()
    budget.tick()  # the whole goes on


def test_a_second_target_only_arm_is_abandoned_where_it_could_not_ship() -> None:
    now = [0.0]
    budget = Budget(100, clock=lambda: now[0])
    with budget.fitting("target-only"):
        now[0] = 50.0  # the first has to end, whatever it takes
        budget.tick()
    budget = Budget(100, clock=lambda: now[0])
    budget.saw_fit("target-only", 1.0)
    with budget.fitting("target-only"):
        now[0] = 79.0  # 29 s gone: it would be judged and shipped, 29 s each
        budget.tick()
        now[0] = 81.0
        with pytest.raises(OutOfBudget):
            budget.tick()


def test_encoding_is_part_of_what_fitting_again_takes() -> None:
    now = [10.0]
    budget = Budget(100, clock=lambda: now[0])
    with budget.fitting("coral", 3.0):
        now[0] += 1.0
    # Judged once more and shipped, 4 s each, beside the tenth.
    assert budget.reserve == 10 + 2 * 4

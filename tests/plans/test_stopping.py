"""Ctrl-C ends the trials, and what was finished is judged; a second one ends the run."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

import acclimate as ac
from acclimate.domains.synthetic import make_rows
from acclimate.errors import BudgetError
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.stopping import stoppable
from acclimate.result import Result
from acclimate.rng import Rng


def interrupted(at: set[int], **given: Any) -> Result:
    """A run to which Ctrl-C comes when arms of these numbers begin."""
    key = Rng.of(11)
    target = make_rows(key.child("t"), 120, name="target").domain
    source = make_rows(key.child("s"), 90, name="near").domain

    def listen(stage: str, value: Any) -> None:
        if stage == "trial" and value[1] in at:
            signal.raise_signal(signal.SIGINT)

    named: dict[str, Any] = {"models": ("linear",), "strategies": ("coral", "source-prior")}
    return ac.adapt(ac.Classify(), [source], target, listen=listen, **named, **given)


def test_what_was_finished_before_ctrl_c_is_judged() -> None:
    found = interrupted({3})
    board = found.summary["leaderboard"]
    done = [row["strategy"] for row in board if row["status"] == "done"]
    assert sorted(done) == ["pooled", "source-only", "target-only"]
    assert {row["status"] for row in board} == {"done", "abandoned"}
    assert found.verdict.n > 0 and "abandoned" in found.verdict.reason
    assert found.summary["shipped"]["arm"].split("/")[0] in done


def test_ctrl_c_before_anything_can_be_judged_ends_the_run() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted({0})


def test_a_second_ctrl_c_ends_the_run_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted({2, 3})


def test_a_search_that_is_interrupted_answers_with_what_it_tried() -> None:
    found = interrupted({8}, trials=40)
    assert {row["status"] for row in found.summary["leaderboard"]} == {"done"}


def test_a_stop_ends_trials_and_extras_but_not_what_judges() -> None:
    budget = Budget(60, clock=lambda: 0.0)
    said: list[str] = []
    with stoppable(budget, lambda: said.append("told")):
        signal.raise_signal(signal.SIGINT)
    assert budget.stopped and said == ["told"]
    with pytest.raises(OutOfBudget):
        budget.tick()
    assert not budget.allows(1.0)
    budget.closing_tick()
    with budget.going_on():
        budget.tick()
    assert budget.stopped


def test_ctrl_c_means_again_what_it_meant_before() -> None:
    with stoppable(Budget(60), lambda: None):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    mine = lambda number, frame: None  # noqa: E731
    before = signal.signal(signal.SIGINT, mine)
    try:
        with stoppable(Budget(60), lambda: None):
            assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_budget_that_ends_is_no_ctrl_c() -> None:
    with pytest.raises(BudgetError), stoppable(Budget(60), lambda: None):
        raise BudgetError("over")


def test_another_thread_leaves_ctrl_c_alone() -> None:
    seen: list[Any] = []

    def work() -> None:
        with stoppable(Budget(60), lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]

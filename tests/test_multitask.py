"""The benchmark of several tasks: what is chosen on folds."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.arrays import Array
from benchmarks import multitask
from benchmarks.multitask import Measured, chosen, preferred

ROWS, METHODS, TASKS = 500, 12, 3


def losses(gain: list[float], seed: int) -> tuple[dict[str, list[Array]], list[Array]]:
    """Losses of one row each under a method of these gains, and alone."""
    g = np.random.default_rng(seed)
    alone = [g.exponential(1.0, ROWS) for _ in gain]
    with_it = [
        (1 - each) * a + g.normal(0, 0.1, ROWS) for each, a in zip(gain, alone, strict=True)
    ]
    return {"shared": with_it}, alone


def test_a_method_that_helps_every_task_is_chosen() -> None:
    assert chosen(*losses([0.1, 0.1, 0.1], 0)) == "shared"


def test_one_harmed_task_is_enough_to_learn_alone() -> None:
    """The mean gain is 13 %: by it alone the method would be chosen."""
    assert chosen(*losses([0.3, 0.2, -0.1], 0)) is None


def test_nothing_is_chosen_where_nothing_helps() -> None:
    assert chosen(*losses([0.0, 0.0, 0.0], 0)) is None


def harmful(sure: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """How often, of 300 made sets, what is chosen harms a task by more than 2 %.

    Methods have gains around 4 %, around 6, 0 and −6 %, or around −4 %.
    """
    monkeypatch.setattr(multitask, "SURE", sure)
    g = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        middle = np.array([[0.04] * TASKS, [0.06, 0.0, -0.06], [-0.04] * TASKS])[g.integers(3)]
        true = middle + g.normal(0, 0.02, (METHODS, TASKS))
        alone = [1 + 0.25 * g.normal(size=ROWS) for _ in range(TASKS)]
        shared = {
            f"{at}": [
                a - gain + 0.5 * g.normal(size=ROWS)
                for a, gain in zip(alone, true[at], strict=True)
            ]
            for at in range(METHODS)
        }
        name = chosen(shared, alone)
        found += name is not None and bool(true[int(name)].min() < -0.02)
    return found / 300


def test_an_error_on_the_worst_task_keeps_harm_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """At one standard error harm is rare, at none it is not, and the mean alone invites it."""
    assert harmful(1.0, monkeypatch) <= 0.01
    assert harmful(0.0, monkeypatch) > 0.01
    assert harmful(-9.0, monkeypatch) > 0.15
    monkeypatch.undo()
    assert multitask.SURE == 1.0


def test_the_single_network_of_least_loss_out_of_fold_is_preferred() -> None:
    folded = {32: [np.full(4, 2.0), np.full(4, 1.0)], 64: [np.full(4, 1.0), np.full(4, 2.0)]}
    found = Measured(("a", "b"), {}, {}, {}, folded, {}, numbers=False)
    assert [preferred(found, at) for at in (0, 1)] == [64, 32]

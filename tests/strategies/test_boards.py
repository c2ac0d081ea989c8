"""AML's boards: each task once, and all sets of a board of the same tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.episodes import Group
from acclimate.domains.problem import Problem, Statistics
from acclimate.rng import Rng
from acclimate.strategies.meta.boards import boards
from tests.strategies.nets import (
    market,
    problem,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def asked(fit: int = 1) -> Problem:
    return problem(market(60, fit), market(120, 2), market(90, 3), on=Statistics.SOURCES)


@pytest.mark.parametrize(("groups", "tasks", "rounds"), [(3, 8, 5), (7, 3, 9), (4, 4, 4)])
def test_a_board_shows_each_task_once_and_all_its_sets_the_same_tasks(
    groups: int, tasks: int, rounds: int
) -> None:
    found = asked().episodes("domain", 4, 4, RNG)
    many = tuple(
        Group(f"g{k}", np.arange(10) + 10 * k, np.arange(10) % 2) for k in range(groups)
    )
    stream = boards(replace(found, groups=many), rounds, tasks, sets=2)
    task = stream.tensors["task"].numpy()
    assert task.shape == (rounds, min(tasks, groups))
    assert all(len(set(row)) == len(row) for row in task.tolist())
    counts = np.bincount(task.ravel(), minlength=groups)
    assert groups % min(tasks, groups) or counts.max() - counts.min() <= 1
    support = stream.tensors["support"].numpy()
    assert support.shape == (rounds, 2, task.shape[1], 4)
    assert np.array_equal(support // 10, np.broadcast_to(task[:, None, :, None], support.shape))
    assert not np.array_equal(support[:, 0], support[:, 1])

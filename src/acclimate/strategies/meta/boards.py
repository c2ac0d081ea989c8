"""Boards: a batch of episodes of different tasks, for learners whose tasks see each other.

Before: `Episodes.draw` deals the tasks in whole rounds, each round in a new order.
After: a step of the outer loop takes one board.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acclimate.domains.episodes import Episodes
from acclimate.models.network import Batch, Params, Stream

BOARD = "board"


def boards(episodes: Episodes, rounds: int, tasks: int, sets: int = 1) -> Stream:
    """A stream of boards, one a step.

    rounds  ≥ 1, boards
    tasks   ≥ 1, episodes a board; no more than there are tasks
    sets    ≥ 1, episodes of each task on a board, drawn anew
    returns  tensors (rounds, sets, tasks, rows) of positions "support" and "query", and of
             their weights; "task" (rounds, tasks), different ones on each board
    """
    import torch

    groups = len(episodes.groups)
    wide = min(tasks, groups)
    deals = -(-rounds // (groups // wide))  # each holds every task once
    parts: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
    chosen = None
    for number in range(sets):
        rng = episodes.rng.child(number) if number else episodes.rng
        drawn = replace(episodes, rng=rng).draw(deals * groups)
        order = drawn.task.reshape(deals, groups)
        if chosen is None:
            chosen = order[:, : groups // wide * wide].reshape(-1, wide)[:rounds]
        deal = np.arange(rounds) // (groups // wide)
        at = deal[:, None] * groups + np.argsort(order, axis=1)[deal[:, None], chosen]
        for name in NAMES:
            parts[name].append(getattr(drawn, name)[at])
    tensors = {name: torch.from_numpy(np.stack(found, 1)) for name, found in parts.items()}
    floats = {name: tensors[name].float() for name in NAMES if name.endswith("weight")}
    return Stream(tensors | floats | {"task": torch.from_numpy(chosen)}, 1)


NAMES = ("support", "query", "support_weight", "query_weight")


def one(board: Batch, number: int = 0) -> Params:
    """name → (tasks, rows): one set of the board that a batch holds."""
    return {name: board[name][0, number] for name in NAMES}

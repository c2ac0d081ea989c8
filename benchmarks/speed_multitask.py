"""Races of several tasks: an epoch of experts beside torch-rechub's, at equal AUC.

60,000 rows of 20 category columns of 1,000 levels and 20 numbers, two labels, batches of
2,048, embeddings of 16, experts of 128 and 64 units, towers of 32; one level of PLE with
one expert of each task's own and two shared, as the peer is run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from acclimate.domains.view import RowView
from acclimate.models.experts import Mmoe, Ple
from acclimate.models.joint import JointNetwork
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.multitask.joint import JointSharing, MmoeSharing, PleSharing
from acclimate.strategies.multitask.lessons import Lesson
from benchmarks.peers import asked, interpreter
from benchmarks.programs.tasks_data import (
    ASKED,
    BATCH,
    COLUMNS,
    EPOCHS,
    EXPERTS,
    LAYERS,
    LEVELS,
    TOWER,
    auc,
    made,
)
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, Race, Runner

PEER = "torch-rechub 0.9.0"
SPECIFICATION = MixedNetwork(
    width=LAYERS[1], rate=3e-3, embedding_rate=1.0, batch_size=BATCH, dropout=0.0, hide=0.0
)


def mmoe() -> tuple[JointSharing, JointNetwork]:
    """The strategy, and the network of the race's sizes."""
    network = Mmoe.like(SPECIFICATION, tasks=2, experts=EXPERTS, hidden=LAYERS[0], tower=TOWER)
    return MmoeSharing(), network


def ple() -> tuple[JointSharing, JointNetwork]:
    """The same of PLE."""
    network = Ple.like(SPECIFICATION, tasks=2, levels=1, hidden=LAYERS[0], tower=TOWER)
    return PleSharing(levels=1), network


def ours(made_of: Callable[[], tuple[JointSharing, JointNetwork]]) -> Runner:
    """A lap of ours: the loop that strategies train in, over the stream tasks share."""

    def lap(scale: float, threads: int) -> Lap:
        strategy, network = made_of()
        codes, numbers, labels = made(scale)

        def view(rows: slice, task: int) -> RowView:
            levels = (LEVELS,) * COLUMNS
            x = numbers[rows].astype(np.float64)
            return RowView(x, codes[rows], levels, None, labels[rows, task], 2)

        fit, held = slice(None, -ASKED), slice(-ASKED, None)
        lessons = [Lesson(f"label {task}", view(fit, task)) for task in (0, 1)]
        taught, watch = epochs(strategy, network, lessons)
        scores = [taught[task].predict(view(held, task)).p[:, 1] for task in (0, 1)]
        found = [auc(labels[held, task], scores[task]) for task in (0, 1)]
        return Lap.of(watch, float(np.mean(found)), EPOCHS)

    return lap


def epochs(
    strategy: JointSharing, network: JointNetwork, lessons: list[Lesson]
) -> tuple[list[MixedNetwork], Watch]:
    """The network of each task, and what all epochs of the loop took."""
    rng, names = Rng.of(0), ("rows", "task 1")
    prepared = [network.prepare(lesson.view) for lesson in lessons]
    streams = strategy.streams(network, names, prepared, lessons)
    begun = network.begin(prepared[0], None, rng)
    other = network.begin(prepared[1], None, rng.child("task 1"))
    begun |= {f"task 1/{name}": other[name] for name in network.heads()}
    steps = EPOCHS * streams["rows"].batches_a_pass
    losses = strategy.losses(network, dict.fromkeys(names, 1.0), network.heads())
    # Once before the clock starts: the optimiser's first step imports what it needs.
    network.learn(prepared[0], losses, streams, Tuning(), begun=begun, steps=1, rng=rng)
    with Watch() as watch:
        learned = network.learn(
            prepared[0], losses, streams, Tuning(), begun=begun, steps=steps, rng=rng
        )
    assert isinstance(learned, Trainable)
    params = learned.parameters()
    plain = {name: value for name, value in params.items() if "/" not in name}
    mine = {name: params[f"task 1/{name}"] for name in network.heads()}
    first = network.holding(prepared[0], plain)
    return [first, network.at(1).holding(prepared[1], plain | mine)], watch


def theirs(program: str) -> Runner:
    """A lap of the peer's, in an environment of its own."""

    def lap(scale: float, threads: int) -> Lap:
        python = interpreter(
            "rechub",
            ["torch>=2.6,<2.14", "numpy", "pandas", "scikit-learn", "tqdm"],
            ["--no-deps", "torch-rechub==0.9.0"],
        )
        return asked(python, program, scale, threads)

    return lap


SCALES = (0.25, 1, 4)
RACES = (
    Race("mmoe", PEER, ours(mmoe), theirs("rechub_mmoe.py"), 4.0, 2.7, scales=SCALES),
    Race("ple", PEER, ours(ple), theirs("rechub_ple.py"), 4.0, 2.7, scales=SCALES),
)

"""Races of boosting: TrAdaBoost of 50 rounds beside ADAPT's, at equal accuracy on the target.

5,000 rows of a source and of a target whose columns are mixed and moved, 100 numbers, 500 of
the target's with labels, and 5,000 in the races named `-all`; 2,000 other rows of the target
say how good the vote is.  The peer takes errors of the rows a learner was fitted on, and ours
does so with `folds = 0`.  It needs TensorFlow and an environment of its own; where that cannot
be had, the seconds it took on another day for the same rows stand in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from acclimate.domains.exam import Probabilities
from acclimate.domains.view import RowView
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.instance.tradaboost import TrAdaBoost, vote_from, voted
from benchmarks.peers import asked, interpreter
from benchmarks.programs.shift_data import ASKED, made
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, Race, Runner

ROUNDS = 50
PEER = "adapt 0.4.5"


def ours(model: Model, one_in: int) -> Runner:
    """Laps of 50 rounds; fewer would be done where a learner is no better than chance.

    one_in  how many rows of the target one with a label stands for
    """

    def lap(scale: float, threads: int) -> Lap:
        xs, ys, xt, yt = made(scale)
        labelled = len(xs) // one_in
        source, target = rows(xs, ys), rows(xt[:labelled], yt[:labelled])
        boost = TrAdaBoost(ROUNDS, folds=0)
        # Once before the clock starts: the first fit imports what it needs.
        few = rows(xs[:200], ys[:200])
        TrAdaBoost(2, folds=0).boost(model, few, few, None, None, Rng.of(0))
        with Watch() as watch:
            found = boost.boost(model, target, source, None, None, Rng.of(0))
        assert len(found) == ROUNDS, f"boosting ended after {len(found)} rounds"
        answer = voted(found[vote_from(ROUNDS) :]).predict(rows(xt[-ASKED:], None))
        assert isinstance(answer, Probabilities)
        return Lap.of(watch, float((answer.p.argmax(1) == yt[-ASKED:]).mean()))

    return lap


def theirs(kind: str, one_in: int) -> Runner:
    """Laps of the peer's, in an environment of its own."""

    def lap(scale: float, threads: int) -> Lap:
        installs = ["tensorflow-cpu==2.21.0", "scikit-learn", "cvxopt", "adapt==0.4.5"]
        python = interpreter("adapt", installs)
        return asked(python, "adapt_tradaboost.py", scale, threads, kind, str(one_in))

    return lap


def rows(x: Any, y: Any) -> RowView:
    """Rows of numbers under their labels."""
    none = np.zeros((len(x), 0), np.int64)
    return RowView(x.astype("float64"), none, (), None, y, 2)


def race(arm: str, goal: float, recorded: float | None, one_in: int) -> Race:
    """Of one kind of learner."""
    kind = arm.split("-")[1]
    model = Linear() if kind == "linear" else Trees(leaves=32, rate=1.0, rounds=1)
    return Race(arm, PEER, ours(model, one_in), theirs(kind, one_in), goal, recorded)


RACES = (
    race("tradaboost-linear", 5.0, 2.79, one_in=10),
    race("tradaboost-tree", 20.0, 11.7, one_in=10),
    race("tradaboost-linear-all", 5.0, None, one_in=1),
    race("tradaboost-tree-all", 20.0, None, one_in=1),
)

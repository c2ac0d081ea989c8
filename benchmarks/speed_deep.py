"""The race of aligned networks: DANN beside skada's, at equal accuracy on the target.

5,000 rows of a source and of a target without labels, 100 numbers, ten passes in batches of
256 rows a side; the target's columns are mixed and moved.  The body has 64 and 64 units
against the peer's 64 and 32.  Encoding is timed with the fit, as the peer is given numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.feature.adversarial import Dann
from benchmarks.peers import asked, interpreter
from benchmarks.programs.shift_data import ASKED, BATCH, COLUMNS, EPOCHS, made
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, Race, Runner

PEER = "skada 0.6.0"
NETWORK = MixedNetwork(
    width=64, epochs=EPOCHS, batch_size=BATCH, dropout=0.0, hide=0.0, penalty=0.0
)


def dann(scale: float, threads: int) -> Lap:
    """A lap of ours: encoding, and the fit."""
    xs, ys, xt, yt = made(scale)
    fit = rows(xt[:0], yt[:0])
    seen = rows(xt[:-ASKED], yt[:-ASKED]).unlabelled()
    held = rows(xt[-ASKED:], yt[-ASKED:])
    source = Source("source", rows(xs, ys))
    problem = Problem("target", fit, (source,), Claim.NEW, RowRecipe(), seen)
    # Once before the clock starts: the first fit imports what it needs.
    Arm(Dann(strength=0.1), replace(NETWORK, epochs=1)).fit(problem, Rng.of(0))
    with Watch() as watch:
        fitted = Arm(Dann(strength=0.1), NETWORK).fit(problem, Rng.of(0))
    answer = fitted.predict(held)
    assert isinstance(answer, Probabilities)
    return Lap.of(watch, float((answer.p.argmax(1) == held.label).mean()))


def rows(x: Any, y: Any) -> Rows:
    """Rows of numbers under their labels."""
    names = [f"x{column}" for column in range(COLUMNS)]
    frame = pl.DataFrame(x.astype("float64"), schema=names)
    return Rows(frame, dict.fromkeys(names, ColumnType.NUMERIC), ("no", "yes"), y)


def theirs(program: str) -> Runner:
    """Laps of the peer's, in an environment of its own."""

    def lap(scale: float, threads: int) -> Lap:
        python = interpreter(
            "skada",
            ["torch>=2.6,<2.14", "numpy", "scikit-learn", "POT", "tqdm", "tabulate"],
            ["--no-deps", "skada==0.6.0", "skorch"],
        )
        return asked(python, program, scale, threads)

    return lap


RACES = (
    Race("dann", PEER, dann, theirs("skada_dann.py"), 1.7, recorded=3.0, scales=(0.25, 1, 4)),
)

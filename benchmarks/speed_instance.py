"""How long TrAdaBoost takes: 50 rounds on made rows of 100 numbers, and how that grows.

The peer is ADAPT 0.4.5, whose TrAdaBoost takes errors of the rows a learner was fitted on;
ours does so with `folds = 0`.  ADAPT needs TensorFlow and an environment of its own: here its
seconds are those recorded for 5,000 + 5,000 rows on another, quiet machine with one thread,
so that a ratio holds only where this machine is alike and idle.  Seconds are of the
processor, not of the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from acclimate.domains.view import RowView
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.instance.tradaboost import TrAdaBoost
from benchmarks.line import Line, peak_mb

COLUMNS = 100
ROUNDS = 50
ROWS = 5_000  # of each side, where the peer was timed
GROWTH = (1_250, 5_000, 20_000)
RECORDED = {"tradaboost-linear": 2.79, "tradaboost-tree": 11.7}
PEER = "adapt 0.4.5 (recorded)"


def tradaboost_linear(seed: int = 0) -> Iterator[Line]:
    """Logistic regression, each round begun where the last ended."""
    return lines("tradaboost-linear", Linear(), seed)


def tradaboost_tree(seed: int = 0) -> Iterator[Line]:
    """One tree of 32 leaves a round, on rows that were binned once."""
    return lines("tradaboost-tree", Trees(leaves=32, rate=1.0, rounds=1), seed)


ARMS: dict[str, Callable[[int], Iterator[Line]]] = {
    "tradaboost-linear": tradaboost_linear,
    "tradaboost-tree": tradaboost_tree,
}


def lines(arm: str, model: Model, seed: int) -> Iterator[Line]:
    """Seconds at ×1, ×4 and ×16 rows, and the ratio to the peer where it was timed."""
    boosted(model, 200, seed)  # imports are no part of it
    for rows in GROWTH:
        seconds = boosted(model, rows, seed)
        known = rows == ROWS
        yield Line(
            "speed",
            data=f"made, {rows:,} + {rows:,} rows × {COLUMNS}, {ROUNDS} rounds",
            arm=arm,
            metric="processor seconds",
            value=seconds,
            n=2 * rows,
            seed=seed,
            seconds=seconds,
            peak_mb=peak_mb(),
            ratio=RECORDED[arm] / seconds if known else None,
            peer=PEER if known else None,
        )


def boosted(model: Model, rows: int, seed: int) -> float:
    """Processor seconds of 50 rounds; fewer would be done where a learner is no better."""
    target, source = made(rows, seed)
    boost = TrAdaBoost(ROUNDS, folds=0)
    start = time.process_time()
    found = boost.boost(model, target, source, None, None, Rng.of(seed))
    spent = time.process_time() - start
    assert len(found) == ROUNDS, f"boosting ended after {len(found)} rounds"
    return spent


def made(rows: int, seed: int) -> tuple[RowView, RowView]:
    """A target and a source whose coefficients differ by half a standard deviation."""
    g = np.random.default_rng(seed)
    truth = g.standard_normal(COLUMNS)
    views = []
    for moved in (0.0, 0.5):
        x = g.standard_normal((rows, COLUMNS))
        score = x @ (truth + moved * g.standard_normal(COLUMNS)) + g.standard_normal(rows)
        none = np.zeros((rows, 0), np.int64)
        views.append(RowView(x, none, (), None, (score > 0).astype(np.int64), 2))
    return views[0], views[1]

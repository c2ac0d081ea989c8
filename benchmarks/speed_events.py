"""The race of ten million events: from a Parquet file to what a model learns from.

Both sides read the file, number users and items, keep the first event of each pair, hold each
user's last item back and draw four items for every pair left that its user never took.  Each
lap has a process of its own, so that the peak of its memory is its own; the file is made
before.  Ours are the functions that an adaptation calls for a source, but for the draw, which
is the race's own; what opening a market looks at besides (`benchmarks.scale`) has no
counterpart on the other side.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from acclimate.arrays import Ints
from benchmarks.peers import asked
from benchmarks.programs.watch import Watch, tell
from benchmarks.races import Lap, Race

EVENTS, NEGATIVES = 10_000_000, 4
_FROM, _UNTIL = 1_500_000_000, 1_700_000_000  # seconds since 1970


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Gone when this process ends."""
    return tempfile.TemporaryDirectory()


@cache
def written(events: int, seed: int = 0) -> Path:
    """A file of so many events: user, item, rating, time in seconds since 1970.

    A user for twenty events and an item for a hundred, some met very often and most hardly
    ever, under large numbers as ids, which is what a shop's database hands out.
    """
    g = np.random.default_rng(seed)
    columns = {
        "user": 10**9 + 7919 * often(g, 1.2, events, events // 20, 60),
        "item": 5 * 10**9 + 104_729 * often(g, 1.0, events, events // 100, 500),
        "rating": g.integers(1, 6, events).astype(np.int8),
        "ts": g.integers(_FROM, _UNTIL, events),
    }
    path = Path(_folder().name) / f"{events}-{seed}.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def often(g: np.random.Generator, tail: float, n: int, most: int, spread: int) -> Ints:
    """(n,) numbers below `most`, by a Pareto law that begins anew at its end."""
    drawn: Ints = (g.pareto(tail, n) * n / spread).astype(np.int64) % most
    return drawn


def ours(scale: float, threads: int) -> Lap:
    """A lap of ours."""
    path = written(round(scale * EVENTS))
    words = [sys.executable, "-m", "benchmarks.speed_events", str(path)]
    env = os.environ | {"POLARS_MAX_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return Lap.told(done.stdout)


def theirs(scale: float, threads: int) -> Lap:
    """A lap of DuckDB's, which comes with us."""
    path = written(round(scale * EVENTS))
    words = (str(path), str(NEGATIVES))
    return asked(Path(sys.executable), "events_duckdb.py", scale, threads, *words)


def work(path: Path) -> None:
    """Print what a lap of ours took, and how many pairs there are."""
    from acclimate.domains.coding import order_of
    from acclimate.domains.exam import Case
    from acclimate.domains.pairs import Past
    from acclimate.domains.readers import read_table
    from acclimate.domains.sample import Interactions
    from acclimate.rng import Rng
    from benchmarks.untaken import Untaken

    def cut() -> tuple[Interactions, Case]:
        events = read_table(path).select("user", "item", time="ts")
        return Past.of(events).until(None).folds(1, Rng.of(0))[0]

    with Watch() as watch:
        rest, case = cut()
        untaken = Untaken(rest.user, rest.item, len(rest.users), len(rest.items))
        user = rest.user[order_of(rest.user)]
        drawn = untaken.drawn(user, NEGATIVES, Rng.of(0))
    assert drawn.shape == (rest.n, NEGATIVES)
    assert case.truth.item is not None
    # Whoever has one item keeps it: the other side holds it back.
    tell(watch, float(rest.n + len(case.truth.item)))


RACES = (
    Race(
        "events",
        "DuckDB",
        ours,
        theirs,
        goal=2.0,
        recorded=10.8,
        scales=(0.1, 0.4, 1.6),
        suite="recommend",
    ),
)

if __name__ == "__main__":
    work(Path(sys.argv[1]))

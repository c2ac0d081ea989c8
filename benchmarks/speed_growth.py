"""How recommenders grow: seconds and memory from a million events to sixteen.

Made events (1, 4 and 16 million of 50,000, 200,000 and 800,000 users and 12,500, 50,000 and
200,000 items, some met very often) are fitted by each arm in a process of its own, whose peak
is told; making them is not timed.  Arms keep as many items as an adaptation does (the 6,000
most taken), but for popularity and wide-ease, which keep all.  Wide-ease, which is made for
few users of very many items, gets 2,000 users.  The item–item prior learns from the events
as a source and is fitted to a target of 11,000.  `--arm events` has its own growth.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.coding import firsts
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.models.ease import Ease
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.models.wideease import WideEase
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.relation.itemprior import ItemItemPrior
from benchmarks.line import Line
from benchmarks.programs.watch import Watch, tell
from benchmarks.races import Lap, Measured
from benchmarks.speed_adapting import ids
from benchmarks.speed_events import often

SCALES = (1, 4, 16)
EVENTS, USERS, ITEMS = 1_000_000, 50_000, 12_500
FEW, EACH = 2000, 40  # users of wide-ease, and what each took
SMALL = (1000, 11)  # users of the prior's target, and what each took
MOST_SECONDS = 100  # of a lap
ALL = 2**31
ARMS: dict[str, tuple[Arm, int]] = {
    "popularity": (Arm(TargetOnly(), Popularity()), ALL),
    "item-knn": (Arm(TargetOnly(), ItemKnn()), 6000),
    "ease": (Arm(TargetOnly(), Ease()), 6000),
    "wide-ease": (Arm(TargetOnly(), WideEase()), ALL),
    "item-prior": (Arm(ItemItemPrior(), Ease()), 6000),
}


def drawn(events: int, users: int, items: int, rng: Rng) -> tuple[Ints, Ints]:
    """Distinct pairs in the order of their events."""
    g = rng.generator()
    user, item = often(g, 1.2, events, users, 60), often(g, 1.0, events, items, 500)
    first = firsts(user * items + item)
    return user[first], item[first]


def sample(user: Ints, item: Ints, users: int, items: int) -> Interactions:
    """The pairs under ids."""
    return Interactions(user, item, ids(np.arange(users), "u"), ids(np.arange(items), "i"))


def posed(arm: str, scale: float, seed: int) -> Problem:
    """What an arm is fitted on."""
    items, rng, most = round(scale * ITEMS), Rng.of(seed), ARMS[arm][1]
    sources: tuple[Source, ...] = ()
    if arm == "wide-ease":
        fit = sample(*drawn(FEW * EACH, FEW, items, rng), FEW, items)
    else:
        users = round(scale * USERS)
        fit = sample(*drawn(round(scale * EVENTS), users, items, rng), users, items)
    if arm == "item-prior":
        sources = (Source("rich", fit),)
        some = SMALL[0] * SMALL[1]
        fit = sample(*drawn(some, SMALL[0], items, rng.child("target")), SMALL[0], items)
    return Problem("made", fit, sources, Claim.LATER, ItemRecipe(fit.items, most))


def lap(arm: str, scale: float, seed: int) -> Lap | str:
    """A fit in a process of its own, or why there is none."""
    words = [sys.executable, "-m", "benchmarks.speed_growth", arm, str(scale), str(seed)]
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
    env = os.environ | dict.fromkeys(limits, "1")
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, env=env, timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {MOST_SECONDS} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
    return Lap.told(done.stdout)


def growth(rounds: int, seed: int, data: Path | None, unit: float = 1.0) -> Iterator[Line]:
    """A line for each arm and scale: times the processor's seconds at the first.

    rounds  is not looked at: a lap each
    unit    times the events of every scale
    """
    for arm in ARMS:
        first: float | None = None
        for scale in SCALES:
            common: dict[str, Any] = {
                "benchmark": "speed",
                "arm": f"growth of {arm}",
                "metric": "growth",
                "data": f"{scale} times the rows, {round(scale * unit * ITEMS):,} items",
                "seed": seed,
                "n": 1,
            }
            found = lap(arm, scale * unit, seed)
            if isinstance(found, str):
                yield Line(why=found, **common)
                continue
            took = found.processor or found.seconds
            first = first or took
            most = round(found.peak_mb or 0.0)
            yield Line(value=took / first, seconds=found.seconds, peak_mb=most, **common)


def work(arm: str, scale: float, seed: int) -> None:
    """Print what a fit took."""
    problem = posed(arm, scale, seed)
    with Watch() as watch:
        ARMS[arm][0].fit(problem, Rng.of(seed))
    tell(watch, 0.0)


RACES = (Measured("growth", growth, "recommend"),)

if __name__ == "__main__":
    work(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))

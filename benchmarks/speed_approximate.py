"""A million items by an index and block by block: seconds, and what the index misses.

256 queries and a million items of 64 factors around 1,000 tastes, some items with larger
factors, as those that are popular have.  Each way has as many rounds, in turn.  Independent
factors, of which nobody's taste says anything, are the other extreme: whether an index is
used there is told too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Tensor
from acclimate.models.approximate import Approximate
from acclimate.models.search import largest
from acclimate.rng import Rng
from benchmarks.line import Line, peak_mb
from benchmarks.programs.watch import Watch
from benchmarks.races import Measured

ITEMS, QUERIES, FACTORS, TASTES, K = 1_000_000, 256, 64, 1000, 10
LEAST_RECALL = 0.95
NONE = (
    "no index: Faiss is not installed (pip install '.[index]'), or it would read too many lists"
)


def factors(n: int, rng: Rng, around: bool = True) -> Tensor:
    """(n, 64) in single precision: around tastes that few or many share, or independent."""
    draw = rng.generator()
    found = 0.5 * draw.standard_normal((n, FACTORS), np.float32)
    if not around:
        return found
    tastes = Rng.of(0).child("tastes").generator().standard_normal((TASTES, FACTORS))
    shares = np.arange(1, TASTES + 1) ** -0.7
    found += tastes[draw.choice(TASTES, n, p=shares / shares.sum())]
    found *= np.exp(0.3 * draw.standard_normal((n, 1)))
    return found


def approximate(
    rounds: int, seed: int, data: Path | None, items: int = ITEMS
) -> Iterator[Line]:
    """Seconds of both, recall, and what building takes."""
    key = Rng.of(seed)
    common: dict[str, Any] = {"benchmark": "speed", "arm": "approximate", "seed": seed}
    common |= {"n": rounds}
    said = f"{QUERIES} queries, {items:,} items"
    all_, queries, sample = (
        factors(n, key.child(name))
        for name, n in (("items", items), ("queries", QUERIES), ("sample", QUERIES))
    )
    with Watch() as watch:
        index = Approximate.of(all_, sample, sp.csr_array((QUERIES, items)), K, key)
    if index is None:
        yield Line(data=said, why=NONE, **common)
        return
    yield Line(data=f"building, {said}", metric="seconds", value=watch.seconds, **common)
    laps: dict[str, list[Watch]] = {"all items": [], "index": []}
    for _ in range(rounds):
        for name, way in laps.items():
            with Watch() as watch:
                found = (
                    index.largest(queries, K) if name == "index" else largest(queries, all_, K)
                )
            way.append(watch)
            if name == "index":
                through = found[0]
            else:
                best = found[0]
    for name, way in laps.items():
        yield Line(
            data=f"{name}, {said}",
            metric="seconds",
            value=median(lap.seconds for lap in way),
            peak_mb=round(peak_mb()),
            **common,
        )
    for by in ("seconds", "processor"):
        every, some = (median(getattr(lap, by) for lap in way) for way in laps.values())
        yield Line(
            data=f"{said}, by the {'clock' if by == 'seconds' else by}",
            metric="ratio",
            value=every / some,
            ratio=every / some,
            peer="blocks of all items",
            **common,
        )
    shared = (through[:, :, None] == best[:, None, :]).any(axis=2).mean(axis=1)
    error = 1.96 * float(shared.std(ddof=1)) / len(shared) ** 0.5
    yield Line(
        data=f"{said}, {index.probes} of {index.index.nlist} lists read",
        metric=f"recall@{K}",
        value=float(shared.mean()),
        low=float(shared.mean()) - error,
        high=min(1.0, float(shared.mean()) + error),
        reference=LEAST_RECALL,
        **(common | {"n": QUERIES}),
    )
    far, asked = (factors(n, key.child(n), False) for n in (items, 64))
    used = Approximate.of(far, asked, sp.csr_array((64, items)), K, key) is not None
    yield Line(
        data=f"{said}, independent factors", metric="index used", value=float(used), **common
    )


RACES = (Measured("approximate", approximate, "recommend"),)

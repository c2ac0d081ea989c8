"""From files to fitted recommenders, and what a second target costs on the same sources.

A folder of markets as `benchmarks.wsdm22` reads it.  Item-kNN and EASE of the target and the
item–item prior over all other markets are fitted on it, from its files on; then the first two
markets that are asked about are both adapted to from the rest, one after the other: what
follows from sources alone is worked out for the first and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from acclimate.domains.problem import Problem
from acclimate.models.ease import Ease
from acclimate.models.neighbours import ItemKnn
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.relation.itemprior import ItemItemPrior
from benchmarks.line import Line, peak_mb
from benchmarks.programs.watch import Watch
from benchmarks.races import Measured
from benchmarks.wsdm22 import read

ARMS = (
    Arm(TargetOnly(), ItemKnn()),
    Arm(TargetOnly(), Ease()),
    Arm(ItemItemPrior(), Ease()),
)
MOST_SECONDS, MOST_MB, MOST_SHARE = 60.0, 4000.0, 0.25
NO_DATA = "no folder of markets was given; name one with --data"


def fitted(problem: Problem) -> None:
    """Fit every arm."""
    for arm in ARMS:
        arm.fit(problem, Rng.of(0))


def targets(data: Path) -> list[str]:
    """The markets whose candidates are given, those with the smallest files first."""
    files = ("valid_run.tsv*", "valid_candidates*.tsv*")
    asked = [path for path in data.iterdir() if any(any(path.glob(each)) for each in files)]
    size = {
        path.name: sum(each.stat().st_size for each in path.glob("train*.tsv*"))
        for path in asked
    }
    return sorted(size, key=lambda name: (size[name], name))


def markets(rounds: int, seed: int, data: Path | None) -> Iterator[Line]:
    """Seconds and memory from files to fitted, then the second target's share of the first's.

    rounds  is not looked at: what is kept makes a second lap another
    """
    common: dict[str, Any] = {"benchmark": "speed", "arm": "second-target", "seed": seed}
    if data is None:
        yield Line(why=NO_DATA, **common)
        return
    asked = targets(data)
    if len(asked) < 2:
        yield Line(
            why=f"two markets with candidates are needed; {data.name} has {len(asked)}",
            **common,
        )
        return
    first, second = asked[:2]
    others = sorted(
        path.name
        for path in data.iterdir()
        if path.name not in (first, second) and any(path.glob("train*.tsv*"))
    )
    # The pair goes first: what is kept of sources must not be there yet.
    took = []
    sources = read(data, first, others, 1.0).problem.sources
    for target in (first, second):
        problem = replace(read(data, target, others, 1.0).problem, sources=sources)
        with Watch() as watch:
            fitted(problem)
        took.append(watch)
        yield Line(
            data=data.name,
            source="+".join(others),
            target=target,
            metric="seconds",
            value=watch.seconds,
            n=1,
            **common,
        )
    yield Line(
        data=data.name,
        source="+".join(others),
        target=second,
        metric="share of the first target's cpu seconds",
        value=took[1].processor / took[0].processor,
        n=1,
        reference=MOST_SHARE,
        **common,
    )


def files(rounds: int, seed: int, data: Path | None) -> Iterator[Line]:
    """Seconds and memory from the files of every market to fitted, in a process of its own."""
    common: dict[str, Any] = {"benchmark": "speed", "arm": "files-to-fitted", "seed": seed}
    if data is None:
        yield Line(why=NO_DATA, **common)
        return
    target = targets(data)[0]
    with Watch() as watch:
        problem = read(data, target, None, 1.0).problem
        fitted(problem)
    rows = problem.fit.n + sum(source.n for source in problem.sources)
    common |= {"data": f"{data.name}, {rows:,} rows", "target": target, "n": 1}
    common |= {"source": "+".join(source.name for source in problem.sources)}
    yield Line(metric="seconds", value=watch.seconds, reference=MOST_SECONDS, **common)
    yield Line(metric="cpu_seconds", value=watch.processor, **common)
    yield Line(metric="peak_mb", value=round(peak_mb()), reference=MOST_MB, **common)


RACES = (
    Measured("files-to-fitted", files, "recommend"),
    Measured("second-target", markets, "recommend"),
)

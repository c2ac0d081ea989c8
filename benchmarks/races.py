"""Races: ours against a peer on the same made data, in turn, in one run.

A module `benchmarks/speed_*.py` names its races in `RACES`; `benchmarks speed` runs them.
A runner gets the scale (how many times the rows) and the number of threads and returns how
long the work took and how good its result is, without what both sides need alike (making
data, compiling once).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias
from unittest.mock import patch

from threadpoolctl import threadpool_limits

from acclimate.settings import settings as surroundings
from benchmarks.line import Line, peak_mb
from benchmarks.programs.watch import Watch

Runner: TypeAlias = "Callable[[float, int], Lap]"
THREADS = (1, 2)


@dataclass(frozen=True)
class Lap:
    """One run of one side.

    seconds    > 0, of the work alone, by the clock
    quality    what must be equal within 1 % for the ratio to count; None where the two do
               the same sums and a test holds them to it
    processor  > 0, the same by the processor, which other work on the machine hardly moves
    peak_mb    largest resident memory of its process, where it had one of its own
    """

    seconds: float
    quality: float | None = None
    processor: float | None = None
    peak_mb: float | None = None

    @classmethod
    def of(cls, watch: Watch, quality: float, times: float = 1.0) -> Lap:
        """What a watch saw of work done `times` times over."""
        return cls(watch.seconds / times, quality, watch.processor / times)

    @classmethod
    def told(cls, text: str) -> Lap:
        """What a program said of its lap by `watch.tell`, in its last line."""
        return cls(**json.loads(text.strip().splitlines()[-1]))


@dataclass(frozen=True)
class Measured:
    """Work that is held to a limit or to another way of ours, and to no peer's.

    It runs on the fewest threads asked for.

    arm    its name among the lines
    lines  (rounds, seed, folder of data or None) → lines
    suite  which command runs it
    """

    arm: str
    lines: Callable[[int, int, Path | None], Iterator[Line]]
    suite: str


class NoPeer(Exception):
    """A peer cannot be had here; the text says why."""


@dataclass(frozen=True)
class Race:
    """Ours against a peer.

    arm       its name among the lines
    peer      name and version of the other library
    ours      a lap of ours
    theirs    a lap of the peer's; raises NoPeer where it cannot be installed
    goal      how many times as fast we mean to be
    recorded  the peer's seconds at scale 1 as measured before, for where it cannot be had
    lower     whether a lower quality is the better one (an error)
    scales    times the rows at which ours shows how it grows, the fewest first
    suite     which command runs it: `speed --suite SUITE`
    """

    arm: str
    peer: str
    ours: Runner
    theirs: Runner
    goal: float
    recorded: float | None = None
    lower: bool = False
    scales: tuple[float, ...] = (1, 4, 16)
    suite: str = "strategies"


def run(
    race: Race | Measured,
    rounds: int,
    seed: int,
    settings: Sequence[int] = THREADS,
    data: Path | None = None,
) -> Iterator[Line]:
    """The ratio, ours on so many threads and on so many more, and how ours grows."""
    if isinstance(race, Measured):
        with threadpool_limits(min(settings)):
            yield from race.lines(rounds, seed, data)
        return
    common: dict[str, Any] = {"benchmark": "speed", "arm": race.arm, "seed": seed, "n": rounds}
    other = common | {"arm": f"{race.arm} by {race.peer}"}
    laps: dict[tuple[str, int], list[Lap]] = {}
    why = ""
    for _ in range(rounds):
        for threads in settings:
            laps.setdefault(("ours", threads), []).append(_lap(race.ours, 1, threads))
            if why:
                continue
            try:
                laps.setdefault(("theirs", threads), []).append(_lap(race.theirs, 1, threads))
            except NoPeer as error:
                why = str(error)
    memory = _own(laps["ours", min(settings)])
    ours = {t: median(lap.seconds for lap in laps["ours", t]) for t in settings}
    theirs = {t: _median(laps.get(("theirs", t), []), "seconds") for t in settings}
    for threads in settings:
        at = f"{threads} thread{'s' * (threads > 1)}"
        yield Line(data=at, metric="seconds", value=ours[threads], peak_mb=memory, **common)
        if theirs[threads] is not None:
            most = _median(laps["theirs", threads], "peak_mb")
            yield Line(data=at, metric="seconds", value=theirs[threads], peak_mb=most, **other)
    known = [each for each in theirs.values() if each is not None]
    against = min(known) if known else race.recorded
    ratio = None if against is None else against / min(ours.values())
    reason = why or unequal(race, laps)
    yield Line(
        data="better thread setting of each",
        metric="ratio",
        value=ratio,
        ratio=ratio,
        reference=race.goal,
        peer=race.peer if known else f"{race.peer}, as recorded on another day",
        peak_mb=memory,
        why=reason,
        **common,
    )
    mine, peers = (_median(laps.get((who, 1), []), "processor") for who in ("ours", "theirs"))
    if mine is not None and peers is not None:
        yield Line(
            data="one thread each, by the processor",
            metric="ratio",
            value=peers / mine,
            ratio=peers / mine,
            reference=race.goal,
            peer=race.peer,
            why=reason,
            **common,
        )
    if {1, 2} <= set(settings):
        yield Line(
            data="two threads against one",
            metric="ratio",
            value=ours[1] / ours[2],
            reference=1.0,
            **common,
        )
    first: float | None = None
    for scale in race.scales:
        lap = _lap(race.ours, scale, 1)
        took = lap.processor or lap.seconds
        first = first or took
        yield Line(
            data=f"{scale / race.scales[0]:g} times the rows",
            metric="growth",
            value=took / first,
            seconds=lap.seconds,
            peak_mb=_own([lap]),
            **common,
        )


def unequal(race: Race, laps: dict[tuple[str, int], list[Lap]]) -> str | None:
    """Why the ratio does not count, or None: the quality must be equal within 1 %."""
    found = {
        side: [lap.quality for (who, _), each in laps.items() if who == side for lap in each]
        for side in ("ours", "theirs")
    }
    mine, other = ([q for q in each if q is not None] for each in found.values())
    if not mine or not other:
        return None
    a, b = median(mine), median(other)
    behind = (a - b if race.lower else b - a) / max(abs(b), 1e-12)
    if behind <= 0.01:
        return None
    return f"the ratio does not count: our quality {a:.4f} is behind the peer's {b:.4f}"


def _lap(runner: Runner, scale: float, threads: int) -> Lap:
    """One lap, with so many threads of linear algebra, trees and networks."""
    with (
        patch.dict(os.environ, {"ACCLIMATE_THREADS": str(threads)}),
        threadpool_limits(threads),
    ):
        surroundings.cache_clear()
        try:
            return runner(scale, threads)
        finally:
            surroundings.cache_clear()


def _own(laps: list[Lap]) -> float:
    """The largest peak of the processes of these laps, or of this one where they had none."""
    return round(max((lap.peak_mb or 0.0 for lap in laps), default=0.0) or peak_mb())


def _median(laps: list[Lap], what: str) -> float | None:
    known = [found for lap in laps if (found := getattr(lap, what)) is not None]
    return median(known) if known else None

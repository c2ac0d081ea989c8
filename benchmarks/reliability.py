"""Does the registry stay whole: kills, crowds, full disks, changed bytes, poisoned artifacts.

Each figure counts what must not be.  The same kills are done to a publisher that copies files
into their place and overwrites its index, as a proof that the harness sees what it looks for.

    kills     a process that releases, promotes, rolls back and saves is killed (SIGKILL) at a
              random moment; then everything that is named must verify, and everything that
              was reported done must be there
    crowd     processes release to one name at once: distinct, consecutive versions
    faults    every call of a release that writes fails, as on a full or read-only disk
    flips     every byte of seals and headers, and random ones, are changed
    poison    sealed artifacts that hold pickles, traversals and bombs
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from acclimate.artifacts.artifact import Contents, save
from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.catalogue import models
from acclimate.tasks.recommend import Recommend
from acclimate.verdicts.verdict import Verdict
from benchmarks import reliability_bytes, reliability_faults, reliability_kills
from benchmarks.line import Line, peak_mb

PARTS = ("kills", "crowd", "faults", "flips", "poison")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, help="an artifact to release; else a small one")
    parser.add_argument("--kills", type=int, default=1000, help="(1,000)")
    parser.add_argument("--naive-kills", type=int, default=200, help="(200)")
    parser.add_argument("--processes", type=int, default=16, help="of the crowd (16)")
    parser.add_argument("--releases", type=int, default=50, help="of each process (50)")
    parser.add_argument("--flips", type=int, default=10_000, help="random bytes (10,000)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only these")
    parser.add_argument("--registry", help="URL of an empty PostgreSQL database; else SQLite")
    parser.add_argument("--seed", type=int, default=0, help="of moments and bytes (0)")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Lines as each part ends."""
    parts = args.part or PARTS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        artifact = args.data or made(folder / "made")
        for part in parts:
            begun = time.perf_counter()
            for arm, metric, value, n, why in PART[part](artifact, folder / part, args):
                yield Line(
                    "reliability",
                    data=part,
                    arm=arm,
                    metric=metric,
                    value=value,
                    n=n,
                    seed=args.seed,
                    seconds=round(time.perf_counter() - begun, 1),
                    peak_mb=round(peak_mb(), 1),
                    reference=None if arm == "naive" else 0.0,
                    why=why,
                )


PART = {
    "kills": reliability_kills.kills,
    "crowd": reliability_kills.crowd,
    "faults": reliability_faults.faults,
    "flips": reliability_bytes.flips,
    "poison": reliability_bytes.poison,
}


def made(folder: Path) -> Path:
    """A small artifact of popular items, adopted."""
    rng = Rng.of(0)
    target: Domain = make_events(rng.child("target"), 60, 40).domain
    posed = Recommend(k=10).pose(target, [], Cut(), rng)
    arm = Arm(TargetOnly(), models()["popularity"])
    verdict = Verdict(
        "keep-target-only", arm.name, arm.name, posed.task.metric.name, 0.0, 0.0, 0.0, 60, 0.5
    )
    contents = Contents.of(
        posed,
        arm.fit(posed.whole, rng),
        target,
        [],
        arm=arm.name,
        settings=arm.settings,
        verdict=verdict,
        plan=[],
        seed=0,
        threads=1,
    )
    save(folder / "artifact", contents)
    return folder / "artifact"

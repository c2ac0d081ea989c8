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
    swaps     promotions and rollbacks of a service under load: no request fails or is mixed
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import (
    reliability_bytes,
    reliability_faults,
    reliability_kills,
    reliability_swaps,
)
from benchmarks.line import Line, peak_mb
from benchmarks.reliability_made import made

PARTS = ("kills", "crowd", "faults", "flips", "poison", "swaps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, help="an artifact to release; else a small one")
    parser.add_argument("--kills", type=int, default=1000, help="(1,000)")
    parser.add_argument("--naive-kills", type=int, default=200, help="(200)")
    parser.add_argument("--processes", type=int, default=16, help="of the crowd (16)")
    parser.add_argument("--releases", type=int, default=50, help="of each process (50)")
    parser.add_argument("--flips", type=int, default=10_000, help="random bytes (10,000)")
    parser.add_argument("--swaps", type=int, default=300, help="under load (300)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only these")
    parser.add_argument(
        "--registry",
        help="of an empty PostgreSQL database, with ACCLIMATE_VAULT; else SQLite",
    )
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
    "swaps": reliability_swaps.swaps,
}

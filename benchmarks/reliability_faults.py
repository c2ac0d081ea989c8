"""A disk that is full or read-only from some call on: every call of a release in its turn.

The calls of the process itself fail, Python's and SQLite's alike, through a small library
that is preloaded (`programs/failing.c`); it needs a C compiler and Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from acclimate.errors import AcclimateError
from acclimate.registry.registry import Registry
from benchmarks.reliability_kills import Found, Real, variant

PROGRAM = Path(__file__).parent / "programs" / "failing.c"
LIBRARY = "ACCLIMATE_FAILING"
CODES = {"disk full": errno.ENOSPC, "read-only": errno.EROFS}
MOST = 400  # calls; a release makes some tens


def faults(artifact: Path, folder: Path, args: argparse.Namespace) -> Iterator[Found]:
    """Releases that failed otherwise than cleanly, for each call that failed."""
    del args
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        yield "acclimate", "failed calls without a clean error", 0.0, 0, "needs cc on Linux"
        return
    folder.mkdir(parents=True)
    library = folder / "failing.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-w", str(PROGRAM), "-o", str(library), "-ldl"],
        check=True,
    )
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.reliability_faults", str(artifact), str(folder)],
        env={**os.environ, "LD_PRELOAD": str(library), LIBRARY: str(library)},
        stdout=subprocess.PIPE,
        check=True,
    )
    for row in map(json.loads, ran.stdout.splitlines()):
        yield (
            "acclimate",
            f"{row['what']}: failed calls without a clean error and the old state",
            row["wrong"],
            row["calls"],
            row["why"],
        )


def _injected(artifact: Path, folder: Path) -> Iterator[dict[str, object]]:
    """In the process with the library: a release with each call failing in its turn."""
    failing = ctypes.CDLL(os.environ[LIBRARY])
    for number, (what, code) in enumerate(CODES.items()):
        place = folder / f"place{number}"
        place.mkdir()
        registry = Registry(f"sqlite:///{place / 'registry.db'}", place / "vault")
        registry.release(variant(artifact, folder / "run", 1), "jp")
        registry.close()
        wrong: list[str] = []
        for at in range(1, MOST):
            run = variant(artifact, folder / "run", 1000 * number + at + 1)
            before = Real(place).latest()
            failing.fail_at(ctypes.c_long(at), code, str(place).encode())
            said: BaseException | None = None
            try:
                registry = Registry(f"sqlite:///{place / 'registry.db'}", place / "vault")
                registry.release(run, "jp")
                registry.close()
            except BaseException as error:
                said = error
            reached = failing.counted() >= at
            failing.fail_at(ctypes.c_long(0), 0, b"")
            after = Real(place)
            bad = after.wrong()
            if said is not None and not isinstance(said, AcclimateError):
                bad.append(f"{type(said).__name__}: {said}")
            if said is not None and after.latest() != before:
                bad.append("an error, and a new version")
            if said is None and after.latest() != before + 1:
                bad.append("no error, and no new version")
            after.close()
            wrong += [f"call {at}: {bad[0]}"] if bad else []
            if not reached:
                break
        yield {
            "what": what,
            "wrong": len(wrong),
            "calls": at - 1,
            "why": "; ".join(wrong[:3]) or None,
        }


if __name__ == "__main__":
    for row in _injected(Path(sys.argv[1]), Path(sys.argv[2])):
        print(json.dumps(row), flush=True)

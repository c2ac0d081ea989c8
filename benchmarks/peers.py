"""Peers in environments of their own: installed once, asked as programs of theirs.

A peer's program is a file in `benchmarks/programs`, which knows nothing of ours: it takes
the scale and the number of threads and prints one JSON object: the fields of a `Lap`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.races import Lap, NoPeer

PROGRAMS = Path(__file__).parent / "programs"
HOME = Path(os.environ.get("ACCLIMATE_PEERS", Path.home() / ".cache" / "acclimate-peers"))
INSTALL_SECONDS = 300  # for all calls of pip together
RUN_SECONDS = 300  # of a lap; one that takes longer is no race any more


def interpreter(name: str, *installs: Sequence[str]) -> Path:
    """The Python of a peer's environment, made where there is none.

    name      of the environment
    installs  arguments of pip, one call each, in order

    Raises NoPeer where something cannot be installed, or not in time.
    """
    home = HOME / name
    python, ready = home / "bin" / "python", home / "ready"
    if ready.exists():
        return python
    print(f"installing {name} into an environment of its own", file=sys.stderr)
    venv.create(home, with_pip=True, clear=True)
    ends = time.monotonic() + INSTALL_SECONDS
    for words in installs:
        try:
            done = subprocess.run(
                [python, "-m", "pip", "install", "--quiet", *words],
                capture_output=True,
                text=True,
                timeout=max(1.0, ends - time.monotonic()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoPeer(f"{name} was not installed within {INSTALL_SECONDS} s") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise NoPeer(f"{name} cannot be installed here: {last[:200]}")
    ready.touch()
    return python


def asked(python: Path, program: str, scale: float, threads: int, *words: str) -> Lap:
    """A lap of a peer's program, told `words` besides.  Raises NoPeer where it fails or
    does not end in time."""
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | limits
    try:
        done = subprocess.run(
            [python, PROGRAMS / program, str(scale), str(threads), *words],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoPeer(f"{program} did not end within {RUN_SECONDS} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NoPeer(f"{program} failed: {last[:200]}")
    return Lap.told(done.stdout)

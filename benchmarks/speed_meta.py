"""Races of meta-learning: second-order MAML on sinusoids, 32 tasks a step, a 40-40 network.

A lap's seconds are those of 100 steps of the outer loop; its quality is the mean loss of
the first 20, which both sides take on the same tasks from the same start.  Compiling is
not counted, and told on stderr.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from benchmarks.peers import HOME, INSTALL_SECONDS, PROGRAMS, RUN_SECONDS, interpreter
from benchmarks.programs.watch import Watch
from benchmarks.races import Lap, NoPeer, Race

RELEASE = "0.2.0"
FIRST = 20
STEPS = 400  # of ours a lap: at a few hundred a second, long enough to be timed


@cache
def _made(scale: float, inner: int) -> tuple[object, object, object]:
    """The rows, a compiled step and where it begins; compiled once for all laps."""
    from acclimate.strategies.meta.compiled import compiled, compiler
    from acclimate.strategies.meta.inner import Inner, across
    from benchmarks import sinusoid

    drawn = sinusoid.Drawn(round(32 * scale), 5 if inner == 1 else 10, 10, 0)
    params = sinusoid.fresh(0)
    make = across if compiler() is None else compiled
    step = make(sinusoid.loss, Inner(0.01, inner), list(params), drawn.rows)
    return drawn, step, params


def ours(scale: float, threads: int, inner: int) -> Lap:
    """A lap of ours, in the one training loop."""
    from acclimate.models.network import Batch, Losses, Params, train
    from benchmarks import sinusoid

    drawn, step, params = _made(scale, inner)
    assert isinstance(drawn, sinusoid.Drawn) and callable(step) and isinstance(params, dict)
    losses: list[float] = []

    def told(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        found: Losses = step(params, batches, progress)
        losses.append(float(found["query"].detach()))
        return found

    update = sinusoid.Constant(1e-3)
    drawn.seed = 0
    with Watch() as watch:
        train(told, params, batches=drawn.batches(), steps=FIRST, update=update)
    print(f"first {FIRST} steps: {watch.seconds:.1f} s", file=sys.stderr)
    drawn.seed = 0
    with Watch() as watch:
        train(step, params, batches=drawn.batches(), steps=STEPS, update=update)
    return Lap.of(watch, sum(losses) / len(losses), STEPS / 100)


def learn2learn(scale: float, threads: int, inner: int) -> Lap:
    """A lap of learn2learn, in an environment of its own on this PyTorch.

    Raises NoPeer where its source release cannot be had.
    """
    import torch

    python = interpreter("learn2learn", ["cython<3", "setuptools", "wheel"])
    home = HOME / "learn2learn"
    folder = home / f"learn2learn-{RELEASE}"
    if not folder.exists():
        _release(python, home)
    site = next((home / "lib").glob("python*/site-packages"))
    (site / "torch-of-ours.pth").write_text(str(Path(torch.__file__).parents[1]), "utf-8")
    words = [python, PROGRAMS / "maml_learn2learn.py", scale, threads, folder, inner]
    done = subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NoPeer(f"maml_learn2learn.py failed: {last[:200]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return Lap(**answer)


def _release(python: Path, home: Path) -> None:
    """Unpack the source release: it is not built, for the algorithm is plain Python."""
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(home)]
    done = subprocess.run(
        [python, "-m", "pip", *words, "--no-build-isolation", f"learn2learn=={RELEASE}"],
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    packed = home / f"learn2learn-{RELEASE}.tar.gz"
    if not packed.exists():
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise NoPeer(f"learn2learn cannot be had here: {last[:200]}")
    with tarfile.open(packed) as archive:
        archive.extractall(home, filter="data")


def _race(arm: str, inner: int, recorded: float) -> Race:
    return Race(
        arm,
        f"learn2learn {RELEASE}",
        lambda scale, threads: ours(scale, threads, inner),
        lambda scale, threads: learn2learn(scale, threads, inner),
        goal=25.0,
        recorded=recorded,
        lower=True,
        scales=(0.25, 1, 4),
    )


# Recorded: 34.8 and 10.7 steps a second on one thread of another machine.
RACES = (_race("maml", 1, 100 / 34.8), _race("maml-5", 5, 100 / 10.7))
ARMS = tuple(race.arm for race in RACES)

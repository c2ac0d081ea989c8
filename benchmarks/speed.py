"""How fast the strategies are, as a ratio to a peer on the same data in the same run.

Every race is run in turn, ours and theirs, on one thread and on two; the ratio is of each
side's better setting.  It does not count where our result is more than 1 % worse.  Of
several races each has a process of its own, so that the peak of its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from acclimate.errors import UsageError
from benchmarks.line import Line
from benchmarks.races import THREADS, Measured, Race
from benchmarks.races import run as raced

NAME = "speed"
SUITES = ("strategies", "recommend", "serve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--suite", choices=SUITES, default=SUITES[0])
    parser.add_argument("--arm", action="append", help="a race of any suite; repeat")
    parser.add_argument("--rounds", type=int, default=3, help="laps of each side")
    parser.add_argument(
        "--threads",
        type=int,
        action="append",
        choices=THREADS,
        help="repeat; one and two without. A peer may take twenty times as long on two",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a folder of markets, for arms that read one")


def run(args: argparse.Namespace) -> Iterator[Line]:
    """The lines of each race."""
    known = races()
    unknown = [name for name in args.arm or () if name not in known]
    if unknown or args.rounds < 1:
        raise UsageError(
            f"Expected races among {', '.join(known)} and at least one round; found "
            f"{', '.join(unknown) or 'none'} and {args.rounds}."
        )
    of_suite = [name for name, race in known.items() if race.suite == args.suite]
    arms, threads = args.arm or of_suite, args.threads or list(THREADS)
    data = getattr(args, "data", None)
    for name in arms:
        print(name, file=sys.stderr)
        if len(arms) == 1:
            yield from raced(known[name], args.rounds, args.seed, threads, data)
        else:
            yield from alone(name, args.rounds, args.seed, threads, data)


def alone(
    arm: str, rounds: int, seed: int, threads: Sequence[int], data: Path | None = None
) -> Iterator[Line]:
    """The lines of one race, run in a process of its own.

    Raises CalledProcessError where that fails; what it said is on stderr.
    """
    words = alone_by(arm, rounds, seed, threads, data)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            yield Line(**json.loads(text))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)


def alone_by(
    arm: str, rounds: int, seed: int, threads: Sequence[int], data: Path | None = None
) -> list[str]:
    """The words of that process."""
    asked = ["--arm", arm, "--rounds", str(rounds), "--seed", str(seed), "--json"]
    asked += [word for each in threads for word in ("--threads", str(each))]
    asked += ["--data", str(data)] if data is not None else []
    return [sys.executable, "-m", "benchmarks", NAME, *asked]


def races() -> dict[str, Race | Measured]:
    """Every race of the modules `speed_*` beside this one, by arm."""
    files = sorted(Path(__file__).parent.glob("speed_*.py"))
    modules = [import_module(f"benchmarks.{file.stem}") for file in files]
    return {race.arm: race for module in modules for race in module.RACES}

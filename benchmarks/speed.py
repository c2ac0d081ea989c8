"""How fast the strategies are, as a ratio to a peer on the same data in the same run.

Every race is run in turn, ours and theirs, on one thread and on two; the ratio is of each
side's better setting.  It does not count where our result is more than 1 % worse.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from acclimate.errors import UsageError
from benchmarks.line import Line
from benchmarks.races import Race
from benchmarks.races import run as raced

NAME = "speed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--suite", choices=["strategies"], default="strategies")
    parser.add_argument("--arm", action="append", help="a race; repeat; all without")
    parser.add_argument("--rounds", type=int, default=3, help="laps of each side")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """The lines of each race."""
    known = races()
    unknown = [name for name in args.arm or () if name not in known]
    if unknown or args.rounds < 1:
        raise UsageError(
            f"Expected races among {', '.join(known)} and at least one round; found "
            f"{', '.join(unknown) or 'none'} and {args.rounds}."
        )
    for name in args.arm or known:
        print(name, file=sys.stderr)
        yield from raced(known[name], args.rounds, args.seed)


def races() -> dict[str, Race]:
    """Every race of the modules `speed_*` beside this one, by arm."""
    files = sorted(Path(__file__).parent.glob("speed_*.py"))
    modules = [import_module(f"benchmarks.{file.stem}") for file in files]
    return {race.arm: race for module in modules for race in module.RACES}

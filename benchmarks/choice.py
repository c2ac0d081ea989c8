"""How well acclimate chooses: listed problems solved exhaustively once, and choices replayed.

Every problem of the list is solved by trying everything (`choice_solved`) and kept, a file
a problem; one that is there is not solved again, so that a run can be stopped and gone on
with.  What each way of choosing would have shipped, and what that is worth on rows nobody
saw, is then worked out from the stored runs alone (`choice_ways`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from threadpoolctl import threadpool_limits

from acclimate.rng import Rng
from benchmarks import choice_store as store
from benchmarks.choice_posed import Listed, audited, missing, read_list
from benchmarks.choice_solved import solve
from benchmarks.line import Line

NAME = "choice"
LIST = Path(__file__).with_name("choice_problems.toml")
DATA = Path("../shared/data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of data ({DATA})")
    parser.add_argument("--problems", type=Path, default=LIST, help="the list of problems")
    parser.add_argument("--results", type=Path, default=store.RESULTS, help="stored runs")
    parser.add_argument("--only", action="append", help="a problem to solve; all without")
    parser.add_argument("--cached", action="store_true", help="solve nothing, replay alone")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Solve what is not stored yet."""
    listed = read_list(args.problems)
    if not args.cached:
        solve_missing(listed, args)
    yield Line(NAME, metric="problems", n=len(store.stored(args.results, listed)))


def solve_missing(listed: list[Listed], args: argparse.Namespace) -> None:
    """Solve and store every problem that is not stored; absent data are named."""
    for each in listed:
        if (
            store.path_of(args.results, each.name).exists()
            or args.only not in (None, [])
            and (each.name not in args.only)
        ):
            continue
        if absent := missing(each, args.data):
            print(f"{each.name} is skipped: no {', '.join(absent)}", file=sys.stderr)
            continue
        rng = Rng.of(args.seed).child(each.name)
        with threadpool_limits(1):  # seconds of the processor are compared
            store.write(args.results, solve(each, audited(each, args.data, rng), rng))
        print(f"{each.name} is stored (load {os.getloadavg()[0]:.1f})", file=sys.stderr)

"""Damaged and odd files at the door: each becomes a Domain or an error that says why.

Everything else is counted as a traceback, and so is what a library prints to stderr on
its own while panicking.  The files come from `mutations`, by kind, seed and number alone.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from acclimate.domains.manifest import NAME, read_manifest
from acclimate.domains.market import open_market
from acclimate.errors import AcclimateError
from benchmarks.line import Line, peak_mb
from benchmarks.mutations import COLUMNS, HOSTILE, MAKERS

INPUTS = 2000


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    found  "domain", "refused" or "traceback"
    why    the error, if there was one
    """

    kind: str
    number: int
    found: str
    why: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="files of each kind")
    parser.add_argument("--kind", choices=list(MAKERS), help="one kind only")


def run(args: argparse.Namespace) -> Iterator[Line]:
    for kind in [args.kind] if args.kind else MAKERS:
        start = time.perf_counter()
        counts = {"domain": 0, "refused": 0, "traceback": 0}
        for outcome in fuzz(kind, args.inputs, args.seed):
            counts[outcome.found] += 1
            if outcome.found == "traceback":
                print(f"{kind} {outcome.number}: {outcome.why}", file=sys.stderr)
        for found, count in counts.items():
            yield Line(
                "fuzz",
                data=kind,
                arm=found,
                metric="inputs",
                value=count,
                n=args.inputs,
                seed=args.seed,
                seconds=time.perf_counter() - start,
                peak_mb=peak_mb(),
                reference=0.0 if found == "traceback" else None,
            )


def fuzz(kind: str, inputs: int, seed: int = 0) -> Iterator[Outcome]:
    """What becomes of the first inputs of a kind and seed."""
    for number in range(inputs):
        yield one(kind, number, seed)


def one(kind: str, number: int, seed: int = 0) -> Outcome:
    """What becomes of one input; the same numbers make the same file."""
    draw = random.Random(f"{kind} {seed} {number}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "m"
        folder.mkdir()
        path = MAKERS[kind](folder, draw)
        spec = str(path)
        if draw.random() < 0.1:
            spec += f"::{draw.choice(COLUMNS)}={draw.choice((*HOSTILE, 'view', '1'))}"
        try:
            with quiet() as noise:
                if kind == "toml":
                    _read(folder / NAME)
                domain = open_market(path if spec == str(path) else spec)
                if not all(table.height for table in domain.tables.values()):
                    return Outcome(kind, number, "traceback", "a table without rows")
        except AcclimateError as error:
            found, why = "refused", str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of Polars is no Exception
            found, why = "traceback", f"{type(error).__name__}: {error}"
        else:
            found, why = "domain", ""
        if noise:
            found, why = "traceback", f"printed: {noise[0][:300]}"
        return Outcome(kind, number, found, why)


def _read(path: Path) -> None:
    """The manifest alone; what is wrong with it is said again by the market."""
    try:
        read_manifest(path)
    except AcclimateError:
        return


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Catches what is written to the file descriptor of stderr, by whatever language."""
    noise: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield noise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            sink.seek(0)
            if written := sink.read():
                noise.append(written.decode("utf-8", "replace"))

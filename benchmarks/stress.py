"""Every awkward way to transfer on real data, beside doing without, pooling and its parts.

Each arm is tuned as `adapt` tunes it, on `fit`; then it answers `judge` once.  A line says
how well, with the interval; a second how much better than the best target-only arm (the
best on `choose`), paired by unit.  Chains stand beside each of their steps, tasks learned
together beside their single-task twin.  The verdict is the one that `adapt` would give.
Where the target has no labels, arms are asked about its rows and scored on the labels that
were taken away.

Every arm may use an equal part of what is left of its cell's budget; target-only arms and
the verdict's refits may use all of it.  `--untuned` leaves every arm alike at the settings
of the catalogue, for machines on which tuning would take all of the budget.  `--cpu` counts
seconds of the processor, so that what else a machine does decides nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from acclimate.domains.split import Cut
from acclimate.errors import AcclimateError, UsageError
from acclimate.plans.budget import Budget
from acclimate.rng import Rng
from acclimate.settings import settings
from benchmarks.line import Line
from benchmarks.stress_arms import Bench, judged, scored_afterwards
from benchmarks.stress_cells import Cell, cells, opened
from benchmarks.stress_given import artifacts, with_shares, without_labels

NAME = "stress"
ENDS = ("verdict", "cell")
"""Arms of a cell's last line: its verdict, or why there is none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    known = [*cells(Path())]
    parser.add_argument("--only", action="append", choices=known, help="a cell; repeat")
    parser.add_argument("--data", type=Path, help="a file, or a folder of a file a market")
    parser.add_argument("--by", help="the column of the file whose values are markets")
    parser.add_argument("--target", help="its value, or file, to adapt to")
    parser.add_argument("--source", action="append", help="a value or file; all others")
    parser.add_argument("--label", help="the label column")
    parser.add_argument("--also", action="append", help="another label; repeat")
    parser.add_argument("--labels", type=int, action="append", help="label budget; repeat")
    parser.add_argument("--arms", action="append", help="a strategy or chain; repeat")
    parser.add_argument("--rows", type=int, default=0, help="at most, of each source; 0: all")
    parser.add_argument("--untuned", action="store_true", help="the catalogue's settings")
    parser.add_argument("--model", action="append", help="models that transfer; repeat; all")
    parser.add_argument("--budget", type=float, default=400.0, help="seconds a run of a cell")
    parser.add_argument("--cpu", action="store_true", help="count the processor's seconds")
    parser.add_argument("--resume", type=Path, help="lines kept; finished cells are skipped")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """Each cell and label budget: its arms, its contrasts, its verdict."""
    finished = kept(args.resume) if args.resume else set()
    known = cells(settings().data)
    chosen = {name: asked(known[name], args) for name in args.only or known}
    with threadpool_limits(settings().threads):
        for name, cell in chosen.items():
            for labels in cell.labels or (None,):
                common = common_of(name, cell, labels, args)
                if key_of(common) in finished:
                    print(f"{common['data']}: finished before", file=sys.stderr)
                    continue
                for line in lines(cell, labels, common, args):
                    if args.resume:
                        with args.resume.open("a", encoding="utf-8") as file:
                            file.write(line.to_json() + "\n")
                    yield line


def asked(cell: Cell, args: argparse.Namespace) -> Cell:
    """The cell with what the command line says of it."""
    said = {
        "data": args.data,
        "by": args.by,
        "target": args.target,
        "sources": args.source,
        "label": args.label,
        "also": args.also,
        "labels": args.labels,
        "arms": args.arms,
    }
    told: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in said.items()
        if value is not None
    }
    if args.data is not None:
        # The cell's own markets and column are those of its own data.
        told = {"by": None, "sources": (), "headless": False} | told
    elif args.target is not None:
        told = {"sources": ()} | told
    return replace(cell, **told)


def common_of(
    name: str, cell: Cell, labels: int | None, args: argparse.Namespace
) -> dict[str, Any]:
    """The keys that all lines of a cell share."""
    some = "" if labels is None else f", {labels} labels"
    most = f", {args.rows} rows a source" if args.rows and cell.label is not None else ""
    most += ", untuned" if args.untuned else ""
    return {
        "benchmark": NAME,
        "data": f"{name}: {cell.data.name.split('.')[0]}{some}{most}",
        "source": "+".join(cell.sources) or "all others",
        "target": cell.target,
        "seed": args.seed,
    }


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """What tells one run of a cell from another."""
    return tuple(row[key] for key in ("data", "source", "target", "seed"))


def kept(file: Path) -> set[tuple[Any, ...]]:
    """The finished cells of a file; lines of others are taken out of it."""
    if not file.exists():
        return set()
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        done = {key_of(row) for row in rows if row["arm"] in ENDS}
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"Expected lines of this benchmark in {str(file)!r}; found something else. Name "
            "another file with --resume."
        ) from None
    beside = file.with_name(f"{file.name}.new")
    whole = [json.dumps(row, ensure_ascii=False) for row in rows if key_of(row) in done]
    beside.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
    beside.replace(file)
    return done


def lines(
    cell: Cell, labels: int | None, common: dict[str, Any], args: argparse.Namespace
) -> Iterator[Line]:
    """One run of a cell; a mistake of its data or its budget ends it with the reason."""
    print(common["data"], file=sys.stderr)
    rng = Rng.of(args.seed)
    budget = Budget(args.budget, time.process_time if args.cpu else time.monotonic)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        try:
            target, sources = opened(cell, args.rows, folder, rng.child("rows"))
            cut = Cut(by="last") if cell.label is None else Cut(labels=labels or None)
            mine = without_labels(target) if labels == 0 else target
            posed = cell.task.pose(mine, sources, cut, rng.child("pose"))
            if cell.shares == "fitted":
                given = artifacts(cell.task, posed, sources, folder, rng.child("given"))
                posed = cell.task.pose(mine, given, cut, rng.child("pose"))
            elif cell.shares != "rows":
                posed = with_shares(posed, cell.shares)
            print("; ".join(posed.notes), file=sys.stderr)
            bench = Bench(
                posed, cell.arms, args.model, not args.untuned, budget, rng, folder, common
            )
            if posed.problem.labelled:
                yield from judged(bench)
            else:
                yield from scored_afterwards(bench, target)
        except AcclimateError as error:
            yield Line(arm="cell", why=str(error), seconds=round(budget.spent, 1), **common)

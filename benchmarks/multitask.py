"""Several tasks at once: what each sharing does to each, beside single tasks of equal size.

A method learns all tasks together once and serves each; the single-task network has at
least as many parameters as the one served, and is tuned alike, for each task.  A line holds
the relative error (log loss, or RMSE for numbers) minus 1: below 0 the tasks helped.  Its
interval resamples judged rows in pairs.  `chosen` serves each task the shared network where
folds of the training rows say that it surely gains, and a single one elsewhere
(`multitask_choice`).  Its second lines compare with the single network that the folds
prefer, of whatever size, which is what one would have without it.

Data: --table FILE --task NAME=COLUMN:VALUE …   a table, a label for each task
      --pairs NAME=FILE …                        pairs of two ids; was the pair seen?
      --cells FILE                               X and Y cells of a .mat file: numbers
      none of these                              one of each kind, as `SETS` says
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.errors import UsageError
from acclimate.rng import Rng
from benchmarks.line import Line, peak_mb
from benchmarks.multitask_choice import chosen
from benchmarks.multitask_data import Task, of_cells, of_pairs, of_table
from benchmarks.multitask_fits import FOLDS, PENALTIES, Measured, measure, methods

NAME = "multitask"
REPLICATES = 1000

# What is measured where nothing is named: files below `--data`, and what differs there.
SETS: tuple[dict[str, Any], ...] = (
    {
        "pairs": [
            "view=retailrocket_processed/view.tsv.gz",
            "cart=retailrocket_processed/add_to_cart.tsv.gz",
            "purchase=retailrocket_processed/purchase.tsv.gz",
        ],
        "rows": 3000,
        "judged": 5000,
    },
    {
        "table": "census_income_kdd/census-income.test.csv.gz",
        "no_header": True,
        "task": ["rich=42:50000+.", "single=8:Never married"],
        "drop": ["25"],
        "rows": 500,
        "judged": 5000,
    },
    {
        "cells": "school/school.mat",
        # With 139 tasks each of the others takes an hour; so all are compared on fewer.
        "arm": ["pooled", "hard-sharing, equal"],
        "penalty": [5.0, 15.0],
    },
    {"cells": "school/school.mat", "most": 12},
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder")
    parser.add_argument("--table", type=Path, help="a delimited file")
    parser.add_argument("--no-header", action="store_true", help="columns are 1, 2, …")
    parser.add_argument("--task", action="append", default=[], help="NAME=COLUMN:VALUE; repeat")
    parser.add_argument("--drop", action="append", default=[], help="a column; repeat")
    parser.add_argument("--pairs", action="append", default=[], help="NAME=FILE; repeat")
    parser.add_argument("--cells", type=Path, help="a .mat file of cells X and Y")
    parser.add_argument("--rows", type=int, default=2000, help="to fit on, of each table")
    parser.add_argument("--judged", type=int, default=20_000, help="rows at most")
    parser.add_argument("--most", type=int, help="tasks of cells, the first ones; all without")
    parser.add_argument("--arm", action="append", choices=[*methods()], help="repeat")
    parser.add_argument("--penalty", action="append", type=float, help="tried; repeat")
    parser.add_argument("--minutes", type=float, default=20, help="of an arm, then given up")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line for each method and task, and one for the chosen, of each set."""
    sets = [args] if args.table or args.pairs or args.cells else [*given(args)]
    if not sets:
        raise UsageError(
            "Expected one of --table, --pairs and --cells, or a folder of --data that has "
            f"one of the files named in benchmarks/multitask.py; found none in {args.data}."
        )
    for each in sets:
        rng = Rng.of(each.seed)
        tasks, data = read(each, rng)
        print(f"{data}: {len(tasks)} tasks", file=sys.stderr, flush=True)
        penalties = each.penalty or PENALTIES
        found = measure(tasks, rng, each.arm or (), each.minutes, penalties)
        yield from told(found, data, each.seed)


def given(args: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The sets whose files are there, as arguments."""
    for settings in SETS:
        found = argparse.Namespace(**{**vars(args), **settings})
        found.pairs = [
            f"{name}={args.data / path}"
            for name, _, path in (each.partition("=") for each in found.pairs)
        ]
        found.table = found.table and args.data / found.table
        found.cells = found.cells and args.data / found.cells
        paths = [Path(each.partition("=")[2]) for each in found.pairs]
        files = [path for path in (*paths, found.table, found.cells) if path]
        if all(path.exists() for path in files):
            yield found
        else:
            print(f"not there: {', '.join(map(str, files))}", file=sys.stderr)


def read(args: argparse.Namespace, rng: Rng) -> tuple[list[Task], str]:
    """The tasks and the name of their folder."""
    if args.table:
        return of_table(args, rng), args.table.parent.name
    if args.pairs:
        return of_pairs(args, rng), Path(args.pairs[0].partition("=")[2]).parent.name
    some = f", first {args.most} tasks" if args.most else ""
    return of_cells(args, rng), args.cells.parent.name + some


def told(found: Measured, data: str, seed: int) -> Iterator[Line]:
    """The lines of what was measured."""
    common: dict[str, Any] = {"benchmark": NAME, "data": data, "seed": seed}
    places = range(len(found.tasks))
    pick = chosen(found.folded, [found.apart(at) for at in places], FOLDS)
    alone = [found.single(at) for at in places]
    rows = []
    for name, ours in found.judged.items():
        rows.append((name, ours, [found.single(at, found.width[name]) for at in places]))
        print(f"{name}: penalty {found.penalty[name]:g}", file=sys.stderr)
    for name, why in found.refused.items():
        yield Line(arm=name, why=why, **common)
    mine, equal = alone, alone
    if pick.method:
        shared, wide = found.judged[pick.method], found.width[pick.method]
        mine = [shared[at] if pick.sharing[at] else alone[at] for at in places]
        equal = [found.single(at, wide) if pick.sharing[at] else alone[at] for at in places]
    said = f"chosen ({pick.method or 'alone'}, {sum(pick.sharing)} of {len(places)} tasks)"
    rows.append((said, mine, equal))
    rows.append((f"{said}, beside the preferred single", mine, alone))
    for name, ours, base in rows:
        yield from compared(found, name, ours, base, common)


def compared(
    found: Measured, name: str, ours: list[Array], base: list[Array], common: dict[str, Any]
) -> Iterator[Line]:
    """A line for each task, for their mean, and for how many are surely worse."""
    numbers, draws, values = found.tasks[0].fit.n_classes == 0, [], []
    for at, (task, own, single) in enumerate(zip(found.tasks, ours, base, strict=True)):
        # Tasks over the same rows are resampled together.
        key = "resample" if task.rows is not None else f"resample/{at}"
        value, drawn = relative(own, single, numbers, found.rng.child(key))
        low, high = np.quantile(drawn, [0.025, 0.975])
        values.append(value)
        draws.append(drawn)
        yield Line(
            target=task.name,
            arm=name,
            metric="relative RMSE" if numbers else "relative log loss",
            value=value,
            low=float(low),
            high=float(high),
            n=len(own),
            peak_mb=round(peak_mb()),
            **common,
        )
    low, high = np.quantile(np.mean(draws, axis=0), [0.025, 0.975])
    mean, tasks = float(np.mean(values)), len(values)
    yield Line(
        target="mean",
        arm=name,
        metric="mean",
        value=mean,
        low=float(low),
        high=float(high),
        n=tasks,
        **common,
    )
    for metric, tail in (("tasks worse", 0.025), ("tasks worse, Bonferroni", 0.025 / tasks)):
        yield Line(arm=name, metric=metric, value=worse(values, draws, tail), n=tasks, **common)


def worse(values: list[float], draws: list[Array], tail: float) -> float:
    """How many tasks lie above 0 by more than chance has in a tail, as a normal law has it."""
    from scipy.stats import norm

    spread = np.array([drawn.std() for drawn in draws])
    return float((np.array(values) > norm.isf(tail) * spread + 1e-12).sum())


def relative(ours: Array, base: Array, numbers: bool, rng: Rng) -> tuple[float, Array]:
    """Error over that of the single task, minus 1, and the same of resampled rows."""
    n = len(ours)
    weight = rng.generator().multinomial(n, np.full(n, 1 / n), REPLICATES)
    power = 0.5 if numbers else 1.0
    value = (ours.sum() / base.sum()) ** power - 1
    return float(value), ((weight @ ours) / (weight @ base)) ** power - 1

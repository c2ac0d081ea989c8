"""Several tasks at once: what each sharing does to each, beside single tasks of equal size.

A method learns all tasks together once and serves each; the single-task network has at
least as many parameters as the one served.  A line holds the relative error (log loss, or
RMSE for numbers) minus 1: below 0 the tasks helped.  Its interval resamples judged rows in
pairs.  `chosen` takes for each task what two folds of the training rows prefer, and the
single task where nothing is better there by one standard error.

Data: --table FILE --task NAME=COLUMN:VALUE …   a table, a label for each task
      --pairs NAME=FILE …                        pairs of two ids; was the pair seen?
      --cells FILE                               X and Y cells of a .mat file: numbers
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError, UsageError
from acclimate.models.design import take_rows
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.catalogue import named
from acclimate.strategies.multitask.balance import BALANCES
from acclimate.strategies.multitask.lessons import Lesson
from acclimate.strategies.multitask.sharing import HardSharing
from benchmarks.line import Line, peak_mb

NAME = "multitask"
SHARING = ("soft-sharing", "trace-norm", "cross-stitch", "mmoe", "ple", "mtan")
WIDTH = 32
REPLICATES = 1000
FOLDS = 2


@dataclass(frozen=True)
class Task:
    """One task: rows to fit on and rows to judge by."""

    name: str
    fit: RowView
    judge: RowView


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--table", type=Path, help="a delimited file")
    parser.add_argument("--no-header", action="store_true", help="columns are 1, 2, …")
    parser.add_argument("--task", action="append", default=[], help="NAME=COLUMN:VALUE; repeat")
    parser.add_argument("--drop", action="append", default=[], help="a column; repeat")
    parser.add_argument("--pairs", action="append", default=[], help="NAME=FILE; repeat")
    parser.add_argument("--cells", type=Path, help="a .mat file of cells X and Y")
    parser.add_argument("--rows", type=int, default=2000, help="to fit on, of each table")
    parser.add_argument("--judged", type=int, default=20_000, help="rows at most")
    parser.add_argument("--most", type=int, default=10, help="tasks of cells, the first ones")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> Iterator[Line]:
    """A line for each method and task, and one for the chosen."""
    rng = Rng.of(args.seed)
    if args.table:
        tasks, data = of_table(args, rng), args.table.parent.name
    elif args.pairs:
        paths = [Path(each.partition("=")[2]) for each in args.pairs]
        tasks, data = of_pairs(args, rng), paths[0].parent.name
    elif args.cells:
        tasks, data = of_cells(args, rng), args.cells.parent.name
    else:
        raise UsageError("Expected one of --table, --pairs and --cells; found none of them.")
    known = methods()
    losses: dict[str, list[Array]] = {}
    alone: dict[str, list[Array]] = {}
    folded: dict[str, list[Array]] = {name: [] for name in (*known, "single")}
    for name, strategy in known.items():
        start = time.monotonic()
        try:
            served = together(strategy, [task.fit for task in tasks], rng)
        except StrategyError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        pairs = zip(served, tasks, strict=True)
        losses[name] = [each_loss(model, task.judge) for model, task in pairs]
        size = max(parameters(model) for model in served)
        alone[name] = [each_loss(single(t.fit, size, rng), t.judge) for t in tasks]
        folded[name] = out_of_fold(strategy, tasks, rng, 0)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    folded["single"] = out_of_fold(None, tasks, rng, 0)
    common: dict[str, Any] = {"benchmark": NAME, "data": data, "seed": args.seed}
    rest = [name for name in known if name in losses]
    picks = [chosen({k: folded[k][at] for k in (*rest, "single")}) for at in range(len(tasks))]
    for name in (*rest, "chosen"):
        values = []
        for at, task in enumerate(tasks):
            pick = picks[at] if name == "chosen" else name
            base = alone[pick if pick != "single" else rest[0]][at]
            ours = base if pick == "single" else losses[pick][at]
            value, low, high = relative(ours, base, task.judge.n_classes == 0, rng)
            values.append(value)
            yield Line(
                target=task.name,
                arm=name if name != "chosen" else f"chosen ({pick})",
                metric="relative RMSE" if task.judge.n_classes == 0 else "relative log loss",
                value=value,
                low=low,
                high=high,
                n=task.judge.n,
                peak_mb=round(peak_mb()),
                **common,
            )
        yield Line(
            target="mean", arm=name, metric="mean", value=float(np.mean(values)), **common
        )


def methods() -> dict[str, HardSharing]:
    """Hard sharing under every balance, and every other sharing."""
    found = {f"hard-sharing, {each}": HardSharing(balance=each) for each in BALANCES}
    for kind in SHARING:
        strategy = named(kind)
        assert isinstance(strategy, HardSharing)
        found[kind] = strategy
    return found


# ── fitting ─────────────────────────────────────────────────────────────────


def together(strategy: HardSharing, views: list[RowView], rng: Rng) -> list[Any]:
    """The network served for each task, after one training."""
    lessons = strategy.shared([Lesson(f"{at}", view) for at, view in enumerate(views)])
    taught = strategy.taught(lessons, MixedNetwork(width=WIDTH), rng.child("fit"))
    return [taught.serve(at) for at in range(len(views))]


def single(view: RowView, size: int, rng: Rng) -> MixedNetwork:
    """The plain network of the least width with so many parameters, on one task."""
    width = WIDTH
    while True:
        model = MixedNetwork(width=width)
        prepared = model.prepare(view)
        begun = model.begin(prepared, None, rng)
        if sum(value.numel() for value in begun.values()) >= size:
            return model.fit(prepared, rng=rng.child("fit"))
        width += 4


def parameters(model: Any) -> int:
    """How many numbers a network learned."""
    return sum(value.size for value in model.state().tensors.values())


def each_loss(model: Any, view: RowView) -> Array:
    """(n,) log loss, or the squared error of numbers."""
    assert view.label is not None
    answer = model.predict(view)
    if view.n_classes == 0:
        return np.asarray((answer.y - view.label) ** 2)
    p = answer.p[np.arange(view.n), view.label.astype(np.int64)]
    return np.asarray(-np.log(np.clip(p, 1e-9, 1.0)))


def out_of_fold(
    strategy: HardSharing | None, tasks: list[Task], rng: Rng, size: int
) -> list[Array]:
    """(n,) for each task the loss of each training row under the fit that left it out."""
    found = [np.zeros(task.fit.n) for task in tasks]
    for fold in range(FOLDS):
        parts = [np.arange(task.fit.n) % FOLDS == fold for task in tasks]
        views = [
            take_rows(task.fit, np.flatnonzero(~part))
            for task, part in zip(tasks, parts, strict=True)
        ]
        if strategy is None:
            models: list[Any] = [single(view, size, rng) for view in views]
        else:
            models = together(strategy, views, rng)
        for at, (model, task, part) in enumerate(zip(models, tasks, parts, strict=True)):
            rows = np.flatnonzero(part)
            found[at][rows] = each_loss(model, take_rows(task.fit, rows))
    return found


def chosen(losses: dict[str, Array]) -> str:
    """The method of least loss, where it beats the single task by one standard error."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    gap = losses["single"] - losses[best]
    error = float(gap.std(ddof=1) / np.sqrt(len(gap)))
    return best if gap.mean() > error else "single"


def relative(ours: Array, base: Array, numbers: bool, rng: Rng) -> tuple[float, float, float]:
    """Error over that of the single task, minus 1, and its 95 % interval."""
    n = len(ours)
    weight = rng.child("resample").generator().multinomial(n, np.full(n, 1 / n), REPLICATES)
    power = 0.5 if numbers else 1.0
    ratios = ((weight @ ours) / (weight @ base)) ** power - 1
    value = (ours.sum() / base.sum()) ** power - 1
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(value), float(low), float(high)


# ── data ────────────────────────────────────────────────────────────────────


def of_table(args: argparse.Namespace, rng: Rng) -> list[Task]:
    """Tasks that are labels of one table's rows."""
    frame = pl.read_csv(args.table, has_header=not args.no_header, infer_schema_length=0)
    frame = frame.with_columns(pl.all().str.strip_chars())
    if args.no_header:
        frame.columns = [f"{at}" for at in range(1, frame.width + 1)]
    asked = [each.partition("=") for each in args.task]
    labels = {name: where.partition(":") for name, _, where in asked}
    columns = [column for column, _, _ in labels.values()]
    features = frame.drop([*dict.fromkeys([*columns, *args.drop])])
    numeric = {c: features[c].cast(pl.Float64, strict=False) for c in features.columns}
    known = {c: v for c, v in numeric.items() if not v.is_null().any() and v.n_unique() > 20}
    features = features.with_columns(**known)
    targets = {
        name: (frame[column] == value).cast(pl.Int64).to_numpy()
        for name, (column, _, value) in labels.items()
    }
    return cut(features, set(known), targets, args, rng)


def of_pairs(args: argparse.Namespace, rng: Rng) -> list[Task]:
    """Tasks that are behaviours: pairs of the first file, and as many others at random."""
    seen: dict[str, set[tuple[str, str]]] = {}
    for each in args.pairs:
        name, _, path = each.partition("=")
        frame = pl.read_csv(path, separator="\t", infer_schema_length=0)
        seen[name] = {(row[0], row[1]) for row in frame.iter_rows()}
    first = sorted(next(iter(seen.values())))
    generator = rng.child("others").generator()
    users, items = ([pair[side] for pair in first] for side in (0, 1))
    others = [*zip(users, generator.permutation(items).tolist(), strict=True)]
    rows = first + sorted(set(others) - set(first))
    features = pl.DataFrame({"one": [r[0] for r in rows], "other": [r[1] for r in rows]})
    targets = {
        name: np.array([row in pairs for row in rows]).astype(np.int64)
        for name, pairs in seen.items()
    }
    return cut(features, set(), targets, args, rng)


def cut(
    features: pl.DataFrame,
    numeric: set[str],
    targets: dict[str, Ints],
    args: argparse.Namespace,
    rng: Rng,
) -> list[Task]:
    """Rows to fit on and to judge by, at random; the encoder knows the former alone."""
    order = rng.child("cut").generator().permutation(features.height)
    fit, judge = order[: args.rows], order[args.rows : args.rows + args.judged]
    types = {
        name: ColumnType.NUMERIC if name in numeric else ColumnType.CATEGORY
        for name in features.columns
    }
    rows = Rows(features, types, ("no", "yes"))
    encoder = RowRecipe().fit([rows.take(fit)], [])
    views = [encoder.encode(rows.take(part)) for part in (fit, judge)]
    return [
        Task(
            name,
            *(replace(v, label=label[p]) for v, p in zip(views, (fit, judge), strict=True)),
        )
        for name, label in targets.items()
    ]


def of_cells(args: argparse.Namespace, rng: Rng) -> list[Task]:
    """Tasks that are cells: numbers to predict, a quarter of each to judge by."""
    from scipy.io import loadmat

    cells = loadmat(args.cells)
    found = []
    pairs = [*zip(cells["X"].ravel(), cells["Y"].ravel(), strict=True)][: args.most]
    for at, (x, y) in enumerate(pairs):
        order = rng.child(f"cell/{at}").generator().permutation(len(x))
        held = len(x) // 4
        views = [
            RowView(
                x[part].astype(np.float64),
                np.zeros((len(part), 0), np.int64),
                (),
                None,
                y[part, 0].astype(np.float64),
                0,
            )
            for part in (order[held:], order[:held])
        ]
        found.append(Task(f"cell {at + 1}", *views))
    spread = np.concatenate([task.fit.numeric for task in found]).std(0)
    scale = np.where(spread > 0, spread, 1.0)
    middle = np.concatenate([task.fit.numeric for task in found]).mean(0)
    return [
        Task(
            task.name,
            *(replace(v, numeric=(v.numeric - middle) / scale) for v in (task.fit, task.judge)),
        )
        for task in found
    ]

"""Several tasks at once: what each sharing does to each, beside single tasks of equal size.

A method learns all tasks together once and serves each; the single-task network has at
least as many parameters as the one served.  A line holds the relative error (log loss, or
RMSE for numbers) minus 1: below 0 the tasks helped.  Its interval resamples judged rows in
pairs.  `chosen` takes one method for all tasks by two folds of the training rows, or none:
see `chosen`.  Its second lines compare with the single network that the folds prefer, of
whatever size, which is what one would have without it.

Data: --table FILE --task NAME=COLUMN:VALUE …   a table, a label for each task
      --pairs NAME=FILE …                        pairs of two ids; was the pair seen?
      --cells FILE                               X and Y cells of a .mat file: numbers
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
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
from acclimate.strategies.multitask.affinity import AffinitySharing
from acclimate.strategies.multitask.autolambda import AutoLambda
from acclimate.strategies.multitask.balance import BALANCES
from acclimate.strategies.multitask.lessons import Lesson
from acclimate.strategies.multitask.sharing import HardSharing
from benchmarks.line import Line, peak_mb

NAME = "multitask"
SHARING = (
    "soft-sharing",
    "trace-norm",
    "cross-stitch",
    "mmoe",
    "ple",
    "mtan",
    "auto-lambda",
    "affinity-sharing",
)
WIDTH = 32
REPLICATES = 1000
FOLDS = 2
SURE = 1.0  # standard errors; on made losses `tests/test_multitask.py` tells what others do


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
    yield from told(measure(tasks, rng), data, args.seed, rng)


@dataclass(frozen=True)
class Measured:
    """Losses of every row, by method and task.

    fit      method → task → (n,) of judged rows, and of rows to fit on, out of fold
    alone    the same of single networks, by width
    width    method → that of the single network with as many parameters
    numbers  whether the labels are numbers
    """

    names: tuple[str, ...]
    judged: dict[str, list[Array]]
    folded: dict[str, list[Array]]
    alone_judged: dict[int, list[Array]]
    alone_folded: dict[int, list[Array]]
    width: dict[str, int]
    numbers: bool


def measure(tasks: list[Task], rng: Rng) -> Measured:
    """Fit every method and a single network of each size, on all rows and on folds."""
    judged: dict[str, list[Array]] = {}
    folded: dict[str, list[Array]] = {}
    width: dict[str, int] = {}
    for name, strategy in methods().items():
        start = time.monotonic()
        try:
            models = together(strategy, [task.fit for task in tasks], rng)
        except StrategyError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        pairs = zip(models, tasks, strict=True)
        judged[name] = [each_loss(model, task.judge) for model, task in pairs]
        width[name] = width_of(tasks[0].fit, max(parameters(model) for model in models), rng)
        folded[name] = out_of_fold(partial(together, strategy, rng=rng), tasks)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    alone_judged: dict[int, list[Array]] = {}
    alone_folded: dict[int, list[Array]] = {}
    for wide in sorted({WIDTH, *width.values()}):
        fits = singles([task.fit for task in tasks], wide, rng)
        pairs = zip(fits, tasks, strict=True)
        alone_judged[wide] = [each_loss(model, task.judge) for model, task in pairs]
        alone_folded[wide] = out_of_fold(partial(singles, width=wide, rng=rng), tasks)
    names = tuple(task.name for task in tasks)
    numbers = tasks[0].fit.n_classes == 0
    return Measured(names, judged, folded, alone_judged, alone_folded, width, numbers)


def told(found: Measured, data: str, seed: int, rng: Rng) -> Iterator[Line]:
    """The lines of what was measured."""
    common: dict[str, Any] = {"benchmark": NAME, "data": data, "seed": seed}
    best = [preferred(found, at) for at in range(len(found.names))]
    apart = [found.alone_folded[wide][at] for at, wide in enumerate(best)]
    pick = chosen(found.folded, apart)
    alone = [found.alone_judged[wide][at] for at, wide in enumerate(best)]
    equal = {k: found.alone_judged[wide] for k, wide in found.width.items()}
    rows = [(name, found.judged[name], equal[name]) for name in found.judged]
    said = f"chosen ({pick or 'alone'})"
    mine = found.judged[pick] if pick else alone
    rows += [(said, mine, equal[pick] if pick else alone)]
    rows += [(f"{said}, beside the preferred single", mine, alone)]
    for name, ours, base in rows:
        values = []
        for target, own, single in zip(found.names, ours, base, strict=True):
            value, low, high = relative(own, single, found.numbers, rng)
            values.append(value)
            yield Line(
                target=target,
                arm=name,
                metric="relative RMSE" if found.numbers else "relative log loss",
                value=value,
                low=low,
                high=high,
                n=len(own),
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
    model = MixedNetwork(width=WIDTH)
    if isinstance(strategy, AffinitySharing | AutoLambda):
        return [served(strategy, lessons, at, model, rng) for at in range(len(views))]
    taught = strategy.taught(lessons, model, rng.child("fit"))
    return [taught.serve(at) for at in range(len(views))]


def served(
    strategy: AffinitySharing | AutoLambda,
    lessons: list[Lesson],
    at: int,
    model: MixedNetwork,
    rng: Rng,
) -> Any:
    """The network of one task, for which others are left out or weighed."""
    mine, others = lessons[at], [each for k, each in enumerate(lessons) if k != at]
    lessons = strategy.shared([mine, *others])
    if isinstance(strategy, AffinitySharing):
        kept, _ = strategy.kept(lessons, model, rng.child("affinity"))
        return strategy.taught(kept, model, rng.child("fit")).serve()
    order = rng.child("folds").generator().permutation(mine.view.n)
    parts = np.array_split(order, 3)
    folds = [
        (
            [replace(mine, view=take_rows(mine.view, np.setdiff1d(order, part))), *lessons[1:]],
            take_rows(mine.view, part),
        )
        for part in parts
    ]
    weights = strategy.learned(folds, model, rng.child("weights"))
    weighed = [
        replace(each, share=each.share * weight)
        for each, weight in zip(lessons, weights, strict=True)
    ]
    return strategy.taught(weighed, model, rng.child("fit")).serve()


def singles(views: list[RowView], width: int, rng: Rng) -> list[Any]:
    """The plain network of a width, on each task by itself."""
    model = MixedNetwork(width=width)
    return [model.fit(model.prepare(view), rng=rng.child("fit")) for view in views]


def width_of(view: RowView, size: int, rng: Rng) -> int:
    """The least width at which the plain network has so many parameters."""
    width = WIDTH
    while True:
        model = MixedNetwork(width=width)
        begun = model.begin(model.prepare(view), None, rng)
        if sum(value.numel() for value in begun.values()) >= size:
            return width
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
    fitting: Callable[[list[RowView]], list[Any]], tasks: list[Task]
) -> list[Array]:
    """(n,) for each task the loss of each training row under the fit that left it out."""
    found = [np.zeros(task.fit.n) for task in tasks]
    for fold in range(FOLDS):
        parts = [np.arange(task.fit.n) % FOLDS == fold for task in tasks]
        views = [
            take_rows(task.fit, np.flatnonzero(~part))
            for task, part in zip(tasks, parts, strict=True)
        ]
        for at, (model, task, part) in enumerate(
            zip(fitting(views), tasks, parts, strict=True)
        ):
            rows = np.flatnonzero(part)
            found[at][rows] = each_loss(model, take_rows(task.fit, rows))
    return found


def preferred(found: Measured, at: int) -> int:
    """The width of the single network of least loss on one task, out of fold."""
    means = {wide: float(each[at].mean()) for wide, each in found.alone_folded.items()}
    return min(means, key=lambda wide: means[wide])


def chosen(losses: dict[str, list[Array]], alone: list[Array]) -> str | None:
    """The method of most gain over single networks, or None where none is sure.

    losses  method → task → (n,) out of fold
    alone   task → (n,) of the preferred single network

    A method must be better by `SURE` standard errors on its worst task, and by one on the
    mean over tasks.
    """
    means: dict[str, float] = {}
    for name, tasks in losses.items():
        gaps = [(b - a) / b.mean() for a, b in zip(tasks, alone, strict=True)]
        gain = np.array([gap.mean() for gap in gaps])
        error = np.array([gap.std(ddof=1) / np.sqrt(len(gap)) for gap in gaps])
        surest = gain - SURE * error
        if surest.min() >= 0 and gain.mean() > np.sqrt((error**2).sum()) / len(error):
            means[name] = float(gain.mean())
    return max(means, key=lambda name: means[name]) if means else None


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

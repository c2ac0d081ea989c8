"""What the benchmark of several tasks reads: a table's labels, pairs of ids, or cells.

After: `multitask_fits` learns the tasks alone and together.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from acclimate.arrays import Ints
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.view import RowView
from acclimate.models.design import take_rows
from acclimate.rng import Rng


@dataclass(frozen=True)
class Task:
    """One task: rows to fit on and rows to judge by.

    rows  (n,) which row each of `fit` is, where tasks have rows in common, else None
    """

    name: str
    fit: RowView
    judge: RowView
    rows: Ints | None = None

    def taking(self, at: Ints) -> Task:
        """The task with these of its rows to fit on."""
        rows = None if self.rows is None else self.rows[at]
        return replace(self, fit=take_rows(self.fit, at), rows=rows)


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
            replace(views[0], label=label[fit]),
            replace(views[1], label=label[judge]),
            np.arange(len(fit)),
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
        found.append(Task(f"cell {at + 1}", views[0], views[1]))
    spread = np.concatenate([task.fit.numeric for task in found]).std(0)
    scale = np.where(spread > 0, spread, 1.0)
    middle = np.concatenate([task.fit.numeric for task in found]).mean(0)

    def scaled(view: RowView) -> RowView:
        return replace(view, numeric=(view.numeric - middle) / scale)

    return [Task(task.name, scaled(task.fit), scaled(task.judge)) for task in found]

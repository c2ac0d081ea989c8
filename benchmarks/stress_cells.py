"""Cells of the stress benchmark: which market learns from which others, and what they share.

A cell names a file and a column whose values are markets, or a folder of files.  Its
paths, values and columns are defaults that the command line replaces: any table of the
same shape will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.markets import open_markets
from acclimate.domains.readers import is_table, read_file
from acclimate.domains.values import text
from acclimate.errors import UsageError
from acclimate.posing import hints_of
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend

CHAIN = "hard-sharing + adapter-dann + meta-head"
ROWS = (
    "source-prior",
    "coral + pooled",
    "coral + source-only",
    "density-ratio + pooled",
    "blend",
    "tradaboost",
    "finetune",
    "l2-sp",
    "density-ratio + finetune",
    "hard-sharing",
    "dann",
    "adapter-dann",
    "maml",
    "meta-head",
    "hard-sharing + meta-head",
    CHAIN,
)
GIVEN = ("source-prior", "blend", "finetune", "l2-sp")
UNLABELLED = (
    "coral + source-only",
    "coral + pooled",
    "density-ratio + source-only",
    "dann",
    "adapter-dann",
    CHAIN,
)
TASKS = ("hard-sharing", "hard-sharing-labels", "hard-sharing-labels + finetune-head")
SHARES = ("rows", "gram", "fitted")


@dataclass(frozen=True)
class Cell:
    """One stress: a target, its sources, and what is tried.

    data      a file, or a folder with one file a market; relative to the folder of real data
    by        the column of the file whose values are markets, or None
    sources   values or files; none: all but the target
    label     the label column, or None for events
    labels    label budgets of the target, each a run; 0: all labels are taken away
    shares    what sources let be seen: "rows", "gram" or "fitted" (an artifact of theirs)
    arms      kinds to try besides the three baselines
    headless  the file has no header: its columns are column_1, column_2, …
    """

    data: Path
    target: str
    by: str | None = None
    sources: tuple[str, ...] = ()
    label: str | None = None
    also: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    shares: str = "rows"
    arms: tuple[str, ...] = ROWS
    headless: bool = False

    @property
    def task(self) -> Classify | Recommend:
        """What is predicted: the label, or the next items where there is none."""
        return Recommend() if self.label is None else Classify(self.label, also=self.also)


def cells(root: Path) -> dict[str, Cell]:
    """The cells by name, on the real data under `root`."""
    rows = Cell(
        data=root / "ecommerce_fraud/Fraud_Data_51k.csv.gz",
        by="source",
        target="Direct",
        label="class",
        labels=(200, 1000),
    )
    texts = Cell(
        data=root / "online_shopping_10_cats/shared_8_cats.csv.gz",
        by="cat",
        target="计算机",
        label="label",
        labels=(50, 500),
    )
    events = Cell(data=root / "xmarket_electronics", target="de", arms=("item-prior",))
    tasks = Cell(
        data=root / "census_income_kdd/census-income.test.csv.gz",
        headless=True,
        by="column_36",
        target="Foreign born- U S citizen by naturalization",
        sources=(
            "Native- Born in the United States",
            "Foreign born- Not a citizen of U S",
        ),
        label="column_42",
        also=("column_8",),
        labels=(200,),
        arms=TASKS,
    )
    return {
        "rows": rows,
        "rows-artifact": replace(rows, labels=(200,), shares="fitted", arms=GIVEN),
        "rows-unlabelled": replace(rows, labels=(0,), arms=UNLABELLED),
        "texts": texts,
        "texts-unlabelled": replace(texts, labels=(0,), arms=UNLABELLED),
        "events": events,
        "events-gram": replace(events, shares="gram"),
        "events-artifact": replace(events, shares="fitted"),
        "tasks": tasks,
        "tasks-swapped": replace(tasks, label="column_8", also=("column_42",)),
    }


def opened(cell: Cell, at_most: int, folder: Path, rng: Rng) -> tuple[Domain, list[Domain]]:
    """The target and its sources.

    at_most  rows of each source that are kept, drawn at random; 0: all
    folder   a place for a copy of a file without a header
    """
    if not cell.data.exists():
        raise UsageError(
            f"Expected {str(cell.data)!r}; found nothing there. Set ACCLIMATE_DATA to the "
            "folder of real data, or name other data with --data."
        )
    data = headed(cell.data, folder) if cell.headless else cell.data
    target, sources = specs(data, cell.by, cell.target, cell.sources)
    mine, *theirs = open_markets([target, *sources], hints_of(cell.task))
    if at_most:
        theirs = [some(domain, at_most, rng.child(domain.name)) for domain in theirs]
    return mine, theirs


def specs(
    data: Path, by: str | None, target: str, sources: Sequence[str]
) -> tuple[str, list[str]]:
    """How `open_market` is told of the target and its sources; all others without any named."""
    if data.is_dir():
        files = sorted(path for path in data.iterdir() if path.is_dir() or is_table(path))
        known = {path.name.split(".")[0].split("_")[0]: str(path) for path in files}
        known |= {path.name.split(".")[0]: str(path) for path in files}
    elif by is not None:
        frame = read_file(data).frame
        if by not in frame.columns:
            raise UsageError(
                f"Expected a column of {data.name!r} among {', '.join(frame.columns[:40])}; "
                f"found {by!r}. Name the column of markets with --by."
            )
        values = text(frame[by]).drop_nulls().str.strip_chars().unique().sort().to_list()
        known = {value: f"{data}::{by}={value}" for value in values}
    else:
        raise UsageError(
            f"Expected a column of {data.name!r} whose values are markets; found none. Name "
            "one with --by, or give a folder with a file a market."
        )
    unknown = [name for name in (target, *sources) if name not in known]
    if unknown:
        raise UsageError(
            f"Expected markets among {', '.join([*known][:20])} in {data.name!r}; "
            f"found {', '.join(unknown)}."
        )
    others = [known[name] for name in sources] or [
        place for place in dict.fromkeys(known.values()) if place != known[target]
    ]
    return known[target], others


def headed(path: Path, folder: Path) -> Path:
    """A copy of a file without a header, with names for its columns and no blanks around."""
    frame = pl.read_csv(path, has_header=False, infer_schema=False)
    frame.columns = [f"column_{number}" for number in range(1, frame.width + 1)]
    copy = folder / f"{path.name.split('.')[0]}.csv"
    frame.select(pl.all().str.strip_chars()).write_csv(copy)
    return copy


def some(domain: Domain, at_most: int, rng: Rng) -> Domain:
    """The domain with at most so many rows, in their order; its events stay whole."""
    rows = domain.tables.get("rows")
    if rows is None or rows.height <= at_most:
        return domain
    kept = np.sort(rng.generator().choice(rows.height, at_most, replace=False))
    return replace(domain, tables={**domain.tables, "rows": rows[kept]})

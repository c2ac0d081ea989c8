"""Made markets, and looks into networks, for the tests of strategies that train them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import RowView, View
from acclimate.models.mixed import MixedNetwork

MODEL = MixedNetwork(width=16, epochs=3)
TYPES = {"a": ColumnType.NUMERIC, "b": ColumnType.NUMERIC, "brand": ColumnType.CATEGORY}
NONE = np.empty(0, np.int64)


def market(n: int, seed: int, *, away: float = 0.0, also: bool = False) -> Rows:
    """Orders whose label depends on two amounts and a brand.

    away  moves the mean of amount b, on which the label depends little
    also  with other labels: `size`, three values that follow what the label follows, and
          `gift`, of which half is unknown
    """
    g = np.random.default_rng(seed)
    a, b, brand = g.normal(size=n), g.normal(size=n) + away, g.integers(0, 6, n)
    score = 2 * a + 3 * np.sin(brand)
    yes = score + g.logistic(size=n) > 0
    size = np.select([score < -1.5, score < 1.5], ["s", "m"], "l").tolist()
    gift = [
        None if hidden else str(k % 2)
        for k, hidden in zip(brand, g.random(n) < 0.5, strict=True)
    ]
    return Rows(
        pl.DataFrame({"a": a, "b": b, "brand": [f"brand {k}" for k in brand]}),
        TYPES,
        ("no", "yes"),
        yes.astype(np.int64),
        also=pl.DataFrame({"size": size, "gift": gift}) if also else None,
    )


def problem(
    fit: Rows, *sources: Rows, unlabelled: Rows | None = None, on: Statistics = Statistics.BOTH
) -> Problem:
    """These markets as a problem, its encoder fitted."""
    named = tuple(Source(name, rows) for name, rows in zip(("us", "de"), sources, strict=False))
    bare = Problem("jp", fit, named, Claim.LATER, RowRecipe(), unlabelled)
    return bare.encoded(on)


def labelled(**options: Any) -> Problem:
    """Markets whose rows have other labels."""
    return problem(
        market(80, 1, also=True),
        market(300, 2, also=True),
        market(200, 3, also=True),
        unlabelled=replace(market(90, 4, also=True), label=None),
        **options,
    )


def labels(view: RowView) -> list[int]:
    assert view.label is not None
    return [int(each) for each in view.label]


def with_also(rows: Rows, name: str, values: Any) -> Rows:
    """The rows with one other label of these values."""
    assert rows.also is not None
    return replace(rows, also=rows.also.with_columns(pl.Series(name, values, pl.String)))


def tensors(model: Any) -> dict[str, Any]:
    return dict(model.state().tensors)


def changed(before: Any, after: Any) -> set[str]:
    """The names of the parameters in which two fitted networks differ."""
    ours, theirs = tensors(before), tensors(after)
    assert set(ours) == set(theirs)
    return {name for name in ours if not np.array_equal(ours[name], theirs[name])}


def arange(n: int) -> Array:
    """0 … n − 1 as numbers that weights may be."""
    return np.arange(n, dtype=np.float64)


def rows_view(view: View) -> RowView:
    assert isinstance(view, RowView)
    return view


def scores(model: Any, asked: Problem, rows: Rows) -> Array:
    answer = model.predict(rows_view(asked.view(rows)))
    assert isinstance(answer, Probabilities)
    return answer.p

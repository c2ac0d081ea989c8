"""Small rows, views and problems that instance and feature strategies are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import RowView
from acclimate.rng import Rng

RNG = Rng.of(0)


def view(
    numeric: Any, label: Any = None, sparse: Any = None, codes: Any = None, n_classes: int = 2
) -> RowView:
    """A view of these numbers; one category column where there are codes."""
    x = np.asarray(numeric, float)
    held = np.zeros((len(x), 0), np.int64) if codes is None else np.asarray(codes)[:, None]
    levels = () if codes is None else (int(held.max()) + 1,)
    text = None if sparse is None else sp.csr_array(np.asarray(sparse, float))
    return RowView(
        x, held, levels, text, None if label is None else np.asarray(label), n_classes
    )


def table(
    x: Array,
    label: Ints | None,
    *,
    classes: tuple[str, ...] = ("no", "yes"),
    group: Ints | None = None,
    note: list[str] | None = None,
    entity: Any = None,
) -> Rows:
    """Raw rows with the columns x0, x1, …, a category and a text, where given."""
    columns: dict[str, Any] = {f"x{j}": x[:, j] for j in range(x.shape[1])}
    types = dict.fromkeys(columns, ColumnType.NUMERIC)
    if group is not None:
        columns["group"], types["group"] = [f"g{g}" for g in group], ColumnType.CATEGORY
    if note is not None:
        columns["note"], types["note"] = note, ColumnType.TEXT
    frame = pl.DataFrame(columns)
    return Rows(frame, types, classes, label, None if entity is None else np.array(entity))


def market(
    n: int, seed: int, *, shift: float = 0.0, flip: float = 1.0, half: bool = False
) -> Rows:
    """Two numbers and a category; P(yes) = σ(flip · (2·x0 − x1)).

    shift  moves the mean of both numbers
    half   only the second half of the rows is flipped, told apart by nothing
    """
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2)) + shift
    signs = np.where(half & (np.arange(n) >= n // 2), -1.0, 1.0) * flip
    score = signs * (2 * x[:, 0] - x[:, 1])
    label = (g.random(n) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return table(x, label, group=g.integers(0, 3, n))


def problem(
    target: Rows,
    *sources: Rows | Source,
    on: Statistics | None = Statistics.BOTH,
    unlabelled: Rows | None = None,
) -> Problem:
    """Sources by the names s0, s1, …, encoded unless `on` is None."""
    named = tuple(
        each if isinstance(each, Source) else Source(f"s{at}", each)
        for at, each in enumerate(sources)
    )
    recipe = RowRecipe(hash_bits=6)
    raw = Problem("t", target, named, Claim.NEW, recipe, unlabelled)
    return raw if on is None else raw.encoded(on)


def views_of(given: Problem) -> list[RowView]:
    """The view of each source."""
    return [rows(given.source_view(source)) for source in given.sources]


def rows(seen: object) -> RowView:
    assert isinstance(seen, RowView)
    return seen


def text(seen: RowView) -> Sparse:
    assert seen.sparse is not None
    return seen.sparse


def chances(answer: object) -> Array:
    assert isinstance(answer, Probabilities)
    return answer.p


def log_loss(p: Array, held: Rows) -> float:
    assert held.label is not None
    return float(-np.log(p[np.arange(held.n), held.label]).mean())

"""Lessons: what the tasks learned together are, as rows under a label of their own each.

Tasks are markets (the same label in the target and in each source) or labels (other
labels of the same rows).  The served task comes first.  A category is a market where
each of its values is given as one.

Before: the problem was encoded.  After: `sharing` and `joint` learn the lessons together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.models.design import take_rows
from acclimate.strategies.seen import own_rows, source_rows
from acclimate.strategies.stacking import row_weights, source_views, stack

SEEN = 2  # rows that a value of another label must have to be a class


@dataclass(frozen=True)
class Lesson:
    """One task of several: rows under a label of their own.

    name    the market, or the label
    view    labelled, with the number of classes of this task
    weight  (n,) ≥ 0, one a row, or None for equal weights
    share   ≥ 0, factor on the mean loss
    rows    (n,) which row each is, so that tasks can have rows in common, or None for rows
            that no other task has
    """

    name: str
    view: RowView
    weight: Array | None = None
    share: float = 1.0
    rows: Ints | None = None

    @property
    def numbers(self) -> bool:
        """Whether its label is a number, and no class."""
        return self.view.n_classes == 0

    @property
    def mass(self) -> float:
        """How many rows it counts for."""
        return float(self.view.n if self.weight is None else self.weight.sum())


def market_lessons(problem: Problem) -> list[Lesson]:
    """A task for the target and one for each source; one without weight teaches nothing."""
    pairs = [*zip(problem.sources, source_views(problem), strict=True)]
    return [
        Lesson(problem.target, rows_view(problem.view(problem.fit))),
        *(
            Lesson(source.name, rows_view(view), source.weight)
            for source, view in pairs
            if source.weight is None or source.weight.any()
        ),
    ]


def label_lessons(problem: Problem) -> list[Lesson]:
    """A task for the label, on rows of target and sources, and one for each other label.

    Another label is learned on every row that has it, the target's unlabelled ones among
    them.
    """
    theirs = source_views(problem)
    own = [rows_view(problem.view(problem.fit))] if problem.labelled else []
    weight = row_weights(problem.sources, problem.fit.n if own else 0)
    mine = [rows_view(problem.view(sample)) for sample in own_rows(problem)]
    whole, ours = rows_view(stack([*mine, *theirs])), sum(view.n for view in mine)
    taught = np.r_[np.arange(own[0].n if own else 0), np.arange(ours, whole.n)]
    found = [Lesson("label", rows_view(stack([*own, *theirs])), weight, rows=taught)]
    weight = row_weights(problem.sources, ours)
    for name in label_names(problem):
        classes = classes_of(problem, name)
        if len(classes) < 2:
            continue
        label = np.concatenate([places(each, name, classes) for each in samples(problem)])
        known = np.flatnonzero(label >= 0)
        view = replace(whole, label=label, n_classes=len(classes))
        weights = None if weight is None else weight[known]
        found.append(Lesson(name, take_rows(view, known), weights, rows=known))
    return found


def lessons_of(problem: Problem) -> list[Lesson]:
    """Labels as tasks where the rows have other labels, markets elsewhere."""
    labels = no_other_label(problem) is None
    return label_lessons(problem) if labels else market_lessons(problem)


def no_other_label(problem: Problem) -> str | None:
    """Why the other labels of the rows are no tasks, or None."""
    names = label_names(problem)
    if not names:
        return "the rows have no other label than the one to predict"
    if not any(len(classes_of(problem, name)) > 1 for name in names):
        return f"no two values recur in any other label: {', '.join(names)}"
    return None


# ── other labels ────────────────────────────────────────────────────────────


def samples(problem: Problem) -> list[Rows]:
    """All rows: the target's, then those of each source."""
    return [*own_rows(problem), *source_rows(problem)]


def label_names(problem: Problem) -> list[str]:
    """The names of all other labels, in the order they are met."""
    frames = [each.also for each in samples(problem) if each.also is not None]
    return [*dict.fromkeys(name for frame in frames for name in frame.columns)]


def classes_of(problem: Problem, name: str) -> tuple[str, ...]:
    """The values of another label that enough rows have, in order."""
    weight = row_weights(problem.sources, sum(each.n for each in own_rows(problem)))
    values = pl.concat([column(each, name) for each in samples(problem)])
    if weight is not None:
        values = values.filter(pl.Series(weight > 0))
    counts = values.drop_nulls().value_counts()
    return tuple(sorted(counts.filter(pl.col("count") >= SEEN)[counts.columns[0]].to_list()))


def column(rows: Rows, name: str) -> pl.Series:
    """(n,) the values of another label, null where unknown."""
    if rows.also is None or name not in rows.also.columns:
        return pl.Series(name, [None] * rows.n, dtype=pl.String)
    return rows.also[name].cast(pl.String)


def places(rows: Rows, name: str, classes: Sequence[str]) -> Ints:
    """(n,) the position in `classes` of each row's other label, −1 where it has none."""
    at = column(rows, name).replace_strict(
        list(classes), list(range(len(classes))), default=-1, return_dtype=pl.Int64
    )
    return at.fill_null(-1).to_numpy().astype(np.int64)


def rows_view(view: object) -> RowView:
    """The view as that of rows, which is all a network here eats."""
    assert isinstance(view, RowView)
    return view

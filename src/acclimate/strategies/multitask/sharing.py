"""Hard sharing: tasks that are learned together share a body and have a head each.

    minimise  mean loss of the served task + others · Σ (n_k / n) · mean loss of task k

with n rows of the served task and n_k of another: at others = 1 every row counts alike,
whichever task it is of.  Equal means would pass dozens of times, at full strength, over
a target of 200 rows while a large source is read once, and learn it by heart.

Source: Caruana, "Multitask learning", Machine Learning 28, 1997.
Tasks are markets (the same label in the target and in each source) or labels (other
labels of the same rows).  The served network is the body with the served task's
head; the other heads are not kept.  Each task's loss is one of its own in the one
loop, so that gradients can be combined task by task.

A task of weight 0 changes nothing: the served network is then the single task's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import take_rows
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Losses, Params, Step, Stream, Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.seen import own_rows, source_rows, teaches_nothing
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt, Strategy

SERVED = "rows"
SEEN = 2  # rows that a value of another label must have to be a class


@dataclass(frozen=True)
class Lesson:
    """One task of several: rows under a label of their own.

    view    labelled, with the number of classes of this task
    weight  (n,) ≥ 0, one a row, or None for equal weights
    share   ≥ 0, factor on the mean loss
    """

    view: RowView
    weight: Array | None = None
    share: float = 1.0

    @property
    def mass(self) -> float:
        """How many rows it counts for."""
        return float(self.view.n if self.weight is None else self.weight.sum())


@dataclass(frozen=True)
class HardSharing(Adapt):
    """Markets as tasks: a head for the target, served, and one for each source.

    others  ≥ 0, weight of a row of another task, where one of the served task has 1
    epochs  ≥ 0, passes over the rows of the largest task, or None for the network's own
            number; smaller tasks start over meanwhile
    """

    others: float = 1.0
    epochs: int | None = None

    kind: ClassVar[str] = "hard-sharing"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.others) and self.others >= 0):
            raise StrategyError(
                f"Expected a finite weight of other tasks' rows of at least 0, found "
                f"{self.others}. At 0 the served task is learned alone."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Trainable):
            return f"{model.kind} has no body that several heads could share: not a network"
        return teaches_nothing(problem)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, others=0.3), replace(self, others=0.1))

    def lessons(self, problem: Problem) -> list[Lesson]:
        """The tasks, the served one first; a source without any weight teaches nothing."""
        pairs = [*zip(problem.sources, source_views(problem), strict=True)]
        return self.shared(
            Lesson(rows_view(problem.view(problem.fit))),
            [
                Lesson(rows_view(view), source.weight)
                for source, view in pairs
                if source.weight is None or source.weight.any()
            ],
        )

    def shared(self, served: Lesson, others: Sequence[Lesson]) -> list[Lesson]:
        """All lessons, each of the others with the share of its rows."""
        factor = self.others / served.mass
        return [served, *(replace(each, share=factor * each.mass) for each in others)]

    def tuning(self) -> Tuning:
        """What this changes about training, such as how gradients are combined."""
        return Tuning(epochs=self.epochs)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        tick()
        lessons = self.lessons(problem)
        start = model if getattr(model, "fitted", None) is not None else None
        prepared = [model.prepare(lesson.view) for lesson in lessons]
        names = [SERVED, *(f"task {number}" for number in range(1, len(lessons)))]
        streams = {
            name: model.stream(rows, lesson.weight)
            for name, rows, lesson in zip(names, prepared, lessons, strict=True)
        }
        beside: Params = {}
        for name, rows in zip(names[1:], prepared[1:], strict=True):
            fresh = model.begin(rows, start, rng.child(name))
            beside |= {own(name, each): fresh[each] for each in model.heads()}
        shares = {name: each.share for name, each in zip(names, lessons, strict=True)}
        tuning = self.tuning()
        return model.learn(
            prepared[0],
            several(model, shares),
            streams,
            tuning,
            begun=model.begin(prepared[0], start, rng),
            beside=beside,
            steps=longest(model, streams, shares, tuning.epochs),
            rng=rng,
            tick=tick,
        )


@dataclass(frozen=True)
class LabelSharing(HardSharing):
    """Labels as tasks: the label on one head, and a head for each other label of the rows.

    The label is learned on the target's and the sources' rows together, as `pooled`
    does; another label on every row that has it, the target's unlabelled ones among
    them.
    """

    kind: ClassVar[str] = "hard-sharing-labels"
    needs_labels: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := super().refuses(problem, model)) is not None:
            return why
        names = label_names(problem)
        if not names:
            return "the rows have no other label than the one to predict"
        if not any(len(classes_of(problem, name)) > 1 for name in names):
            return f"no two values recur in any other label: {', '.join(names)}"
        return None

    def lessons(self, problem: Problem) -> list[Lesson]:
        theirs = source_views(problem)
        own = [problem.view(problem.fit)] if problem.labelled else []
        weight = row_weights(problem.sources, problem.fit.n if own else 0)
        served = Lesson(rows_view(stack([*own, *theirs])), weight)
        mine = [rows_view(problem.view(sample)) for sample in own_rows(problem)]
        whole = rows_view(stack([*mine, *theirs]))
        weight = row_weights(problem.sources, sum(view.n for view in mine))
        found = []
        for name in label_names(problem):
            classes = classes_of(problem, name)
            if len(classes) < 2:
                continue
            label = np.concatenate([places(each, name, classes) for each in samples(problem)])
            known = np.flatnonzero(label >= 0)
            view = replace(whole, label=label, n_classes=len(classes))
            found.append(
                Lesson(take_rows(view, known), None if weight is None else weight[known])
            )
        return self.shared(served, found)


def several(model: Trainable, shares: Mapping[str, float]) -> Step:
    """A loss for each task, under its own head, times its share."""

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        losses: Losses = {}
        for name, batch in batches.items():
            heads = {each: params[own(name, each)] for each in model.heads()}
            losses[name] = shares[name] * model.loss(params | heads, batch)
        return losses

    return step


def own(task: str, name: str) -> str:
    """What a task's own copy of a parameter is called; the served task's has its own name."""
    return name if task == SERVED else f"{task}/{name}"


def longest(
    model: Trainable,
    streams: Mapping[str, Stream],
    shares: Mapping[str, float],
    epochs: int | None,
) -> int:
    """Steps that the passes over the largest task make, of those that have a share."""
    return max(
        model.steps(stream, epochs) for name, stream in streams.items() if shares[name] > 0
    )


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

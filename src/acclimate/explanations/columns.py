"""Which columns carry the gain: shuffle one on `choose`, and see what of the gain is lost.

    worth of a column = [s(A) − s(A, column shuffled)] − [s(B) − s(B, column shuffled)]

A is the adapted model, B the one of the target alone, s the score with its direction (higher
is better).  The first bracket is Breiman's permutation importance (Random Forests, Machine
Learning 45, 2001, section 10) of A on rows it was not fitted on, the second that of B: a
column that both need alike carries none of the gain.  Departures: rows of `choose` stand in
the place of those out of the bag, a column is shuffled a few times and the losses are
averaged, and the interval reweights units, so that it does not hold the shuffling's own
noise.  Columns that say the same stand in for each other and all look unneeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from acclimate.arrays import Array
from acclimate.domains.exam import Case
from acclimate.domains.sample import Rows
from acclimate.explanations.asked import Answer, Asked
from acclimate.explanations.share import Share
from acclimate.plans.budget import OutOfBudget
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Task
from acclimate.verdicts.compare import Contrast, Effect, paired_effect

TIMES = 3  # a column is shuffled
SHOWN = 10  # columns with an interval, those whose worth is largest

Mixed = tuple[list[Answer], list[Answer]]


class ColumnWorth(NamedTuple):
    """What shuffling a column costs, in the metric's units, positive where it costs.

    adapted, alone  the loss of the adapted model, and of the one of the target alone
    worth           their difference: what of the gain is lost; low, high its 95 % interval,
                    None where it was not asked for or nothing can be said
    """

    column: str
    adapted: float
    alone: float
    worth: float
    low: float | None = None
    high: float | None = None


def column_worths(
    adapted: Sequence[Fitted],
    alone: Sequence[Fitted],
    asked: Asked,
    task: Task,
    rng: Rng,
    share: Share,
) -> tuple[list[ColumnWorth], int]:
    """Columns by the size of their worth, and how many there was no time for.

    adapted, alone  a model for each case that is asked
    """
    rows = asked.pairs[0][1].query
    names = [name for name in rows.columns.columns if name in rows.types]
    whole = [asked.answers(models, task) for models in (adapted, alone)]
    one = np.ones((1, whole[0][1].n_units))
    found: list[tuple[ColumnWorth, Mixed]] = []
    try:
        for name in names:
            ours, theirs = list[Answer](), list[Answer]()
            for at in range(TIMES):
                share.tick()
                # The same order for both models, so that what differs is the model.
                mix = partial(shuffled, column=name, rng=rng.child(f"{name}/{at}"))
                ours.append(asked.answers(adapted, task, mix))
                theirs.append(asked.answers(alone, task, mix))
            ours_cost, alone_cost = (
                float(lost(task, before, after, one)[0])
                for before, after in zip(whole, (ours, theirs), strict=True)
            )
            found.append(
                (
                    ColumnWorth(name, ours_cost, alone_cost, ours_cost - alone_cost),
                    (ours, theirs),
                )
            )
    except OutOfBudget:
        pass
    found.sort(key=lambda each: -abs(np.nan_to_num(each[0].worth)))
    told = [
        _with_interval(worth, whole, mixed, task, rng) if at < SHOWN else worth
        for at, (worth, mixed) in enumerate(found)
    ]
    return told, len(names) - len(found)


def shuffled(case: Case, column: str, rng: Rng) -> Case:
    """The case with one column's values dealt out anew among its rows."""
    rows = case.query
    assert isinstance(rows, Rows)
    order = pl.Series(rng.generator().permutation(rows.n))
    mixed = rows.columns[column].gather(order)
    return replace(case, query=replace(rows, columns=rows.columns.with_columns(mixed)))


def lost(task: Task, before: Answer, after: Sequence[Answer], weight: Array) -> Array:
    """(B,) the score that shuffling costs under weights (B, units), a mean over `after`."""
    scores = np.mean([task.score(*each, weight) for each in after], axis=0)
    cost: Array = task.metric.sign * (task.score(*before, weight) - scores)
    return cost


def _with_interval(
    worth: ColumnWorth,
    whole: Sequence[Answer],
    mixed: Mixed,
    task: Task,
    rng: Rng,
) -> ColumnWorth:
    def both(weight: Array) -> Array:
        ours, theirs = (lost(task, *each, weight) for each in zip(whole, mixed, strict=True))
        return ours - theirs

    if task.metric.mean:
        contrast = Contrast.of_means(_by_unit(whole, mixed, task))
    else:
        contrast = Contrast.of_statistic(whole[0][1].n_units, both)
    effect = paired_effect(contrast, rng.child("interval"))
    low, high = ends(effect)
    return worth._replace(low=low, high=high)


def _by_unit(whole: Sequence[Answer], mixed: Mixed, task: Task) -> Array:
    """(units,) each unit's own part of the worth, where the score is a mean."""
    parts = [
        task.unit_scores(*before) - np.mean([task.unit_scores(*a) for a in after], axis=0)
        for before, after in zip(whole, mixed, strict=True)
    ]
    found: Array = task.metric.sign * (parts[0] - parts[1])
    return found


def ends(effect: Effect) -> tuple[float | None, float | None]:
    """Both ends of an interval, None where there is none."""
    if not (np.isfinite(effect.low) and np.isfinite(effect.high)):
        return None, None
    return effect.low, effect.high

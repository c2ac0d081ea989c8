"""What boosting by errors on the target asks of a case, and what it leaves of the sources.

Before: `seen` says what a strategy may read.  After: `tradaboost`, `tradaboostr2` and
`multisource`, which differ in how errors move weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.models.model import Model, Weighted
from acclimate.models.network import Trainable
from acclimate.strategies.instance.weighting import worth
from acclimate.strategies.seen import teaches_nothing

FEW = 10  # labelled target rows, below which no fold says how wrong a learner is


def weighs_nothing(model: Model) -> str | None:
    """Why errors on rows cannot weigh what this model is fitted on, or None."""
    if not isinstance(model, Weighted) or not model.takes_weights:
        return f"{model.kind} takes no row weights"
    if model.form != "rows":
        return f"{model.kind} reads no rows whose errors could weigh them"
    return None


def errs_on_nothing(problem: Problem, model: Model, fits: int) -> str | None:
    """Why no errors can be taken on the target, or nothing be learned from a source, or None.

    fits  how many models would be fitted
    """
    if isinstance(model, Trainable):
        return f"{model.kind} would be trained {fits} times"
    if not isinstance(problem.fit, Rows) or problem.fit.n < FEW:
        return f"the target has fewer than {FEW} labelled rows to take errors from"
    if problem.fit.units().max() < FEW - 1:
        return f"the target's rows are of fewer than {FEW} entities to take errors from"
    return teaches_nothing(problem)


def left_of_sources(problem: Problem, sources: Sequence[RowView], weight: Array) -> Problem:
    """The problem with what boosting left of the sources' rows, and a sentence for each source
    of which anything is.

    sources  their labelled rows, in the order of the problem
    weight   (rows of all sources,) ≥ 0, in the place of what the rows had before
    """
    ends = np.cumsum([view.n for view in sources])[:-1]
    parts = np.split(weight, ends)
    left = [replace(s, weight=w) for s, w in zip(problem.sources, parts, strict=True)]
    told = {s.name: w for s, w in zip(problem.sources, parts, strict=True) if w.any()}
    return problem.with_sources(left).knowing(*worth(told))

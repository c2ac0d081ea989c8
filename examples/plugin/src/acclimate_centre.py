"""Centre: every market's numbers around their own mean, so that levels drop out.

Each source's numeric columns lose that source's mean, the target's lose the target's:
what is kept is how far a row is from what is usual in its own market.  The target's
mean is kept for prediction.  Codes and text pass through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.domains.moved import Affine
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape


@dataclass(frozen=True)
class Centre(Reshape):
    """Align first moments.  Needs no target labels; wrong where levels tell labels apart."""

    kind: ClassVar[str] = "centre"
    complexity: ClassVar[int] = 1

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if model.form != "rows" or not isinstance(problem.fit, Rows):
            return f"{model.kind} reads no numbers that could be centred"
        if "numeric" not in set(problem.fit.types.values()):
            return "source and target share no numeric columns"
        rows = problem.fit.n + (problem.unlabelled.n if problem.unlabelled is not None else 0)
        if not min(rows, *(source.n for source in problem.sources)):
            return "a side has no rows to take a mean of"
        return None

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        views = {}
        for source in problem.sources:
            tick()
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            views[source.name] = replace(view, numeric=view.numeric - view.numeric.mean(axis=0))
        mean = target_view(problem).numeric.mean(axis=0)
        return problem.reshaped(views, Affine(mean, np.eye(len(mean)), np.zeros(len(mean))))


CENTRE = Centre()

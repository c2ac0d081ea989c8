"""TCA: components along which sources and target have one mean, and rows still vary.

Source: Pan, Tsang, Kwok & Yang, IEEE Transactions on Neural Networks 2011, equations 11 to
13: the leading eigenvectors of (KLK + μI)⁻¹ KHK, L the coefficients of the difference of the
two means.  Rows become k(x, ·) W; with the linear kernel that is a linear map of columns,
found here without an n × n matrix.

Departures are those of `components`: lengths of directions and of rows, landmarks.  All
sources together are one side.  Text stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.feature.components import (
    Components,
    features_of,
    leading,
    require_settings,
    span,
)
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy


@dataclass(frozen=True)
class Tca(Reshape):
    """Drop directions that tell markets apart.  Needs no labels, and looks at none.

    dimension  ≥ 1 components; at most half as many as there are independent columns are
               taken
    penalty    > 0, μ: what coefficients cost beside the difference of means
    kernel     "linear", or "rbf": Gaussian, as wide as rows typically are apart
    landmarks  ≥ 2 rows that a Gaussian kernel is taken with
    """

    dimension: int = 100
    penalty: float = 1.0
    kernel: str = "linear"
    landmarks: int = 1_000

    kind: ClassVar[str] = "tca"
    complexity: ClassVar[int] = 1
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_settings("tca", self.dimension, self.penalty, self.kernel, self.landmarks)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return why_no_components(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, dimension=10), replace(self, kernel="rbf"))

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        views = source_rows(problem)
        xs = np.concatenate([view.numeric for view in views.values()])
        xt = target_view(problem).numeric
        tick()
        move = transfer_components(
            xs, xt, self.dimension, self.penalty, self.kernel, self.landmarks, rng
        )
        return problem.reshaped({name: move(view) for name, view in views.items()}, move)


def transfer_components(
    xs: Array,
    xt: Array,
    dimension: int,
    penalty: float,
    kernel: str,
    landmarks: int,
    rng: Rng,
) -> Components:
    """The map to transfer components of two sides' rows.

    xs, xt   (n_source, d) and (n_target, d)
    """
    features, values = features_of(xs, xt, kernel, landmarks, rng)
    rows = span(features, values)
    n = len(xs)
    apart = rows.rows[:n].mean(axis=0) - rows.rows[n:].mean(axis=0)
    directions = leading(rows, apart[:, None], penalty, dimension, dual=True)
    return Components(features, rows.basis @ directions)


def source_rows(problem: Problem) -> dict[str, RowView]:
    """The view of each source by name."""
    views = {}
    for source in problem.sources:
        view = problem.source_view(source)
        assert isinstance(view, RowView)
        views[source.name] = view
    return views


def why_no_components(problem: Problem, model: Model) -> str | None:
    """What rows lack to find components that sides share, or None."""
    if model.form != "rows":
        return f"{model.kind} reads no numbers that components could replace"
    fit = problem.fit
    types = set(fit.types.values()) if isinstance(fit, Rows) else set()
    if "numeric" not in types and getattr(fit, "time", None) is None:
        return "source and target share no numeric columns"
    rows = problem.fit.n + (problem.unlabelled.n if problem.unlabelled is not None else 0)
    # One row more than a mean needs: folds take one away.
    if min(rows, *(source.n for source in problem.sources)) < 2:
        return "a side has fewer than two rows, too few for a mean in every fold"
    return None

"""Linear optimal transport: the map between two normal distributions that moves rows least.

Source: Knott & Smith, J. Optim. Theory Appl. 1984; for adaptation Flamary, Lounici &
Ferrari, arXiv:1905.10155, equation 2: with means m and covariances C of each side,

    x ↦ m_t + A (x − m_s),   A = C_s^(−½) (C_s^½ C_t C_s^½)^½ C_s^(−½)

Departures: `ridge` is added to both covariances' diagonals.  Each of several sources has a
map of its own; only sources move; text stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.feature.coral import power
from acclimate.strategies.feature.tca import source_rows
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy


@dataclass(frozen=True)
class LinearTransport(Reshape):
    """Give source rows the target's mean and covariance, moving them as little as that takes.

    ridge  > 0, variance added to every column; numbers are standardised
    """

    ridge: float = 1e-3

    kind: ClassVar[str] = "transport-linear"
    complexity: ClassVar[int] = 1
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.ridge) and self.ridge > 0):
            raise StrategyError(
                f"Expected a finite ridge above 0, found {self.ridge}. Without it a column "
                "that does not vary has no inverse."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return why_no_transport(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, ridge=0.1), replace(self, ridge=1.0))

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        target = target_view(problem).numeric
        views = source_rows(problem)
        for name, view in views.items():
            tick()
            views[name] = replace(view, numeric=carried(view.numeric, target, self.ridge))
        return problem.reshaped(views)


def carried(xs: Array, xt: Array, ridge: float) -> Array:
    """(n_source, d) source rows where the map puts them.

    xs, xt  (n_source, d) and (n_target, d), two rows each at least
    """
    C_s, C_t = (
        np.atleast_2d(np.cov(x, rowvar=False)) + ridge * np.eye(x.shape[1]) for x in (xs, xt)
    )
    root, inverse = power(C_s, 0.5), power(C_s, -0.5)
    A = inverse @ power(root @ C_t @ root, 0.5) @ inverse  # symmetric
    moved: Array = xt.mean(axis=0) + (xs - xs.mean(axis=0)) @ A
    return moved


def why_no_transport(problem: Problem, model: Model) -> str | None:
    """What rows lack to be moved onto others, or None."""
    if model.form != "rows":
        return f"{model.kind} reads no numbers that could be moved"
    fit = problem.fit
    types = set(fit.types.values()) if isinstance(fit, Rows) else set()
    if "numeric" not in types and getattr(fit, "time", None) is None:
        return "source and target share no numeric columns"
    rows = problem.fit.n + (problem.unlabelled.n if problem.unlabelled is not None else 0)
    # One row more than a covariance needs: folds take one away.
    if min(rows, *(source.n for source in problem.sources)) < 3:
        return "a side has fewer than three rows, too few for a covariance in every fold"
    return None

"""Subspace alignment: turn the source's principal axes into the target's.

Source: Fernando, Habrard, Sebban & Tuytelaars, ICCV 2013, Algorithm 1: with the first d
principal axes P_s and P_t of each side as columns, M = P_sᵀ P_t; source rows become
x P_s M, target rows x P_t.

Departures: each side is centred by its own means before it is projected, as principal
components are (the paper's inputs are standardised); columns of text stay as they are.
Each of several sources has axes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.moved import Affine
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy


@dataclass(frozen=True)
class SubspaceAlignment(Reshape):
    """Align principal axes.  Cheap, needs no labels; loses what few axes do not hold.

    axes  ≥ 1, of each side; at most as many as there are numeric columns, and as the
          smallest side has rows less one, are taken
    """

    axes: int = 20

    kind: ClassVar[str] = "subspace"
    complexity: ClassVar[int] = 1
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.axes < 1:
            raise StrategyError(
                f"Expected at least one axis, found {self.axes}. Ask for one a few times "
                "smaller than the number of columns."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if model.form != "rows":
            return f"{model.kind} reads no numbers whose axes could be aligned"
        fit = problem.fit
        types = set(fit.types.values()) if isinstance(fit, Rows) else set()
        if "numeric" not in types and getattr(fit, "time", None) is None:
            return "source and target share no numeric columns"
        rows = problem.fit.n + (problem.unlabelled.n if problem.unlabelled is not None else 0)
        # One row more than an axis needs: folds take one away.
        if min(rows, *(source.n for source in problem.sources)) < 3:
            return "a side has fewer than three rows, too few for an axis in every fold"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        fewer = (replace(self, axes=axes) for axes in (2, 5, 10) if axes < self.axes)
        return (self, *fewer)

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        target = target_view(problem).numeric
        views, sizes = {}, [min(target.shape[1], len(target) - 1)]
        for source in problem.sources:
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            views[source.name] = view
            sizes.append(view.n - 1)
        d = min(self.axes, *sizes)
        onto = principal(target, d)
        moved = {}
        for name, view in views.items():
            tick()
            numeric = aligned(view.numeric, onto)
            moved[name] = replace(view, numeric=numeric)
        move = Affine(target.mean(axis=0), onto, np.zeros(d))
        return problem.reshaped(moved, move)


def principal(x: Array, d: int) -> Array:
    """(columns, d) the first d principal axes, of length 1 and at right angles.

    x  (n, columns), n > d ≥ 1

    Raises StrategyError where there are fewer rows than that needs.
    """
    if not 1 <= d <= min(x.shape[1], len(x) - 1):
        raise StrategyError(
            f"Expected 1 to {min(x.shape[1], len(x) - 1)} axes of {len(x)} rows with "
            f"{x.shape[1]} columns, found {d}. Give more rows, or leave subspace out."
        )
    centred = x - x.mean(axis=0)
    if len(x) >= x.shape[1]:
        _, vectors = np.linalg.eigh(centred.T @ centred)
        return np.asarray(vectors[:, ::-1][:, :d])
    return np.asarray(np.linalg.svd(centred, full_matrices=False)[2][:d].T)


def aligned(source: Array, onto: Array) -> Array:
    """Source rows in the target's axes, as Algorithm 1 turns them.

    source   (n, columns)
    onto     (columns, d) the target's axes
    returns  (n, d)
    """
    axes = principal(source, onto.shape[1])  # P_s
    turned: Array = (source - source.mean(axis=0)) @ axes @ (axes.T @ onto)
    return turned

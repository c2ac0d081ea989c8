"""CORAL: recolour source features to share the target's mean and covariance.

Source: Sun, Feng & Saenko, AAAI 2016, Algorithm 1 (arXiv:1511.05547), whose features have
mean 0 on either side: rows are moved from the source's mean to the target's.
Departures: `shrink` scales the identity term, which the paper fixes at 1; sparse
text is rescaled column by column, by the roots of its variances alone, because a
covariance of 131,072 columns fits nowhere and recolouring would make it dense,
and its identity term is relative to the mean variance of its columns.

Codes pass through.  Only the sources move: the target's rows, and what is asked
later, are encoded as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Sparse
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.blas import unshared
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy


@dataclass(frozen=True)
class Coral(Reshape):
    """Align two moments.  Cheap, needs no target labels, ignores label shift.

    shrink  > 0, unitless; larger moves features less
    """

    shrink: float = 1.0

    kind: ClassVar[str] = "coral"
    complexity: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not (np.isfinite(self.shrink) and self.shrink > 0):
            raise StrategyError(
                f"Expected a finite shrink above 0, found {self.shrink}. Without the identity "
                "a column that does not vary has no inverse."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if model.form != "rows":
            return f"{model.kind} reads no numbers or text that could be recoloured"
        fit = problem.fit
        types = set(fit.types.values()) if isinstance(fit, Rows) else set()
        if not types & {"numeric", "text"} and getattr(fit, "time", None) is None:
            return "source and target share no numeric or text columns"
        rows = problem.fit.n + (problem.unlabelled.n if problem.unlabelled is not None else 0)
        # One row more than a covariance needs: folds take one away.
        if min(rows, *(source.n for source in problem.sources)) < 3:
            return "a side has fewer than three rows, too few for a covariance in every fold"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, shrink=0.1), replace(self, shrink=10.0))

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        target = target_view(problem)
        views = {}
        for source in problem.sources:
            tick()
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            views[source.name] = recoloured(view, target, self.shrink)
        return problem.reshaped(views)


def recoloured(source: RowView, target: RowView, shrink: float) -> RowView:
    """A source's view with the target's moments: dense columns in full, text by column."""
    numeric = source.numeric
    if numeric.shape[1]:
        numeric = recolour(numeric, target.numeric, shrink)
    sparse = source.sparse
    if sparse is not None and target.sparse is not None:
        sparse = rescale(sparse, target.sparse, shrink)
    return replace(source, numeric=numeric, sparse=sparse)


def recolour(xs: Array, xt: Array, shrink: float = 1.0) -> Array:
    """Give source rows the target's mean and covariance.

    xs       (n_source, d)  numeric view of the source
    xt       (n_target, d)  numeric view of the target, same columns
    shrink   > 0            weight of the identity in both covariances
    returns  (n_source, d)  (xs − μ_s) C_s^(−½) C_t^(½) + μ_t

    Raises StrategyError if either side has fewer than two rows.
    """
    with unshared(xs.size + xt.size):
        A = recolouring(xs, xt, shrink)
        moved: Array = xs @ A
        moved += xt.mean(axis=0) - xs.mean(axis=0) @ A
    return moved


def recolouring(xs: Array, xt: Array, shrink: float = 1.0) -> Array:
    """(d, d) what source rows are multiplied by, from the right: C_s^(−½) C_t^(½).

    Arguments and errors as in `recolour`.
    """
    _require_rows(len(xs), len(xt))
    eye = np.eye(xs.shape[1])
    C_s = np.atleast_2d(np.cov(xs, rowvar=False)) + shrink * eye  # (d, d)
    C_t = np.atleast_2d(np.cov(xt, rowvar=False)) + shrink * eye  # (d, d)
    A: Array = power(C_s, -0.5) @ power(C_t, 0.5)
    return A


def rescale(xs: Sparse, xt: Sparse, shrink: float = 1.0) -> Sparse:
    """Give source columns the target's variance; what is 0 stays 0.

    xs, xt   (n, h) CSR, same columns
    shrink   > 0, weight of the mean variance of the columns in both variances
    returns  (n_source, h)

    Raises StrategyError if either side has fewer than two rows.
    """
    _require_rows(xs.shape[0], xt.shape[0])
    v_s, v_t = variance(xs), variance(xt)  # (h,)
    used = (v_s > 0) | (v_t > 0)
    typical = shrink * float(v_t[used].mean()) if used.any() else 1.0
    factor = np.sqrt((v_t + typical) / (v_s + typical)) if typical > 0 else np.ones_like(v_s)
    moved = xs.copy()
    moved.data = moved.data * factor[moved.indices]
    return moved


def variance(x: Sparse) -> Array:
    """(h,) the unbiased variance of each column."""
    n = x.shape[0]
    total = np.bincount(x.indices, x.data, minlength=x.shape[1])
    squares = np.bincount(x.indices, x.data**2, minlength=x.shape[1])
    found: Array = np.maximum(squares - total**2 / n, 0.0) / (n - 1)
    return found


def power(C: Array, exponent: float) -> Array:
    """A power of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(C)
    raised: Array = (vectors * values**exponent) @ vectors.T
    return raised


def _require_rows(n_source: int, n_target: int) -> None:
    if min(n_source, n_target) < 2:
        raise StrategyError(
            f"Expected two rows a side at least to have a covariance, found {n_source} of the "
            f"source and {n_target} of the target. Give more rows, or leave coral out."
        )

"""uLSIF: the ratio of densities fitted by least squares, in closed form.

    w(x) = Σ_l α_l exp(−‖x − c_l‖² / (2σ²)),   c_l: 100 rows of the target,
    Ĥ = (1/n_s) Σ_i φ(x_i) φ(x_i)ᵀ,   ĥ = (1/n_t) Σ_j φ(x_j^t),   α = max(0, (Ĥ + λI)⁻¹ ĥ)

σ and λ have the least leave-one-out score over pairs (source row i, target row i)

    (1/m) Σ_i ½ (φ(x_i)ᵀα⁽ⁱ⁾)² − φ(x_i^t)ᵀα⁽ⁱ⁾,

where α⁽ⁱ⁾ is fitted without the pair, by the formula of Sherman & Morrison.

Source: Kanamori, Hido & Sugiyama, JMLR 10 (2009), equations 8 to 12 and figure 2; the ratio
is the plain one (α = 0 of relative ratios).  Departures: σ is sought in median distances; the
pairs are at most 2,000, drawn at random, while Ĥ and ĥ are of all rows; the weights are
scaled to mean 1 and clipped like `weighting`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.instance.kernels import columns, gaussian, median_distance
from acclimate.strategies.instance.weighting import cannot_tell_apart, clipped, worth
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Strategy, Weigh

CENTRES = 100  # b, as in the paper
PAIRS = 2000
PART = 10_000  # rows; their kernels take 8 MB
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # σ in median distances
PENALTIES = tuple(10.0**power for power in np.linspace(-3, 1, 9))  # λ, as in the paper's code


@dataclass(frozen=True)
class Ulsif(Weigh):
    """Correct covariate shift by a ratio that chooses its own width and penalty.

    at_most  > 1, in mean weights: what one row may weigh
    """

    at_most: float = 20.0

    kind: ClassVar[str] = "ulsif"
    complexity: ClassVar[int] = 2
    # Forty-five fits of its own, and a plan holds its cheaper relative already.
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 1 < self.at_most < math.inf:
            raise StrategyError(f"Expected a finite at_most above 1, found {self.at_most}.")

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return super().refuses(problem, model) or cannot_tell_apart(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, at_most=5.0))

    def weigh(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        target, weights = target_view(problem), {}
        for source in problem.sources:
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            found = ratio(*columns(view, target), rng.child(source.name), tick)
            weights[source.name] = clipped(found, self.at_most)
        return problem.weighed(weights).knowing(*worth(weights))


def ratio(source: Any, target: Any, rng: Rng, tick: Tick = idle) -> Array:
    """(n_source,) ≥ 0, w at the source's rows, with the σ and λ of the least score.

    source, target  rows under the same columns, dense or CSR; at least two of each
    """
    n_t = target.shape[0]
    centres = target[np.sort(rng.child("centres").generator().permutation(n_t)[:CENTRES])]
    middle = median_distance(source, target, rng.child("width"))
    pairs = [
        rng.child(name).generator().permutation(side.shape[0])
        for name, side in (("source", source), ("target", target))
    ]
    m = min(PAIRS, *map(len, pairs))
    best, chosen = math.inf, (1.0, np.zeros(centres.shape[0]))
    for width in (middle * times for times in WIDTHS):
        H, _ = moments(source, centres, width)
        _, h = moments(target, centres, width)
        of_s = gaussian(source[pairs[0][:m]], centres, width)
        of_t = gaussian(target[pairs[1][:m]], centres, width)
        for penalty in PENALTIES:
            tick()
            score = left_out(H, h, (source.shape[0], n_t), of_s, of_t, penalty)
            if score < best:
                best, chosen = score, (width, coefficients(H, h, penalty))
    width, alpha = chosen
    parts = [gaussian(part, centres, width) @ alpha for part in _parts(source)]
    return np.concatenate(parts)


def moments(rows: Any, centres: Any, width: float) -> tuple[Array, Array]:
    """(b, b) the mean of φφᵀ and (b,) that of φ over rows; φ are kernels with the centres."""
    n, b = rows.shape[0], centres.shape[0]
    second, first = np.zeros((b, b)), np.zeros(b)
    for part in _parts(rows):
        phi = gaussian(part, centres, width)
        second += phi.T @ phi / n
        first += phi.sum(axis=0) / n
    return second, first


def coefficients(H: Array, h: Array, penalty: float) -> Array:
    """(b,) α = max(0, (Ĥ + λI)⁻¹ ĥ).

    H, h     (b, b) and (b,)
    penalty  λ > 0
    """
    solved = np.linalg.solve(H + penalty * np.eye(len(H)), h)
    return np.asarray(np.maximum(solved, 0.0), np.float64)


def left_out(
    H: Array, h: Array, n: tuple[int, int], of_s: Array, of_t: Array, penalty: float
) -> float:
    """The leave-one-out score over pairs of rows.

    n           rows of source and target behind Ĥ and ĥ, each ≥ 2
    of_s, of_t  (m, b) φ of the pairs' source and target rows

    With B = Ĥ + λ(n_s − 1)/n_s · I and one source row φ left out, (Ĥ⁽ⁱ⁾ + λI)⁻¹ is
    (n_s − 1)/n_s · (B⁻¹ + B⁻¹φφᵀB⁻¹ / (n_s − φᵀB⁻¹φ)).
    """
    n_s, n_t = n
    kept = (n_s - 1) / n_s
    B = H + penalty * kept * np.eye(len(H))
    without = (n_t * h - of_t) / (n_t - 1)  # (m, b) ĥ without row j
    solved = np.linalg.solve(B, np.vstack([of_s, without]).T).T
    from_s, from_h = solved[: len(of_s)], solved[len(of_s) :]
    share = (of_s * from_h).sum(axis=1) / (n_s - (of_s * from_s).sum(axis=1))
    alpha = np.maximum(kept * (from_h + from_s * share[:, None]), 0.0)
    w_s, w_t = (of_s * alpha).sum(axis=1), (of_t * alpha).sum(axis=1)
    return float((0.5 * w_s**2 - w_t).mean())


def _parts(rows: Any) -> Iterator[Any]:
    """The rows, a part at a time: kernels with all of them at once may not fit."""
    for begin in range(0, rows.shape[0], PART):
        yield rows[begin : begin + PART]

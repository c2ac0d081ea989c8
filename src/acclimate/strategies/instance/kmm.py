"""Kernel mean matching: weigh source rows until their mean in feature space is the target's.

    min over β of  ½ βᵀKβ − κᵀβ,   0 ≤ β_i ≤ B,   |Σβ − n_s| ≤ n_s ε,
    K_ij = k(x_i, x_j),   κ_i = (n_s / n_t) Σ_j k(x_i, x_j^t),   ε = (√n_s − 1) / √n_s

Source: Huang, Smola, Gretton, Borgwardt & Schölkopf, NeurIPS 2006, section 3, with B and ε as
in section 4.  The kernel is Gaussian with σ the median distance (`kernels`).

Departures: more than 1,000 source rows are dealt into blocks of about equal size at random,
each solved by itself with its own n_s: every row is in exactly one block and none is left
out.  Each block is matched with every target row, or with 5,000 of them drawn at random
where there are more.  The weights are scaled to mean 1 and clipped like `weighting`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.instance.boxband import solve
from acclimate.strategies.instance.kernels import columns, gaussian, median_distance
from acclimate.strategies.instance.weighting import cannot_tell_apart, clipped, worth
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Strategy, Weigh

BLOCK = 1000  # source rows; a block's K takes 8 MB and stays near the processor
TARGET = 5000  # target rows that stand for all


@dataclass(frozen=True)
class Kmm(Weigh):
    """Correct covariate shift by moments, without a density or a classifier.

    width    > 0, σ of the kernel in median distances between rows
    bound    > 0, B: what a row may weigh before scaling
    at_most  > 1, in mean weights: what it may weigh in the end
    """

    width: float = 1.0
    bound: float = 1000.0
    at_most: float = 20.0

    kind: ClassVar[str] = "kmm"
    complexity: ClassVar[int] = 2
    # Its programme costs seconds for a few thousand rows and a plan holds its cheaper
    # relative, the density ratio, already.
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        given = (self.width, self.bound, self.at_most)
        if not (all(map(math.isfinite, given)) and min(given) > 0 and self.at_most > 1):
            raise StrategyError(
                "Expected a finite width above 0, a finite bound above 0 and a finite at_most "
                f"above 1, found {self.width}, {self.bound} and {self.at_most}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return super().refuses(problem, model) or cannot_tell_apart(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, width=self.width / 2), replace(self, width=2 * self.width))

    def weigh(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        target, weights = target_view(problem), {}
        for source in problem.sources:
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            found = self.matched(*columns(view, target), rng.child(source.name), tick)
            weights[source.name] = clipped(found, self.at_most)
        return problem.weighed(weights).knowing(*worth(weights))

    def matched(self, source: Any, target: Any, rng: Rng, tick: Tick = idle) -> Array:
        """(n_source,) β of every block, as the programme leaves them.

        source, target  rows under the same columns, dense or CSR
        """
        width = self.width * median_distance(source, target, rng.child("width"))
        if target.shape[0] > TARGET:
            drawn = rng.child("target").generator().permutation(target.shape[0])[:TARGET]
            target = target[np.sort(drawn)]
        beta = np.empty(source.shape[0])
        for block in blocks(source.shape[0], rng.child("blocks")):
            tick()
            rows = source[block]
            K, kappa = gaussian(rows, rows, width), mean_kernel(rows, target, width)
            low, high = band(len(block))
            beta[block] = solve(K, len(block) * kappa, self.bound, low, high, tick)[0]
        return beta


def band(n: int) -> tuple[float, float]:
    """What n weights may add up to: n (1 ± ε) with ε = (√n − 1) / √n."""
    epsilon = (math.sqrt(n) - 1) / math.sqrt(n)
    return n * (1 - epsilon), n * (1 + epsilon)


def mean_kernel(rows: Any, target: Any, width: float) -> Array:
    """(n,) the mean of k(x_i, ·) over the target's rows."""
    return np.asarray(gaussian(rows, target, width).mean(axis=1), np.float64)


def blocks(n: int, rng: Rng) -> Iterator[Ints]:
    """Positions of rows, each in exactly one block of at most 1,000, in increasing order."""
    order = rng.generator().permutation(n)
    for part in np.array_split(order, -(-n // BLOCK)):
        yield np.sort(part).astype(np.int64)

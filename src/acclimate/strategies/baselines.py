"""The three that always run: without any source, with sources alone, with everything pooled.

Target-only is what transfer must beat.  Source-only and pooled are the simplest
ways to transfer, and the contrasts that stand beside every verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.given import learned_elsewhere, serves_fitted, unlike
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt


@dataclass(frozen=True)
class TargetOnly(Adapt):
    """Fit on the target's own observations."""

    kind: ClassVar[str] = "target-only"
    statistics: ClassVar[Statistics] = Statistics.TARGET
    complexity: ClassVar[int] = 0
    transfers: ClassVar[bool] = False

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        prepared = model.prepare(problem.view(problem.fit))
        return model.fit(prepared, rng=rng, tick=tick)


@dataclass(frozen=True)
class SourceOnly(Adapt):
    """Fit on the sources and serve the target as it comes.

    A source that is an artifact serves as it is; as one step of a chain, this is
    pretraining.
    """

    kind: ClassVar[str] = "source-only"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES
    complexity: ClassVar[int] = 1
    reads_fit: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False

    def why_not_source(self, source: Source) -> str | None:
        return None if serves_fitted(source) else super().why_not_source(source)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return unlike(problem, model)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        if (learned := learned_elsewhere(problem)) is not None:
            return learned
        prepared = model.prepare(stack(source_views(problem)))
        return model.fit(prepared, weight=row_weights(problem.sources), rng=rng, tick=tick)


@dataclass(frozen=True)
class Pooled(Adapt):
    """Fit on target and sources as if they were one market."""

    kind: ClassVar[str] = "pooled"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 1

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        views = [problem.view(problem.fit), *source_views(problem)]
        weight = row_weights(problem.sources, problem.fit.n)
        prepared = model.prepare(stack(views, own=views[0]))
        return model.fit(prepared, weight=weight, rng=rng, tick=tick)

"""Graph smoothing: levels of a category that are alike in the sources have alike effects.

    effect of level l = own_l + shared_l,   own ~ N(0, I/λ),   shared ~ N(0, w K/λ)
    K ∝ (I + γ (D − W))⁻¹

λ is the model's penalty and W the graph of `relation.graph`.  On the target's rows the
penalised fit then minimises  loss + (λ/2) eᵀ (I + w K)⁻¹ e: a level with few rows, or none,
starts from its neighbours.  Only relations are carried over, no effect of a source: a
market whose tastes are the opposite shares them too.

Source: Belkin, Niyogi & Sindhwani, JMLR 2006, who add γ fᵀLf to a regularised loss; the
kernel (I + γL)⁻¹ is the regularised Laplacian of Smola & Kondor, COLT 2003; an effect of
its own beside a shared one is partial pooling (Gelman & Hill 2007, chapter 12).
Departures: the graph joins levels and not rows; K is scaled to mean variance 1; its 64
largest directions are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.moved import Move
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.rowview import RowEncoder
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Derived
from acclimate.domains.view import EncoderState, RowView
from acclimate.errors import StrategyError
from acclimate.models.model import GivesPrior, Model, Tick, WithPrior, idle
from acclimate.rng import Rng
from acclimate.strategies.relation.graph import alike, behaviour, directions, kinship, smoothed
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.strategy import Adapt, Strategy

MOST = 64  # directions kept of each category column
_TABLES = Derived(2**28)


@dataclass(frozen=True)
class LevelColumns:
    """Put numbers that stand for each row's levels behind the numeric columns.

    tables  one a category column: (codes, r), the row of code 0 all 0
    """

    tables: tuple[Array, ...]

    kind: ClassVar[str] = "level-columns"

    def __call__(self, view: RowView) -> RowView:
        found = [table[view.codes[:, at]] for at, table in enumerate(self.tables)]
        return replace(view, numeric=np.hstack([view.numeric, *found]))

    def state(self) -> EncoderState:
        tables = {f"table{number:03d}": table for number, table in enumerate(self.tables)}
        return EncoderState(self.kind, {"columns": len(self.tables)}, tables)

    @classmethod
    def restore(cls, state: EncoderState) -> LevelColumns:
        names = [f"table{number:03d}" for number in range(int(state.meta["columns"]))]
        return cls(tuple(np.asarray(state.tensors[name], np.float64) for name in names))


@dataclass(frozen=True)
class GraphSmoothing(Adapt):
    """Fit the target's rows with effects of levels smoothed over the sources' graph.

    smooth  γ > 0, unitless: how much alike joined levels are; 0 would join nothing
    weight  w ≥ 0: variance of the shared part beside the level's own; 0 is target-only
            with the levels of the sources
    """

    smooth: float = 30.0
    weight: float = 1.0

    kind: ClassVar[str] = "graph-smoothing"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 3
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 < self.smooth < np.inf and 0 <= self.weight < np.inf):
            raise StrategyError(
                "Expected finite settings, smooth above 0 and weight of at least 0; found "
                f"{self.smooth} and {self.weight}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not (isinstance(model, WithPrior) and isinstance(model, GivesPrior)) or (
            model.form != "rows"
        ):
            return f"{model.kind} adds up no effects of categories that could be smoothed"
        fit = problem.fit
        types = set(fit.types.values()) if isinstance(fit, Rows) else set()
        if ColumnType.CATEGORY not in types:
            return "source and target share no category columns"
        return teaches_nothing(problem)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (
            self,
            replace(self, smooth=3.0),
            replace(self, smooth=300.0),
            replace(self, weight=0.1),
            replace(self, weight=10.0),
        )

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        move = self.columns(problem, tick)
        views = {}
        for source in problem.sources:
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            views[source.name] = move(view)
        moved = problem.reshaped(views, move)
        return moved, self.adapt(moved, model, rng, tick)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return model.fit(model.prepare(problem.view(problem.fit)), rng=rng, tick=tick)

    def columns(self, problem: Problem, tick: Tick = idle) -> Move:
        """The numbers that stand for the levels, from the sources' rows and their names."""
        encoder = problem.encoder
        assert encoder is not None
        sources = [source.fingerprint for source in problem.sources]
        key = (*sources, encoder.base.fingerprint, repr(self))
        return _TABLES.get(key, lambda: self._columns(problem, tick))

    def _columns(self, problem: Problem, tick: Tick) -> LevelColumns:
        assert problem.encoder is not None
        encoder = problem.encoder.base
        assert isinstance(encoder, RowEncoder)
        told = []
        for source in problem.sources:
            view = problem.source_view(source)
            assert isinstance(view, RowView)
            told.append((view, source.weight))
        tables = []
        for column, names in enumerate(encoder.levels.values()):
            tick()
            found = [behaviour(view, column, weight) for view, weight in told]
            rows = np.sum([each for each, _ in found], axis=0)
            means = np.hstack([each for _, each in found])
            W = kinship(names)
            W[: len(names), : len(names)] += alike(rows, means)
            table = np.zeros((len(names) + 1, 0))
            if len(names) > 1 and W.any():
                R = directions(smoothed(W, self.smooth, len(names)), MOST)
                table = np.vstack([np.zeros(R.shape[1]), np.sqrt(self.weight) * R])
            tables.append(table)
        return LevelColumns(tuple(tables))

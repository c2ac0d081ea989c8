"""What learners across tasks share: tasks, what is kept, how a target is served.

Tasks are the sources, their users, or the values of a category; the target itself is
none unless asked for.  No statistics run along, so that tasks can be learned side by
side.  What is meta-learned depends on the sources alone, and is learned once for all
folds of the target.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from acclimate.arrays import Tensor
from acclimate.domains.episodes import By, Episodes
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread
from acclimate.domains.source import Derived
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Params, Trainable
from acclimate.rng import Rng
from acclimate.strategies.meta.inner import Learner, Loss
from acclimate.strategies.parameter.pretrain import pretrained
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.stacking import source_views, stack
from acclimate.strategies.strategy import Adapt, Strategy

_META = Derived(2**28)
FOLDS = 5
ROWS: dict[By, int] = {"domain": 32, "entity": 8, "category": 16}


@dataclass(frozen=True)
class Lessons:
    """What a learner across tasks learns from.

    prepared  every row of the tasks, as the network eats them
    params    where it begins
    rows      name → (n, …), what the losses read; episodes point at these
    loss      of parameters and a batch of rows
    episodes  the tasks
    """

    prepared: Any
    params: Params
    rows: Params
    loss: Loss
    episodes: Episodes


@dataclass(frozen=True)
class Episodic(Adapt):
    """Meta-learn where to start, and descend from there on the target's rows.

    by       what a task is: "domain", "entity" (a user) or "category" (a value of a
             column)
    alpha    > 0, rate of the descent
    descent  ≥ 1, its steps while meta-learning
    shots    ≥ 2 rows to learn from in an episode, or None: 32 of a source, 8 of a user, 16
             of a value
    queries  ≥ 2 rows to be asked, or None: as many
    tasks    ≥ 1, episodes a step of the outer loop
    rounds   ≥ 0, steps of the outer loop; 0 meta-learns nothing
    rate     > 0, factor on the network's own rate in the outer loop
    most     ≥ 0, steps on the target; 0 serves what was meta-learned as it is
    fresh    begin at random instead of at the pooled sources' network
    own      whether the target's rows to fit on are tasks too
    column   the category, or None: that with most values of enough rows
    """

    by: By = "domain"
    alpha: float = 0.1
    descent: int = 3
    shots: int | None = None
    queries: int | None = None
    tasks: int = 4
    rounds: int = 200
    rate: float = 1.0
    most: int = 64
    fresh: bool = False
    own: bool = False
    column: str | None = None

    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES
    complexity: ClassVar[int] = 8

    def __post_init__(self) -> None:
        right = all(math.isfinite(x) and x > 0 for x in (self.alpha, self.rate))
        if not right or min(self.descent, self.tasks) < 1 or min(self.rounds, self.most) < 0:
            raise StrategyError(
                "Expected a finite alpha and rate above 0, at least 1 step of descent and 1 "
                "task, and at least 0 rounds and steps on the target; found "
                f"{self.alpha}, {self.rate}, {self.descent}, {self.tasks}, {self.rounds} and "
                f"{self.most}. To leave the descent out, use pooled."
            )

    # ── whether and with what ───────────────────────────────────────────────

    def refuses(self, problem: Problem, model: Model) -> str | None:
        lacks = not_a_network(model) or teaches_nothing(problem)
        return lacks or self.episodes(problem, Rng.of(0)).why_not()

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        faster = replace(self, alpha=5 * self.alpha)
        return (self, faster, replace(faster, fresh=True))

    def models(self, model: Model) -> tuple[Model, ...]:
        """Its own settings alone: each of others is meta-learned anew."""
        return (model,)

    def episodes(self, problem: Problem, rng: Rng) -> Episodes:
        """The tasks of a problem."""
        shots = ROWS.get(self.by, 2) if self.shots is None else self.shots
        queries = shots if self.queries is None else self.queries
        return problem.episodes(self.by, shots, queries, rng, column=self.column, own=self.own)

    # ── what moves, and what a loss is of ───────────────────────────────────

    def descending(self, model: Trainable, params: Params) -> frozenset[str]:
        """The parameters that descend on a task."""
        return frozenset(params)

    def seen(
        self, model: Trainable, params: Params, prepared: Any, tick: Tick
    ) -> tuple[dict[str, Any], Loss]:
        """What the losses read of prepared rows, and the loss."""
        return dict(model.stream(prepared).tensors), model.loss

    # ── fitting ─────────────────────────────────────────────────────────────

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        tick()
        return self.served(problem, self.start(problem, model, rng, tick), rng, tick)

    def start(self, problem: Problem, model: Any, rng: Rng, tick: Tick) -> Any:
        """The meta-learned network, from what was handed on or kept for these sources.

        rng  only its seed is used where nothing was handed on: which fold or setting asked
             first must not matter
        """
        if getattr(model, "fitted", None) is not None:
            return self.meta_learned(problem, model, model, rng.child("meta"), tick)
        assert problem.encoder is not None, "call encoded() first"
        seed = rng.key.partition("/")[0]
        sources = [source.fingerprint for source in problem.sources]
        mine = problem.fit.fingerprint if self.own else ""
        key = (*sources, problem.encoder.base.fingerprint, mine, repr(model), repr(self), seed)

        def compute() -> tuple[Any, tuple[Tensor, ...]]:
            begin = None if self.fresh else pretrained(problem, model, rng, tick)
            own = Rng(seed).child("meta")
            found = self.meta_learned(problem, model, begin, own, tick)
            # The arrays stand beside the model for the cache to see their size.
            return found, tuple(found.state().tensors.values())

        return _META.get(key, compute)[0]

    def meta_learned(
        self, problem: Problem, model: Trainable, begin: Any, rng: Rng, tick: Tick
    ) -> Any:
        """`model` with parameters from which descents on the episodes go furthest.

        begin  a fitted network to begin at, or None for fresh parameters
        """
        views = source_views(problem)
        views += [problem.view(problem.fit)] if self.own and problem.fit.n else []
        prepared = model.prepare(stack(views))
        params = model.begin(prepared, begin, rng)
        rows, loss = self.seen(model, params, prepared, tick)
        lessons = Lessons(prepared, params, rows, loss, self.episodes(problem, rng))
        return self.learned(model, lessons, rng, tick)

    @abstractmethod
    def learned(self, model: Trainable, lessons: Lessons, rng: Rng, tick: Tick) -> Any:
        """What the outer loop makes of the episodes."""

    def served(self, problem: Problem, start: Any, rng: Rng, tick: Tick) -> Model:
        """The network where its descent on the target's rows does best on held-out ones."""
        prepared = start.prepare(problem.view(problem.fit))
        params = start.parameters()
        rows, loss = self.seen(start, params, prepared, tick)
        learner = self.learner(loss, self.descending(start, params))
        fit = problem.fit
        assert isinstance(fit, Rows) and fit.label is not None
        fold = spread(fit.units(), fit.label, FOLDS, rng.child("folds"))
        steps = learner.best_stop(params, rows, fold, rng.child("stops"), tick)
        served: Model = start.holding(
            prepared, learner.descend(params, rows, steps, rng.child("descent"), tick)
        )
        return served

    def learner(self, loss: Loss, moving: frozenset[str]) -> Learner:
        """What descends on the target's rows."""
        return Learner(loss, moving, self.alpha, self.most)


def not_a_network(model: Model) -> str | None:
    """Why a model cannot be meta-learned, or None."""
    if isinstance(model, Trainable):
        return None
    return f"{model.kind} has no loss that could be differentiated twice: not a network"

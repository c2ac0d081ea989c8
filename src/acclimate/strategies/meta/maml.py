"""MAML: parameters from which a few steps on a few rows of a new task go far.

    minimise over θ   mean over tasks of  L(θ − α ∇L(θ; support); query)

Source: Finn, Abbeel & Levine, ICML 2017, Algorithm 2 (arXiv:1703.03400), in second
order; FOMAML (section 5.2) treats the inner gradients as constants.  ANIL: Raghu,
Raghu, Bengio & Vinyals, ICLR 2020 (arXiv:1909.09157): only the head descends.
Departures: θ begins at the network that pooled sources taught, and not at random,
unless asked to, for a handful of markets is too little to learn features from; AdamW
along half a cosine instead of Adam; no dropout while meta-learning; the number of
steps on the target is the one that held-out rows of its `fit` bear, which may be 0.

Tasks are the sources, their users, or the values of a category; the target itself is
none unless asked for.  No statistics run along, so that tasks can be learned side by
side.  What is meta-learned depends on the sources alone, and is learned once for all
folds of the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from acclimate.arrays import Tensor
from acclimate.domains.episodes import By, Episodes
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread
from acclimate.domains.source import Derived
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Params, Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.meta.inner import (
    EPISODES,
    Inner,
    Learner,
    Loss,
    across,
    episode_stream,
)
from acclimate.strategies.parameter.pretrain import pretrained
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.stacking import source_views, stack
from acclimate.strategies.strategy import Adapt, Strategy

_META = Derived(2**28)
FOLDS = 5
KINDS = {"domain": "maml", "entity": "maml-users", "category": "maml-categories"}
ROWS: dict[By, int] = {"domain": 32, "entity": 8, "category": 16}


@dataclass(frozen=True)
class Maml(Adapt):
    """Meta-learn where to start, and descend from there on the target's rows.

    by       what a task is: "domain", "entity" (a user) or "category" (a value of a
             column)
    inner    "all", or "head": only the head descends (ANIL)
    order    2, or 1: FOMAML
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
    inner: Literal["all", "head"] = "all"
    order: int = 2
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

    kind: ClassVar[str] = "maml"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES
    complexity: ClassVar[int] = 8

    def __post_init__(self) -> None:
        if self.inner not in ("all", "head") or self.order not in (1, 2):
            raise StrategyError(
                "Expected an inner loop over 'all' or the 'head', of order 1 or 2; found "
                f"{self.inner!r} and {self.order!r}."
            )
        right = all(math.isfinite(x) and x > 0 for x in (self.alpha, self.rate))
        if not right or min(self.descent, self.tasks) < 1 or min(self.rounds, self.most) < 0:
            raise StrategyError(
                "Expected a finite alpha and rate above 0, at least 1 step of descent and 1 "
                "task, and at least 0 rounds and steps on the target; found "
                f"{self.alpha}, {self.rate}, {self.descent}, {self.tasks}, {self.rounds} and "
                f"{self.most}. To leave the descent out, use pooled."
            )
        if type(self) is Maml:
            # One class, several entries of the catalogue.
            kind = KINDS.get(self.by, "maml")
            object.__setattr__(self, "kind", _anil(kind) if self.inner == "head" else kind)

    # ── whether and with what ───────────────────────────────────────────────

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Trainable):
            return f"{model.kind} has no loss that could be differentiated twice: not a network"
        return teaches_nothing(problem) or self.episodes(problem, Rng.of(0)).why_not()

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

    def outer(self, model: Trainable) -> frozenset[str] | None:
        """The parameters that are meta-learned, None for all."""
        return None

    def descending(self, model: Trainable, params: Params) -> frozenset[str]:
        """The parameters that descend on a task."""
        return model.heads() if self.inner == "head" else frozenset(params)

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

    def start(self, problem: Problem, model: Any, rng: Rng, tick: Tick) -> Trainable:
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

        def compute() -> tuple[Trainable, tuple[Tensor, ...]]:
            begin = None if self.fresh else pretrained(problem, model, rng, tick)
            own = Rng(seed).child("meta")
            found = self.meta_learned(problem, model, begin, own, tick)
            # The arrays stand beside the model for the cache to see their size.
            return found, tuple(value.numpy() for value in found.parameters().values())

        return _META.get(key, compute)[0]

    def meta_learned(
        self, problem: Problem, model: Trainable, begin: Any, rng: Rng, tick: Tick
    ) -> Trainable:
        """`model` with parameters from which descents on the episodes go furthest.

        begin  a fitted network to begin at, or None for fresh parameters
        """
        views = source_views(problem)
        views += [problem.view(problem.fit)] if self.own and problem.fit.n else []
        prepared = model.prepare(stack(views))
        params = model.begin(prepared, begin, rng)
        if not self.rounds:
            return model.holding(prepared, params)  # type: ignore[return-value]
        rows, loss = self.seen(model, params, prepared, tick)
        inner = Inner(self.alpha, self.descent, self.order)
        drawn = self.episodes(problem, rng).draw(self.rounds * self.tasks)
        trainable = self.outer(model)
        return model.learn(  # type: ignore[return-value]
            prepared,
            across(loss, inner, self.descending(model, params), rows),
            {EPISODES: episode_stream(drawn, self.tasks)},
            Tuning(trainable, dict.fromkeys(params, self.rate)),
            begun=params,
            steps=self.rounds,
            rng=rng,
            tick=tick,
        )

    def served(self, problem: Problem, start: Trainable, rng: Rng, tick: Tick) -> Model:
        """The network where its descent on the target's rows does best on held-out ones."""
        prepared = start.prepare(problem.view(problem.fit))
        params = start.parameters()
        rows, loss = self.seen(start, params, prepared, tick)
        learner = Learner(loss, self.descending(start, params), self.alpha, self.most)
        fit = problem.fit
        assert isinstance(fit, Rows) and fit.label is not None
        fold = spread(fit.units(), fit.label, FOLDS, rng.child("folds"))
        steps = learner.best_stop(params, rows, fold, rng.child("stops"), tick)
        return start.holding(
            prepared, learner.descend(params, rows, steps, rng.child("descent"), tick)
        )


def _anil(kind: str) -> str:
    return kind.replace("maml", "anil", 1)

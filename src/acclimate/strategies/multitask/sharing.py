"""Hard sharing: tasks that are learned together share a body and have a head each.

    minimise  mean loss of the served task + others · Σ (n_k / n) · mean loss of task k

with n rows of the served task and n_k of another: at others = 1 every row counts alike,
whichever task it is of.  Equal means would pass dozens of times, at full strength, over
a target of 200 rows while a large source is read once, and learn it by heart.

Source: Caruana, "Multitask learning", Machine Learning 28, 1997.
What the tasks are, `lessons` says.  The served network is the body with the served
task's head; the other heads are not kept.  Each task's loss is one of its own in the
one loop, so that `balance` can weigh tasks, or mend gradients that conflict.

A task of weight 0 changes nothing: the served network is then the single task's.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from acclimate.domains.problem import Problem, Statistics
from acclimate.errors import StrategyError
from acclimate.models.joint import JointNetwork, of_task, own, task_names
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Batch, Losses, Params, Step, Stream, Trainable, Tuning
from acclimate.nearest import expected
from acclimate.rng import Rng
from acclimate.strategies.multitask.balance import BALANCES, Balance, balancing
from acclimate.strategies.multitask.lessons import (
    Lesson,
    label_lessons,
    market_lessons,
    no_other_label,
)
from acclimate.strategies.multitask.worth import overlaps, worth_of
from acclimate.strategies.seen import teaches_nothing
from acclimate.strategies.strategy import Adapt, Strategy


@dataclass(frozen=True)
class Taught:
    """What several tasks learned together, of which each can be served.

    names     of the tasks in the loop, the served one first
    prepared  the rows of each
    params    the shared parameters and each task's own
    private   what each task has of its own
    """

    model: Trainable
    names: tuple[str, ...]
    prepared: tuple[Any, ...]
    params: Params
    private: frozenset[str]

    def serve(self, task: int = 0) -> Model:
        """The network of one task."""
        params = of_task(self.params, self.names[task], self.private)
        model = self.model.at(task) if isinstance(self.model, JointNetwork) else self.model
        return model.holding(self.prepared[task], params)


@dataclass(frozen=True)
class HardSharing(Adapt):
    """Markets as tasks: a head for the target, served, and one for each source.

    others   ≥ 0, weight of a row of another task, where one of the served task has 1
    epochs   ≥ 0, passes over the rows of the largest task, or None for the network's own
             number; smaller tasks start over meanwhile
    balance  how the tasks' losses or gradients become one, as `balance` says
    """

    others: float = 1.0
    epochs: int | None = None
    balance: Balance = "equal"

    kind: ClassVar[str] = "hard-sharing"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.others) and self.others >= 0):
            raise StrategyError(
                f"Expected a finite weight of other tasks' rows of at least 0, found "
                f"{self.others}. At 0 the served task is learned alone."
            )
        if self.balance not in BALANCES:
            raise StrategyError(expected("a balance", BALANCES, self.balance))

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Trainable):
            return f"{model.kind} has no body that several heads could share: not a network"
        return teaches_nothing(problem)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, others=0.3), replace(self, others=0.1))

    def lessons(self, problem: Problem) -> list[Lesson]:
        """The tasks, the served one first."""
        return self.shared(market_lessons(problem))

    def shared(self, lessons: Sequence[Lesson]) -> list[Lesson]:
        """The lessons, each but the first with the share of its rows."""
        served, *rest = lessons
        factor = self.others / served.mass
        return [served, *(replace(each, share=factor * each.mass) for each in rest)]

    def tuning(self) -> Tuning:
        """What this changes about training, whatever the network."""
        return Tuning(epochs=self.epochs)

    def network(self, model: Trainable, lessons: Sequence[Lesson]) -> Trainable:
        """What learns these lessons: here the model itself."""
        return model

    def private(self, model: Trainable, params: Params) -> frozenset[str]:
        """The parameters of which each task has its own: here the heads'."""
        return model.heads()

    def streams(
        self,
        model: Trainable,
        names: Sequence[str],
        prepared: Sequence[Any],
        lessons: Sequence[Lesson],
    ) -> dict[str, Stream]:
        """The rows that batches are drawn from: here those of each task by itself."""
        return {
            name: model.stream(rows, lesson.weight)
            for name, rows, lesson in zip(names, prepared, lessons, strict=True)
        }

    def losses(
        self, model: Trainable, shares: Mapping[str, float], private: frozenset[str]
    ) -> Step:
        """The loss of each task."""
        return several(model, shares, private)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Trainable)
        tick()
        return self.taught(self.lessons(problem), model, rng, tick).serve()

    def taught(
        self, lessons: Sequence[Lesson], model: Trainable, rng: Rng, tick: Tick = idle
    ) -> Taught:
        """Learn the lessons together."""
        network = self.network(model, lessons)
        start = model if getattr(model, "fitted", None) is not None else None
        start = start if network is model else None
        prepared = [network.prepare(lesson.view) for lesson in lessons]
        names = task_names(len(lessons))
        streams = self.streams(network, names, prepared, lessons)
        begun = network.begin(prepared[0], start, rng)
        private = self.private(network, begun)
        beside: Params = {}
        for name, rows in zip(names[1:], prepared[1:], strict=True):
            # Heads begin by themselves; bodies of one's own where the served one does.
            fresh = {**begun, **_heads(network, network.begin(rows, start, rng.child(name)))}
            beside |= {own(name, each): fresh[each] for each in begun if each in private}
        shares = {name: each.share for name, each in zip(names, lessons, strict=True)}
        tuning = self.tuning()
        whole = begun | beside
        unfitted = network.holding(prepared[0], begun)
        assert isinstance(unfitted, Trainable)
        balanced = balancing(
            self.balance,
            shares,
            shared=frozenset(begun) - private,
            upper=unfitted.layers()[-2] - private,
            numbers=[name for name, each in zip(names, lessons, strict=True) if each.numbers],
            rng=rng.child("balance"),
        )
        step = balanced.step(self.losses(network, shares, private))
        tuning = replace(
            tuning,
            combine=tuning.combine if balanced.combine is None else balanced.combine,
            penalties={**tuning.penalties, **self.penalties(names, whole, private)},
        )
        learned = network.learn(
            prepared[0],
            step,
            streams,
            tuning,
            begun=whole | balanced.beside,
            rows=worth_of(whole, private, names, shares, overlaps(lessons)),
            steps=longest(network, streams, shares, tuning.epochs),
            rng=rng,
            tick=tick,
        )
        assert isinstance(learned, Trainable)
        params = {name: learned.parameters()[name] for name in whole}
        return Taught(network, names, tuple(prepared), params, private)

    def penalties(
        self, names: Sequence[str], params: Params, private: frozenset[str]
    ) -> dict[str, Any]:
        """What is added to the tasks' losses: here nothing."""
        return {}


@dataclass(frozen=True)
class LabelSharing(HardSharing):
    """Labels as tasks: the label on one head, and a head for each other label of the rows.

    The label is learned on the target's and the sources' rows together, as `pooled`
    does; another label on every row that has it, the target's unlabelled ones among
    them.
    """

    kind: ClassVar[str] = "hard-sharing-labels"
    needs_labels: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        return super().refuses(problem, model) or no_other_label(problem)

    def lessons(self, problem: Problem) -> list[Lesson]:
        return self.shared(label_lessons(problem))


def several(
    model: Trainable, shares: Mapping[str, float], private: Collection[str] | None = None
) -> Step:
    """A loss for each task, under what it has of its own, times its share.

    private  the parameters of which each task has its own, None for the heads'
    """
    mine = frozenset(model.heads() if private is None else private)

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        losses: Losses = {}
        for name, batch in batches.items():
            losses[name] = shares[name] * model.loss(of_task(params, name, mine), batch)
        return losses

    return step


def _heads(model: Trainable, params: Params) -> Params:
    return {name: params[name] for name in model.heads()}


def longest(
    model: Trainable,
    streams: Mapping[str, Stream],
    shares: Mapping[str, float],
    epochs: int | None,
) -> int:
    """Steps that the passes over the largest task make, of those that have a share."""
    return max(
        model.steps(stream, epochs) for name, stream in streams.items() if shares[name] > 0
    )

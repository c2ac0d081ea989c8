"""AML: adapt to a task by the gradients of others, attended to by what the task looks like.

    minimise over θ and φ   mean over tasks i of  L_i(θ_i; query_i)
    θ_i = θ − α Σ_{j≠i} a_ij(φ) ∇L_j(θ; support_j)       aml
    θ_i = θ − α Σ_j a_ij(φ) ∇L_j(θ; support_j)           aml-unmasked

Form: attention-based adaptive meta-learning, as the design and the page of the strategy
state it; attention as in `attention`.  With all attention on the task itself
the second is one step of MAML (Finn, Abbeel & Levine 2017, arXiv:1703.03400).
Departures: θ begins at the network that pooled sources taught, unless asked to begin at
random; a board holds at most as many tasks as there are, each once.

A target is served by one such step.  It takes the gradients and keys of source tasks
from what is kept, each over all rows of its task, so that an artifact adapts to a new
target where no row of a source is: the target's support gives the query, unmasked its
own gradient too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from acclimate.domains.episodes import Group
from acclimate.domains.problem import Problem
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.attentive import Attentive
from acclimate.models.model import Model, Tick
from acclimate.models.network import Batch, Params, Trainable, Tuning, torch_generator
from acclimate.rng import Rng
from acclimate.strategies.given import learned_elsewhere, serves_fitted, unlike
from acclimate.strategies.meta.attention import (
    KEY,
    QUERY,
    Attention,
    Told,
    attending,
    attention,
    moved,
)
from acclimate.strategies.meta.boards import BOARD, boards
from acclimate.strategies.meta.episodic import Episodic, Lessons, not_a_network
from acclimate.strategies.strategy import Strategy

AT_ONCE = 2048  # rows whose gradient is taken together
KEPT = 32  # tasks whose gradients are kept: an artifact holds as many networks


@dataclass(frozen=True)
class Aml(Episodic):
    """Meta-learn a start and whose gradients to follow from it, and take one such step.

    alpha   > 0, of the one step; larger than that of a descent of several
    masked  whether a task is kept from its own gradient
    width   > 0, d, of queries and keys

    The other settings as those of `Episodic`; `descent` and `most` are not used, for the
    step is one, and `own` must be off: what is kept are gradients of other tasks.
    """

    alpha: float = 1.0
    descent: int = 1
    tasks: int = 8
    masked: bool = True
    width: int = 16

    kind: ClassVar[str] = "aml"
    hands_on: ClassVar[bool] = False
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.own or self.width < 1 or self.tasks < 2:
            raise StrategyError(
                "Expected at least 2 tasks a step, a width of at least 1, and the target to be "
                f"none of the tasks; found {self.tasks}, {self.width} and own={self.own}."
            )
        object.__setattr__(self, "kind", "aml" if self.masked else "aml-unmasked")

    # ── whether and with what ───────────────────────────────────────────────

    def why_not_source(self, source: Source) -> str | None:
        return None if serves_fitted(source) else super().why_not_source(source)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not any(map(serves_fitted, problem.sources)):
            return super().refuses(problem, model)
        return not_a_network(model) or unlike(problem, Attentive())

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, alpha=self.alpha / 5), replace(self, fresh=True))

    # ── fitting ─────────────────────────────────────────────────────────────

    def start(self, problem: Problem, model: Any, rng: Rng, tick: Tick) -> Attentive:
        given = learned_elsewhere(problem)
        found = super().start(problem, model, rng, tick) if given is None else given
        assert isinstance(found, Attentive)
        return found

    def learned(self, model: Trainable, lessons: Lessons, rng: Rng, tick: Tick) -> Attentive:
        how = self.attention(model, lessons.params)
        params = lessons.params | self.phi(how, lessons, rng)
        if self.rounds:
            stream = boards(lessons.episodes, self.rounds, self.tasks)
            trained = model.learn(
                lessons.prepared,
                attending(how, lessons.params.keys(), lessons.rows),
                {BOARD: stream},
                Tuning(None, dict.fromkeys(params, self.rate), anchored={QUERY, KEY}),
                begun=params,
                steps=self.rounds,
                rng=rng,
                tick=tick,
            )
            assert isinstance(trained, Trainable)
            params = trained.parameters()
        theta = {name: params[name] for name in lessons.params}
        told = self.kept(how, theta, lessons, rng, tick)
        start = model.holding(lessons.prepared, theta)
        return Attentive(
            start,
            start,
            {name: value.numpy() for name, value in told.gradients.items()},
            (told.summary @ params[KEY].T).numpy(),
            params[QUERY].numpy(),
            params[KEY].numpy(),
            self.alpha,
            self.masked,
        )

    def attention(self, model: Trainable, params: Params) -> Attention:
        """How a task is adapted."""
        moving = self.descending(model, params)
        return Attention(
            model.loss, model.features, model.heads(), moving, self.alpha, self.masked
        )

    def phi(self, how: Attention, lessons: Lessons, rng: Rng) -> Params:
        """Fresh projections, under which scores of unlike tasks are about 1 apart."""
        import torch

        row = {name: value[:1] for name, value in lessons.rows.items()}
        size = how.all_told(lessons.params, {k: v[None] for k, v in row.items()}).summary
        generator = torch_generator(rng.child("attention"))
        return {
            name: torch.randn(self.width, size.shape[1], generator=generator) * 0.5**0.5
            for name in (QUERY, KEY)
        }

    def kept(
        self, how: Attention, theta: Params, lessons: Lessons, rng: Rng, tick: Tick
    ) -> Told:
        """What all rows of each task tell at θ; of `KEPT` tasks drawn, where there are more."""
        groups = lessons.episodes.groups
        g = rng.child("kept").generator()
        chosen = np.sort(g.permutation(len(groups))[:KEPT])
        found = []
        for at in chosen:
            tick()
            found.append(whole(how, theta, of_task(groups[at], lessons.rows)))
        return stacked(how, found)

    def served(self, problem: Problem, start: Attentive, rng: Rng, tick: Tick) -> Attentive:
        import torch

        network: Trainable = start.start
        prepared = network.prepare(problem.view(problem.fit))
        theta = network.parameters()
        how = self.attention(network, theta)
        rows = dict(network.stream(prepared).tensors)
        mine = stacked(how, [whole(how, theta, rows)])
        query, key, keys = (
            torch.from_numpy(np.array(each)) for each in (start.query, start.key, start.keys)
        )
        gradients = {k: torch.from_numpy(np.array(v)) for k, v in start.gradients.items()}
        if not start.masked:
            keys = torch.cat([keys, mine.summary @ key.T])
            gradients = {k: torch.cat([v, mine.gradients[k]]) for k, v in gradients.items()}
        # The target is none of the tasks that are kept: nothing is left to be masked.
        a = attention(mine.summary @ query.T, keys, masked=False)
        ends = moved(theta, gradients, a, start.alpha)
        params = theta | {name: value[0] for name, value in ends.items()}
        return replace(start, served=network.holding(prepared, params))


def of_task(group: Group, rows: Params) -> Params:
    """All rows of a task, by their weights."""
    import torch

    at = torch.from_numpy(group.rows)
    found = {name: value[at] for name, value in rows.items()}
    if group.weight is not None:
        scaled = group.weight / group.weight.mean()
        found["weight"] = torch.from_numpy(scaled.astype(np.float32))
    return found


def whole(how: Attention, theta: Params, rows: Batch) -> tuple[Any, Params]:
    """Mean features and gradient over all of a task's rows, some at a time."""
    n = len(rows["label"])
    total: Any = None
    for first in range(0, n, AT_ONCE):
        part = {name: value[first : first + AT_ONCE] for name, value in rows.items()}
        share = len(part["label"]) / n
        features, gradients = how.told(theta, part)
        now = {"": share * features} | {k: share * v for k, v in gradients.items()}
        total = now if total is None else {k: total[k] + v for k, v in now.items()}
    return total.pop("").detach(), {name: value.detach() for name, value in total.items()}


def stacked(how: Attention, found: list[tuple[Any, Params]]) -> Told:
    """What several tasks told, below each other."""
    import torch

    features = torch.stack([each for each, _ in found])
    names = found[0][1]
    return how.summed(features, {k: torch.stack([g[k] for _, g in found]) for k in names})

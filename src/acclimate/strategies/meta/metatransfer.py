"""Meta-transfer learning: scale and shift a frozen body, and learn a head on top.

    frozen layer  W x + b   becomes   (s ⊙ W) x + (b + t)        s = 1 and t = 0 at first
    inner   h ← h − α ∇_h L(h; support)        s, t held
    outer   s, t, h follow ∇ L(h′; query)

Source: Sun, Liu, Chua & Schiele, CVPR 2019 (arXiv:1812.02391): equations 3 to 6, hard
tasks in section 4.3 and Algorithm 1.
Departures: s and t have one entry a unit of a layer, for layers here are no
convolutions; tables of embeddings are frozen as they are; the body is what pooled
sources taught; tasks differ by domain and not by which classes they hold, so that hard
tasks are fresh episodes of the domains with the highest loss, and not of the classes
with the lowest accuracy; hardness is taken at the parameters of the moment; every other
step is one of hard tasks; Adam along half a cosine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.model import Tick
from acclimate.models.network import Batch, Losses, Params, Step, Stream, Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.meta.boards import BOARD, boards, one
from acclimate.strategies.meta.episodic import Episodic, Lessons
from acclimate.strategies.meta.inner import Inner, side
from acclimate.strategies.meta.metahead import FEATURES
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch

SCALE, SHIFT = "scale.", "shift."


@dataclass(frozen=True)
class MetaTransfer(Episodic):
    """Meta-learn scales and shifts of the frozen body and a head, and descend with the head.

    hard   0 < share ≤ 1 of a board's tasks that a step of hard tasks trains on
    alpha  > 0, rate of the head's descent

    The other settings as those of `Episodic`; `fresh` must be off, for a body at random is
    nothing to freeze.
    """

    hard: float = 0.5

    kind: ClassVar[str] = "meta-transfer"
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fresh or not 0 < self.hard <= 1:
            raise StrategyError(
                "Expected a share of hard tasks above 0 and at most 1, and a body that sources "
                f"taught; found {self.hard} and fresh={self.fresh}."
            )

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, alpha=5 * self.alpha))

    def descending(self, model: Trainable, params: Params) -> frozenset[str]:
        return model.heads()

    def learned(self, model: Trainable, lessons: Lessons, rng: Rng, tick: Tick) -> Any:
        if not self.rounds:
            return model.holding(lessons.prepared, lessons.params)
        begun = lessons.params | unmoved(lessons.params, model.heads())
        free = frozenset(begun) - frozenset(lessons.params) | model.heads()
        inner = Inner(self.alpha, self.descent)
        stream = alternating(boards(lessons.episodes, self.rounds, self.tasks, sets=2))
        trained: Any = model.learn(
            lessons.prepared,
            transferring(model, inner, lessons.rows, self.hard),
            {BOARD: stream},
            Tuning(free, dict.fromkeys(begun, self.rate)),
            begun=begun,
            steps=self.rounds,
            rng=rng,
            tick=tick,
        )
        merged = scaled(trained.parameters())
        return model.holding(lessons.prepared, merged)


def unmoved(params: Params, heads: frozenset[str]) -> Params:
    """Scales of 1 and shifts of 0 for every layer of the body: a matrix and its bias."""
    import torch

    layers = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
    found: Params = {}
    for layer in layers:
        bias = params.get(f"{layer}.bias")
        if bias is not None and f"{layer}.weight" not in heads:
            found[f"{SCALE}{layer}"] = torch.ones_like(bias)
            found[f"{SHIFT}{layer}"] = torch.zeros_like(bias)
    return found


def scaled(params: Params) -> Params:
    """The network's own parameters with scales and shifts worked into them.

    params  those of the network, with `unmoved`'s or what they became
    """
    found = {k: v for k, v in params.items() if not k.startswith((SCALE, SHIFT))}
    for name, value in params.items():
        if name.startswith(SCALE):
            layer = name.removeprefix(SCALE)
            found[f"{layer}.weight"] = value.unsqueeze(1) * found[f"{layer}.weight"]
            found[f"{layer}.bias"] = found[f"{layer}.bias"] + params[f"{SHIFT}{layer}"]
    return found


def alternating(stream: Stream) -> Stream:
    """The boards, every other one marked as one of hard tasks."""
    import torch

    return replace(stream, tensors={**stream.tensors, "hard": torch.arange(stream.n) % 2 == 1})


def transferring(model: Trainable, inner: Inner, rows: Batch, share: float) -> Step:
    """The step of the outer loop: the mean query loss of a board, or of its hard tasks anew.

    inner  the head's descent; the body makes features once before it
    rows   name → (n, …), the rows that episodes point at
    share  0 … 1, of the tasks that are hard
    """
    import torch

    def each(params: Params, drawn: Batch) -> torch.Tensor:
        """(tasks,) query losses behind a descent of the head."""
        whole = scaled(params)

        def made(batch: Batch) -> Params:
            return {**batch, FEATURES: model.features(whole, batch)}

        def loss(params: Params, batch: Batch) -> torch.Tensor:
            return model.cost(params, batch[FEATURES], batch)

        def alone(support: Batch, query: Batch) -> torch.Tensor:
            return loss(inner.adapted(loss, whole, model.heads(), made(support)), made(query))

        sides = [side(rows, drawn, name) for name in ("support", "query")]
        return torch.func.vmap(alone)(*sides)

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        board = batches[BOARD]
        first = one(board)
        if not bool(board["hard"]):
            return {"query": each(params, first).mean()}
        with torch.no_grad():
            difficult = hardest(each(params, first), share)
        again = {name: value[difficult] for name, value in one(board, 1).items()}
        return {"query": each(params, again).mean()}

    return step


def hardest(losses: torch.Tensor, share: float) -> torch.Tensor:
    """(k,) positions of the highest losses: this share of them, one at least."""
    return losses.topk(max(1, int(share * len(losses)))).indices

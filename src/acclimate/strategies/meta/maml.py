"""MAML: parameters from which a few steps on a few rows of a new task go far.

    minimise over θ   mean over tasks of  L(θ − α ∇L(θ; support); query)

Source: Finn, Abbeel & Levine, ICML 2017, Algorithm 2 (arXiv:1703.03400), in second
order; FOMAML (section 5.2) treats the inner gradients as constants.  ANIL: Raghu,
Raghu, Bengio & Vinyals, ICLR 2020 (arXiv:1909.09157): only the head descends.
Departures: θ begins at the network that pooled sources taught, and not at random,
unless asked to, for a handful of markets is too little to learn features from; Adam
along half a cosine instead of Adam; no dropout while meta-learning; the number of
steps on the target is the one that held-out rows of its `fit` bear, which may be 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from acclimate.errors import StrategyError
from acclimate.models.model import Tick
from acclimate.models.network import Params, Trainable, Tuning
from acclimate.rng import Rng
from acclimate.strategies.meta.compiled import quickest
from acclimate.strategies.meta.episodic import Episodic, Lessons
from acclimate.strategies.meta.inner import EPISODES, Inner, episode_stream

KINDS = {"domain": "maml", "entity": "maml-users", "category": "maml-categories"}


@dataclass(frozen=True)
class Maml(Episodic):
    """Meta-learn where to start, and descend from there on the target's rows.

    inner    "all", or "head": only the head descends (ANIL)
    order    2, or 1: FOMAML

    The other settings as those of `Episodic`.
    """

    inner: Literal["all", "head"] = "all"
    order: int = 2

    kind: ClassVar[str] = "maml"

    def __post_init__(self) -> None:
        if self.inner not in ("all", "head") or self.order not in (1, 2):
            raise StrategyError(
                "Expected an inner loop over 'all' or the 'head', of order 1 or 2; found "
                f"{self.inner!r} and {self.order!r}."
            )
        super().__post_init__()
        if type(self) is Maml:
            # One class, several entries of the catalogue.
            kind = KINDS.get(self.by, "maml")
            if self.inner == "head":
                kind = kind.replace("maml", "anil", 1)
            elif self.order == 1:
                kind = f"fo{kind}"
                object.__setattr__(self, "unasked", False)
            object.__setattr__(self, "kind", kind)

    def outer(self, model: Trainable) -> frozenset[str] | None:
        """The parameters that are meta-learned, None for all."""
        return None

    def descending(self, model: Trainable, params: Params) -> frozenset[str]:
        return model.heads() if self.inner == "head" else frozenset(params)

    def learned(self, model: Trainable, lessons: Lessons, rng: Rng, tick: Tick) -> Any:
        if not self.rounds:
            return model.holding(lessons.prepared, lessons.params)
        inner = Inner(self.alpha, self.descent, self.order)
        moving = self.descending(model, lessons.params)
        drawn = lessons.episodes.draw(self.rounds * self.tasks)
        return model.learn(
            lessons.prepared,
            quickest(lessons.loss, inner, moving, lessons.rows, self.rounds),
            {EPISODES: episode_stream(drawn, self.tasks)},
            Tuning(self.outer(model), dict.fromkeys(lessons.params, self.rate)),
            begun=lessons.params,
            steps=self.rounds,
            rng=rng,
            tick=tick,
        )

"""Fine-tuning: start from the network the sources taught, and go on with the target.

Source: Yosinski, Clune, Bengio & Lipson, NeurIPS 2014 (arXiv:1411.1792): copy the
lower layers, then train all of them or hold them and train the head.  Howard & Ruder,
ACL 2018 (arXiv:1801.06146): rates that fall with depth, section 3.2, η of a layer is that
of the one above it / 2.6; gradual unfreezing, section 3.3, a pass over the target for the
head alone, another with the layer below it, and so on, then all layers to the end.
Departures: the head starts from the source too, as both sides share their classes; each
stage's rate falls along half a cosine of its own, where the paper's is one triangle.

What is held comes back bit for bit, and gets no dropout while the rest is trained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.network import Trainable, Tuning
from acclimate.strategies.parameter.pretrain import GoOn
from acclimate.strategies.strategy import Strategy

FALLING = 1 / 2.6  # of the rate, from a layer to the one below it (section 3.2)


@dataclass(frozen=True)
class FineTune(GoOn):
    """Go on training a source network on the target's rows.

    layers   "all"; "head": the body is held; or k ≥ 1: all below the last k layers is, of
             which the head is one
    gradual  whether layers are let go one after the other, from the head down, a pass each
    rate     > 0, factor on the network's own rate
    falling  > 0, at most 1: factor on the rate for each layer further from the head
    epochs   ≥ 0, passes over the target, or None for the network's own number;
             0 is source-only.  Two: with few labels the network's own eight forget what
             the source knows
    """

    layers: Literal["all", "head"] | int = "all"
    rate: float = 0.3
    falling: float = 1.0
    epochs: int | None = 2
    gradual: bool = False

    kind: ClassVar[str] = "finetune"
    complexity: ClassVar[int] = 5

    def __post_init__(self) -> None:
        whole = isinstance(self.layers, int) and not isinstance(self.layers, bool)
        if self.layers not in ("all", "head") and not (whole and int(self.layers) >= 1):
            raise StrategyError(
                "Expected layers 'all', 'head' or a number of at least 1, found "
                f"{self.layers!r}."
            )
        if self.gradual and self.layers != "all":
            raise StrategyError(
                f"Expected all layers to be let go gradually, found layers {self.layers!r}. "
                "Take one of the two."
            )
        if not self.rate > 0 or not 0 < self.falling <= 1:
            raise StrategyError(
                "Expected a rate above 0 and falling above 0 and at most 1, "
                f"found {self.rate} and {self.falling}. To stand still, set epochs to 0."
            )
        # One class, several entries of the catalogue: what moves less is simpler.
        kind, complexity = "finetune", 5
        if self.layers != "all":
            kind, complexity = f"finetune-last{self.layers}", 4
        if self.layers == "head":
            kind = "finetune-head"
        if self.gradual:
            kind, complexity = "finetune-gradual", 6
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "complexity", complexity)
        object.__setattr__(self, "unasked", not self.gradual and not whole)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        if self.layers != "all":
            return (self, replace(self, rate=1.0), replace(self, rate=3.0))
        longer, faster = replace(self, epochs=None), replace(self, rate=1.0)
        if self.gradual:
            return (self, longer, faster)
        return (self, longer, faster, replace(self, falling=FALLING))

    def stages(self, start: Trainable) -> tuple[Tuning, ...]:
        """One training, or one for each layer that is let go."""
        whole = self.tuning(start)
        if not self.gradual:
            return (whole,)
        once = 1 if self.epochs is None else min(1, self.epochs)
        count = len(start.layers())
        upper = [last(start, k) for k in range(1, count)]
        first = (replace(whole, trainable=moving, epochs=once) for moving in upper)
        return (*first, whole)

    def tuning(self, start: Trainable) -> Tuning:
        """What this changes about training that begins at `start`."""
        layers = start.layers()
        multipliers = {
            name: self.rate * self.falling**depth
            for depth, layer in enumerate(reversed(layers))
            for name in layer
        }
        trainable = None
        if self.layers != "all":
            trainable = last(start, 1 if self.layers == "head" else self.layers)
        return Tuning(trainable, multipliers, epochs=self.epochs)


def last(start: Trainable, k: int) -> frozenset[str]:
    """The parameters of the last k layers, the head among them."""
    return frozenset().union(*start.layers()[-k:])

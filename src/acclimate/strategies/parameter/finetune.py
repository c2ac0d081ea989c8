"""Fine-tuning: start from the network the sources taught, and go on with the target.

Source: Yosinski, Clune, Bengio & Lipson, NeurIPS 2014 (arXiv:1411.1792): copy the
lower layers, then train all of them or hold them and train the head.  Rates that
fall with depth: Howard & Ruder, ACL 2018 (arXiv:1801.06146), section 3.2, η ← η/2.6.
Departure: the head starts from the source too, as both sides share their classes.

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


@dataclass(frozen=True)
class FineTune(GoOn):
    """Go on training a source network on the target's rows.

    layers   "all", or "head": the body is held
    rate     > 0, factor on the network's own rate
    falling  > 0, at most 1: factor on the rate for each layer further from the head
    epochs   ≥ 0, passes over the target, or None for the network's own number;
             0 is source-only
    """

    layers: Literal["all", "head"] = "all"
    rate: float = 0.3
    falling: float = 1.0
    epochs: int | None = None

    kind: ClassVar[str] = "finetune"
    complexity: ClassVar[int] = 5

    def __post_init__(self) -> None:
        if self.layers not in ("all", "head"):
            raise StrategyError(f"Expected layers 'all' or 'head', found {self.layers!r}.")
        if not self.rate > 0 or not 0 < self.falling <= 1:
            raise StrategyError(
                "Expected a rate above 0 and falling above 0 and at most 1, "
                f"found {self.rate} and {self.falling}. To stand still, set epochs to 0."
            )
        if self.layers == "head":
            # One class, two entries of the catalogue: fewer parameters move, so simpler.
            object.__setattr__(self, "kind", "finetune-head")
            object.__setattr__(self, "complexity", 4)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        if self.layers == "head":
            return (self, replace(self, rate=1.0), replace(self, rate=3.0))
        slower, faster = replace(self, rate=0.1), replace(self, rate=1.0)
        return (self, slower, faster, replace(self, falling=1 / 2.6))

    def tuning(self, start: Trainable) -> Tuning:
        """What this changes about training that begins at `start`."""
        layers = start.layers()
        multipliers = {
            name: self.rate * self.falling**depth
            for depth, layer in enumerate(reversed(layers))
            for name in layer
        }
        trainable = start.heads() if self.layers == "head" else None
        return Tuning(trainable, multipliers, epochs=self.epochs)

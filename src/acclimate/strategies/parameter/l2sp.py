"""L2-SP: fine-tune with the source's body as the point that weight decay draws to.

    minimise  mean target loss + (α/2)‖w_body − w⁰_body‖² + (β/2)‖w_head‖²

Source: Li, Grandvalet & Davoine, ICML 2018, eq. 2 (arXiv:1802.01483).
Departures: the head starts from the source, as both sides share their classes,
and is still drawn to 0; Adam instead of SGD with momentum, so that a large α
holds the body within about a step of w⁰ and not on it.  The optimiser decays
nothing of its own: a second weight decay would draw to 0 what α draws to w⁰.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.network import Params, Penalty, Trainable, Tuning
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.pretrain import GoOn
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class L2SP(GoOn):
    """Fine-tune on a leash.

    alpha   ≥ 0, on the scale of mean loss: pull of the body to the source's
    beta    ≥ 0, on the same scale: pull of the head to 0
    rate    > 0, factor on the network's own rate
    epochs  ≥ 0, passes over the target, or None for the network's own number, with which
            few labels are learned by heart
    """

    alpha: float = 0.1
    beta: float = 0.01
    rate: float = 0.3
    epochs: int | None = 2

    kind: ClassVar[str] = "l2-sp"
    complexity: ClassVar[int] = 6

    def __post_init__(self) -> None:
        if not self.alpha >= 0 or not self.beta >= 0:
            raise StrategyError(
                f"Expected alpha and beta of at least 0, found {self.alpha} and {self.beta}. "
                "Both at 0 is plain fine-tuning."
            )

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (
            self,
            replace(self, alpha=0.01),
            replace(self, alpha=1.0),
            replace(self, rate=1.0),
        )

    def tuning(self, start: Trainable) -> Tuning:
        """What this changes about training that begins at `start`."""
        return replace(
            FineTune("all", self.rate, epochs=self.epochs).tuning(start),
            anchored=start.body() | start.heads(),
            penalties=self.penalties(start),
        )

    def penalties(self, start: Trainable) -> dict[str, Penalty]:
        """(α/2)‖w − w⁰‖² over the body and (β/2)‖w‖² over the head."""
        anchor, body, heads = start.parameters(), start.body(), start.heads()

        def leash(params: Params) -> torch.Tensor:
            return 0.5 * self.alpha * sum_of_squares(params, body, anchor)

        def shrink(params: Params) -> torch.Tensor:
            return 0.5 * self.beta * sum_of_squares(params, heads)

        return {"leash": leash, "shrink": shrink}


def sum_of_squares(
    params: Params, names: frozenset[str], around: Params | None = None
) -> torch.Tensor:
    """Σ (w − w⁰)² over all entries of the named parameters, w⁰ = 0 without `around`."""
    import torch

    away = [params[name] - around[name] if around else params[name] for name in sorted(names)]
    return torch.stack([value.square().sum() for value in away]).sum()

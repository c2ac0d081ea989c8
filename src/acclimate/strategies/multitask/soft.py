"""Soft sharing: a network for each task, held near one another.

    soft-sharing  Σ_k share_k · mean loss of task k + (λ/2) Σ_{j<k} ‖w_j − w_k‖²
    trace-norm    Σ_k share_k · mean loss of task k + λ Σ_layers ‖[w_1; …; w_K]‖_*

over the layers below the heads, [w_1; …; w_K] the matrix with one task's layer a row.

Sources: Duong, Cohn, Bird & Cook, ACL 2015, section 3, of two tasks.  Yang & Hospedales,
ICLR 2017 workshop (arXiv:1606.04038), the last-axis flattening of its section 2.
Departures: Duong et al. hold the source's network where its own training left it; here
all learn at once, from one beginning.  Biases are held too, and embeddings: a level that
one market hardly sees is then near what the others know of it.

What is served is a plain network.  At strength 0 the tasks do not meet, and it is
target-only's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.joint import own
from acclimate.models.network import Params, Trainable
from acclimate.strategies.multitask.lessons import Lesson, lessons_of
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.strategy import Strategy

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class SoftSharing(HardSharing):
    """Labels as tasks where the rows have other labels, markets elsewhere.

    strength  ≥ 0, λ, on the scale of mean loss
    """

    strength: float = 0.1

    kind: ClassVar[str] = "soft-sharing"
    complexity: ClassVar[int] = 6
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise StrategyError(
                f"Expected a finite strength of at least 0, found {self.strength}. At 0 the "
                "tasks are learned apart."
            )
        if self.balance not in ("equal", "uncertainty"):
            raise StrategyError(
                "Expected balance 'equal' or 'uncertainty', as softly shared tasks have no "
                f"parameter in common whose gradients could conflict; found {self.balance!r}."
            )

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, *(replace(self, strength=self.strength * x) for x in (0.1, 10.0)))

    def lessons(self, problem: Problem) -> list[Lesson]:
        return self.shared(lessons_of(problem))

    def private(self, model: Trainable, params: Params) -> frozenset[str]:
        return frozenset(params)

    def penalties(
        self, names: Sequence[str], params: Params, private: frozenset[str]
    ) -> dict[str, Any]:
        held = sorted(name for name in private if not self.free(name))

        def leash(params: Params) -> torch.Tensor:
            layers = ([params[own(task, name)] for task in names] for name in held)
            return self.strength * self.apart([*layers])

        return {"leash": leash} if len(names) > 1 and self.strength > 0 else {}

    def free(self, name: str) -> bool:
        """Whether a parameter is held by nothing: the heads, which answer other questions."""
        return name.startswith("head.")

    def apart(self, layers: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        """How far the tasks' networks are from one another, over layers by task."""
        return distance(layers)


@dataclass(frozen=True)
class TraceNorm(SoftSharing):
    """Few directions for all tasks: the trace norm of their layers side by side."""

    strength: float = 0.01

    kind: ClassVar[str] = "trace-norm"

    def apart(self, layers: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        return trace_norm(layers)


def distance(layers: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """½ Σ_layers Σ_{j<k} ‖w_j − w_k‖², which is (K/2) Σ_k ‖w_k − mean‖²."""
    import torch

    found = []
    for tasks in layers:
        stacked = torch.stack([*tasks])
        away = stacked - stacked.mean(0)
        found.append(0.5 * len(stacked) * away.square().sum())
    return torch.stack(found).sum()


def trace_norm(layers: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
    """Σ_layers of the sum of the singular values of (tasks, entries)."""
    import torch

    found = [
        torch.linalg.matrix_norm(torch.stack([*tasks]).flatten(1), "nuc") for tasks in layers
    ]
    return torch.stack(found).sum()

"""A network that was adapted by attention to gradients of other tasks, and those gradients.

    θ_t = θ − α Σ_j a_tj g_j        a_tj by keys k_j of the tasks and the target's own query

It is put together by `strategies.meta.aml`.  What another target needs is in it: θ, one
gradient and one key a task, and no row of any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from acclimate.arrays import Tensor
from acclimate.domains.exam import Prediction
from acclimate.models.made import Made
from acclimate.models.model import Model, State
from acclimate.models.network import no_torch

GRADIENT = "gradient."


@dataclass(frozen=True)
class Attentive(Made):
    """A network fitted for its target, and what adapts it to another.

    served     the network at θ_t
    start      the network at θ
    gradients  parameter → (tasks, …), of each task's loss at θ
    keys       (tasks, d), Φ_k e_j
    query      (d, e), Φ_q
    key        (d, e), Φ_k
    alpha      > 0, α
    masked     whether the target's own gradient is left out
    """

    served: Any = field(default=None, repr=False)
    start: Any = field(default=None, repr=False)
    gradients: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    keys: Tensor | None = field(default=None, repr=False)
    query: Tensor | None = field(default=None, repr=False)
    key: Tensor | None = field(default=None, repr=False)
    alpha: float = 0.1
    masked: bool = True

    kind: ClassVar[str] = "attentive"

    def why_not(self) -> str | None:
        return no_torch()

    def prepare(self, view: Any) -> Any:
        return self.start.prepare(view)

    def predict(self, query: Any, context: Any = None) -> Prediction:
        answer: Prediction = self.served.predict(query, context)
        return answer

    def state(self) -> State:
        assert self.keys is not None and self.query is not None and self.key is not None
        tensors = {f"{GRADIENT}{name}": value for name, value in self.gradients.items()}
        tensors |= {"keys": self.keys, "query": self.query, "key": self.key}
        meta = {"alpha": self.alpha, "masked": self.masked}
        children = {"served": self.served.state(), "start": self.start.state()}
        return State(self.kind, meta, tensors, children)

    @classmethod
    def restore_with(cls, state: State, parts: Mapping[str, Model]) -> Attentive:
        """The network of these restored parts."""
        gradients = {
            name.removeprefix(GRADIENT): value
            for name, value in sorted(state.tensors.items())
            if name.startswith(GRADIENT)
        }
        keys, query, key = (state.tensors[name] for name in ("keys", "query", "key"))
        return cls(parts["served"], parts["start"], gradients, keys, query, key, **state.meta)

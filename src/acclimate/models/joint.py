"""Joint networks: several tasks learn parts together, and one of them is served.

Before: `columns` made tensors of views.  After: `experts`, `attention` and `stitch` say
which parts are shared and how; `strategies.multitask` trains them.

A parameter of which each task has its own is called by its plain name in the network
that serves the task, and "task 2/NAME" beside it while the tasks learn together.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from acclimate.models.columns import PreparedRows
from acclimate.models.layers import ADAPTER, HE, HEAD, embeds, linear, names
from acclimate.models.mixed import MixedNetwork
from acclimate.models.streams import Batch, Params, torch_generator
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

SERVED = "rows"
TOWER = names("tower")


def task_names(tasks: int) -> tuple[str, ...]:
    """What tasks are called in the loop, the first one served."""
    return (SERVED, *(f"task {number}" for number in range(1, tasks)))


def own(task: str, name: str) -> str:
    """What a task's own copy of a parameter is called; the served task's has its own name."""
    return name if task == SERVED else f"{task}/{name}"


def of_task(params: Params, task: str, private: Iterable[str]) -> Params:
    """The parameters as one task sees them: the shared ones, and its own by plain names."""
    mine = {name: params[own(task, name)] for name in private if own(task, name) in params}
    return {name: value for name, value in params.items() if "/" not in name} | mine


@dataclass(frozen=True)
class JointNetwork(MixedNetwork):
    """A network over mixed columns of which several tasks share parts.

    tasks   ≥ 1, that learn together
    served  0 … tasks − 1, the one this network answers
    tower   > 0, units of the layer between a task's features and its head
    """

    kind: ClassVar[str] = "joint-network"

    tasks: int = 1
    served: int = 0
    tower: int = 32

    @classmethod
    def like(cls, model: MixedNetwork, **settings: Any) -> Self:
        """A joint network with what a plain one has of width, rates and regularisation."""
        plain = {each.name: getattr(model, each.name) for each in fields(MixedNetwork)}
        return cls(**(plain | {"fitted": None} | settings))

    def grid(self) -> tuple[Self, ...]:
        return (self,)

    # ── parts ───────────────────────────────────────────────────────────────

    @abstractmethod
    def parts(self, inputs: int, generator: torch.Generator) -> Params:
        """Fresh parameters between the embeddings and the towers."""

    @abstractmethod
    def private(self) -> frozenset[str]:
        """Those parts of which each task has its own."""

    @abstractmethod
    def features_of(
        self, views: Sequence[Params], batch: Batch, tasks: Sequence[int]
    ) -> list[torch.Tensor]:
        """(n, width) for each task what its body makes of the same rows.

        views  the parameters as each task sees them; what is shared is read off the first
        tasks  the position of each
        """

    # ── the network ─────────────────────────────────────────────────────────

    def begin(self, prepared: PreparedRows, start: Any, rng: Rng) -> Params:
        plain = super().begin(prepared, None, rng)
        generator = torch_generator(rng.child("joint"))
        outputs = len(plain["head.weight"])
        params = {k: v for k, v in plain.items() if embeds(k) or k in self.adapters()}
        params |= self.parts(prepared.shape.inputs, generator)
        params |= layer("tower", self.width, self.tower, generator)
        params |= layer("head", self.tower, outputs, generator, gain=1.0)
        return params if start is None else self._over(params, start, prepared.shape)

    def features(self, params: Params, batch: Batch) -> torch.Tensor:
        import torch.nn.functional as F

        (x,) = self.features_of([params], batch, [self.served])
        if "adapter.down.weight" in params:
            x = x + linear(params, "adapter.up", F.gelu(linear(params, "adapter.down", x)))
        return x

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        import torch.nn.functional as F

        return linear(params, "head", F.relu(linear(params, "tower", features)))

    def heads(self) -> frozenset[str]:
        return HEAD | TOWER | self.private()

    def layers(self) -> tuple[frozenset[str], ...]:
        tables = frozenset(name for name in self._learned().tensors if embeds(name))
        upper = (self.adapters(),) if self.adapter else ()
        return (tables, self.body() - tables - ADAPTER, *upper, self.heads())

    def at(self, task: int) -> Self:
        """The same network, serving another of its tasks."""
        return replace(self, served=task)


def layer(
    name: str, inputs: int, outputs: int, generator: torch.Generator, *, gain: float = HE
) -> Params:
    """A fresh linear layer."""
    import torch

    weight = fresh((outputs, inputs), inputs, generator, gain=gain)
    return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(outputs)}


def fresh(
    shape: Sequence[int], inputs: int, generator: torch.Generator, *, gain: float = HE
) -> torch.Tensor:
    """Weights drawn evenly, within gain / √inputs."""
    import torch

    bound = gain / math.sqrt(max(inputs, 1))
    return (torch.rand(*shape, generator=generator) * 2 - 1) * bound

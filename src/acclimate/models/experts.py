"""Mixtures of experts that tasks choose from, each by a gate of its own.

    MMoE   f^k(x) = Σ_i g^k_i(x) f_i(x),  g^k(x) = softmax(W_k x),  y_k = h^k(f^k(x))
    PLE    at each level j:  g^{k,j}(x) = w^{k,j}(x) S^{k,j}(x),  w = softmax(W^{k,j} x)
           S^{k,j} the task's own experts and the shared ones, each of what level j − 1
           gave its owner; a shared gate over all experts, of every task, feeds the shared
           ones of the next level

Sources: Ma et al., KDD 2018, eq. 5–6.  Tang, Liu, Zhao & Gong, RecSys 2020, sections 4.1
(CGC) and 4.2 (PLE).  An expert is two layers with ReLU, a tower one.
Departures: embeddings of columns are shared by all tasks; dropout falls on the mixture.

All experts are packed in one tensor a layer: one product for all of them, where a loop
would make one each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from acclimate.models.joint import JointNetwork, fresh
from acclimate.models.layers import inputs
from acclimate.models.products import dense
from acclimate.models.streams import Batch, Params

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Mmoe(JointNetwork):
    """Multi-gate mixture of experts.

    experts  ≥ 1, shared by all tasks
    hidden   > 0, units of the first layer of an expert; the second has `width`
    """

    kind: ClassVar[str] = "mmoe-network"

    experts: int = 4
    hidden: int = 64

    def parts(self, inputs: int, generator: torch.Generator) -> Params:
        params = packed("experts", self.experts, inputs, self.hidden, self.width, generator)
        return params | {"gate": fresh((self.experts, inputs), inputs, generator, gain=1.0)}

    def private(self) -> frozenset[str]:
        return frozenset({"gate"})

    def features_of(
        self, views: Sequence[Params], batch: Batch, tasks: Sequence[int]
    ) -> list[torch.Tensor]:
        import torch

        x = inputs(views[0], batch)
        gates = torch.cat([view["gate"] for view in views])
        found, scores = first_answers(views[0], "experts", self.experts, x, gates)
        mixtures = [mixed(score, found) for score in scores.chunk(len(views), 1)]
        if "keep.hidden2" in batch:
            return [each * batch["keep.hidden2"] for each in mixtures]
        return mixtures


@dataclass(frozen=True)
class Ple(JointNetwork):
    """Progressive layered extraction; one level is customized gate control.

    mine    ≥ 1, experts of each task at each level
    common  ≥ 1, shared experts at each level
    levels  1 or 2
    hidden  > 0, units of the first layer of an expert; the second has `width`
    """

    kind: ClassVar[str] = "ple-network"

    mine: int = 1
    common: int = 2
    levels: int = 2
    hidden: int = 64

    def __post_init__(self) -> None:
        # At three, the served network would need every other task's gates as well.
        assert self.levels in (1, 2), "a PLE network has one level or two"

    def parts(self, inputs: int, generator: torch.Generator) -> Params:
        count, sees, width = self.tasks * self.mine + self.common, self.sees, self.width
        params = packed("level1", count, inputs, self.hidden, width, generator)
        params["gate1"] = fresh((sees, inputs), inputs, generator, gain=1.0)
        if self.levels == 2:
            params["pool1"] = fresh((count, inputs), inputs, generator, gain=1.0)
            params |= grouped("level2", count, width, self.hidden, width, generator)
            params["gate2"] = fresh((sees, width), width, generator, gain=1.0)
        return params

    @property
    def sees(self) -> int:
        """How many experts a task chooses from."""
        return self.mine + self.common

    def private(self) -> frozenset[str]:
        return frozenset(f"gate{level}" for level in range(1, self.levels + 1))

    def features_of(
        self, views: Sequence[Params], batch: Batch, tasks: Sequence[int]
    ) -> list[torch.Tensor]:
        import torch

        shared = views[0]
        count = self.tasks * self.mine + self.common
        x = inputs(shared, batch)
        gates = [view["gate1"] for view in views]
        gates += [shared["pool1"]] if self.levels == 2 else []
        found, scores = first_answers(shared, "level1", count, x, torch.cat(gates))
        common = found[-self.common :]
        each = scores.split_with_sizes([len(gate) for gate in gates], 1)
        mine = [
            mixed(score, found[task * self.mine : (task + 1) * self.mine], common)
            for score, task in zip(each, tasks, strict=False)
        ]
        if self.levels == 2:
            mine = self._second(views, mine, mixed(each[-1], found), tasks)
        if "keep.hidden2" in batch:
            return [each * batch["keep.hidden2"] for each in mine]
        return mine

    def _second(
        self,
        views: Sequence[Params],
        mine: Sequence[torch.Tensor],
        pool: torch.Tensor,
        tasks: Sequence[int],
    ) -> list[torch.Tensor]:
        """The second level: a task's experts read what the task has, the shared the pool."""
        import torch

        at = [task * self.mine + expert for task in tasks for expert in range(self.mine)]
        at += range(self.tasks * self.mine, self.tasks * self.mine + self.common)
        given = [each for each in mine for _ in range(self.mine)] + [pool] * self.common
        found = next_answers(views[0], "level2", at, torch.stack(given))
        common = found[-self.common :]
        return [
            mixed(each @ view["gate2"].T, found[k * self.mine : (k + 1) * self.mine], common)
            for k, (view, each) in enumerate(zip(views, mine, strict=True))
        ]


# ── experts side by side ────────────────────────────────────────────────────


def packed(
    name: str, count: int, inputs: int, hidden: int, width: int, generator: torch.Generator
) -> Params:
    """Fresh experts of two layers that all read the same inputs."""
    first = fresh((count * hidden, inputs), inputs, generator)
    return {f"{name}.first": first} | _upper(name, count, hidden, width, generator)


def grouped(
    name: str, count: int, inputs: int, hidden: int, width: int, generator: torch.Generator
) -> Params:
    """Fresh experts of two layers that each read inputs of their own."""
    first = fresh((count, inputs, hidden), inputs, generator)
    return {f"{name}.first": first} | _upper(name, count, hidden, width, generator)


def _upper(
    name: str, count: int, hidden: int, width: int, generator: torch.Generator
) -> Params:
    import torch

    return {
        f"{name}.first.bias": torch.zeros(count * hidden),
        f"{name}.second": fresh((count, hidden, width), hidden, generator),
        f"{name}.second.bias": torch.zeros(count * width),
    }


def first_answers(
    params: Params, name: str, count: int, x: torch.Tensor, gates: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What packed experts and gates make of the same inputs, in one product.

    gates    (choices, inputs)
    returns  (count, n, width) and (n, choices)
    """
    import torch
    import torch.nn.functional as F

    first, bias1 = params[f"{name}.first"], params[f"{name}.first.bias"]
    second, bias2 = params[f"{name}.second"], params[f"{name}.second.bias"]
    read = dense(x, torch.cat([first, gates]), F.pad(bias1, (0, len(gates))))
    *hidden, scores = read.split_with_sizes([*[len(first) // count] * count, len(gates)], 1)
    each = zip(hidden, second.unbind(), bias2.chunk(count), strict=True)
    return F.relu(torch.stack([dense(F.relu(h), w.T, b) for h, w, b in each])), scores


def next_answers(params: Params, name: str, at: Sequence[int], x: torch.Tensor) -> torch.Tensor:
    """(len(at), n, width) what the experts at these positions make of inputs of their own.

    x  (len(at), n, inputs)
    """
    import torch

    places = torch.tensor(at)
    first, second = params[f"{name}.first"], params[f"{name}.second"]
    bias1 = params[f"{name}.first.bias"].view(len(first), -1)[places]
    bias2 = params[f"{name}.second.bias"].view(len(second), -1)[places]
    hidden = _answers(x, first[places], bias1.flatten())
    return _answers(hidden, second[places], bias2.flatten())


def _answers(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """(count, n, outputs) ReLU of a layer of every expert, in one product."""
    import torch
    import torch.nn.functional as F

    return F.relu(torch.baddbmm(bias.view(len(weight), 1, -1), x, weight))


def mixed(gate: torch.Tensor, *answers: torch.Tensor) -> torch.Tensor:
    """(n, width) Σ_i softmax(gate)_i answers_i.

    gate     (n, count) before the softmax
    answers  (…, n, width) each, count together
    """
    import torch

    weights = gate.softmax(1).T.unsqueeze(2)  # (count, n, 1)
    total, first = torch.zeros(()), 0
    for each in answers:
        total = total + (weights[first : first + len(each)] * each).sum(0)
        first += len(each)
    return total

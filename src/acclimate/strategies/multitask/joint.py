"""Joint strategies: tasks share parts of a network, and choose from them.

    mmoe          experts for all tasks, a gate for each
    ple           experts for all and experts of each, at two levels
    mtan          one body, and masks of each task on it
    cross-stitch  a network for each task, whose layers mix

Before: `lessons` said what the tasks are; `models.experts`, `attention` and `stitch` have
the equations, sources and departures.  After: one network is served, with the target's
task; it keeps what that task needs of the others.

Tasks over the very same rows share a stream, so that the experts read each batch once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from acclimate.domains.problem import Problem
from acclimate.models.attention import Mtan
from acclimate.models.experts import Mmoe, Ple
from acclimate.models.joint import JointNetwork, of_task
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.models.network import Batch, Losses, Params, Step, Stream, Trainable
from acclimate.models.stitch import CrossStitch
from acclimate.strategies.multitask.lessons import Lesson, lessons_of
from acclimate.strategies.multitask.sharing import HardSharing

LABEL = "label/"


@dataclass(frozen=True)
class JointSharing(HardSharing):
    """Labels as tasks where the rows have other labels, markets elsewhere."""

    complexity: ClassVar[int] = 7
    unasked: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        why = super().refuses(problem, model)
        if why is None and not isinstance(model, MixedNetwork):
            return f"{model.kind} has no layers over columns that tasks could share parts of"
        return why

    def lessons(self, problem: Problem) -> list[Lesson]:
        return self.shared(lessons_of(problem))

    @abstractmethod
    def joint(self, model: MixedNetwork, tasks: int) -> JointNetwork:
        """The network of so many tasks, with the plain one's width, rates and the like."""

    def network(self, model: Trainable, lessons: Sequence[Lesson]) -> Trainable:
        assert isinstance(model, MixedNetwork)
        return self.joint(model, len(lessons))

    def streams(
        self,
        model: Trainable,
        names: Sequence[str],
        prepared: Sequence[Any],
        lessons: Sequence[Lesson],
    ) -> dict[str, Stream]:
        found = super().streams(model, names, prepared, lessons)
        hosts: dict[str, Stream] = {}
        for name, stream in found.items():
            host = next((each for each in hosts if same_rows(hosts[each], stream)), None)
            if host is None:
                hosts[name] = stream
                continue
            label = {f"{LABEL}{name}": stream.tensors["label"]}
            hosts[host] = replace(hosts[host], tensors={**hosts[host].tensors, **label})
        return hosts

    def losses(
        self, model: Trainable, shares: Mapping[str, float], private: frozenset[str]
    ) -> Step:
        assert isinstance(model, JointNetwork)
        place = {name: at for at, name in enumerate(shares)}

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            found: Losses = {}
            views = {name: of_task(params, name, private) for name in shares}
            for host, batch in batches.items():
                names = [host, *(n for n in shares if f"{LABEL}{n}" in batch)]
                bodies = model.features_of(
                    [views[name] for name in names], batch, [place[name] for name in names]
                )
                for name, body in zip(names, bodies, strict=True):
                    label = batch["label" if name == host else f"{LABEL}{name}"]
                    cost = model.cost(views[name], body, {**batch, "label": label})
                    found[name] = shares[name] * cost
            return {name: found[name] for name in shares}

        return step


@dataclass(frozen=True)
class MmoeSharing(JointSharing):
    """Multi-gate mixture of experts.

    experts  ≥ 1
    """

    experts: int = 4

    kind: ClassVar[str] = "mmoe"

    def joint(self, model: MixedNetwork, tasks: int) -> JointNetwork:
        return Mmoe.like(model, tasks=tasks, experts=self.experts, hidden=model.width)


@dataclass(frozen=True)
class PleSharing(JointSharing):
    """Progressive layered extraction.

    levels  1 or 2
    """

    levels: int = 2

    kind: ClassVar[str] = "ple"
    complexity: ClassVar[int] = 8

    def joint(self, model: MixedNetwork, tasks: int) -> JointNetwork:
        return Ple.like(model, tasks=tasks, levels=self.levels, hidden=model.width)


@dataclass(frozen=True)
class MtanSharing(JointSharing):
    """Task attention on a shared body."""

    kind: ClassVar[str] = "mtan"

    def joint(self, model: MixedNetwork, tasks: int) -> JointNetwork:
        return Mtan.like(model, tasks=tasks, units=max(1, model.width // 2))


@dataclass(frozen=True)
class StitchSharing(JointSharing):
    """Networks side by side, cross-stitched."""

    kind: ClassVar[str] = "cross-stitch"

    def joint(self, model: MixedNetwork, tasks: int) -> JointNetwork:
        return CrossStitch.like(model, tasks=tasks)


def same_rows(one: Stream, other: Stream) -> bool:
    """Whether two streams hold the same rows, whatever their labels."""
    import torch

    def bare(stream: Stream) -> dict[str, Any]:
        return {k: v for k, v in stream.tensors.items() if not k.startswith("label")}

    ours, theirs = bare(one), bare(other)
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name], theirs[name]) for name in ours
    )

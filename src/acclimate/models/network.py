"""The one training loop: a step, batches, and what a strategy changes about them.

`train` repeats three things: `step` turns parameters and batches into named
losses, `combine` turns their gradients into one, `update` moves the parameters.
A strategy that adapts networks brings its own step, batches, combine or update
and never a loop of its own: meta-learning puts its inner steps inside `step`,
gradient surgery is a `combine`, adversarial training a step over two streams.

A step is a pure function of its arguments and safe under `torch.func`: no
EmbeddingBag, nothing in place, no running statistics, and no randomness of its
own, for dropout masks arrive with the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from acclimate.arrays import Array
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Network, Tick, idle
from acclimate.models.streams import Batch, Params, Stream, together, torch_generator
from acclimate.models.updates import Adam, Update
from acclimate.rng import Rng
from acclimate.settings import settings

if TYPE_CHECKING:
    import torch

Losses: TypeAlias = "dict[str, torch.Tensor]"
Step: TypeAlias = Callable[[Params, Mapping[str, Batch], float], Losses]
Combine: TypeAlias = Callable[[Mapping[str, Params]], Params]
Penalty: TypeAlias = "Callable[[Params], torch.Tensor]"

STEPS_BETWEEN_TICKS = 25
MANY_ROWS = 1024  # a batch: from here on a second thread brings more than it costs

__all__ = [
    "Adam",
    "Batch",
    "Combine",
    "Losses",
    "Params",
    "Penalty",
    "Step",
    "Stream",
    "TakesAdapter",
    "Trainable",
    "Tuning",
    "Update",
    "no_torch",
    "together",
    "torch_generator",
    "total",
    "train",
    "unshared_steps",
]


def no_torch() -> str | None:
    """Why networks cannot be used here, or None."""
    if find_spec("torch") is None:
        return 'PyTorch is not installed: pip install "acclimate[deep]"'
    return None


def total(gradients: Mapping[str, Params]) -> Params:
    """The gradient of the sum of all losses."""
    first, *others = gradients.values()
    return {name: sum((g[name] for g in others), start=first[name]) for name in first}


def train(
    step: Step,
    params: Params,
    *,
    batches: Iterable[Mapping[str, Batch]],
    steps: int,
    combine: Combine = total,
    update: Update | None = None,
    trainable: Collection[str] | None = None,
    tick: Tick = idle,
) -> Params:
    """Train for a number of steps.

    step       (params, batches, progress) → {name: scalar loss}, pure
    params     name → tensor; left as they are
    batches    one {stream: batch} for each step, at least `steps` of them
    steps      ≥ 0; 0 gives the parameters back
    combine    {loss: gradients} → gradients; the default sums, in one backward pass
    update     default Adam()
    trainable  names that may move, None for all; the others come back bit for bit
    returns    new parameters, detached

    `progress` runs from 0 at the first step to 1 − 1/steps at the last.
    Raises StrategyError where training runs into numbers that are not finite.
    """
    import torch

    names = [name for name in params if trainable is None or name in trainable]
    assert trainable is None or set(trainable) <= set(params), "a name that is no parameter"
    held = {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in params.items()
    }
    moving = {name: held[name].requires_grad_() for name in names}
    update = Adam() if update is None else update
    memory: Any = update.begin(moving) if steps and moving else None
    source = iter(batches)
    with unshared_steps() as share:
        for number in range(steps if moving else 0):
            if number % STEPS_BETWEEN_TICKS == 0:
                tick()
            progress = number / steps
            drawn = next(source)
            if number == 0:
                sizes = [len(value) for batch in drawn.values() for value in batch.values()]
                share(max(sizes, default=0))
            losses = step(held, drawn, progress)
            if combine is total:
                first, *more = losses.values()
                whole = torch.stack([first, *more]).sum() if more else first
                grads = _gradients(whole, moving, last=True)
            else:
                ends = dict.fromkeys(losses, False) | {list(losses)[-1]: True}
                grads = combine(
                    {k: _gradients(v, moving, last=ends[k]) for k, v in losses.items()}
                )
            with torch.no_grad():
                after = update(moving, grads, memory, progress)
            moving = {
                name: value if value is moving[name] else value.detach().requires_grad_()
                for name, value in after.items()
            }
            held = held | moving
    trained = {name: value.detach() for name, value in held.items()}
    if not all(bool(torch.isfinite(trained[name]).all()) for name in names):
        raise StrategyError(
            "Training ran into numbers that are not finite. "
            "Lower the rate of the network or of the strategy, or look for extreme inputs."
        )
    return trained


@contextmanager
def unshared_steps() -> Iterator[Callable[[int], None]]:
    """PyTorch on one thread, but for batches of so many rows that threads gain by sharing them.

    Small steps lose more to waiting than they gain: at 256 rows × 64 units on two busy
    cores 28 s with two threads, 6 s with one.  2,048 rows of experts take .41 s an epoch
    in the place of .64 (`benchmarks/results/speed_strategies.md`).
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield lambda rows: torch.set_num_threads(settings().threads if rows >= MANY_ROWS else 1)
    finally:
        torch.set_num_threads(before)


def _gradients(loss: torch.Tensor, params: Params, last: bool) -> Params:
    """The gradient of one loss; zero for parameters it does not depend on."""
    import torch

    values = list(params.values())
    if not loss.requires_grad:
        return {name: torch.zeros_like(value) for name, value in params.items()}
    found = torch.autograd.grad(loss, values, retain_graph=not last, allow_unused=True)
    return {
        name: torch.zeros_like(value) if grad is None else grad
        for (name, value), grad in zip(params.items(), found, strict=True)
    }


@dataclass(frozen=True)
class Tuning:
    """What a strategy changes about the training of a network.

    trainable    parameters that may move, None for all
    multipliers  parameter → factor on its rate
    anchored     parameters the optimiser must not decay
    penalties    name → function of the parameters, added as a loss of its own
    epochs       passes over the rows, None for those of the network's settings
    combine      how the gradients of the losses become one
    """

    trainable: Collection[str] | None = None
    multipliers: Mapping[str, float] = field(default_factory=dict)
    anchored: Collection[str] = frozenset()
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    epochs: int | None = None
    combine: Combine = total


@runtime_checkable
class Trainable(Network, Protocol):
    """A Network whose parts strategies can train: pure functions of named tensors."""

    def layers(self) -> tuple[frozenset[str], ...]:
        """Names of a fitted network's parameters, from its inputs up to its heads."""
        ...

    def parameters(self) -> Params:
        """A copy of what a fitted network learned."""
        ...

    def prepare(self, view: Any) -> Any:
        """A view as tensors."""
        ...

    def begin(self, prepared: Any, start: Any, rng: Rng) -> Params:
        """Fresh parameters for a view, those of a fitted `start` in their place."""
        ...

    def stream(
        self,
        prepared: Any,
        weight: Array | None = None,
        trainable: Collection[str] | None = None,
    ) -> Stream:
        """Batches of a prepared view; frozen layers get no dropout masks."""
        ...

    def features(self, params: Params, batch: Batch) -> torch.Tensor:
        """(n, width) what the body makes of a batch."""
        ...

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """(n, n_classes) scores of features."""
        ...

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """The weighted mean loss of a labelled batch."""
        ...

    def cost(self, params: Params, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """`loss`, of features that the body already made of the batch."""
        ...

    def steps(self, stream: Stream, epochs: int | None = None) -> int:
        """Steps that so many passes over a stream make, None for the network's number."""
        ...

    def learn(
        self,
        prepared: Any,
        step: Step,
        streams: Mapping[str, Stream],
        tuning: Tuning,
        *,
        begun: Params,
        beside: Params | None = None,
        rows: float | Mapping[str, float] | None = None,
        steps: int,
        rng: Rng,
        tick: Tick = idle,
    ) -> Model:
        """Train by losses of a strategy's own over streams of its own.

        step    its losses; the penalties of `tuning` come on top
        begun   the network's parameters, as `begin` gives them
        beside  parameters that train in the same loop and are not kept
        rows    > 0, how many rows the losses are means over, None for those prepared: a
                penalty on the parameters is weighed against so many.  By parameter where
                they differ
        """
        ...

    def holding(self, prepared: Any, params: Params) -> Model:
        """This network, fitted with these parameters."""
        ...

    def tune(
        self,
        prepared: Any,
        tuning: Tuning,
        *,
        weight: Array | None = None,
        start: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Model:
        """`fit`, with what a strategy changes about it."""
        ...


@runtime_checkable
class TakesAdapter(Protocol):
    """A network that may carry an adapter: few parameters at the top of its body."""

    @property
    def adapter(self) -> int:
        """≥ 0, units; 0: none."""
        ...

    def adapters(self) -> frozenset[str]:
        """Names of the adapter's parameters; `body` has them too."""
        ...

"""The gradient of the outer loop as one compiled function.

Tasks side by side under `vmap` are dispatched an operation at a time; of a small network
that is nearly all the time a step takes.  Here loss and gradient of a batch of episodes,
the second derivatives written out, are traced once into products over all tasks
(`make_fx`), and compiled (`torch.compile`).  The numbers are those of `inner.across` up
to rounding.

Compiling takes some seconds and a C++ compiler: learners do so where the outer loop is
long, and go on as before where there is none.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from acclimate.models.network import Batch, Losses, Params, Step
from acclimate.strategies.meta.inner import EPISODES, Inner, Loss, across, side

if TYPE_CHECKING:
    import torch

Compiled: TypeAlias = "Callable[[list[torch.Tensor], list[torch.Tensor]], Any]"

WORTH = 2000  # steps of the outer loop from which compiling pays
COMPILERS = ("g++", "clang++", "c++")


@cache
def compiler() -> str | None:
    """The path of a C++ compiler, or None."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def quickest(
    loss: Loss, inner: Inner, moving: Collection[str], rows: Batch, steps: int
) -> Step:
    """`across`, compiled where so many steps are worth it and a compiler is there."""
    plain = across(loss, inner, moving, rows)
    if steps < WORTH or compiler() is None:
        return plain
    return compiled(loss, inner, moving, rows)


def compiled(loss: Loss, inner: Inner, moving: Collection[str], rows: Batch) -> Step:
    """`across`, as one function that is traced at its first batch and then compiled.

    A batch of another shape, such as the last of a pass, goes the plain way.
    """
    import torch

    plain = across(loss, inner, moving, rows)
    made: list[tuple[Any, Compiled]] = []

    class Known(torch.autograd.Function):
        """A value whose gradients were worked out with it."""

        @staticmethod
        def forward(ctx: Any, value: Any, count: int, *rest: Any) -> Any:
            ctx.save_for_backward(*rest[:count])
            return value.clone()

        @staticmethod
        def backward(ctx: Any, *slopes: Any) -> Any:
            grads = ctx.saved_tensors
            return (None, None, *[None] * len(grads), *torch._foreach_mul(grads, slopes[0]))

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
        drawn = batches[EPISODES]
        support, query = (side(rows, drawn, name) for name in ("support", "query"))
        names, free = sorted(params), [k for k in sorted(params) if params[k].requires_grad]
        values = [params[name].detach() for name in names]
        shown = [*support.values(), *query.values()]
        shape = (free, [(x.shape, x.dtype) for x in (*values, *shown)])
        if not made:
            whole = _whole(loss, inner, moving, names, free, [*support])
            made.append((shape, traced(whole, values, shown)))
        if made[0][0] != shape:
            return plain(params, batches, progress)
        with torch.no_grad():
            value, *grads = made[0][1](values, shown)
        leaves = [params[name] for name in free]
        known: Any = Known.apply
        return {"query": known(value, len(grads), *grads, *leaves)}

    return step


def _whole(
    loss: Loss,
    inner: Inner,
    moving: Collection[str],
    names: list[str],
    free: list[str],
    columns: list[str],
) -> Callable[..., Any]:
    """Parameters and a batch, both as lists, to the mean loss and its gradient by `free`."""
    import torch

    def whole(values: list[torch.Tensor], shown: list[torch.Tensor]) -> Any:
        params = dict(zip(names, values, strict=True))
        half = len(shown) // 2
        support = dict(zip(columns, shown[:half], strict=True))
        query = dict(zip(columns, shown[half:], strict=True))

        def mean(own: Params) -> torch.Tensor:
            def alone(support: Batch, query: Batch) -> torch.Tensor:
                ends = inner.adapted(loss, params | own, moving, support)
                return loss(ends, query)

            return torch.func.vmap(alone)(support, query).mean()

        start = {name: params[name] for name in free}
        grads, value = torch.func.grad_and_value(mean)(start)
        return (value, *(grads[name] for name in free))

    return whole


def traced(
    whole: Callable[..., Any], values: list[torch.Tensor], shown: list[torch.Tensor]
) -> Compiled:
    """The function as a graph of plain operations for these shapes, compiled."""
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    graph = make_fx(whole)(values, shown)
    # Its caches on disk are pickles, which nothing here reads.  Calls from one product to the
    # next are C++ as well: in Python they take a sixth of a small step.
    options: dict[str, Any] = {"fx_graph_cache": False, "cpp_wrapper": True}
    found: Compiled = torch.compile(graph, dynamic=False, options=options)
    return found

"""The mixed network as pure functions of named tensors: fresh parameters, features, scores.

    codes.W, text                 embeddings of categories and of hashed text
    hidden1, hidden2              GELU layers
    adapter.down, adapter.up      where there is an adapter: x + up·gelu(down·x)
    head                          linear

Before: `columns` made tensors of a view.  After: `mixed` trains and keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

from acclimate.models.columns import TEXT_WIDTH, Shape
from acclimate.models.streams import Batch, Noise, Params

if TYPE_CHECKING:
    import torch

HIDDEN = ("hidden1", "hidden2")
EMBEDDING_SCALE = 0.02
TEXT_GAIN = 5.0  # a row of text has norm 1 over a hundred terms, a number has spread 1
HE = math.sqrt(6.0)  # He et al. 2015: keeps the spread of activations through the layers


def names(*layers: str) -> frozenset[str]:
    """The parameters of linear layers."""
    return frozenset(f"{layer}.{part}" for layer in layers for part in ("weight", "bias"))


def embeds(name: str) -> bool:
    """Whether a parameter, or a task's own copy of one, is a table of embeddings."""
    plain = name.rpartition("/")[-1]
    return plain == "text" or plain.startswith("codes.")


HEAD = names("head")
ADAPTER = names("adapter.down", "adapter.up")


def fresh(
    shape: Shape, width: int, adapter: int, buckets: int, generator: torch.Generator
) -> Params:
    """Parameters as training begins with them.

    width    > 0, units of each hidden layer
    adapter  ≥ 0, units of the adapter, which changes no feature yet; 0: none
    buckets  > 0, rows of the table of text
    """
    import torch

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator) * EMBEDDING_SCALE

    def linear(name: str, inputs: int, outputs: int, gain: float) -> Params:
        bound = gain / math.sqrt(max(inputs, 1))
        weight = torch.rand(outputs, inputs, generator=generator) * 2 - 1
        return {f"{name}.weight": weight * bound, f"{name}.bias": torch.zeros(outputs)}

    params: Params = {}
    for wide, columns in shape.tables.items():
        table = normal(sum(shape.layout.levels[column] for column in columns), wide)
        table[shape.offsets(wide)] = 0.0  # nothing is known about unseen levels
        params[f"codes.{wide}"] = table
    if shape.layout.text:
        params["text"] = normal(buckets, TEXT_WIDTH)
    params |= linear("hidden1", shape.inputs, width, HE)
    params |= linear("hidden2", width, width, HE)
    params |= linear("head", width, shape.outputs, 1.0)
    if adapter:
        # Last, so that the draws of everything else do not depend on it.
        params |= linear("adapter.down", width, adapter, HE)
        params |= linear("adapter.up", adapter, width, 0.0)
    return params


def inputs(params: Params, batch: Batch) -> torch.Tensor:
    """(n, inputs) numbers, embedded codes and text side by side."""
    import torch

    parts = [batch["numeric"]]
    # Sorted: parameters read back from a file come in another order.
    for name in sorted(name for name in params if name.startswith("codes.")):
        at = batch[name]
        if f"keep.{name}" in batch:
            at = torch.where(batch[f"keep.{name}"], at, batch[f"unseen.{name}"])
        parts.append(rows_at(params[name], at).flatten(-2))
    if "text" in params:
        rows = rows_at(params["text"], batch["terms"])  # (n, terms, TEXT_WIDTH)
        parts.append(TEXT_GAIN * (rows * batch["term_weights"].unsqueeze(-1)).sum(-2))
    x = torch.cat(parts, -1)  # (n, inputs)
    return x  # noqa: RET504


def rows_at(table: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """(…, width) rows of a table.

    As `F.embedding`, whose gradient takes five times as long to add up the same numbers
    in the same order.
    """
    return table.index_select(0, at.flatten()).view(*at.shape, table.shape[-1])


def features(params: Params, batch: Batch) -> torch.Tensor:
    """(n, width) what the body makes of a batch, with the dropout that came with it."""
    import torch.nn.functional as F

    x = inputs(params, batch)
    for layer in HIDDEN:
        x = F.gelu(linear(params, layer, x))
        if f"keep.{layer}" in batch:
            x = x * batch[f"keep.{layer}"]
    if "adapter.down.weight" in params:
        x = x + linear(params, "adapter.up", F.gelu(linear(params, "adapter.down", x)))
    return x


def linear(params: Params, layer: str, x: torch.Tensor) -> torch.Tensor:
    """(n, outputs) a linear layer of these parameters."""
    import torch.nn.functional as F

    return F.linear(x, params[f"{layer}.weight"], params[f"{layer}.bias"])


def noise(
    shape: Shape, width: int, dropout: float, hide: float, trainable: Collection[str] | None
) -> Noise:
    """What silences units and hides codes at a training step.

    width      > 0, units of each hidden layer
    dropout    0 … < 1, share of their units silenced
    hide       0 … < 1, share of codes shown as unseen
    trainable  parameters that move, None for all; frozen layers get no masks
    """
    import torch

    free = [layer for layer in HIDDEN if trainable is None or f"{layer}.weight" in trainable]
    tables = [
        (f"codes.{wide}", torch.tensor(shape.offsets(wide)))
        for wide in shape.tables
        if trainable is None or f"codes.{wide}" in trainable
    ]

    def drawn(rows: int, generator: torch.Generator) -> Batch:
        masks: Params = {}
        for layer in free if dropout else ():
            chance = torch.rand(rows, width, generator=generator)
            masks[f"keep.{layer}"] = (chance >= dropout) / (1 - dropout)
        for name, unseen in tables if hide else ():
            chance = torch.rand(rows, len(unseen), generator=generator)
            masks[f"keep.{name}"] = chance >= hide
            masks[f"unseen.{name}"] = unseen.expand(rows, -1)
        return masks

    return drawn

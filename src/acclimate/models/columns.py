"""Mixed columns as tensors: what a network over rows eats.

Before: an encoder standardised numbers and gave categories codes, 0 for unseen.
After: `mixed` embeds the codes and terms and adds the layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from acclimate.arrays import Array, Sparse, Tensor
from acclimate.domains.view import RowView
from acclimate.models.design import Layout, require_numbers, require_weight

if TYPE_CHECKING:
    import torch

WIDEST_EMBEDDING = 16
TEXT_WIDTH = 16
TEXT_TERMS = 128  # a row keeps its commonest terms, so that memory stays linear in rows


@dataclass(frozen=True)
class Shape:
    """What a network is built for: the columns of its views and what it scores.

    n_classes  0 for numbers
    scale      centre and spread of the numbers it was made for: it scores (y − centre) / spread
    """

    layout: Layout
    n_classes: int
    scale: tuple[float, float] = (0.0, 1.0)

    @property
    def outputs(self) -> int:
        """Scores of a row."""
        return max(1, self.n_classes)

    @cached_property
    def tables(self) -> dict[int, tuple[int, ...]]:
        """Embedding width → the category columns that share a table of that width.

        A width is the root of the number of codes, rounded up to a power of two:
        a few wide gathers cost less than many narrow ones.
        """
        found: dict[int, tuple[int, ...]] = {}
        for column, codes in enumerate(self.layout.levels):
            width = min(WIDEST_EMBEDDING, 2 ** math.ceil(math.log2(math.sqrt(codes))))
            found[width] = (*found.get(width, ()), column)
        return dict(sorted(found.items()))

    def offsets(self, width: int) -> list[int]:
        """Where each column's codes begin in the table of this width."""
        sizes = [self.layout.levels[column] for column in self.tables[width]]
        return [sum(sizes[:before]) for before in range(len(sizes))]

    @property
    def inputs(self) -> int:
        """Numbers that enter the first hidden layer for each row."""
        embedded = sum(width * len(columns) for width, columns in self.tables.items())
        return self.layout.numeric + embedded + (TEXT_WIDTH if self.layout.text else 0)


@dataclass(frozen=True)
class PreparedRows:
    """A view as tensors.

    tensors  "numeric" (n, d) float32, "codes.W" (n, columns) positions in the table
             of width W, "terms" and "term_weights" (n, ≤ TEXT_TERMS), "label" (n,): classes,
             or numbers (float32) under the shape's scale
    """

    shape: Shape
    n: int
    tensors: Mapping[str, torch.Tensor] = field(repr=False)

    def weighed(self, weight: Array | None) -> dict[str, torch.Tensor]:
        """The tensors with "weight" (n,) of mean 1; rows of weight 0 are left out."""
        tensors = dict(self.tensors)
        if weight is None:
            return tensors
        import torch

        weight = require_weight(weight, self.n)
        used = np.flatnonzero(weight)
        if len(used) < self.n:
            tensors = {name: value[torch.from_numpy(used)] for name, value in tensors.items()}
        scaled = weight[used] / weight[used].mean()
        tensors["weight"] = torch.from_numpy(scaled.astype(np.float32))
        return tensors


def prepare_rows(view: RowView, buckets: int, learned: Shape | None = None) -> PreparedRows:
    """A view as tensors, its text folded into so many buckets.

    learned  of a fitted network, whose scale is that of numbers here too; None: theirs
    """
    import torch

    numbers = view.label if view.numbers else None
    scale = (0.0, 1.0)
    if learned is not None and learned.n_classes == 0:
        scale = learned.scale
    elif numbers is not None:
        scale = scale_of(require_numbers(numbers))
    shape = Shape(Layout.of(view), view.n_classes, scale)
    tensors = {"numeric": torch.from_numpy(view.numeric.astype(np.float32))}
    for width, columns in shape.tables.items():
        at = view.codes[:, list(columns)] + np.asarray(shape.offsets(width))
        tensors[f"codes.{width}"] = torch.from_numpy(at.astype(np.int64))
    if view.sparse is not None:
        terms, weights = commonest_terms(view.sparse, buckets)
        tensors["terms"] = torch.from_numpy(terms)
        tensors["term_weights"] = torch.from_numpy(weights)
    if numbers is not None:
        scaled = (numbers - scale[0]) / scale[1]
        tensors["label"] = torch.from_numpy(scaled.astype(np.float32))
    elif view.label is not None:
        tensors["label"] = torch.from_numpy(view.label.astype(np.int64))
    return PreparedRows(shape, view.n, tensors)


def scale_of(y: Array) -> tuple[float, float]:
    """Mean and standard deviation of the numbers to train on, 1 where they do not vary."""
    if not len(y):
        return 0.0, 1.0
    spread = float(y.std())
    return float(y.mean()), spread if spread > 0 else 1.0


def commonest_terms(sparse: Sparse, buckets: int) -> tuple[Tensor, Tensor]:
    """The commonest terms of each row, folded into so many buckets.

    Under TF-IDF these are the lightest; the heaviest are those no other row has, from
    which nothing is learned for it.

    sparse   (n, h) CSR
    returns  (n, k) int32 buckets and (n, k) float32 weights, k ≤ TEXT_TERMS the most
             terms any row keeps; places left over hold bucket 0 with weight 0
    """
    size = np.diff(sparse.indptr)
    row = np.repeat(np.arange(len(size)), size)
    order = np.lexsort((np.abs(sparse.data), row))
    rank = np.arange(len(row)) - np.repeat(sparse.indptr[:-1], size)
    kept = rank < TEXT_TERMS
    shape = (len(size), max(1, min(int(size.max(initial=0)), TEXT_TERMS)))
    terms, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    at = (row[kept], rank[kept])
    terms[at] = (sparse.indices[order] % buckets)[kept]
    weights[at] = sparse.data[order][kept]
    return terms, weights

"""LightGCN: factors of users and items that are passed along who took what, and averaged.

    E⁽ᵏ⁺¹⁾ = Â E⁽ᵏ⁾,   Â = D^(−½) A D^(−½),   E = mean of E⁽⁰⁾ … E⁽ᴷ⁾,   score = x_u·y_i

A joins users and items both ways, D counts the ends of a node, and E⁽⁰⁾ is learned by the loss
of `bpr` on E.  A history that training never saw is a user of whom nothing was learned, to whom
the items pass what they hold:  x = Σ_i Σ_{k<K} e_i⁽ᵏ⁾ / √(d_i d_u) / (K + 1).

Source: He, Deng, Wang, Li, Zhang & Wang, "LightGCN: simplifying and powering graph convolution
network for recommendation", SIGIR 2020 (arXiv:2002.02126), eq. 3, 4 (α_k = 1/(K + 1)), 8, 15.
Departures: an item drawn as not taken may be one of the user's own; the fold-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, ItemQuery, power, rank
from acclimate.models.model import State, Tick, idle
from acclimate.models.network import Adam, Losses, no_torch, together, train
from acclimate.models.streams import Batch, Params, Stream
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

START = 0.1  # standard deviation of what is learned, before it is


@dataclass(frozen=True)
class LightGcn:
    """A graph network without layers of weights.

    factors     ≥ 1, numbers a user or an item is told by
    layers      ≥ 1, K: how far they are passed along
    rate        > 0, of Adam
    penalty     λ ≥ 0, on what is learned of a pair
    epochs      ≥ 1, passes over what was taken
    batch       ≥ 1, pairs a step; each step passes along the whole graph
    items       (n_items, factors) y after fitting
    passed      (n_items, factors) what an item passes on: Σ_{k<K} e⁽ᵏ⁾ / √d / (K + 1)
    popularity  (n_items,) breaks ties and serves users without a history
    """

    factors: int = 64
    layers: int = 3
    rate: float = 5e-3
    penalty: float = 1e-4
    epochs: int = 60
    batch: int = 8192
    items: Tensor | None = field(default=None, repr=False)
    passed: Tensor | None = field(default=None, repr=False)
    popularity: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "lightgcn"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 2
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        counts = (self.factors, self.layers, self.epochs, self.batch)
        if min(counts) < 1 or not (0 < self.rate < np.inf and 0 <= self.penalty < np.inf):
            raise StrategyError(
                "Expected at least one factor, one layer, one epoch and one pair a step, a "
                "finite rate above 0 and a finite penalty of at least 0; found "
                f"{', '.join(map(str, counts))}, {self.rate} and {self.penalty}."
            )

    def why_not(self) -> str | None:
        return no_torch()

    def grid(self) -> tuple[LightGcn, ...]:
        """Itself: a fit takes minutes."""
        return (self,)

    def prepare(self, view: ItemView) -> ItemView:
        return view

    def fit(
        self,
        prepared: ItemView | ItemGram,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> LightGcn:
        X = prepared.matrix
        users = X.shape[0]
        draw = rng.child("nodes").generator()
        nodes = draw.normal(0.0, START, (sum(X.shape), self.factors)).astype(np.float32)
        graph = joined(X)
        if X.nnz:
            nodes = self._learned(graph, X, nodes, rng, tick)
        each = [nodes]
        for _ in range(self.layers):
            each.append(np.asarray(graph @ each[-1], np.float32))
        shares = power(np.diff(sp.csc_array(X).indptr), -0.5)[:, None] / (self.layers + 1)
        passed = sum(each[:-1])[users:] * shares  # type: ignore[index]
        items = np.mean(each, axis=0)[users:]
        return replace(
            self, items=items, passed=passed.astype(np.float32), popularity=prepared.standing
        )

    def _learned(self, graph: Sparse, X: Sparse, nodes: Tensor, rng: Rng, tick: Tick) -> Tensor:
        """E⁽⁰⁾ after training."""
        import torch

        users, items = X.shape
        along = passing(graph)
        user = np.repeat(np.arange(users), np.diff(X.indptr))

        def drawn(rows: int, generator: torch.Generator) -> Batch:
            return {"drawn": torch.randint(users, users + items, (rows,), generator=generator)}

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            pairs, begun = batches["pairs"], params["nodes"]
            each = [begun]
            for _ in range(self.layers):
                each.append(along(each[-1]))
            whole = torch.stack(each).mean(dim=0)
            rows = [pairs[name] for name in ("user", "item", "drawn")]
            x, taken, other = (whole[row] for row in rows)
            margin = (x * (taken - other)).sum(dim=1)
            norms = torch.stack([(begun[row] ** 2).sum(dim=1) for row in rows]).sum(dim=0)
            loss = torch.nn.functional.softplus(-margin) + self.penalty / 2 * norms
            return {"pairs": loss.mean()}

        told = {
            "user": torch.from_numpy(user),
            "item": torch.from_numpy(users + X.indices.astype(np.int64)),
        }
        stream = Stream(told, self.batch, drawn)
        learned = train(
            step,
            {"nodes": torch.from_numpy(nodes)},
            batches=together({"pairs": stream}, rng),
            steps=self.epochs * stream.batches_a_pass,
            update=Adam(self.rate),
            tick=tick,
        )
        found: Tensor = learned["nodes"].numpy()
        return found

    def fold_in(self, histories: Sparse) -> Array:
        """(n, factors) of each history, whoever's it is."""
        assert self.passed is not None
        shares = power(np.diff(histories.indptr), -0.5)[:, None]
        users: Array = (histories.astype(self.passed.dtype) @ self.passed) * shares
        return users

    def queries(self, histories: Sparse) -> Array:
        """(n, factors) of each history."""
        return self.fold_in(histories)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.popularity is not None and context is not None
        return rank(self.scores, context, query, self.popularity, self)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        assert self.items is not None
        # In double: the rounding of single hangs on how many are asked at once.
        scores: Array = self.fold_in(histories) @ self.wide.T
        return scores

    @cached_property
    def wide(self) -> Array:
        """(n_items, factors) in double precision, made once."""
        assert self.items is not None
        return np.asarray(self.items, np.float64)

    def state(self) -> State:
        assert self.items is not None and self.passed is not None
        assert self.popularity is not None
        names = ("factors", "layers", "rate", "penalty", "epochs", "batch")
        tensors = {"items": self.items, "passed": self.passed, "popularity": self.popularity}
        return State(self.kind, {name: getattr(self, name) for name in names}, tensors)

    @classmethod
    def restore(cls, state: State) -> LightGcn:
        learned: dict[str, Any] = dict(state.tensors)
        return cls(**state.meta, **learned)


def joined(X: Sparse) -> Sparse:
    """(n + m, n + m) Â of users above items, in single precision.

    X  (n, m) CSR of ones
    """
    both = sp.csr_array(sp.block_array([[None, X], [X.T, None]], format="csr"))
    shares = sp.diags_array(power(np.diff(both.indptr), -0.5))
    return sp.csr_array((shares @ both @ shares).astype(np.float32))


def passing(graph: Sparse) -> Any:
    """E ↦ Â E, differentiable; Â is symmetric, so that its derivative is itself.

    SciPy multiplies as fast as PyTorch's own sparse matrices, which warn that they may change.
    """
    import torch

    def along(nodes: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(graph @ nodes.detach().numpy())

    class Passed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, nodes: torch.Tensor) -> torch.Tensor:
            return along(nodes)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return along(gradient)

    return Passed.apply

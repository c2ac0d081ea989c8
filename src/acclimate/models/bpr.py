"""BPR: factors that put what a user took before what they did not.

    min  mean over drawn (u, i, j) of
         −log σ(x_u·y_i − x_u·y_j) + λ/2 (‖x_u‖² + ‖y_i‖² + ‖y_j‖²)

i was taken by u, j is drawn from all items alike.  A history that training never saw gets
x = f B, with f = [Σ y_i / √(items of the history), 1] and B the ridge regression of the
trained users' factors on theirs: in closed form, and the same for whoever has that history.

Source: Rendle, Freudenthaler, Gantner & Schmidt-Thieme, "BPR: Bayesian personalized ranking
from implicit feedback", UAI 2009 (arXiv:1205.2618), eq. 4 and section 4.3.1.
Departures: Adam in batches (`lazyadam`) for single steps; j may be one of the user's own
items, which in sparse markets is rare; the fold-in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, ItemQuery, power, rank
from acclimate.models.lazyadam import LazyAdam
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

FOLD_IN = 1.0  # ridge of the fold-in, in users


@dataclass(frozen=True)
class Bpr:
    """Bayesian personalised ranking.

    factors     ≥ 1, numbers a user or an item is told by
    rate        > 0, of Adam
    penalty     λ ≥ 0
    epochs      ≥ 1, passes over what was taken
    least       ≥ 0, steps at least, however few pairs there are; more passes make them up
    batch       ≥ 1, pairs a step
    items       (n_items, factors) after fitting
    folding     (factors + 1, factors) after fitting: B
    popularity  (n_items,) breaks ties and serves users without a history
    """

    factors: int = 64
    rate: float = 1e-3
    penalty: float = 0.0
    epochs: int = 30
    batch: int = 2048
    least: int = 1000
    items: Tensor | None = field(default=None, repr=False)
    folding: Tensor | None = field(default=None, repr=False)
    popularity: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "bpr"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 1
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        counts = (self.factors, self.epochs, self.batch)
        if min(*counts, self.least + 1) < 1 or not (
            0 < self.rate < np.inf and 0 <= self.penalty < np.inf
        ):
            raise StrategyError(
                "Expected at least one factor, one epoch and one pair a step, no step or more "
                "at least, a finite rate above 0 and a finite penalty of at least 0; found "
                f"{', '.join(map(str, counts))}, {self.least}, {self.rate} and {self.penalty}."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Bpr, ...]:
        return (self, replace(self, epochs=100, least=4000))

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
    ) -> Bpr:
        X = prepared.matrix
        users, items = self.trained(X, rng, tick)
        told = features(X, items)
        A = told.T @ told
        A[np.diag_indices_from(A)] += FOLD_IN
        folding = np.linalg.solve(A, told.T @ users)
        return replace(self, items=items, folding=folding, popularity=prepared.standing)

    def trained(self, X: Sparse, rng: Rng, tick: Tick = idle) -> tuple[Tensor, Tensor]:
        """Factors of users and of items, in single precision.

        X  (n_users, n_items) CSR of ones
        """
        draw = rng.child("pairs").generator()
        n, m = X.shape
        user = np.repeat(np.arange(n), np.diff(X.indptr))
        size = self.batch
        a_pass = -(-X.nnz // size)
        passes = max(self.epochs, -(-self.least // a_pass)) if X.nnz else 0
        table = _begun(n, m, self.factors, rng)
        adam = LazyAdam(table, max(passes * a_pass, 1), self.rate)
        scratch = np.empty(n + m, np.int64)
        for _ in range(passes):
            order = draw.permutation(X.nnz)
            taken = np.stack([user[order], n + X.indices[order]])
            drawn = n + draw.integers(0, m, X.nnz)
            for at in range(0, X.nnz, size):
                tick()
                three = np.concatenate([*taken[:, at : at + size], drawn[at : at + size]])
                rows, where = _once(three, scratch)
                held = adam.take(rows)
                adam.give(rows, self._gradient(held, where))
        whole = adam.settle()
        return whole[:n], whole[n:]

    def _gradient(self, held: Tensor, where: Ints) -> Tensor:
        """(k, d) of the batch's loss by the rows held.

        where  (3b,) which of them are the users, the items taken and those drawn
        """
        x, taken, drawn = np.take(held, where, axis=0).reshape(3, -1, held.shape[1])
        each = np.empty((3, *x.shape), np.float32)
        apart = np.subtract(taken, drawn, out=each[0])
        margin = np.einsum("bd,bd->b", x, apart)
        # −log σ has the slope −σ(−margin).
        slope = (-1.0 / (1.0 + np.exp(margin)) / len(x)).astype(np.float32)[:, None]
        np.multiply(x, slope, out=each[1])
        np.negative(each[1], out=each[2])
        apart *= slope
        if self.penalty:
            share = np.float32(self.penalty / len(x))
            for gradient, rows in zip(each, (x, taken, drawn), strict=True):
                gradient += share * rows
        ones = np.ones(len(where), np.float32)
        ends = np.arange(len(where) + 1)
        sums = sp.csc_array((ones, where, ends), shape=(len(held), len(where)))
        gradient = sums @ each.reshape(-1, held.shape[1])
        return np.asarray(gradient, np.float32)

    def fold_in(self, histories: Sparse) -> Array:
        """(n, factors) of each history, whoever's it is."""
        assert self.items is not None and self.folding is not None
        users: Array = features(histories, self.items) @ self.folding
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
        assert self.items is not None and self.folding is not None
        assert self.popularity is not None
        names = ("factors", "rate", "penalty", "epochs", "batch", "least")
        tensors = {
            "items": self.items,
            "folding": self.folding,
            "popularity": self.popularity,
        }
        return State(self.kind, {name: getattr(self, name) for name in names}, tensors)

    @classmethod
    def restore(cls, state: State) -> Bpr:
        learned: dict[str, Any] = dict(state.tensors)
        return cls(**state.meta, **learned)


def features(histories: Sparse, items: Tensor) -> Array:
    """(n, d + 1) the sum of a history's factors over the root of its length, and 1."""
    shares = power(np.diff(histories.indptr), -0.5)
    # Of one type, or SciPy would copy all items into the other for every call.
    sums = (histories.astype(items.dtype) @ items) * shares[:, None]
    return np.hstack([sums, np.ones((len(sums), 1))])


def _begun(n: int, m: int, size: int, rng: Rng) -> Tensor:
    """(n + m, size) users above items, as Glorot & Bengio (AISTATS 2010) begin with."""
    draw = rng.child("factors").generator()
    table = draw.normal(size=(n + m, size)).astype(np.float32)
    table[:n] *= np.sqrt(2.0 / (n + size))
    table[n:] *= np.sqrt(2.0 / (m + size))
    return table


def _once(rows: Ints, scratch: Ints) -> tuple[Ints, Ints]:
    """Each of the rows once, and where among these each of them stands.

    scratch  (n,) of whatever, overwritten; saves sorting
    """
    here = np.arange(len(rows))
    scratch[rows] = here  # of equal rows the last one stays
    owner = scratch[rows]
    kept = np.flatnonzero(owner == here)
    scratch[rows[kept]] = np.arange(len(kept))
    return rows[kept], scratch[rows]

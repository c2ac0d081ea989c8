"""Graph filter: a history smoothed over the graph of items, by a linear and a low-pass filter.

    R = D_u^(−½) X D_i^(−½),   B = RᵀR + φ D_i^(−½) V Vᵀ D_i^(½),   scores = xB

D_u and D_i count the items of a user and the users of an item; V are the right singular
vectors of R to its largest singular values: the smoothest signals on the graph of items.

Source: Shen, Wu, Zhang, Shan, Zhang, Letaief & Li, "How powerful is graph convolution for
recommendation?", CIKM 2021 (arXiv:2108.07567), GF-CF: eq. 8 (R), Algorithm 1 (B, with α
for φ and the low-pass filter of section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, ItemQuery, power, rank, require_few
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

NOTHING = 1e-9  # of the largest singular value, which is 1


@dataclass(frozen=True)
class GraphFilter:
    """GF-CF.

    smooth      ≥ 0, φ: weight of the ideal low-pass filter; 0 leaves the linear one
    vectors     ≥ 1, singular vectors that pass
    matrix      (n_items, n_items) B after fitting, in single precision
    popularity  (n_items,) breaks ties and serves users without a history
    """

    smooth: float = 0.3
    vectors: int = 128
    matrix: Tensor | None = field(default=None, repr=False)
    popularity: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "graph-filter"
    form: ClassVar[str] = "items"
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 <= self.smooth < np.inf and self.vectors >= 1):
            raise StrategyError(
                "Expected a finite smooth of at least 0 and at least one vector; found "
                f"{self.smooth} and {self.vectors}."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[GraphFilter, ...]:
        return tuple(
            replace(self, smooth=smooth, vectors=size)
            for size in (32, 128)
            for smooth in (0.1, 0.3, 1.0)
        )

    def prepare(self, view: ItemView) -> ItemView:
        require_few(view.matrix.shape[1])
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
    ) -> GraphFilter:
        X, users = prepared.matrix, prepared.popularity
        R = normalised(X, users)
        B = (R.T @ R).toarray()
        if self.smooth:
            tick()
            V = smoothest(R, self.vectors, rng)
            B += self.smooth * (power(users, -0.5)[:, None] * V) @ (V.T * power(users, 0.5))
        return replace(self, matrix=B.astype(np.float32), popularity=prepared.standing)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.popularity is not None and context is not None
        return rank(self.scores, context, query, self.popularity)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        assert self.matrix is not None
        # Of one type, or SciPy would copy the whole matrix into the other for every call.
        scores: Array = histories.astype(self.matrix.dtype) @ self.matrix
        return scores

    def parts(self, history: Ints, item: int) -> Array:
        """(len(history),) what each item of a history adds to the score of another."""
        assert self.matrix is not None
        return np.asarray(self.matrix[history, item], np.float64)

    def state(self) -> State:
        assert self.matrix is not None and self.popularity is not None
        tensors = {"matrix": self.matrix, "popularity": self.popularity}
        return State(self.kind, {"smooth": self.smooth, "vectors": self.vectors}, tensors)

    @classmethod
    def restore(cls, state: State) -> GraphFilter:
        tensors = state.tensors
        popularity = tensors["popularity"].astype(float)
        return cls(**state.meta, matrix=tensors["matrix"], popularity=popularity)


def normalised(X: Sparse, users: Array) -> Sparse:
    """R = D_u^(−½) X D_i^(−½).

    X      (n_users, n_items) CSR of ones
    users  (n_items,) users per item
    """
    rows = sp.diags_array(power(np.diff(X.indptr), -0.5))
    return sp.csr_array(rows @ X @ sp.diags_array(power(users, -0.5)))


def smoothest(R: Sparse, size: int, rng: Rng) -> Array:
    """(n_items, at most size) right singular vectors of R to its largest singular values."""
    if size >= min(R.shape):
        _, values, found = np.linalg.svd(R.toarray(), full_matrices=False)
    else:
        begin = rng.child("vectors").generator().normal(size=min(R.shape))
        _, values, found = svds(R, k=size, v0=begin)
    # Signals that no user carries are not smooth, whatever basis they are given in.
    return np.asarray(found[values > NOTHING].T, np.float64)

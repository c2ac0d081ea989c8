"""EASE: a linear item–item model in closed form, with sources as its prior.

Source: Steck, WWW 2019 (arXiv:1905.03375), eq. 8: with P = (G + λI)⁻¹,
B = I − P · diag(1 ⊘ diag P).

Departure: B may be drawn towards item–item matrices B_s of sources,

    min ‖X − XB‖² + λ‖B‖² + Σ μ_s ‖B − B_s‖²,  diag B = 0.

Setting the gradient to zero column by column, with a Lagrange multiplier for
each diagonal element: P = (G + (λ + Σμ)I)⁻¹, A = P(G + Σ μ_s B_s),
B = A − P · diag(A ⊘ P).  Without sources this is eq. 8; as one μ grows it is B_s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import lapack

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, ItemQuery, gram_of, rank
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

# LAPACK fills the lower triangle; blocks of this many rows are mirrored within the cache.
MIRROR = 256
THIN = 0.02  # of the cells: fewer are quicker multiplied one by one than as dense
# Single precision halves the time of a large inverse; at this condition its entries stayed
# right to six digits of the largest where that was looked at.
LARGE, SAFE = 1000, 10_000.0


@dataclass(frozen=True)
class ItemPrior:
    """Item–item matrices of sources in the model's vocabulary.

    matrices    each (n_items, n_items) with a zero diagonal
    strengths   μ_s ≥ 0, in users, one per matrix
    popularity  (n_items,) users per item in the sources; breaks ties only
    """

    matrices: Sequence[Array]
    strengths: Sequence[float]
    popularity: Array


def solve(
    gram: Tensor, penalty: float, prior: ItemPrior | None = None, rows: Sparse | None = None
) -> Array:
    """The item–item matrix B of the module's formula.

    gram     (n, n) symmetric, XᵀX
    penalty  λ > 0, in users
    rows     (n_users, n) the X behind `gram`, where it is at hand: with few users the
             inverse is theirs, and the cost n_users·n² instead of n³
    returns  (n, n) with a zero diagonal

    Raises StrategyError if the penalty or a strength is not a usable number.
    """
    strengths = list(prior.strengths) if prior is not None else []
    if not penalty > 0 or not all(np.isfinite(mu) and mu >= 0 for mu in strengths):
        raise StrategyError(
            f"Expected a penalty above 0 and strengths of at least 0; found {penalty} and "
            f"{strengths}. Both are in users: 100 is a common start."
        )
    ridge = penalty + sum(strengths)
    X, kind = _few(rows, len(gram)), precision(gram, ridge)
    P, times = _by_items(gram, ridge, kind) if X is None else _by_rows(X, ridge, kind)
    if prior is None or not strengths:
        # A = PG = I − λP; dividing by diag P finishes eq. 8.
        B = P / -np.diag(P)
    else:
        # PG = I − (λ + Σμ)P saves one of two matrix products.
        A = times(_weighted(strengths, prior.matrices, kind))
        A -= kind(ridge) * P
        A[np.diag_indices_from(A)] += 1.0
        P *= np.diag(A) / np.diag(P)
        B = np.subtract(A, P, out=A)
    np.fill_diagonal(B, 0.0)
    return B


Times = Callable[[Any], Array]


def precision(gram: Tensor, ridge: float) -> Any:
    """The type in which G + ridge·I is inverted: single where that is safe and saves time.

    By Gershgorin no eigenvalue is larger than the largest sum of a row, so that this over
    the ridge bounds the condition number, and with it what rounding is multiplied by.
    """
    large = len(gram) >= LARGE
    return np.float32 if large and gram.sum(axis=1).max() <= SAFE * ridge else np.float64


def _weighted(strengths: Sequence[float], matrices: Sequence[Array], kind: Any) -> Array:
    """Σ μ_s B_s, without a copy for each of them."""
    found: Array = np.multiply(matrices[0], strengths[0], dtype=kind)
    for mu, B_s in zip(strengths[1:], matrices[1:], strict=True):
        found += np.multiply(B_s, mu, dtype=kind)
    return found


def _few(rows: Sparse | None, items: int) -> Any:
    """The X whose users' inverse is the cheaper one, sparse where that is; or None."""
    if rows is None:
        return None
    users = rows.shape[0]
    if rows.nnz <= THIN * users * items:
        # No product of it costs what an inverse does, which alone is left to be small.
        return rows if users < 0.7 * items else None
    return rows.toarray() if users < items / 3 else None


def _by_items(gram: Tensor, ridge: float, kind: Any) -> tuple[Array, Times]:
    """P = (G + ridge·I)⁻¹ by Cholesky, and M ↦ PM."""
    P = inverse(gram, ridge, kind)
    return P, lambda matrix: P @ matrix


def _by_rows(X: Any, ridge: float, kind: Any) -> tuple[Array, Times]:
    """The same by Woodbury: P = (I − XᵀK⁻¹X) / ridge, K = XXᵀ + ridge·I.

    X  (n_users, n_items) sparse or dense
    """
    among = X @ X.T
    K = inverse(among if isinstance(among, np.ndarray) else among.toarray(), ridge)
    K, X = K.astype(kind, copy=False), X.astype(kind, copy=False)
    turned = X.T if isinstance(X, np.ndarray) else X.T.tocsr()
    P = turned @ (turned @ K).T
    P /= -kind(ridge)
    P[np.diag_indices_from(P)] += 1.0 / ridge

    def times(matrix: Array) -> Array:
        found: Array = turned @ (K @ (X @ matrix))
        np.subtract(matrix, found, out=found)
        found /= kind(ridge)
        return found

    return P, times


def inverse(gram: Tensor, ridge: float, kind: Any = np.float64) -> Array:
    """(G + ridge·I)⁻¹ by Cholesky, symmetric.  ridge > 0.

    kind  of number to calculate in, single or double
    """
    matrix = np.array(gram, dtype=kind, order="F")
    matrix[np.diag_indices_from(matrix)] += kind(ridge)
    single = kind is np.float32
    factored, inverted = (
        (lapack.spotrf, lapack.spotri) if single else (lapack.dpotrf, lapack.dpotri)
    )
    factor, failed = factored(matrix, lower=1, overwrite_a=1)
    if failed:
        raise StrategyError(
            "Expected a positive definite Gram matrix; found one that is not, "
            f"at item {failed}. Raise the penalty."
        )
    half, _ = inverted(factor, lower=1, overwrite_c=1)
    whole: Array = half
    for start in range(0, len(whole), MIRROR):
        stop = start + MIRROR
        whole[start:stop, stop:] = whole[stop:, start:stop].T
        corner = np.tril(whole[start:stop, start:stop])
        whole[start:stop, start:stop] = corner + np.tril(corner, -1).T
    return whole


@dataclass(frozen=True)
class Ease:
    """EASE with an optional item–item prior.

    penalty     λ > 0, in users
    matrix      (n_items, n_items) after fitting, in single precision
    popularity  (n_items,) breaks ties and serves users without a history
    """

    penalty: float = 300.0
    matrix: Tensor | None = field(default=None, repr=False)
    popularity: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "ease"
    form: ClassVar[str] = "items"
    takes_prior: ClassVar[bool] = True

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Ease, ...]:
        penalties = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
        return tuple(replace(self, penalty=penalty) for penalty in penalties)

    def prepare(self, view: ItemView) -> ItemGram:
        return gram_of(view)

    def fit(
        self,
        prepared: ItemGram,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: ItemPrior | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Ease:
        popularity = prepared.standing
        if prior is not None:
            # Less than one user in all: sources order only what the target has not told apart.
            popularity = popularity + prior.popularity / (1.0 + prior.popularity.sum())
        matrix = solve(prepared.gram, self.penalty, prior, prepared.rows)
        return replace(self, matrix=matrix.astype(np.float32), popularity=popularity)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.matrix is not None and self.popularity is not None
        assert context is not None
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
        return State(self.kind, {"penalty": self.penalty}, tensors)

    @classmethod
    def restore(cls, state: State) -> Ease:
        tensors = state.tensors
        return cls(
            state.meta["penalty"], tensors["matrix"], tensors["popularity"].astype(float)
        )

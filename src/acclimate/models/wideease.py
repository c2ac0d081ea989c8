"""EASE for catalogues wider than a market has users, and for what users took elsewhere.

With Z = [X, wS], what users took here and, weighed, elsewhere, EASE of Z restricted to the
columns of X.  As P = (ZᵀZ + λI)⁻¹ = (I − ZᵀMZ)/λ with M = (ZZᵀ + λI)⁻¹ (Woodbury), a user z
scores an item that is new to them

    (z Zᵀ M X)_j / d_j,   d_j = λ P_jj = 1 − x_jᵀ M x_j,

and no matrix of items is made: a system of users is solved, whatever the catalogue's size.
Where users are more than items, EASE of Z is solved as `models.ease` does.

Source: Steck, WWW 2019 (arXiv:1905.03375), eq. 8, exactly.
Departures: columns of S, of which nothing is recommended, weighed by w; where users took few
items each, scores may lean to what is popular, ln(1 + users of an item) as many deviations
of a score as `lean` says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.source import Derived
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.ease import inverse, solve
from acclimate.models.items import DENSE, ItemQuery, rank, require_few
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

HEARD = 256  # users whose scores say what a deviation is
SETTINGS = ("penalty", "beside", "lean")
_SOLVED = Derived(at_most_bytes=2**30)
AT_ONCE = 2**26  # numbers of a dense block in single precision; 256 MB


@dataclass(frozen=True)
class ByItems:
    """matrix  (n_items + n_beside, n_items)"""

    matrix: Tensor = field(repr=False)

    def scores(self, known: Sparse) -> Array:
        found: Array = known @ self.matrix
        return found

    def tensors(self) -> dict[str, Tensor]:
        return {"matrix": self.matrix}


@dataclass(frozen=True)
class ByHistories:
    """One history of a user from blocks of columns, the first of which is theirs here.

    matrix  (n_items, n_items) B
    again   ≥ 0, added to the score of what was taken in another block
    """

    matrix: Tensor = field(repr=False)
    again: float

    def scores(self, known: Sparse) -> Array:
        items = len(self.matrix)
        starts = range(items, known.shape[1], items)
        elsewhere = sp.csr_array((known.shape[0], items), dtype=known.dtype)
        for start in starts:
            elsewhere = elsewhere.maximum(known[:, start : start + items])
        history = sp.csr_array(known[:, :items].maximum(elsewhere))
        found: Array = history.astype(self.matrix.dtype) @ self.matrix
        rows = np.repeat(np.arange(len(found)), np.diff(elsewhere.indptr))
        found[rows, elsewhere.indices] += self.again * elsewhere.data
        return found

    def tensors(self) -> dict[str, Tensor]:
        return {"matrix": self.matrix}


@dataclass(frozen=True)
class ByUsers:
    """rows     (n_users, n_items + n_beside) CSR, Z
    inverse  (n_users, n_users) M
    spare    (n_items,) d
    penalty  λ
    """

    rows: Sparse = field(repr=False)
    inverse: Tensor = field(repr=False)
    spare: Tensor = field(repr=False)
    penalty: float

    @classmethod
    def of(cls, rows: Sparse, items: int, penalty: float, tick: Tick) -> ByUsers:
        M = inverse((rows @ rows.T).toarray(), penalty, np.float32)
        X = sp.csr_array(rows[:, :items].T.astype(np.float32))
        spare = np.ones(items, np.float32)
        size = max(1, AT_ONCE // max(1, len(M)))
        for start in range(0, items, size):
            tick()
            block = X[start : start + size]
            spare[start : start + size] -= np.asarray(block.multiply(block @ M).sum(axis=1))
        return cls(rows, M, spare, penalty)

    def scores(self, known: Sparse) -> Array:
        items = len(self.spare)
        X = sp.csr_array(self.rows[:, :items].T.astype(np.float32))
        lent = X @ np.ascontiguousarray(self._lent(known).T)  # (n_items, n)
        lent /= self.spare[:, None]
        own = sp.coo_array(known[:, :items])
        lent[own.col, own.row] += own.data * (1.0 - 1.0 / self.spare[own.col])
        found: Array = lent.T
        return found

    def _lent(self, known: Sparse) -> Tensor:
        """(n, n_users) z Zᵀ M; of a history that was fitted on it is a row of I − λM."""
        place = self._places
        at = np.array([place.get(each, -1) for each in _written(known)], np.int64)
        fitted = np.flatnonzero(at >= 0)
        found = np.empty((known.shape[0], len(self.inverse)), np.float32)
        found[fitted] = -self.penalty * self.inverse[at[fitted]]
        found[fitted, at[fitted]] += 1.0
        others = np.flatnonzero(at < 0)
        if len(others):
            # In double precision no answer depends on who else is asked.
            found[others] = (known[others] @ self.rows.T).toarray() @ self.inverse
        return found

    @cached_property
    def _places(self) -> dict[bytes, int]:
        return {each: number for number, each in enumerate(_written(self.rows))}

    def tensors(self) -> dict[str, Tensor]:
        parts = {"data": self.rows.data, "indices": self.rows.indices}
        return {
            **parts,
            "indptr": self.rows.indptr,
            "inverse": self.inverse,
            "spare": self.spare,
        }


@dataclass(frozen=True)
class WideEase:
    """EASE solved over users where they are fewer than items.

    penalty     λ > 0, in users
    beside      w ≥ 0, weight of what users took elsewhere, where that is known
    lean        ≥ 0, deviations of a score by which an item rises for each e-fold of its users
    fitted      after fitting: items' weights, or users and the inverse of their system
    pull        (n_items,) what is added to each item's score
    popularity  (n_items,) breaks ties and serves users of whom nothing is known

    Fitting raises StrategyError above 20,000 of both.
    """

    penalty: float = 300.0
    beside: float = 0.3
    lean: float = 0.0
    fitted: ByItems | ByUsers | ByHistories | None = field(default=None, repr=False)
    pull: Array | None = field(default=None, repr=False)
    popularity: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "wide-ease"
    form: ClassVar[str] = "items"
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 < self.penalty < np.inf and 0 <= self.beside < np.inf > self.lean >= 0):
            raise StrategyError(
                "Expected a finite penalty above 0, and a finite weight and lean of at least "
                f"0; found {self.penalty}, {self.beside} and {self.lean}."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[WideEase, ...]:
        tried = ((300.0, 0.0), (300.0, 0.3), (300.0, 1.0), (100.0, 1.0))
        return tuple(replace(self, penalty=each, lean=lean) for each, lean in tried)

    def prepare(self, view: ItemView) -> ItemView:
        return view

    def fit(
        self,
        prepared: ItemView,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> WideEase:
        items = prepared.matrix.shape[1]
        rows = self._weighed(prepared.whole, items)
        rows = rows[np.flatnonzero(np.diff(rows.indptr))]
        users, columns = rows.shape
        fitted: ByItems | ByUsers
        if users < columns:
            if users > DENSE:
                require_few(columns)
            # Settings that differ in what the system does not hold share it.
            key = (_digest(rows), f"{items} {self.penalty}")
            fitted = _SOLVED.get(key, lambda: ByUsers.of(rows, items, self.penalty, tick))
        else:
            require_few(columns)
            gram = (rows.T @ rows).toarray()
            fitted = ByItems(solve(gram, self.penalty)[:, :items].astype(np.float32))
        deviation = float(fitted.scores(rows[:HEARD]).std()) if self.lean else 0.0
        pull = self.lean * deviation * np.log1p(prepared.popularity)
        return replace(self, fitted=fitted, pull=pull, popularity=prepared.standing)

    def joined(self, rows: Sparse, prepared: ItemView, again: float) -> WideEase:
        """Fitted on histories that run through several markets.

        rows      (all users, n_items) CSR of ones, what each took in any of them
        prepared  the target's rows, a block of columns beside them for each other market
        again     ≥ 0, added to the score of an item taken in another market

        Raises StrategyError above 20,000 items.
        """
        require_few(rows.shape[1])
        key = (_digest(rows), f"{self.penalty}")
        matrix = _SOLVED.get(key, lambda: solve((rows.T @ rows).toarray(), self.penalty))
        fitted = ByHistories(matrix.astype(np.float32), again)
        pull, everywhere = np.zeros(rows.shape[1]), np.asarray(rows.sum(axis=0))
        # Less than one user in all: others order only what the target has not told apart.
        standing = prepared.popularity + everywhere / (1.0 + everywhere.sum())
        return replace(self, fitted=fitted, pull=pull, popularity=standing)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert context is not None and self.popularity is not None
        return rank(self.scores, context, query, self.popularity)

    def scores(self, known: Sparse) -> Array:
        """(n, n_items) for what is known of users, here and, behind that, elsewhere."""
        assert self.fitted is not None and self.pull is not None
        scores: Array = self.fitted.scores(self._weighed(known, len(self.pull))) + self.pull
        return scores

    def _weighed(self, known: Sparse, items: int) -> Sparse:
        worth = np.full(known.shape[1], self.beside)
        worth[:items] = 1.0
        weighed = sp.csr_array(known @ sp.diags_array(worth))
        weighed.eliminate_zeros()
        return weighed

    def state(self) -> State:
        assert self.fitted is not None and self.pull is not None
        assert self.popularity is not None
        meta = {name: getattr(self, name) for name in SETTINGS}
        if isinstance(self.fitted, ByUsers):
            meta["columns"] = self.fitted.rows.shape[1]
        if isinstance(self.fitted, ByHistories):
            meta["again"] = self.fitted.again
        tensors = {**self.fitted.tensors(), "pull": self.pull, "popularity": self.popularity}
        return State(self.kind, meta, tensors)

    @classmethod
    def restore(cls, state: State) -> WideEase:
        tensors, meta = state.tensors, state.meta
        fitted: ByItems | ByUsers | ByHistories
        if "again" in meta:
            fitted = ByHistories(tensors["matrix"], meta["again"])
        elif "columns" in meta:
            shape = (len(tensors["inverse"]), meta["columns"])
            parts = (tensors["data"], tensors["indices"], tensors["indptr"])
            rows = sp.csr_array(parts, shape=shape)
            fitted = ByUsers(rows, tensors["inverse"], tensors["spare"], meta["penalty"])
        else:
            fitted = ByItems(tensors["matrix"])
        pull, popularity = (np.asarray(tensors[n], np.float64) for n in ("pull", "popularity"))
        said = {name: meta[name] for name in SETTINGS}
        return cls(**said, fitted=fitted, pull=pull, popularity=popularity)


def _written(rows: Sparse) -> list[bytes]:
    """Each row's columns and values as bytes that no other row of these columns has."""
    sorted_rows = rows.copy()
    sorted_rows.sort_indices()
    starts = sorted_rows.indptr
    column, value = sorted_rows.indices.astype(np.int32), sorted_rows.data.astype(np.float32)
    return [column[a:b].tobytes() + value[a:b].tobytes() for a, b in pairwise(starts)]


def _digest(rows: Sparse) -> str:
    digest = hashlib.sha256(repr(rows.shape).encode())
    for part in (rows.indptr, rows.indices, rows.data):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()

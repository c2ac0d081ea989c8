"""Sparse EASE: each item predicted from those most like it, for catalogues of any size.

    b_j = (G_NN + λI)⁻¹ G_Nj,   G = XᵀX,   N the items with the largest cosine to j

This is column j of EASE where N are all other items: no dense matrix of items is made, and a
catalogue of n items costs n small systems instead of one of n.

Source: Ning & Karypis, "SLIM: sparse linear methods for top-N recommender systems", ICDM 2011,
with features selected by item-kNN (fsSLIM, section IV-C); that sub-matrices of neighbourhoods
stand for the whole inverse: Steck, "Markov random fields for collaborative filtering", NeurIPS
2019 (arXiv:1910.09645), section 3.2.
Departures: a squared penalty alone, so that each column is in closed form, and weights may be
negative, as in EASE (Steck, WWW 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, power
from acclimate.models.itemweights import AT_ONCE, ItemWeights
from acclimate.models.model import Tick, idle
from acclimate.rng import Rng


@dataclass(frozen=True)
class SparseEase(ItemWeights):
    """EASE over neighbourhoods.

    penalty     λ > 0, in users
    neighbours  ≥ 1, items that speak for one
    similarity  (n_items, n_items) CSR after fitting; column j holds what speaks for j
    popularity  (n_items,) breaks ties and serves users without a history
    """

    penalty: float = 100.0
    neighbours: int = 100
    similarity: Sparse | None = None
    popularity: Array | None = None

    kind: ClassVar[str] = "sparse-ease"
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.penalty < np.inf or self.neighbours < 1:
            raise StrategyError(
                "Expected a finite penalty above 0 and at least one neighbour; found "
                f"{self.penalty} and {self.neighbours}."
            )

    def grid(self) -> tuple[SparseEase, ...]:
        return tuple(replace(self, penalty=penalty) for penalty in (100.0, 10.0, 30.0, 300.0))

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
    ) -> SparseEase:
        X, users = prepared.matrix, prepared.popularity
        items = X.shape[1]
        columns, turned = sp.csc_array(X), sp.csr_array(X.T)
        share = power(users, -0.5)
        rows, weights, ends = [], [], [0]
        size = max(1, AT_ONCE // max(1, items))
        for first in range(0, items, size):
            tick()
            gram = (turned[first : first + size] @ X).toarray()
            for at, together in enumerate(gram, start=first):
                near = _nearest(together, share, at, self.neighbours)
                among = columns[:, near]
                system = (among.T @ among).toarray()
                system[np.diag_indices_from(system)] += self.penalty
                rows.append(near)
                weights.append(np.linalg.solve(system, together[near]))
                ends.append(ends[-1] + len(near))
        found = (np.concatenate(weights), np.concatenate(rows), np.array(ends))
        similarity = sp.csr_array(sp.csc_array(found, shape=(items, items)))
        return replace(self, similarity=similarity, popularity=prepared.standing)


def _nearest(together: Array, share: Array, at: int, count: int) -> Ints:
    """The `count` items with the largest cosine to one, in their order; none that share nobody.

    together  (n,) users that each shares with it
    share     (n,) one over the root of each one's users
    """
    cosine = together * share
    cosine[at] = 0.0
    near = np.flatnonzero(cosine)
    if len(near) > count:
        near = np.sort(near[np.argsort(-cosine[near], kind="stable")[:count]])
    return near

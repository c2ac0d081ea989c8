"""Item-kNN: recommend what resembles the items in a history.

Source: Sarwar et al., WWW 2001 (cosine, the k most similar items), with the
shrinkage of Bell & Koren, ICDM 2007: s_ij = G_ij / (√(G_ii G_jj) + shrink).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.items import ItemGram, ItemQuery, gram_of, rank
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng


@dataclass(frozen=True)
class ItemKnn:
    """Cosine neighbours.

    neighbours  ≥ 1, kept per item
    shrink      ≥ 0, users; larger trusts rare pairs less
    similarity  (n_items, n_items) CSR after fitting; column j holds the neighbours of j
    popularity  (n_items,) breaks ties and serves users without a history
    """

    neighbours: int = 100
    shrink: float = 10.0
    similarity: Sparse | None = None
    popularity: Array | None = None

    kind: ClassVar[str] = "item-knn"
    form: ClassVar[str] = "items"

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[ItemKnn, ...]:
        return tuple(
            replace(self, neighbours=neighbours, shrink=shrink)
            for neighbours in (30, 100, 300)
            for shrink in (0.0, 10.0)
        )

    def prepare(self, view: ItemView) -> ItemGram:
        return gram_of(view)

    def fit(
        self,
        prepared: ItemGram,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> ItemKnn:
        norm = np.sqrt(np.diag(prepared.gram))
        bottom = np.outer(norm, norm)
        bottom += self.shrink
        # An item nobody took resembles nothing.
        bottom[bottom == 0] = 1.0
        dense = prepared.gram / bottom
        np.fill_diagonal(dense, 0.0)
        items = len(dense)
        if self.neighbours < items:
            # Symmetric, so that the edge of a column is that of the row, which lies together.
            edge = np.partition(dense, items - self.neighbours, axis=1)
            dense[dense < edge[:, items - self.neighbours]] = 0.0
        return replace(self, similarity=sp.csr_array(dense), popularity=prepared.standing)

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.similarity is not None and self.popularity is not None
        assert context is not None
        return rank(self.scores, context, query, self.popularity)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        assert self.similarity is not None
        scores: Array = (histories @ self.similarity).toarray()
        return scores

    def state(self) -> State:
        assert self.similarity is not None and self.popularity is not None
        meta = {"neighbours": self.neighbours, "shrink": self.shrink}
        tensors = {
            "data": self.similarity.data,
            "indices": self.similarity.indices,
            "indptr": self.similarity.indptr,
            "popularity": self.popularity,
        }
        return State(self.kind, meta, tensors)

    @classmethod
    def restore(cls, state: State) -> ItemKnn:
        tensors = state.tensors
        items = len(tensors["popularity"])
        parts = (tensors["data"], tensors["indices"], tensors["indptr"])
        similarity = sp.csr_array(parts, shape=(items, items))
        return cls(similarity=similarity, popularity=tensors["popularity"], **state.meta)

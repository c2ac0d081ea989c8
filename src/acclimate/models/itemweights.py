"""What models of sparse item–item weights share: a history is scored by the sum of its items'.

Before: a model works out which few items each item leads to.  After: `items.rank` orders them.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.items import ItemQuery, rank
from acclimate.models.model import State

LEARNED = ("similarity", "popularity")
AT_ONCE = 2**23  # weights made dense together; 64 MB


class ItemWeights:
    """Subclasses are frozen dataclasses with the two fields below, None before fitting.

    similarity  (n_items, n_items) CSR; row i holds what item i of a history says of others
    popularity  (n_items,) breaks ties and serves users without a history
    """

    similarity: Sparse | None
    popularity: Array | None

    kind: ClassVar[str]
    form: ClassVar[str] = "items"

    def why_not(self) -> str | None:
        return None

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.similarity is not None and self.popularity is not None
        assert context is not None
        return rank(self.scores, context, query, self.popularity)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        assert self.similarity is not None
        scores: Array = (histories @ self.similarity).toarray()
        return scores

    def parts(self, history: Ints, item: int) -> Array:
        """(len(history),) what each item of a history adds to the score of another."""
        assert self.similarity is not None
        found: Array = self.similarity[history].toarray()[:, item]
        return found

    def state(self) -> State:
        assert self.similarity is not None and self.popularity is not None
        settings = [each.name for each in fields(self) if each.name not in LEARNED]  # type: ignore[arg-type]
        tensors = {
            "data": self.similarity.data,
            "indices": self.similarity.indices,
            "indptr": self.similarity.indptr,
            "popularity": self.popularity,
        }
        return State(self.kind, {name: getattr(self, name) for name in settings}, tensors)

    @classmethod
    def restore(cls, state: State) -> Self:
        tensors = state.tensors
        items = len(tensors["popularity"])
        parts = (tensors["data"], tensors["indices"], tensors["indptr"])
        learned: dict[str, Any] = {
            "similarity": sp.csr_array(parts, shape=(items, items)),
            "popularity": tensors["popularity"],
        }
        return cls(**learned, **state.meta)


def strongest(block: Array, count: int) -> Sparse:
    """The `count` largest of each row of a dense block, those of equal size too; never zeros.

    block    (m, n) ≥ 0
    returns  (m, n) CSR
    """
    if count < block.shape[1]:
        edge = np.partition(block, -count, axis=1)[:, -count]
        block = np.where(block < edge[:, None], 0.0, block)
    return sp.csr_array(block)

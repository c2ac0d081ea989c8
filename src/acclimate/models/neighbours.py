"""Item-kNN: recommend what resembles the items in a history.

    cosine  s_ij = G_ij / (√(G_ii G_jj) + shrink)
    iou     s_ij = G_ij / (G_ii + G_jj − G_ij + shrink),   G = XᵀX

Source: Sarwar et al., WWW 2001 (cosine, the k most similar items), with the
shrinkage of Bell & Koren, ICDM 2007; Jaccard, New Phytologist 1912, for the users of both
over the users of either (intersection over union).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, gram_of
from acclimate.models.itemweights import ItemWeights
from acclimate.models.model import Tick, idle
from acclimate.rng import Rng

MEASURES: tuple[Literal["cosine", "iou"], ...] = ("cosine", "iou")


@dataclass(frozen=True)
class ItemKnn(ItemWeights):
    """Neighbours by users in common.

    neighbours  ≥ 1, kept per item
    shrink      ≥ 0, users; larger trusts rare pairs less
    measure     "cosine" or "iou"
    similarity  (n_items, n_items) CSR after fitting; column j holds the neighbours of j
    popularity  (n_items,) breaks ties and serves users without a history
    """

    neighbours: int = 100
    shrink: float = 10.0
    similarity: Sparse | None = None
    popularity: Array | None = None
    measure: Literal["cosine", "iou"] = "cosine"

    kind: ClassVar[str] = "item-knn"

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not 0 <= self.shrink < np.inf or self.measure not in MEASURES:
            raise StrategyError(
                "Expected at least one neighbour, a finite shrink of at least 0 and a measure "
                f"among {', '.join(MEASURES)}; found {self.neighbours}, {self.shrink} and "
                f"{self.measure!r}."
            )

    def grid(self) -> tuple[ItemKnn, ...]:
        return tuple(
            replace(self, neighbours=neighbours, shrink=shrink, measure=measure)
            for measure in MEASURES
            for neighbours in (100, 300)
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
        dense = self._similar(np.asarray(prepared.gram, np.float64))
        np.fill_diagonal(dense, 0.0)
        items = len(dense)
        if self.neighbours < items:
            # Symmetric, so that the edge of a column is that of the row, which lies together.
            edge = np.partition(dense, items - self.neighbours, axis=1)
            dense[dense < edge[:, items - self.neighbours]] = 0.0
        return replace(self, similarity=sp.csr_array(dense), popularity=prepared.standing)

    def _similar(self, gram: Array) -> Array:
        """(n_items, n_items) of every pair."""
        users = np.diag(gram)
        if self.measure == "cosine":
            bottom = np.sqrt(np.outer(users, users))
        else:
            bottom = users[:, None] + users - gram
        bottom += self.shrink
        # An item nobody took resembles nothing.
        bottom[bottom == 0] = 1.0
        similar: Array = gram / bottom
        return similar

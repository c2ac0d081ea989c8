"""RP3β: recommend where a short walk over users leads, popular items marked down.

    w_ij = Σ_u (x_ui / d_i)^α (x_uj / d_u)^α / d_j^β,   score of j = Σ_i x_ui w_ij

d_u counts the items of a user and d_i the users of an item: from an item of the history to
one of its users, and from there to an item of theirs, each step as likely as any other.

Source: Paudel, Christoffel, Newell & Bernstein, "Updatable, accurate, diverse, and scalable
recommendations for interactive applications", ACM TiiS 7(1) 2017: P3α (section 3.2; Cooper,
Lee, Radzik & Siantos, WWW 2014) and its re-ranking by popularity, RP3β (section 3.3).
Departures: the walk's first step, from the user, is left out: it is the same for all items
of a history and changes no order.  Each item keeps its strongest ways alone, as the
evaluation of Ferrari Dacrema, Cremonesi & Jannach, RecSys 2019, does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, power
from acclimate.models.itemweights import AT_ONCE, ItemWeights, strongest
from acclimate.models.model import Tick, idle
from acclimate.rng import Rng


@dataclass(frozen=True)
class Rp3Beta(ItemWeights):
    """Walks of three steps.

    alpha       > 0, power of each step's probability; below 1 evens out, above 1 sharpens
    beta        ≥ 0, power of the popularity that a score is divided by; 0 is P3α
    neighbours  ≥ 1, ways kept per item
    similarity  (n_items, n_items) CSR after fitting; row i holds the ways from i
    popularity  (n_items,) breaks ties and serves users without a history
    """

    alpha: float = 1.0
    beta: float = 0.5
    neighbours: int = 100
    similarity: Sparse | None = None
    popularity: Array | None = None

    kind: ClassVar[str] = "rp3beta"
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (0 < self.alpha < np.inf and 0 <= self.beta < np.inf and self.neighbours >= 1):
            raise StrategyError(
                "Expected a finite alpha above 0, a finite beta of at least 0 and at least one "
                f"neighbour; found {self.alpha}, {self.beta} and {self.neighbours}."
            )

    def grid(self) -> tuple[Rp3Beta, ...]:
        return tuple(
            replace(self, alpha=alpha, beta=beta)
            for alpha in (0.6, 1.0)
            for beta in (0.2, 0.5, 0.8)
        )

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
    ) -> Rp3Beta:
        X, users = prepared.matrix, prepared.popularity
        to_item = sp.diags_array(power(np.diff(X.indptr), -self.alpha)) @ X
        to_user = sp.csr_array(sp.diags_array(power(users, -self.alpha)) @ X.T)
        penalty = power(users, -self.beta)
        blocks, size = [], max(1, AT_ONCE // max(1, X.shape[1]))
        for first in range(0, X.shape[1], size):
            tick()
            ways = (to_user[first : first + size] @ to_item).toarray()
            ways *= penalty
            ways[np.arange(len(ways)), np.arange(first, first + len(ways))] = 0.0
            blocks.append(strongest(ways, self.neighbours))
        similarity = sp.csr_array(sp.vstack(blocks, format="csr"))
        return replace(self, similarity=similarity, popularity=prepared.standing)

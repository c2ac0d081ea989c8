"""ALS: factors of users and items for implicit feedback, by least squares in turn.

    min  Σ_{(u,i) taken} (1 − x_u·y_i)²  +  w Σ_{all u,i} (x_u·y_i)²
         + Σ_u r_u‖x_u‖² + Σ_i r_i‖y_i‖² + Σ_i p_i‖y_i − y⁰_i‖²
    r_u = λ (items of u + w n),   r_i = λ (users of i + w m)

n items, m users.  With one side held, each row of the other is a ridge regression in
closed form, and so are the factors of a history that training never saw.

Source: Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
2008, eq. 3 to 5: with another scale of the factors this is their loss with confidences
1 + 1/w for what was taken and 1 for the rest.  Written so, and with penalties that grow with
what they stand against, by Rendle, Krichene, Zhang & Koren, "Revisiting the performance of
iALS on item recommendation benchmarks", RecSys 2022 (arXiv:2110.14037), ν = 1.
Departure: the last term, a Gaussian prior on items, says what sources know; alternation then
begins with its factors, so that both speak of the same directions.  p_i is their certainty
(`FactorPrior`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemGram, ItemQuery, rank
from acclimate.models.model import State, Tick, idle
from acclimate.models.solving import Side, solved
from acclimate.rng import Rng

# Sparse markets prefer the first, dense ones the last.
TRIED = ((0.1, 0.01), (0.03, 0.01), (0.1, 0.03), (0.3, 0.01), (0.3, 0.003), (1.0, 0.003))
START = 0.1  # standard deviation of a fresh item's factors, over √factors


@dataclass(frozen=True)
class FactorPrior:
    """Item factors of sources in the model's vocabulary.

    factors     (n_items, d)
    users       (n_items,) ≥ 0, users of the sources that each stands on; 0: it says nothing
    scale       > 0, what one user says of one direction: the mean square of their factors
    strength    μ > 0, in users: how far markets are apart.  The precision p_i of an item is
                scale / (1/users + 1/μ), a variance of estimation and one between markets
    popularity  (n_items,) users per item in the sources; breaks ties only
    """

    factors: Array
    users: Array
    scale: float
    strength: float
    popularity: Array

    @property
    def precision(self) -> Array:
        """(n_items,) p_i."""
        found: Array = self.scale * self.users * self.strength / (self.users + self.strength)
        return found


@dataclass(frozen=True)
class Als:
    """Implicit matrix factorisation.

    factors     ≥ 1, numbers a user or an item is told by
    unobserved  w > 0, weight of a pair that was not taken beside one that was
    penalty     λ > 0
    sweeps      ≥ 1, rounds over users and items
    items       (n_items, factors) after fitting
    popularity  (n_items,) breaks ties and serves users without a history
    scale       mean square of the users' factors, for a prior
    """

    factors: int = 64
    unobserved: float = 0.1
    penalty: float = 0.01
    sweeps: int = 10
    items: Tensor | None = field(default=None, repr=False)
    popularity: Array | None = field(default=None, repr=False)
    scale: float = 0.0

    kind: ClassVar[str] = "als"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 1
    unasked: ClassVar[bool] = False
    takes_prior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        numbers = (self.unobserved, self.penalty)
        if min(self.factors, self.sweeps) < 1 or not all(0 < x < np.inf for x in numbers):
            raise StrategyError(
                "Expected at least one factor and one sweep, and a finite weight of the "
                f"unobserved and penalty above 0; found {self.factors}, {self.sweeps}, "
                f"{self.unobserved} and {self.penalty}."
            )

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Als, ...]:
        return tuple(
            replace(self, unobserved=unobserved, penalty=penalty)
            for unobserved, penalty in TRIED
        )

    def prepare(self, view: ItemView) -> ItemView:
        return view

    def fit(
        self,
        prepared: ItemView | ItemGram,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: FactorPrior | None = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Als:
        X = prepared.matrix
        turned = X.T.tocsr()
        Y = rng.child("items").generator().normal(size=(X.shape[1], self.factors))
        Y *= START / np.sqrt(self.factors)
        standing, pull, towards = prepared.standing, None, None
        if prior is not None:
            known = prior.users > 0
            Y[known] = prior.factors[known]
            pull, towards = prior.precision, prior.factors
            # Less than one user in all: sources order only what the target has not told apart.
            standing = standing + prior.popularity / (1.0 + prior.popularity.sum())
        ridge = self._ridge(turned, X.shape[0])
        for _ in range(self.sweeps):
            users = self._folded(X, Side(Y), tick)
            Y = solved(turned, Side(users), self.unobserved, ridge, pull, towards, tick)
        scale = float((users**2).mean())
        return replace(self, items=Y, popularity=standing, scale=scale)

    @cached_property
    def side(self) -> Side:
        """The fitted items, held."""
        assert self.items is not None
        return Side(np.asarray(self.items, np.float64))

    def fold_in(self, histories: Sparse, items: Array) -> Array:
        """(n, factors) of each history, whoever's it is, the items' held."""
        return self._folded(histories, Side(items))

    def _folded(self, histories: Sparse, side: Side, tick: Tick = idle) -> Array:
        ridge = self._ridge(histories, len(side.factors))
        return solved(histories, side, self.unobserved, ridge, tick=tick)

    def _ridge(self, rows: Sparse, across: int) -> Array:
        """(n,) r of each row, which stands against so many others."""
        taken = np.diff(rows.indptr)
        ridge: Array = self.penalty * (taken + self.unobserved * across)
        return ridge

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.popularity is not None and context is not None
        return rank(self.scores, context, query, self.popularity, self)

    def scores(self, histories: Sparse) -> Array:
        """(n, n_items) of every item for each history."""
        scores: Array = self.queries(histories) @ self.side.factors.T
        return scores

    def queries(self, histories: Sparse) -> Array:
        """(n, factors) of each history."""
        return self._folded(histories, self.side)

    def parts(self, history: Ints, item: int) -> Array:
        """(len(history),) what each item of a history adds to the score of another.

        y_jᵀ (Σ y yᵀ + w YᵀY + r)⁻¹ y_i, as Hu, Koren & Volinsky have it in eq. 7.
        """
        Y = self.side.factors
        mine = Y[history]
        A = mine.T @ mine + self.unobserved * self.side.gram
        ridge = self.penalty * (len(history) + self.unobserved * len(Y))
        A[np.diag_indices_from(A)] += ridge
        found: Array = mine @ np.linalg.solve(A, Y[item])
        return found

    def state(self) -> State:
        assert self.items is not None and self.popularity is not None
        names = ("factors", "unobserved", "penalty", "sweeps", "scale")
        meta = {name: getattr(self, name) for name in names}
        return State(self.kind, meta, {"items": self.items, "popularity": self.popularity})

    @classmethod
    def restore(cls, state: State) -> Als:
        popularity = state.tensors["popularity"].astype(float)
        return cls(**state.meta, items=state.tensors["items"], popularity=popularity)

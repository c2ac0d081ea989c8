"""Content: what attributes say, around any item model: of items nobody took, of new users.

A base model scores the items that users took. An item that nobody took gets, for each user,
the score that its attributes lead one to expect from those of the others; and a user is shown
what people of the same attributes take.

    new items    s_new = m + (s − m) H,   H = F (FᵀF + ρI)⁻¹ F_newᵀ
    users        s ← s + γ p,             p = [1, a] (AᵀA + κI)⁻¹ AᵀX

s the base's scores of the items that were taken and m their mean, F and F_new the features of
items that were and were not, a a user's features and A = [1, those of training users], X who
took what.  Ridge regressions, in closed form; where an item or a user shows no known
attribute they give the mean.  A user without a history is answered by p alone.

Source: Gantner, Drumond, Freudenthaler, Rendle & Schmidt-Thieme, "Learning attribute-to-feature
mappings for cold-start recommendations", ICDM 2010, section IV: a map from attributes to what a
model learned of items.  Departure: the map is learned to the scores of each user instead of to
factors, so that the base may be any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease
from acclimate.models.items import DENSE, ItemQuery
from acclimate.models.model import Model, State, Tick, idle
from acclimate.models.views import among, rank_views
from acclimate.rng import Rng


@dataclass(frozen=True)
class Content:
    """A base model, and attributes for the items and users that it does not know.

    base       any item model; what it holds once fitted speaks of the columns `own`
    ridge      ρ > 0, how little attributes are trusted to tell items apart
    profile    γ ≥ 0, weight of what people of the same attributes take beside a history
    people     κ > 0, in users: how few of them are believed to differ from all others
    own        (m,) columns that the base scores, after fitting
    new        (n_items − m,) the other columns
    bridge     (m, n_items − m) H
    users      (1 + d, m) what a user's attributes say of each of the base's items, or None
    standing   (n_items,) breaks ties and serves users of whom nothing is known
    """

    base: Model = field(default_factory=Ease)
    ridge: float = 1.0
    profile: float = 0.3
    people: float = 30.0
    own: Ints | None = field(default=None, repr=False)
    new: Ints | None = field(default=None, repr=False)
    bridge: Tensor | None = field(default=None, repr=False)
    users: Tensor | None = field(default=None, repr=False)
    standing: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "content"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 1
    unasked: ClassVar[bool] = False
    reads_attributes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        above = 0 < self.ridge < np.inf and 0 < self.people < np.inf
        if not above or not 0 <= self.profile < np.inf:
            raise StrategyError(
                "Expected a finite ridge and number of people above 0, and a profile of at "
                f"least 0; found {self.ridge}, {self.people} and {self.profile}."
            )

    @property
    def knows_people(self) -> bool:
        return self.users is not None

    def why_not(self) -> str | None:
        return self.base.why_not()

    def grid(self) -> tuple[Content, ...]:
        bases = [replace(self, base=base) for base in self.base.grid()]
        return (*bases, *(replace(self, profile=each) for each in (0.0, 1.0)))

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
    ) -> Content:
        taken = prepared.popularity > 0
        if prepared.items is None or not taken.any():
            taken = np.ones(len(taken), bool)
        own, new = np.flatnonzero(taken), np.flatnonzero(~taken)
        view = among(prepared, own)
        base = self.base.fit(self.base.prepare(view), rng=rng.child("base"), tick=tick)
        tick()
        bridge: Array = np.zeros((len(own), 0))
        if len(new):
            assert prepared.items is not None
            bridge = bridged(prepared.items[own], prepared.items[new], self.ridge)
        users = (
            None
            if prepared.users is None
            else profiles(prepared.users, view.matrix, self.people)
        )
        fitted = replace(self, base=base, own=own, new=new, bridge=bridge, users=users)
        return replace(fitted, standing=fitted.extended(view.standing[None, :])[0])

    def extended(self, scores: Array) -> Array:
        """(n, n_items) of (n, m) scores of the base's items."""
        assert self.own is not None and self.new is not None and self.bridge is not None
        whole = np.empty((len(scores), len(self.own) + len(self.new)))
        whole[:, self.own] = scores
        if len(self.new):
            mean = scores.mean(axis=1, keepdims=True)
            whole[:, self.new] = mean + (scores - mean) @ np.asarray(self.bridge, np.float64)
        return whole

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.standing is not None and context is not None
        return rank_views(self.scores, context, query, self.standing)

    def scores(self, view: ItemView) -> Array:
        """(n, n_items) of every item for each history and what is known of its user."""
        assert self.own is not None
        own = among(view, self.own)
        n = own.matrix.shape[0]
        every = ItemQuery(1, np.tile(np.arange(len(self.own)), (n, 1)))
        answer = self.base.predict(every, own)
        assert isinstance(answer, Ranking)
        scores = answer.scores.astype(np.float64)
        if self.users is not None and view.users is not None:
            known = np.diff(view.users.indptr) > 0
            cold = known & (np.diff(own.matrix.indptr) == 0)
            says = self.users[0] + view.users @ self.users[1:]
            scores[known] += self.profile * says[known]
            scores[cold] = says[cold]
        return self.extended(scores)

    def state(self) -> State:
        assert self.own is not None and self.new is not None and self.bridge is not None
        assert self.standing is not None
        tensors: dict[str, Tensor] = {
            "own": self.own,
            "new": self.new,
            "bridge": self.bridge,
            "standing": self.standing,
        }
        if self.users is not None:
            tensors["users"] = self.users
        meta = {"ridge": self.ridge, "profile": self.profile, "people": self.people}
        return State(self.kind, meta, tensors, {"base": self.base.state()})

    @classmethod
    def restore_with(cls, state: State, parts: Mapping[str, Model]) -> Content:
        """The model around this restored base."""
        tensors = state.tensors
        own, new = (tensors[name].astype(np.int64) for name in ("own", "new"))
        return cls(
            parts["base"],
            **state.meta,
            own=own,
            new=new,
            bridge=tensors["bridge"],
            users=tensors.get("users"),
            standing=tensors["standing"].astype(float),
        )


def around(model: Model, nobody: ItemView, new: Sparse) -> Content:
    """A fitted model that also answers for items it has never seen, without any training.

    nobody  the view of one user without a history, with the features of the m items that the
            model scores
    new     (n, d) features of the new ones, which become columns m … m + n − 1
    """
    m, n = nobody.matrix.shape[1], new.shape[0]
    assert nobody.items is not None
    if not isinstance(model, Content):
        whole = np.arange(m)
        model = Content(model, own=whole, new=whole[:0], bridge=np.zeros((m, 0), np.float32))
        model = replace(model, standing=model.scores(nobody)[0])
    assert model.own is not None and model.new is not None and model.standing is not None
    assert model.bridge is not None
    more = bridged(nobody.items[model.own], new, model.ridge)
    fitted = replace(
        model,
        new=np.r_[model.new, m + np.arange(n)],
        bridge=np.column_stack([np.asarray(model.bridge), more]),
    )
    return replace(fitted, standing=fitted.extended(model.standing[None, model.own])[0])


def bridged(known: Sparse, new: Sparse, ridge: float) -> Array:
    """H = F (FᵀF + ρI)⁻¹ F_newᵀ = (FFᵀ + ρI)⁻¹ F F_newᵀ, by the smaller of the two.

    known    (m, d) F
    new      (n, d) F_new
    returns  (m, n) in single precision

    Raises StrategyError where items and features are both more than 20,000.
    """
    items, features = known.shape
    if min(items, features) > DENSE:
        raise StrategyError(
            f"Expected at most {DENSE:,} items, or features of their attributes, to learn "
            f"from; found {items:,} and {features:,}. Keep fewer items."
        )
    if features <= items:
        inner = (known.T @ known).toarray() + ridge * np.eye(features)
        found = known @ np.linalg.solve(inner, new.T.toarray())
    else:
        outer = (known @ known.T).toarray() + ridge * np.eye(items)
        found = np.linalg.solve(outer, (known @ new.T).toarray())
    return np.asarray(found, np.float32)


def profiles(users: Sparse, taken: Sparse, people: float) -> Array:
    """(AᵀA + κI)⁻¹ AᵀX with A = [1, users]; the mean is not shrunk.

    users    (n, d) features
    taken    (n, m) CSR of ones
    people   κ > 0
    returns  (1 + d, m)
    """
    A = sp.csr_array(sp.hstack([sp.csr_array(np.ones((users.shape[0], 1))), users]))
    inner = (A.T @ A).toarray()
    penalty = np.full(len(inner), people)
    penalty[0] = 1e-9
    inner[np.diag_indices_from(inner)] += penalty
    found: Array = np.linalg.solve(inner, (A.T @ taken).toarray())
    return found

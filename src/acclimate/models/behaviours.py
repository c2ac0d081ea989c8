"""What users do besides what is asked for, each kind of it at weights that are learned.

A user's next item of the kind asked for is drawn among items j by a conditional logit,

    P(j) ∝ exp( Σ_b α_b (h_b B)_j  +  Σ_k β_k h_kj  +  Σ_b γ_b ln(1 + d_bj) ),

h_b what the user did by behaviour b, b = 0 the one asked for and k the others; B the EASE
matrix of all behaviours together; d_bj the users of item j by behaviour b.  α says what a
view of something like it is worth, β what a view of the item itself is, γ what fame by views
is.  The weights are those under which items that users took last, hidden, are likeliest, with
a penalty κ/2 ‖θ − θ₀‖² towards θ₀: the weights that all markets have in common.

Source: McFadden, "Conditional logit analysis of qualitative choice behavior", 1974; of the
matrix Steck, WWW 2019 (arXiv:1905.03375), eq. 8.  Shrinking to what groups have in common:
Efron & Morris, JASA 70, 1975.
Departure: of items that a user has not met, `DRAWN` stand for all, each with their number as
its weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from acclimate.arrays import Array, Ints, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.models.ease import solve
from acclimate.models.items import ItemQuery, rank, require_few
from acclimate.models.model import State, Tick, idle
from acclimate.rng import Rng

DRAWN = 200  # items that a user has not met, in each question


@dataclass(frozen=True)
class Links:
    """What a market's items say of each other.

    matrix  (n_items, n_items) B
    fame    (1 + n_kinds, n_items) ln(1 + d)
    """

    matrix: Tensor = field(repr=False)
    fame: Array = field(repr=False)

    @classmethod
    def of(cls, whole: Sparse, items: int, penalty: float) -> Links:
        """whole  (n_users, n_items · (1 + n_kinds)) CSR, behaviour by behaviour."""
        require_few(items)
        parts = by_kind(whole, items)
        union = sp.csr_array(sum(parts[1:], parts[0]))
        union.data[:] = 1.0
        matrix = solve((union.T @ union).toarray(), penalty, rows=union)
        fame = np.log1p([np.asarray(part.sum(axis=0)).ravel() for part in parts])
        return cls(matrix.astype(np.float32), fame)

    def features(self, whole: Sparse, user: Ints, item: Ints) -> Array:
        """(p, 2 + 3 n_kinds): α's, β's and γ's of each pair."""
        parts = by_kind(whole, self.matrix.shape[0])
        alike = [(part @ self.matrix)[user, item] for part in parts]
        met = [np.asarray(part[user, item]).ravel() for part in parts[1:]]
        return np.column_stack([*alike, *met, *(each[item] for each in self.fame)])

    def scores(self, whole: Sparse, theta: Array) -> Array:
        """(n, n_items) the exponent, of every item."""
        parts = by_kind(whole, self.matrix.shape[0])
        kinds = len(parts)
        alpha, beta, gamma = np.split(theta, [kinds, 2 * kinds - 1])
        heard = sum((a * part for a, part in zip(alpha, parts, strict=True)), 0 * parts[0])
        scores: Array = heard @ self.matrix + gamma @ self.fame
        for b, part in zip(beta, parts[1:], strict=True):
            entries = sp.coo_array(part)
            scores[entries.row, entries.col] += b * entries.data
        return scores


def by_kind(whole: Sparse, items: int) -> list[Sparse]:
    """The columns of each behaviour."""
    return [
        sp.csr_array(whole[:, at : at + items])
        for at in range(0, whole.shape[1], max(items, 1))
    ]


@dataclass(frozen=True)
class Choices:
    """Questions of a market: which of some items a user took.

    features  (p, f)
    first     (q,) where each question begins; the item taken stands first
    worth     (p,) ≥ 1, how many items each stands for
    """

    features: Array = field(repr=False)
    first: Ints
    worth: Array = field(repr=False)

    @classmethod
    def of(
        cls, links: Links, whole: Sparse, taken: Sequence[tuple[int, int]], rng: Rng
    ) -> Choices:
        """taken  (row of `whole`, item) that was hidden from it, one a question."""
        items = links.matrix.shape[0]
        parts, draw = by_kind(whole, items), rng.generator()
        others = sp.csr_array(sum(parts[1:], 0 * parts[0]))
        user: list[Ints] = []
        item: list[Ints] = []
        worth: list[Array] = []
        for row, right in taken:
            barred = np.zeros(items, bool)
            barred[_of(parts[0], row)] = True
            barred[right] = True
            met = _of(others, row)
            met = met[~barred[met]]
            barred[met] = True
            free = np.flatnonzero(~barred)
            some = draw.choice(free, min(DRAWN, len(free)), replace=False)
            item.append(np.r_[right, met, some])
            user.append(np.full(len(item[-1]), row))
            share = len(free) / max(len(some), 1)
            worth.append(np.r_[np.ones(1 + len(met)), np.full(len(some), share)])
        if not item:
            none = np.zeros((0, 2 + 3 * (len(parts) - 1)))
            return cls(none, np.zeros(0, np.int64), np.zeros(0))
        features = links.features(whole, np.concatenate(user), np.concatenate(item))
        first = np.cumsum([0, *(len(each) for each in item[:-1])])
        return cls(features, first, np.concatenate(worth))


def _of(part: Sparse, row: int) -> Ints:
    return part.indices[part.indptr[row] : part.indptr[row + 1]].astype(np.int64)


def learned(lessons: Sequence[Choices], shrink: float, towards: Array, scale: Array) -> Array:
    """(f,) the weights θ under which all that was taken is likeliest.

    shrink   κ > 0, of θ in units of one over `scale`
    towards  (f,) θ₀
    scale    (f,) > 0, a deviation of each feature
    """
    anchor = towards * scale

    def loss(theta: Array) -> tuple[float, Array]:
        value = 0.5 * shrink * float(((theta - anchor) ** 2).sum())
        slope = shrink * (theta - anchor)
        for lesson in lessons:
            if not len(lesson.first):
                continue
            x = lesson.features / scale
            exponent = x @ theta + np.log(lesson.worth)
            counts = np.diff(np.r_[lesson.first, len(x)])
            top = np.repeat(np.maximum.reduceat(exponent, lesson.first), counts)
            odds = np.exp(exponent - top)
            total = np.add.reduceat(odds, lesson.first)
            right = exponent[lesson.first] - top[lesson.first]
            value += float((np.log(total) - right).sum())
            share = odds / np.repeat(total, counts)
            slope = slope + x.T @ share - x[lesson.first].sum(axis=0)
        return value, slope

    found = minimize(loss, anchor, jac=True, method="L-BFGS-B")
    theta: Array = found.x / scale
    return theta


def deviations(lessons: Sequence[Choices]) -> Array:
    """(f,) of each feature over all candidates; 1 where it never differs."""
    scale: Array = np.concatenate([lesson.features for lesson in lessons]).std(axis=0)
    scale[~(scale > 1e-9)] = 1.0
    return scale


@dataclass(frozen=True)
class BehaviourRanker:
    """A conditional logit over what users did with items and with others like them.

    kinds   behaviours besides the one asked for, in the order of the columns beside
    theta   (2 + 3 n_kinds,) α, β, γ
    """

    kinds: tuple[str, ...] = ()
    links: Links | None = field(default=None, repr=False)
    theta: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "behaviours"
    form: ClassVar[str] = "items"

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[BehaviourRanker, ...]:
        return (self,)

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
    ) -> BehaviourRanker:
        """The same weights; `strategies.relation.behaviours` learns them and the links."""
        return self

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert context is not None and self.links is not None
        return rank(self.scores, context, query, self.links.fame[0])

    def scores(self, known: Sparse) -> Array:
        """(n, n_items) for what is known of users, behaviour by behaviour."""
        assert self.links is not None and self.theta is not None
        return self.links.scores(known, self.theta)

    def state(self) -> State:
        assert self.links is not None and self.theta is not None
        tensors = {
            "matrix": self.links.matrix,
            "fame": self.links.fame,
            "theta": self.theta,
        }
        return State(self.kind, {"kinds": list(self.kinds)}, tensors)

    @classmethod
    def restore(cls, state: State) -> BehaviourRanker:
        fame, theta = (np.asarray(state.tensors[n], np.float64) for n in ("fame", "theta"))
        links = Links(state.tensors["matrix"], fame)
        return cls(tuple(state.meta["kinds"]), links, theta)

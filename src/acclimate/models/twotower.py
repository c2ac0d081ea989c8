"""Two towers: users and items meet in one space, by what is known of them and what they took.

    item    v_i = F_i W + e_i,                   b_i = F_i w + c_i
    user    x_u = (Σ_{j ∈ S} v_j) M / √|S| + a_u A + d
    score   s_ui = x_u·v_i + b_i
    loss    −Σ_{i ∈ T} log softmax(s_u)_i / |T|

F features of items and a of users, e and c what an item has of its own. S and T part what a
user took anew at each step, and any share from nothing to all may be in S: a user of one event,
or of none, is met in training. At each step some items are shown without e and c, so that W
learns what attributes alone can say; an item that nobody took has neither. F are the first
256 principal directions of the features, where these are more.

Source: Yi, Yang, Hong, Cheng, Heldt et al., "Sampling-bias-corrected neural
modeling for large corpus item recommendations", RecSys 2019 (two towers, a softmax over items);
Volkovs, Yu & Poutanen, "DropoutNet: addressing cold start in recommender systems", NeurIPS 2017
(histories and items hidden while training).  Departures: towers are linear; the softmax is
over every item that was taken, and needs no correction; a user's tower reads the items' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Sparse, Tensor
from acclimate.domains.exam import Ranking
from acclimate.domains.view import ItemView
from acclimate.errors import StrategyError
from acclimate.models.items import ItemQuery, require_few
from acclimate.models.model import State, Tick, idle
from acclimate.models.network import Adam, Losses, no_torch, together, train
from acclimate.models.streams import Batch, Params, Stream
from acclimate.models.views import rank_views
from acclimate.rng import Rng

if TYPE_CHECKING:
    import torch

DIRECTIONS = 256  # of attributes; films have tens of thousands of features, nearly all alone
START = 0.1  # standard deviation of an item's own factors, before they learn


@dataclass(frozen=True)
class TwoTower:
    """A linear tower of users and one of items.

    factors   ≥ 1, numbers a user or an item is told by
    rate      > 0, of Adam
    penalty   ≥ 0, on the squares of what items have of their own, a step
    hide      0 … 1, share of items shown by their attributes alone at a step
    epochs    ≥ 1, passes over the users
    least     ≥ 1, steps, however few users there are
    batch     ≥ 1, users a step
    items     (n_items, factors) v after fitting; `bias` (n_items,) b
    mixing    (factors, factors) M; `people` (1 + d, factors) the rows d and A
    standing  (n_items,) breaks ties and serves users of whom nothing is known
    """

    factors: int = 64
    rate: float = 5e-3
    penalty: float = 1e-3
    hide: float = 0.3
    epochs: int = 60
    least: int = 600
    batch: int = 256
    items: Tensor | None = field(default=None, repr=False)
    bias: Tensor | None = field(default=None, repr=False)
    mixing: Tensor | None = field(default=None, repr=False)
    people: Tensor | None = field(default=None, repr=False)
    standing: Array | None = field(default=None, repr=False)

    kind: ClassVar[str] = "two-tower"
    form: ClassVar[str] = "items"
    effort: ClassVar[int] = 2
    unasked: ClassVar[bool] = False
    reads_attributes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        counts = (self.factors, self.epochs, self.least, self.batch)
        numbers = 0 < self.rate < np.inf and 0 <= self.penalty < np.inf
        if min(counts) < 1 or not numbers or not 0 <= self.hide <= 1:
            raise StrategyError(
                "Expected at least one factor, epoch, step and user a step, a finite rate "
                "above 0, a finite penalty of at least 0 and a share hidden between 0 and 1; "
                f"found {', '.join(map(str, counts))}, {self.rate}, {self.penalty} and "
                f"{self.hide}."
            )

    @property
    def knows_people(self) -> bool:
        return self.people is not None and len(self.people) > 1

    def why_not(self) -> str | None:
        return no_torch()

    def grid(self) -> tuple[TwoTower, ...]:
        """Itself: a fit takes minutes."""
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
    ) -> TwoTower:
        users, items = prepared.matrix.shape
        require_few(items)
        F = compact(_told(prepared.items, items))
        people = _told(prepared.users, users)
        learned = self._learned(prepared, F, people, rng, tick)
        own = prepared.popularity > 0
        vectors = F @ learned["W"] + np.where(own[:, None], learned["e"], 0.0)
        bias = F @ learned["w"] + np.where(own, learned["c"], learned["c"][own].mean())
        return replace(
            self,
            items=np.asarray(vectors, np.float32),
            bias=np.asarray(bias, np.float32),
            mixing=learned["M"],
            people=np.vstack([learned["d"][None], learned["A"]]),
            standing=prepared.standing,
        )

    def _learned(
        self, view: ItemView, F: Tensor, people: Sparse, rng: Rng, tick: Tick
    ) -> dict[str, Tensor]:
        """Every parameter after training."""
        import torch

        X = view.matrix
        rows = np.flatnonzero(np.diff(X.indptr))
        own = torch.from_numpy(view.popularity > 0)
        features = torch.from_numpy(F)

        def noise(count: int, generator: torch.Generator) -> Batch:
            share = torch.rand(count, 1, generator=generator)
            drawn = torch.rand(count, X.shape[1], generator=generator)
            shown = torch.rand(X.shape[1], generator=generator) >= self.hide
            return {"seen": drawn < share, "shown": shown.float()}

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            batch = batches["users"]
            at = batch["row"].numpy()
            taken = torch.from_numpy(X[at].toarray().astype(np.float32))
            told = torch.from_numpy(people[at].toarray().astype(np.float32))
            seen = taken * batch["seen"]
            shown = batch["shown"]
            return {"taken": self.loss(params, features, own, taken, seen, told, shown)}

        draw = rng.child("parameters").generator()
        size = self.factors

        def small(*shape: int) -> torch.Tensor:
            return torch.from_numpy(draw.normal(0.0, START, shape).astype(np.float32))

        counts = view.popularity + 1.0
        params = {
            "W": small(F.shape[1], size),
            "e": small(X.shape[1], size),
            "M": torch.eye(size),
            "A": small(people.shape[1], size),
            "d": torch.zeros(size),
            "w": torch.zeros(F.shape[1]),
            "c": torch.from_numpy(np.log(counts / counts.mean()).astype(np.float32)),
        }
        stream = Stream({"row": torch.from_numpy(rows)}, self.batch, noise)
        steps = max(self.least, self.epochs * stream.batches_a_pass) if len(rows) else 0
        learned = train(
            step,
            params,
            batches=together({"users": stream}, rng),
            steps=steps,
            update=Adam(self.rate),
            tick=tick,
        )
        return {name: value.numpy() for name, value in learned.items()}

    def loss(
        self,
        params: Params,
        features: torch.Tensor,
        own: torch.Tensor,
        taken: torch.Tensor,
        seen: torch.Tensor,
        told: torch.Tensor,
        shown: torch.Tensor,
    ) -> torch.Tensor:
        """Of some users, over the items that anybody took.

        own    (n_items,) whether anybody did
        taken  (users, n_items) ones; `seen` those of them in S; the others are T
        told   (users, d) features
        shown  (n_items,) 1 where an item has its own e and c at this step
        """
        import torch

        items = features @ params["W"] + shown[:, None] * params["e"]
        bias = features @ params["w"] + shown * params["c"]
        history = seen @ items / seen.sum(dim=1, keepdim=True).clamp(min=1.0).sqrt()
        people = history @ params["M"] + told @ params["A"] + params["d"]
        scores = (people @ items.T + bias).masked_fill(~own, -torch.inf)
        wanted = taken - seen
        share = wanted / wanted.sum(dim=1, keepdim=True).clamp(min=1.0)
        logs = torch.log_softmax(scores, dim=1).masked_fill(~own, 0.0)
        squares = (params["e"] ** 2).sum() + (params["W"] ** 2).sum() + (params["A"] ** 2).sum()
        return -(share * logs).sum(dim=1).mean() + self.penalty * squares

    def predict(self, query: ItemQuery, context: ItemView | None = None) -> Ranking:
        assert self.standing is not None and context is not None
        return rank_views(self.scores, context, query, self.standing)

    def scores(self, view: ItemView) -> Array:
        """(n, n_items) of every item for each history and what is known of its user."""
        assert self.items is not None and self.bias is not None
        assert self.mixing is not None and self.people is not None
        assert self.standing is not None
        items = np.asarray(self.items, np.float64)
        taken = np.diff(view.matrix.indptr)
        history = (view.matrix @ items) / np.sqrt(np.maximum(taken, 1))[:, None]
        told = _told(view.users, len(taken), len(self.people) - 1)
        people = history @ self.mixing + told @ self.people[1:] + self.people[0]
        scores: Array = people @ items.T + self.bias
        scores[(taken == 0) & (np.diff(told.indptr) == 0)] = self.standing
        return scores

    def state(self) -> State:
        assert self.items is not None and self.bias is not None
        assert self.mixing is not None and self.people is not None
        assert self.standing is not None
        names = ("factors", "rate", "penalty", "hide", "epochs", "least", "batch")
        learned = ("items", "bias", "mixing", "people", "standing")
        tensors = {name: getattr(self, name) for name in learned}
        return State(self.kind, {name: getattr(self, name) for name in names}, tensors)

    @classmethod
    def restore(cls, state: State) -> TwoTower:
        learned: dict[str, Any] = dict(state.tensors)
        learned["standing"] = learned["standing"].astype(float)
        return cls(**state.meta, **learned)


def compact(features: Sparse) -> Tensor:
    """The same rows in at most 256 columns: their first principal directions.

    features  (n, d); where d is no more than that, they are left as they are
    returns   (n, min(d, 256)) U Σ of the features' largest singular values
    """
    from scipy.sparse.linalg import svds

    if features.shape[1] <= DIRECTIONS or min(features.shape) <= DIRECTIONS:
        return np.asarray(features.toarray(), np.float32)
    begin = np.ones(min(features.shape)) / np.sqrt(min(features.shape))
    left, size, _ = svds(features.astype(np.float64), k=DIRECTIONS, v0=begin)
    order = np.argsort(-size)
    return np.asarray(left[:, order] * size[order], np.float32)


def _told(features: Sparse | None, n: int, width: int = 0) -> Sparse:
    """Features in single precision; zeros where nothing is known."""
    if features is None:
        features = sp.csr_array((n, width))
    single: Sparse = features.astype(np.float32)
    return single

"""Models that learn across users how to learn a user: MAML over users, as MeLU has it.

A user is a task. The network reads a user's and an item's attributes, embeds both, and says how
the user rates the item; what is adapted to a user's known ratings are the layers above the
embeddings, and everything is learned so that ratings not yet seen are right afterwards:

    min  Σ_users L(φ, θ − α ∇_θ L(φ, θ; known); asked)      φ embeddings, θ layers above

Source: Lee, Im, Jang, Cho & Chung, "MeLU: meta-learned user preference estimator for cold-start
recommendation", KDD 2019 (arXiv:1908.00413), Algorithm 1. `melu` has its squared error of
ratings; `maml-users` asks instead whether an item was rated at all, with items drawn at random
as not (logistic loss), because what is ranked here is the whole catalogue.
The descent is that of `strategies.meta.inner`, and the loop that of `models.network`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Ranking
from acclimate.models.items import ItemQuery
from acclimate.models.network import Adam, Losses, no_torch, together, train
from acclimate.models.streams import Batch, Params, Stream
from acclimate.models.twotower import compact
from acclimate.models.views import rank_views
from acclimate.rng import Rng
from acclimate.strategies.meta.inner import Inner
from benchmarks.cold_data import Cold, Lesson, Question, Ratings

if TYPE_CHECKING:
    import torch

SUPPORT, ASKED = 10, 10  # ratings of a user in an episode, each at most
DRAWN = 4  # items not taken beside each that was
WIDTH = 32


@dataclass(frozen=True)
class Settings:
    """alpha > 0, rate of the inner descent; steps of it; of the outer loop `rounds`."""

    alpha: float
    steps: int = 1
    rounds: int = 600
    rate: float = 5e-3
    tasks: int = 32


@dataclass(frozen=True)
class AcrossUsers:
    """MAML over users.

    rates    squared error of ratings; else whether an item was taken
    """

    rates: bool

    def why_not(self, cold: Cold) -> str | None:
        if cold.judge.view.items is None:
            return "there are no attributes of items to read"
        if self.rates and cold.judge.ratings.value is None:
            return "there are events and no ratings to predict"
        return no_torch()

    def grid(self, cold: Cold) -> Sequence[Settings]:
        return (Settings(0.1, 3), Settings(0.5, 3))

    def fit(self, settings: Settings, lesson: Lesson, rng: Rng) -> Any:
        import torch

        view = lesson.view
        assert view.items is not None
        users, n_items = view.matrix.shape
        F = torch.from_numpy(compact(view.items))
        told = _told(view.users, users)
        params = _fresh(F.shape[1], told.shape[1], rng.child("parameters"))
        inner = Inner(settings.alpha, settings.steps)
        tasks = Tasks.of(lesson.ratings, users, rng.child("tasks"))

        def alone(params: Params, people: torch.Tensor, known: Batch, asked: Batch) -> Any:
            def loss(all_: Params, rows: Batch) -> torch.Tensor:
                return _loss(self.rates, score(all_, people, F, rows["item"]), rows)

            fast = inner.adapted(loss, params, LAYERS, known)
            return loss(fast, asked)

        def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Losses:
            at = batches["users"]["row"].numpy()
            known, asked = tasks.draw(at, n_items)
            each = torch.func.vmap(alone, in_dims=(None, 0, 0, 0))
            return {"asked": each(params, told[at], known, asked).mean()}

        stream = Stream({"row": torch.from_numpy(tasks.users)}, settings.tasks)
        learned = train(
            step,
            params,
            batches=together({"users": stream}, rng),
            steps=settings.rounds,
            update=Adam(settings.rate),
        )
        return _answerer(self.rates, learned, inner, F, rng.child("answers"))


LAYERS = frozenset({"W1", "b1", "W2", "b2", "w3", "b3"})


def _fresh(items: int, users: int, rng: Rng) -> Params:
    import torch

    draw = rng.generator()

    def weights(*shape: int) -> torch.Tensor:
        scale = 1.0 / np.sqrt(max(1, shape[0]))
        return torch.from_numpy(draw.normal(0.0, scale, shape).astype(np.float32))

    params = {
        "I": weights(items, WIDTH) * np.sqrt(items / 8),
        "U": weights(users, WIDTH) * np.sqrt(max(1, users) / 4),
        "W1": weights(2 * WIDTH, WIDTH),
        "b1": torch.zeros(WIDTH),
        "W2": weights(WIDTH, WIDTH),
        "b2": torch.zeros(WIDTH),
        "w3": weights(WIDTH, 1),
        "b3": torch.zeros(1),
    }
    return {name: value.float() for name, value in params.items()}


def score(params: Params, people: torch.Tensor, F: torch.Tensor, item: torch.Tensor) -> Any:
    """(n,) how one user rates some items."""
    import torch

    left = (people @ params["U"]).expand(len(item), WIDTH)
    hidden = torch.cat([left, F[item] @ params["I"]], dim=1)
    hidden = torch.relu(hidden @ params["W1"] + params["b1"])
    hidden = torch.relu(hidden @ params["W2"] + params["b2"])
    return (hidden @ params["w3"] + params["b3"])[:, 0]


def _loss(rates: bool, said: torch.Tensor, rows: Batch) -> torch.Tensor:
    import torch

    if rates:
        each = (said - rows["value"]) ** 2
    else:
        target = (rows["value"] > 0).float()
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            said, target, reduction="none"
        )
    weight = rows["weight"] * (rows["value"] > 0) if rates else rows["weight"]
    return (weight * each).sum() / weight.sum().clamp(min=1.0)


@dataclass
class Tasks:
    """What users rated, from which episodes are drawn.

    users  rows with four ratings or more
    items, values  of each row; values of events are 1
    """

    users: Ints
    items: list[Ints]
    values: list[Array]
    draw_: np.random.Generator
    rated: bool

    @classmethod
    def of(cls, ratings: Ratings, n: int, rng: Rng) -> Tasks:
        order = np.argsort(ratings.user, kind="stable")
        ends = np.cumsum(np.bincount(ratings.user, minlength=n))[:-1]
        value = np.ones(len(order)) if ratings.value is None else _scaled(ratings.value)
        items, values = np.split(ratings.item[order], ends), np.split(value[order], ends)
        users = np.flatnonzero([len(each) >= 4 for each in items])
        return cls(users, items, values, rng.generator(), ratings.value is not None)

    def draw(self, rows: Ints, n_items: int) -> tuple[Batch, Batch]:
        """Ratings to learn from and ratings asked, of each of these users."""
        sides: tuple[list[Any], list[Any]] = ([], [])
        for row in rows:
            order = self.draw_.permutation(len(self.items[row]))
            asked = min(ASKED, len(order) // 2)
            known = self.draw_.integers(0, SUPPORT + 1)
            parts = order[asked : asked + known], order[:asked]
            for side, part in zip(sides, parts, strict=True):
                side.append((self.items[row][part], self.values[row][part]))
        return (
            padded(sides[0], SUPPORT, n_items, self.draw_),
            padded(sides[1], ASKED, n_items, self.draw_),
        )


def padded(
    rows: list[tuple[Ints, Array]], most: int, n_items: int, draw: np.random.Generator
) -> Batch:
    """(tasks, most · (1 + drawn)) items, values and weights; drawn items have the value 0."""
    import torch

    n = len(rows)
    item = draw.integers(0, n_items, (n, most * (1 + DRAWN)))
    value, weight = np.zeros(item.shape), np.zeros(item.shape)
    for row, (items, values) in enumerate(rows):
        item[row, : len(items)] = items
        value[row, : len(items)] = values
        weight[row, : len(items)] = 1.0
        weight[row, most : most + DRAWN * len(items)] = 1.0
    return {
        "item": torch.from_numpy(item),
        "value": torch.from_numpy(value.astype(np.float32)),
        "weight": torch.from_numpy(weight.astype(np.float32)),
    }


def _scaled(value: Array) -> Array:
    """Ratings of 1 … 5 as 0.2 … 1, so that 0 is left for what was not rated."""
    return value / 5.0


def _told(users: Any, n: int) -> Any:
    import torch

    dense = np.zeros((n, 0)) if users is None else users.toarray()
    return torch.from_numpy(dense.astype(np.float32))


def _answerer(rates: bool, params: Params, inner: Inner, F: torch.Tensor, rng: Rng) -> Any:
    """Adapt to each user's known ratings, and score every item."""
    import torch

    every = torch.arange(len(F))

    def answer(question: Question, k: int) -> Ranking:
        n = question.view.matrix.shape[0]
        told = _told(question.view.users, n)
        tasks = Tasks.of(question.known, n, rng)
        rows = [(tasks.items[u][-SUPPORT:], tasks.values[u][-SUPPORT:]) for u in range(n)]
        known = padded(rows, SUPPORT, len(F), rng.child(question.name).generator())

        def one(people: torch.Tensor, mine: Batch) -> torch.Tensor:
            def loss(all_: Params, rows: Batch) -> torch.Tensor:
                return _loss(rates, score(all_, people, F, rows["item"]), rows)

            said: torch.Tensor = score(
                inner.adapted(loss, params, LAYERS, mine), people, F, every
            )
            return said

        parts = []
        for start in range(0, n, 64):
            block = {name: value[start : start + 64] for name, value in known.items()}
            with torch.no_grad():
                each = torch.func.vmap(one)(told[start : start + 64], block)
            parts.append(each.numpy().astype(np.float64))
        scores = np.concatenate(parts)
        done = [0]

        def next_(view: Any) -> Array:
            done[0] += view.matrix.shape[0]
            return scores[done[0] - view.matrix.shape[0] : done[0]].copy()

        lists = question.candidates
        query = ItemQuery(k, None if lists is None else np.tile(lists, (n, 1)))
        return rank_views(next_, question.view, query, question.view.popularity)

    return answer

"""What is tried on cold starts: models of the catalogue, and networks that read attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from acclimate.domains.exam import Ranking
from acclimate.models.als import Als
from acclimate.models.content import Content
from acclimate.models.ease import Ease
from acclimate.models.items import ItemQuery
from acclimate.models.model import Model
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.models.twotower import TwoTower
from acclimate.rng import Rng
from benchmarks.cold_data import Cold, Lesson, Question
from benchmarks.cold_meta import AcrossUsers

Answerer = Callable[[Question, int], Ranking]


class Arm(Protocol):
    """Something with settings that learns from a lesson and answers questions."""

    def why_not(self, cold: Cold) -> str | None: ...

    def grid(self, cold: Cold) -> Sequence[Any]: ...

    def fit(self, settings: Any, lesson: Lesson, rng: Rng) -> Answerer: ...


@dataclass(frozen=True)
class OfModels:
    """Models of the catalogue, each a setting, or `Content` around each of them."""

    models: tuple[Any, ...]
    attributes: bool = False

    def why_not(self, cold: Cold) -> str | None:
        return next((why for model in self.models if (why := model.why_not())), None)

    def grid(self, cold: Cold) -> Sequence[Model]:
        if not self.attributes:
            return self.models
        return [each for base in self.models for each in around(base, cold)]

    def fit(self, settings: Model, lesson: Lesson, rng: Rng) -> Answerer:
        fitted = settings.fit(settings.prepare(lesson.view), rng=rng)

        def answer(question: Question, k: int) -> Ranking:
            n = question.view.matrix.shape[0]
            lists = question.candidates
            candidates = None if lists is None else np.tile(lists, (n, 1))
            found = fitted.predict(ItemQuery(k, candidates), question.view)
            assert isinstance(found, Ranking)
            return found

        return answer


USERS = "new users"  # of which settings of profiles tell; of new items those of bridges do


def around(base: Model, cold: Cold) -> list[Model]:
    """Content around a base, with what matters to one kind of cold start."""
    if cold.name == USERS:
        return [Content(base, profile=g, people=300.0) for g in (0.1, 0.3, 1.0, 3.0)]
    return [Content(base, ridge=ridge) for ridge in (0.3, 1.0, 3.0)]


EASE = tuple(Ease(penalty) for penalty in (100.0, 300.0, 1000.0))
ALS = tuple(Als(64, w, 0.01) for w in (0.03, 0.1, 0.3))
ARMS: dict[str, Arm] = {
    "popularity": OfModels((Popularity(),)),
    "item-knn": OfModels((ItemKnn(), ItemKnn(300))),
    "ease": OfModels(EASE),
    "als": OfModels(ALS),
    "content/popularity": OfModels((Popularity(),), attributes=True),
    "content/als": OfModels(ALS[2:], attributes=True),
    "content/ease": OfModels(EASE[1:], attributes=True),
    "two-tower": OfModels((TwoTower(), TwoTower(epochs=20, least=200))),
    "melu": AcrossUsers(rates=True),
    "maml-users": AcrossUsers(rates=False),
}
META = ("melu", "maml-users")

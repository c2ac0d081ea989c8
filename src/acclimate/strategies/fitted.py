"""Fitted: an encoder and a model that belong together; what an artifact holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acclimate.domains.exam import Case, Prediction, Ranking, RankQuery
from acclimate.domains.sample import Interactions
from acclimate.domains.view import Encoder, ItemEncoder
from acclimate.models.items import ItemQuery
from acclimate.models.model import Model

SPARE = 3  # times the length of a list is asked for, where some of it may fall out


@dataclass(frozen=True)
class Fitted:
    """Answers in the target's terms: raw rows or histories in, catalogue positions out.

    facts  what the steps of its arm found out, in sentences; an artifact does not keep them
    """

    encoder: Encoder
    model: Model
    facts: tuple[str, ...] = ()

    def predict(self, query: Any, context: Any = None) -> Prediction:
        """Answer a query.

        query    `Rows` for a row model, a `RankQuery` for an item model
        context  `Interactions` whose users are those of the query, in order
        """
        if isinstance(query, RankQuery):
            return self._rank(query, context)
        return self.model.predict(self.encoder.encode(query))

    def answer(self, case: Case) -> Prediction:
        """Answer a case; its truth is not looked at."""
        return self.predict(case.query, case.context)

    def _rank(self, query: RankQuery, context: Interactions) -> Ranking:
        encoder = self.encoder
        assert isinstance(encoder, ItemEncoder)
        candidates = None
        if query.candidates is not None:
            column = np.full(len(encoder.catalogue), -1)
            column[encoder.known] = np.arange(len(encoder.known))
            candidates = column[query.candidates]
        k = query.k if query.moments is None else SPARE * query.k
        ranking = self.model.predict(ItemQuery(k, candidates), encoder.encode(context))
        assert isinstance(ranking, Ranking)
        if query.candidates is not None:
            return replace(ranking, items=query.candidates, size=len(encoder.catalogue))
        known = np.r_[encoder.known, -1]
        whole = replace(ranking, items=known[ranking.items], size=len(encoder.catalogue))
        return whole if query.moments is None else _sold_by_then(whole, query)


def _sold_by_then(ranking: Ranking, query: RankQuery) -> Ranking:
    """The first k of each list without items first sold after its user was asked."""
    assert query.moments is not None and query.sold is not None
    late = np.r_[query.sold, -np.inf][ranking.items] > query.moments[:, None]
    order = np.argsort(late, axis=1, kind="stable")[:, : query.k]
    kept = ~np.take_along_axis(late, order, axis=1)
    items = np.where(kept, np.take_along_axis(ranking.items, order, axis=1), -1)
    scores = np.where(kept, np.take_along_axis(ranking.scores, order, axis=1), -np.inf)
    return replace(ranking, items=items, scores=scores)

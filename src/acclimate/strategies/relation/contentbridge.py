"""Content bridge: a source of other items teaches the target's EASE through attributes.

    B_t⁰ = Mᵀ B_s M    and    min ‖X − XB‖² + λ‖B‖² + μ Σ_s ‖B − B_t⁰‖²

B_s is the source's own item–item matrix; a column of M says which of its items a target's item
is like: the `neighbours` most alike by attributes, each with its share of their cosines.  An
item that both sell under one id is itself.  Formula of the fit in `models.ease`.

Source: the prior is that of `item-prior`; carrying what was learned of items over by their
attributes is Gantner et al., ICDM 2010.  Departure: a matrix of items and not factors is
carried, and by its neighbours, not by regression: what is not alike carries nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Sparse
from acclimate.domains.attributes import similar
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemRecipe
from acclimate.models.ease import Ease, ItemPrior
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.relation.itemprior import (
    SourceItems,
    SourceSettings,
    source_items,
)
from acclimate.strategies.strategy import Adapt, Strategy


@dataclass(frozen=True)
class ContentBridge(Adapt):
    """EASE drawn towards what sources know of items like the target's.

    strength        μ > 0, in users: weight of each source's matrix
    neighbours      ≥ 1, items of a source that stand for one of the target's
    source_penalty  λ_s > 0, in users: penalty of each source's own matrix
    """

    strength: float = 100.0
    neighbours: int = 10
    source_penalty: float = 300.0

    kind: ClassVar[str] = "content-bridge"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.TARGET
    complexity: ClassVar[int] = 4
    unasked: ClassVar[bool] = False

    def why_not_source(self, source: Source) -> str | None:
        if (why := super().why_not_source(source)) is not None:
            return why
        held = source.held
        if isinstance(held, Interactions) and held.about_items is None:
            return f"source {source.name!r} tells no attributes of its items"
        return None

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Ease):
            return f"{model.kind} has no item–item matrix that items alike could draw on"
        if not isinstance(problem.recipe, ItemRecipe) or problem.recipe.about is None:
            return "the target tells no attributes of its items"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, strength=mu) for mu in (10.0, 30.0, 100.0, 300.0, 1000.0))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        encoder = problem.encoder
        assert isinstance(encoder, ItemEncoder)
        settings = SourceSettings.for_recipe(problem.recipe, self.source_penalty)
        matrices, popularity = [], np.zeros(len(encoder.known))
        for source in problem.sources:
            tick()
            given = source.derive(source_items, settings)
            M = bridge(source, given, encoder, self.neighbours)
            carried = np.asarray(M.T @ (M.T @ given.matrix.astype(np.float64)).T).T
            matrices.append(carried)
            popularity += M.T @ given.popularity
        prior = ItemPrior(matrices, [self.strength] * len(matrices), popularity)
        prepared = model.prepare(problem.view(problem.fit))
        return model.fit(prepared, prior=prior, rng=rng, tick=tick)


def bridge(source: Source, given: SourceItems, encoder: ItemEncoder, neighbours: int) -> Sparse:
    """M: (source items, target items) shares of the likest, columns sum to 1 or to 0."""
    held, space, mine = source.sample, encoder.about.items, encoder.about.features
    assert isinstance(held, Interactions) and held.about_items is not None
    assert space is not None and mine is not None
    place = {item: at for at, item in enumerate(held.items)}
    about = held.about_items.take(np.array([place[item] for item in given.items], np.int64))
    at, alike = similar(mine, space.encode(about, about.n), neighbours)
    own = {item: row for row, item in enumerate(given.items)}
    for column, item in enumerate(encoder.catalogue[encoder.known]):
        if item in own:
            at[column], alike[column] = own[item], 0.0
            alike[column, 0] = 1.0
    share = np.maximum(alike, 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
    columns = np.repeat(np.arange(len(at)), at.shape[1])
    shape = (len(given.items), len(at))
    return sp.csr_array((share.ravel(), (at.ravel(), columns)), shape=shape)

"""Item–item prior: the target's EASE drawn towards those of its sources.

Formula in `models.ease`.  Each source gives only its Gram matrix, on its own
vocabulary; its B_s is solved there once and mapped to the target's items, so a
new target costs one inverse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Strings, Tensor
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Sample
from acclimate.domains.source import Source, gives
from acclimate.domains.view import ItemEncoder, ItemRecipe, Recipe
from acclimate.models.ease import Ease, ItemPrior, solve
from acclimate.models.items import gram_of
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.strategy import Adapt, Strategy

# Each setting more is an inverse a fold.
MOST_SET_APART = 4  # sources, beyond which all get one strength
LOW, HIGH = 10.0, 300.0  # users; of the others, and of the one source that is trusted


@dataclass(frozen=True)
class SourceSettings:
    """How a source's own matrix is solved.

    penalty  λ_s > 0, in users
    at_most  ≥ 2, items the source keeps: its most taken
    """

    penalty: float = 300.0
    at_most: int = 6000

    @classmethod
    def for_recipe(cls, recipe: Recipe, penalty: float = 300.0) -> SourceSettings:
        """As many items for a source as the problem's recipe gives the target."""
        assert isinstance(recipe, ItemRecipe)
        return cls(penalty, recipe.at_most)


@dataclass(frozen=True)
class SourceItems:
    """What a source gives away: an item–item matrix and how often each item was taken."""

    items: Strings
    matrix: Tensor
    popularity: Array


@gives("gram")
def source_items(sample: Sample, settings: SourceSettings) -> SourceItems:
    """A source's B_s on its own vocabulary; a recipe for `Source.derive`."""
    assert isinstance(sample, Interactions)
    encoder = ItemRecipe(sample.items, settings.at_most).fit([sample], [])
    gram = gram_of(encoder.encode(sample))
    matrix = solve(gram.gram, settings.penalty).astype(np.float32)
    return SourceItems(encoder.catalogue[encoder.known], matrix, gram.popularity)


@dataclass(frozen=True)
class ItemItemPrior(Adapt):
    """EASE with Σ μ_s ‖B − B_s‖² added to its loss.

    strength        μ > 0, in users: weight of each source's matrix
    source_penalty  λ_s > 0, in users: penalty of each source's own matrix
    strengths       (name, μ_s ≥ 0) of sources with a weight of their own; a name that no
                    source has is passed over, as an arm may leave its source out
    """

    strength: float = 100.0
    source_penalty: float = 300.0
    strengths: tuple[tuple[str, float], ...] = ()

    kind: ClassVar[str] = "item-prior"
    reads: ClassVar[frozenset[str]] = frozenset({"gram"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 3

    def why_not_source(self, source: Source) -> str | None:
        if source.fitted is None:
            return super().why_not_source(source)
        if not isinstance(source.fitted.model, Ease):
            return f"source {source.name!r} is a fitted {source.fitted.model.kind}, not ease"
        return None

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Ease):
            return f"{model.kind} has no item–item matrix that a prior could draw on"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        """One strength for all; for up to four sources also each alone trusted most."""
        alike = [replace(self, strength=mu) for mu in (10.0, 30.0, 100.0, 300.0, 1000.0)]
        if not 2 <= len(problem.sources) <= MOST_SET_APART:
            return tuple(alike)
        names = [source.name for source in problem.sources]
        return (*alike, *(replace(self, strength=LOW, strengths=((n, HIGH),)) for n in names))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        encoder = problem.encoder
        assert isinstance(encoder, ItemEncoder)
        settings = SourceSettings.for_recipe(problem.recipe, self.source_penalty)
        matrices, popularity = [], np.zeros(len(encoder.known))
        apart = dict(self.strengths)
        for source in problem.sources:
            tick()
            mapped = map_items(given_items(source, settings), encoder)
            matrices.append(mapped.matrix)
            popularity += mapped.popularity
        strengths = [apart.get(source.name, self.strength) for source in problem.sources]
        prior = ItemPrior(matrices, strengths, popularity)
        prepared = model.prepare(problem.view(problem.fit))
        return model.fit(prepared, prior=prior, rng=rng, tick=tick)


def given_items(source: Source, settings: SourceSettings) -> SourceItems:
    """A source's matrix, solved from its Gram matrix, or that of the model it is."""
    fitted = source.fitted
    if fitted is None:
        return source.derive(source_items, settings)
    known = fitted.encoder.catalogue[fitted.encoder.known]
    return SourceItems(known, fitted.model.matrix, fitted.model.popularity)


def map_items(given: SourceItems, encoder: ItemEncoder) -> SourceItems:
    """A source's matrix in the target's vocabulary; items it lacks relate to nothing."""
    column = encoder.columns_of(given.items)
    theirs = np.flatnonzero(column >= 0)
    mine = column[theirs]
    size = len(encoder.known)
    matrix = np.zeros((size, size), np.float32)
    matrix[np.ix_(mine, mine)] = given.matrix[np.ix_(theirs, theirs)]
    popularity = np.zeros(size)
    popularity[mine] = given.popularity[theirs]
    return SourceItems(encoder.catalogue[encoder.known], matrix, popularity)

"""Item graph: the target's scores of items, spread over what the sources' users take together.

    f = (1 − α) (I − αS)⁻¹ y,   S = D^(−½) W D^(−½),   W = Σ_s G_s without its diagonal

y are a user's scores by the target's own EASE, y = xB, so that the whole is EASE again with
the matrix (1 − α) B (I − αS)⁻¹.  Only who is taken with whom is carried over; scores of
items that nobody took here come from their neighbours there.

Source: Zhou, Bousquet, Lal, Weston & Schölkopf, "Learning with local and global
consistency", NIPS 2003, section 2 (limit of the iteration).
Departures: y are scores and no labels; the graph counts users instead of distances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Sample
from acclimate.domains.source import Derived, gives
from acclimate.domains.view import ItemEncoder, ItemRecipe, ItemView
from acclimate.errors import StrategyError
from acclimate.models.ease import Ease
from acclimate.models.items import gram_of
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.relation.itemprior import SourceItems, SourceSettings, map_items
from acclimate.strategies.strategy import Adapt, Strategy

_SPREADS = Derived(2**29)


@gives("gram")
def taken_together(sample: Sample, settings: SourceSettings) -> SourceItems:
    """How many users of a source took two items; a recipe for `Source.derive`."""
    assert isinstance(sample, Interactions)
    encoder = ItemRecipe(sample.items, settings.at_most).fit([sample], [])
    gram = gram_of(encoder.encode(sample))
    counts = np.array(gram.gram, np.float32)
    np.fill_diagonal(counts, 0.0)
    return SourceItems(encoder.catalogue[encoder.known], counts, gram.popularity)


@dataclass(frozen=True)
class ItemGraph(Adapt):
    """EASE of the target, its scores spread over the sources' graph of items.

    spread  0 ≤ α < 1: share of a score that comes by way of neighbours; 0 is target-only
            with the items of the sources
    """

    spread: float = 0.3

    kind: ClassVar[str] = "item-graph"
    reads: ClassVar[frozenset[str]] = frozenset({"gram"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 3
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.spread < 1:
            raise StrategyError(
                f"Expected a spread of at least 0 and below 1, found {self.spread}. At 1 "
                "nothing of the target's own scores would be left."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Ease):
            return f"{model.kind} has no item–item matrix whose scores a graph could spread"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, spread=alpha) for alpha in (0.3, 0.1, 0.6, 0.9))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Ease)
        view = problem.view(problem.fit)
        assert isinstance(view, ItemView)
        own = model.fit(model.prepare(view), rng=rng, tick=tick)
        assert own.matrix is not None
        matrix = own.matrix @ self.spreading(problem, tick)
        standing = own.popularity
        assert standing is not None
        taken = self.taken(problem)
        # Less than one user of the target in all: it breaks ties only.
        standing = standing + taken / (1.0 + taken.sum())
        return replace(own, matrix=np.asarray(matrix, np.float32), popularity=standing)

    def taken(self, problem: Problem) -> Array:
        """(n_items,) users of all sources who took each item of the encoder."""
        encoder = problem.encoder
        assert isinstance(encoder, ItemEncoder)
        settings, total = (
            SourceSettings.for_recipe(problem.recipe),
            np.zeros(len(encoder.known)),
        )
        for source in problem.sources:
            total += map_items(source.derive(taken_together, settings), encoder).popularity
        return total

    def spreading(self, problem: Problem, tick: Tick = idle) -> Array:
        """(n_items, n_items) what scores are multiplied by, from the right.

        Computed once for the same sources, encoder and spread.
        """
        encoder = problem.encoder
        assert isinstance(encoder, ItemEncoder)
        settings = SourceSettings.for_recipe(problem.recipe)

        def compute() -> Array:
            W = np.zeros((len(encoder.known),) * 2)
            for source in problem.sources:
                tick()
                W += map_items(source.derive(taken_together, settings), encoder).matrix
            return spread_over(W, self.spread)

        prints = [source.fingerprint for source in problem.sources]
        key = (*prints, encoder.fingerprint, repr(settings), str(self.spread))
        return _SPREADS.get(key, compute)


def spread_over(W: Array, spread: float) -> Array:
    """(1 − α) (I − αS)⁻¹; an item without neighbours keeps its score.

    W        (n, n) symmetric, ≥ 0, a zero diagonal
    spread   0 ≤ α < 1
    returns  (n, n)
    """
    degree = W.sum(axis=1)
    alone = degree == 0
    root = 1.0 / np.sqrt(np.where(alone, 1.0, degree))
    S = root[:, None] * W * root
    whole = np.asarray((1.0 - spread) * np.linalg.inv(np.eye(len(W)) - spread * S), np.float64)
    whole[alone, alone] = 1.0
    return whole

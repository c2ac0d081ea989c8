"""Factor prior: the target's item factors drawn towards those that the sources' users gave.

    minimise  loss of `models.als`  +  Σ_i p_i ‖y_i − y⁰_i‖²,   p_i = s² / (1/n_i + 1/μ)

y⁰_i are the factors of item i by ALS on the users of all sources, n_i how many of them took
it and s² the mean square of their factors: what one user says of one direction.  1/n_i is
the variance of the estimate and 1/μ that between markets.  The target's users are solved for
within these directions, and none of theirs reaches the sources' fit: it is done once, on the
sources' own catalogue, for every target.

Source: Hu, Koren & Volinsky, ICDM 2008, as `models.als` has it; the prior is that of a
hierarchical Gaussian model (Gelman & Hill 2007, chapter 12) of an item's factors by market.
Departure: one variance for all directions, in place of each item's covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Strings
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Derived, Source
from acclimate.domains.view import ItemEncoder, ItemRecipe, ItemView
from acclimate.errors import StrategyError
from acclimate.models.als import Als, FactorPrior
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.stacking import stack
from acclimate.strategies.strategy import Adapt, Strategy

_FACTORS = Derived(2**28)


@dataclass(frozen=True)
class SourceFactors:
    """What the sources' users say of their items.

    items    (m,) ids
    factors  (m, d)
    users    (m,) who took each
    scale    mean square of their factors
    """

    items: Strings
    factors: Array
    users: Array
    scale: float


@dataclass(frozen=True)
class ItemFactorPrior(Adapt):
    """ALS around the sources' item factors.

    strength  μ > 0, in users: how far markets are apart; the information of so many of the
              target's users moves an item halfway from where the sources have it
    """

    strength: float = 30.0

    kind: ClassVar[str] = "factor-prior"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 3
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.strength < np.inf:
            raise StrategyError(
                f"Expected a finite strength above 0, found {self.strength}. Without a prior "
                "the fit is target-only; the sources alone are source-only."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Als):
            return f"{model.kind} has no item factors that a prior could draw on"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, strength=mu) for mu in (30.0, 3.0, 300.0))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        assert isinstance(model, Als) and isinstance(problem.recipe, ItemRecipe)
        encoder = problem.encoder
        assert isinstance(encoder, ItemEncoder)
        known = source_factors(problem.sources, model, problem.recipe.at_most, tick)
        prior = self.prior(known, encoder)
        view = problem.view(problem.fit)
        assert isinstance(view, ItemView)
        return model.fit(model.prepare(view), prior=prior, rng=rng, tick=tick)

    def prior(self, known: SourceFactors, encoder: ItemEncoder) -> FactorPrior:
        """What sources know in the target's vocabulary; of items they lack, nothing."""
        column = encoder.columns_of(known.items)
        theirs = np.flatnonzero(column >= 0)
        factors = np.zeros((len(encoder.known), known.factors.shape[1]))
        users = np.zeros(len(encoder.known))
        factors[column[theirs]] = known.factors[theirs]
        users[column[theirs]] = known.users[theirs]
        return FactorPrior(factors, users, known.scale, self.strength, users)


def source_factors(
    sources: tuple[Source, ...], model: Als, at_most: int, tick: Tick = idle
) -> SourceFactors:
    """Item factors by `model` on all users of the sources, computed once for every target.

    at_most  ≥ 1, items kept: those taken most
    """
    key = (*(source.fingerprint for source in sources), repr(model), str(at_most))

    def compute() -> SourceFactors:
        samples = [source.sample for source in sources]
        taken = [sample for sample in samples if isinstance(sample, Interactions)]
        items = np.unique(np.concatenate([sample.items for sample in taken]).astype(str))
        recipe = ItemRecipe(items.astype(object), at_most)
        encoder = recipe.fit(taken, [])
        view = stack([encoder.encode(sample) for sample in taken])
        assert isinstance(view, ItemView)
        # A key of its own: what is kept must not depend on who asked first.
        own = Rng.of(0).child("factors")
        fitted = model.fit(model.prepare(view), rng=own, tick=tick)
        assert fitted.items is not None
        return SourceFactors(
            encoder.catalogue[encoder.known],
            np.asarray(fitted.items, np.float64),
            view.popularity,
            fitted.scale,
        )

    return _FACTORS.get(key, compute)

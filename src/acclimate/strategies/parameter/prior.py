"""Source prior: the source's coefficients as a Gaussian prior of the target's fit.

    minimise  Σ target loss + (λ/2)‖β‖² + (μ/2) Σ dⱼ (βⱼ − β_source,ⱼ)²

Source: Chelba & Acero, "Adaptation of maximum entropy capitalizer", EMNLP 2004,
who centre the Gaussian prior of a maximum-entropy model on the source's weights.
Departure: the target keeps its own penalty λ beside the prior, so that μ → 0 is
target-only exactly; μ → ∞ is source-only exactly.  With several sources the
source's model is fitted on all their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows
from acclimate.domains.sentences import Sentences
from acclimate.domains.source import Derived, Source
from acclimate.errors import StrategyError
from acclimate.models.model import GivesPrior, Model, Prior, Tick, WithPrior, idle
from acclimate.rng import Rng
from acclimate.strategies.given import learned_elsewhere, serves_fitted, unlike
from acclimate.strategies.stacking import row_weights, source_views, stack
from acclimate.strategies.strategy import Adapt, Strategy

_PRIORS = Derived(2**28)


@dataclass(frozen=True)
class SourcePrior(Adapt):
    """Fit the target around the source's coefficients.

    strength  μ > 0, on the scale of summed loss: about the information of 4μ rows on
              each standardised coefficient
    """

    strength: float = 10.0

    kind: ClassVar[str] = "source-prior"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.SOURCES
    complexity: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not (np.isfinite(self.strength) and self.strength > 0):
            raise StrategyError(
                f"Expected a finite strength above 0, found {self.strength}. "
                "Without a prior the fit is target-only; the source alone is source-only."
            )

    def why_not_source(self, source: Source) -> str | None:
        return None if serves_fitted(source) else super().why_not_source(source)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        takes = isinstance(model, WithPrior) and model.takes_prior
        if not takes or not isinstance(model, GivesPrior):
            return f"{model.kind} takes no prior on its parameters from a fit on the sources"
        if (why := unlike(problem, model)) is not None:
            return why
        if learned_elsewhere(problem) is not None:
            return None
        if isinstance(problem.fit, Sentences):
            return None  # sources without spans were refused before
        samples = [source.sample for source in problem.sources]
        labels = [s.label for s in samples if isinstance(s, Rows) and s.label is not None]
        if len(labels) < len(samples):
            return "a source has no labels"
        if not problem.numbers and len(np.unique(np.concatenate(labels))) < 2:
            return "the rows of the sources hold a single class, which no coefficient explains"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, strength=mu) for mu in (1.0, 10.0, 100.0, 1000.0))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        prior = source_prior(problem, model, tick).times(self.strength)
        prepared = model.prepare(problem.view(problem.fit))
        return model.fit(prepared, prior=prior, rng=rng, tick=tick)


def source_prior(problem: Problem, model: Model, tick: Tick = idle) -> Prior:
    """The prior, at strength 1, that `model` becomes when fitted on all source rows.

    A source that is an artifact gives its own model's.  Computed once for the same
    sources, encoder and settings of the model.
    """
    assert problem.encoder is not None, "call encoded() first"
    learned = learned_elsewhere(problem)
    if learned is not None:
        assert isinstance(learned, GivesPrior)
        return learned.as_prior()
    sources = [source.fingerprint for source in problem.sources]
    key = (*sources, problem.encoder.base.fingerprint, repr(model))

    def compute() -> Prior:
        prepared = model.prepare(stack(source_views(problem)))
        # A key of its own: what is kept must not depend on who asked first.
        own, weight = Rng.of(0).child("source prior"), row_weights(problem.sources)
        fitted = model.fit(prepared, weight=weight, rng=own, tick=tick)
        assert isinstance(fitted, GivesPrior)
        return fitted.as_prior()

    return _PRIORS.get(key, compute)

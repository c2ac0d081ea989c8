"""A Problem: one task on one target, with its sources, under one set of splits.

It holds what a strategy may see and nothing else: `choose` and `judge` are in
the Exam, which only the runner and the verdict hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from acclimate.domains.exam import Case
from acclimate.domains.sample import Sample
from acclimate.domains.source import Derived, Source
from acclimate.domains.view import Encoder, Recipe, View
from acclimate.rng import Rng

_VIEWS = Derived(at_most_bytes=2**29)


class Claim(StrEnum):
    """What a split lets one say: the same entities later on, or entities never seen."""

    LATER = "later"
    NEW = "new"


class Statistics(StrEnum):
    """Whose rows an arm's encoder takes its statistics from."""

    TARGET = "target"
    SOURCES = "sources"
    BOTH = "both"


@dataclass(frozen=True)
class Problem:
    """What a strategy is given.

    fit         labelled target observations that may be fitted on
    unlabelled  target rows that may be seen without their labels
    sources     cut at the target's clock, under the target's columns and classes
    claim       what the split lets the verdict say
    recipe      how samples become views, the same for every arm
    encoder     set by `encoded`: this arm's own statistics
    """

    target: str
    fit: Sample
    sources: tuple[Source, ...]
    claim: Claim
    recipe: Recipe
    unlabelled: Sample | None = None
    encoder: Encoder | None = None

    def encoded(self, on: Statistics) -> Problem:
        """The same problem with an encoder fitted on one arm's own training rows."""
        own = [] if on == Statistics.SOURCES else [self.fit]
        others = [] if on == Statistics.TARGET else [source.sample for source in self.sources]
        return replace(self, encoder=self.recipe.fit(own, others))

    def view(self, sample: Sample) -> View:
        """A sample as this arm's models eat it."""
        encoder = self.encoder
        assert encoder is not None, "call encoded() before view()"
        key = (sample.fingerprint, encoder.fingerprint, "view")
        view: View = _VIEWS.get(key, lambda: encoder.encode(sample))
        return view

    def with_fit(self, fit: Sample) -> Problem:
        """The same problem with other target observations to fit on."""
        return replace(self, fit=fit)

    def with_sources(self, sources: Sequence[Source]) -> Problem:
        """The same problem with some of its sources."""
        return replace(self, sources=tuple(sources))

    def inner(self, k: int, rng: Rng) -> list[tuple[Problem, Case]]:
        """Folds cut from `fit`: what tuning, early stopping and weights may read.

        k        ≥ 2
        returns  pairs (a Problem that lacks the fold, the fold as a Case)
        """
        return [(self.with_fit(rest), held) for rest, held in self.fit.folds(k, rng)]

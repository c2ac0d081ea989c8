"""A Problem: one task on one target, with its sources, under one set of splits.

It holds what a strategy may see and nothing else: `choose` and `judge` are in
the Exam, which only the runner and the verdict hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from acclimate.arrays import Array, Ints, Strings
from acclimate.domains.episodes import By, Episodes, episodes
from acclimate.domains.exam import Case
from acclimate.domains.moved import Move, Moved, Several
from acclimate.domains.sample import Interactions, Rows, Sample
from acclimate.domains.source import Derived, ItemCounts, NoSettings, Source, item_counts
from acclimate.domains.view import Encoder, ItemEncoder, ItemRecipe, Recipe, View
from acclimate.errors import StrategyError
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
    EACH = "each"  # one encoder for the target and one for each source


@dataclass(frozen=True)
class Problem:
    """What a strategy is given.

    fit         labelled target observations that may be fitted on
    unlabelled  target rows that may be seen without their labels
    sources     cut at the target's clock, under the target's columns and classes
    claim       what the split lets the verdict say
    recipe      how samples become views, the same for every arm
    encoder     set by `encoded`: this arm's own statistics
    facts       sentences on what the steps so far found out, shown beside the arm's score
    levels      of quantiles that answers must hold beside the mean; for numbers alone
    """

    target: str
    fit: Sample
    sources: tuple[Source, ...]
    claim: Claim
    recipe: Recipe
    unlabelled: Sample | None = None
    encoder: Encoder | None = None
    facts: tuple[str, ...] = ()
    levels: tuple[float, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether the target has anything to fit on: labelled rows, or interactions."""
        return self.fit.n > 0 and getattr(self.fit, "label", self) is not None

    @property
    def numbers(self) -> bool:
        """Whether the label is a number, and no class."""
        return isinstance(self.fit, Rows) and self.fit.numbers

    @property
    def clocked(self) -> bool:
        """Whether the exam asks by the clock what users take, and so must every inner fold."""
        return isinstance(self.fit, Interactions) and self.fit.time is not None

    def encoded(self, on: Statistics) -> Problem:
        """The same problem with an encoder fitted on one arm's own training rows.

        A source that is an artifact brings the encoder of what it learned: alone, it
        encodes the whole problem, and with `Statistics.EACH` its own part.
        """
        if on == Statistics.EACH:
            parts = {self.target: self._own(Statistics.TARGET)} if self.labelled else {}
            for source in self.sources:
                parts[source.name] = self.with_sources([source])._own(Statistics.SOURCES)
            return replace(self, encoder=Several(tuple(parts), tuple(parts.values())))
        return replace(self, encoder=self._own(on))

    def _own(self, on: Statistics) -> Encoder:
        if on == Statistics.SOURCES and len(self.sources) == 1:
            encoder: Encoder | None = getattr(self.sources[0].fitted, "encoder", None)
            if encoder is not None and not isinstance(encoder, ItemEncoder):
                return encoder
        own = [] if on == Statistics.SOURCES or not self.labelled else [self.fit]
        others = [] if on == Statistics.TARGET else [*map(vocabulary, self.sources)]
        known = [each for each in others if each is not None]
        if not own and not known:
            raise StrategyError(
                "Expected rows of the target or of a source to take statistics from; found "
                "none that are shared. Ask `why_not` before `encoded`."
            )
        return self.recipe.fit(own, known)

    def view(self, sample: Sample) -> View:
        """A sample of the target as this arm's models eat it."""
        encoder = self.encoder
        assert encoder is not None, "call encoded() before view()"
        key = (sample.fingerprint, encoder.fingerprint, "view")
        view: View = _VIEWS.get(key, lambda: encoder.encode(sample))
        return view

    def source_view(self, source: Source) -> View:
        """A source as this arm's models eat it: reshaped, where a step did so."""
        if source.view is not None:
            reshaped: View = source.view
            return reshaped
        encoder = self.encoder
        assert encoder is not None, "call encoded() before source_view()"
        key = (source.sample.fingerprint, encoder.base.fingerprint, "view")
        view: View = _VIEWS.get(key, lambda: encoder.base.encode(source.sample))
        return view

    def with_fit(self, fit: Sample) -> Problem:
        """The same problem with other target observations to fit on."""
        return replace(self, fit=fit)

    def with_sources(self, sources: Sequence[Source]) -> Problem:
        """The same problem with some of its sources."""
        return replace(self, sources=tuple(sources))

    def knowing(self, *facts: str) -> Problem:
        """The same problem with sentences on what a step found out."""
        return replace(self, facts=(*self.facts, *facts))

    def weighed(self, weights: Mapping[str, Array]) -> Problem:
        """The same problem with row weights for sources by name, times those they have."""
        return self.with_sources(
            [s.weighed(weights[s.name]) if s.name in weights else s for s in self.sources]
        )

    def reshaped(self, views: Mapping[str, View], move: Move | None = None) -> Problem:
        """The same problem with other views of its sources, and the target's rows moved.

        views  source → what stands in the place of its encoded rows
        move   what is done to every encoded row of the target, now and at prediction
        """
        sources = [replace(s, view=views.get(s.name, s.view)) for s in self.sources]
        encoder = self.encoder
        assert encoder is not None, "call encoded() before reshaped()"
        if move is not None:
            encoder = Moved(encoder, move)
        return replace(self, sources=tuple(sources), encoder=encoder)

    def inner(self, k: int, rng: Rng) -> list[tuple[Problem, Case]]:
        """Folds cut from `fit`: what tuning, early stopping and weights may read.

        By the clock, a fold knows nothing from after its own: sources are cut there too, and
        vocabularies are taken anew.  A fold is left out where no source had begun.

        k        ≥ 2
        returns  pairs (a Problem that lacks the fold, the fold as a Case)
        """
        pairs = [(self._known(rest), held) for rest, held in self.fit.folds(k, rng)]
        return [pair for pair in pairs if pair[0].sources or not self.sources]

    def _known(self, rest: Sample) -> Problem:
        """What was known when `rest` was all there was of the target."""
        if not self.clocked:
            return self.with_fit(rest)
        assert isinstance(rest, Interactions) and rest.time is not None
        assert isinstance(self.recipe, ItemRecipe)
        clock, about = float(rest.time.max()), self.recipe.about
        sources = [source.until(clock) for source in self.sources]
        if about is not None:
            about = about.take(places(rest.items, self.recipe.catalogue))
        return replace(
            self,
            fit=rest,
            sources=tuple(source for source in sources if source.n or source.held is None),
            recipe=replace(self.recipe, catalogue=rest.items, about=about),
            encoder=None,
        )

    def onto(self, sample: Sample) -> Sample:
        """Other interactions of the target, over the items that this problem knows."""
        if not self.clocked:
            return sample
        assert isinstance(sample, Interactions) and isinstance(self.fit, Interactions)
        return sample.of_items(places(self.fit.items, sample.items))

    def episodes(
        self,
        by: By,
        shots: int,
        queries: int,
        rng: Rng,
        *,
        column: str | None = None,
        own: bool = False,
    ) -> Episodes:
        """Small tasks drawn from the sources' labelled rows, as `domains.episodes` says.

        own  whether the target's rows to fit on are tasks too
        """
        mine = self.fit if own and isinstance(self.fit, Rows) else None
        return episodes(self.sources, by, shots, queries, rng, column=column, own=mine)


def places(items: Strings, among: Strings) -> Ints:
    """(n,) the position of each id among others, which hold it."""
    place = {item: number for number, item in enumerate(among)}
    return np.array([place[item] for item in items], np.int64)


def vocabulary(source: Source) -> Sample | ItemCounts | None:
    """What an encoder may take its statistics from: rows, else counts of items, or nothing."""
    if source.seen:
        return source.sample
    if "gram" in source.shares and isinstance(source.held, Interactions):
        return source.derive(item_counts, NoSettings())
    encoder = getattr(source.fitted, "encoder", None)
    if isinstance(encoder, ItemEncoder):
        ids = encoder.catalogue[encoder.known]
        return ItemCounts(ids, np.ones(len(ids)))
    return None

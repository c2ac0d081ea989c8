"""Market stack: trees rank a user's next items by what the target and every source say.

The model is `models.across`; of each source only who took what together is read.  Before
anything is learned, sources are ranked: on what some users took last, hidden, each is asked
to order it among items drawn at random, first alone and then together with the target's own
counts.  A source that makes the target's own order worse by more than a standard error is
refused.

Source: the stacks of the WSDM Cup 2022 on cross-market recommendation, of which Bonab et
al., CIKM 2021, describe the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Strings
from acclimate.domains.origins import origins
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Sample
from acclimate.domains.source import Source, gives
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemEncoder
from acclimate.models.across import Across, Evidence
from acclimate.models.hiding import drawn, hide
from acclimate.models.lessons import Lesson
from acclimate.models.model import Model, Tick, idle
from acclimate.models.ranker import Stack
from acclimate.models.voices import Market, voices
from acclimate.rng import Rng
from acclimate.strategies.strategy import Adapt

ALONE = (
    "nothing that was learned beats the best single score by more than a standard error, so "
    "that score answers alone"
)
ASKED = 2000  # users whose hidden item tells sources apart


@dataclass(frozen=True)
class Counts:
    """What a source gives away: who took what together, on its own vocabulary."""

    items: Strings
    market: Market


@dataclass(frozen=True)
class Moment:
    """now  in seconds, from which events are looked back at; None without a clock."""

    now: float | None = None


@gives("gram")
def counts(sample: Sample, settings: Moment) -> Counts:
    """A source's counts of pairs of items; a recipe for `Source.derive`."""
    assert isinstance(sample, Interactions)
    shape = (len(sample.users), len(sample.items))
    taken = Taken(sample.user, sample.item, shape, sample.time)
    return Counts(sample.items, Market.of_taken(taken, settings.now))


def mapped(given: Counts, encoder: ItemEncoder) -> Market:
    """A source's counts in the target's vocabulary; what it lacks was never taken there."""
    column = encoder.columns_of(given.items)
    theirs = np.flatnonzero(column >= 0)
    size = len(encoder.known)
    pairs = sp.coo_array(given.market.together[theirs][:, theirs])
    mine = column[theirs]
    together = sp.csr_array(
        (pairs.data, (mine[pairs.row], mine[pairs.col])), shape=(size, size)
    )
    together.sort_indices()
    count, recent = np.zeros(size), np.zeros((size, given.market.recent.shape[1]))
    count[mine] = given.market.count[theirs]
    recent[mine] = given.market.recent[theirs]
    return Market(together, count, recent)


@dataclass(frozen=True)
class Standing:
    """How a source orders what users of the target took last, nDCG@10 among drawn items.

    alone   by the source's counts
    own     by the target's
    both    by both as one market
    error   standard error of `both` − `own`
    """

    name: str
    alone: float
    own: float
    both: float
    error: float

    @property
    def harms(self) -> bool:
        return self.both < self.own - self.error


@dataclass(frozen=True)
class MarketStack(Adapt):
    """A re-ranker over statistics of every market that does not harm."""

    kind: ClassVar[str] = "market-stack"
    reads: ClassVar[frozenset[str]] = frozenset({"gram"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 4
    hands_on: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Stack):
            return f"{model.kind} ranks nothing anew that markets could say more about"
        return None

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        across = Across()
        found = evidence(problem, across.folds)
        ranked = standings(found, problem.sources, rng.child("sources"), tick)
        kept = [not each.harms for each in ranked]
        fitted = across.fit(found.of(kept), rng=rng, tick=tick)
        facts = said(ranked)
        if fitted.named is not None and not fitted.named.learned:
            facts.append(ALONE)
        return problem.knowing(*facts), fitted

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]


def evidence(problem: Problem, folds: int) -> Evidence:
    """The target's events in the encoder's columns, and every source's counts, now and as
    they were at each of so many origins."""
    encoder, fit = problem.encoder, problem.fit
    assert isinstance(encoder, ItemEncoder) and isinstance(fit, Interactions)
    column = encoder.columns_of(fit.items)[fit.item]
    kept = np.flatnonzero(column >= 0)
    known = fit.take(kept)
    shape = (len(fit.users), len(encoder.known))
    taken = Taken(known.user, column[kept], shape, known.time)

    def given(now: float | None, sources: Sequence[Source]) -> tuple[Market, ...]:
        return tuple(mapped(each.derive(counts, Moment(now)), encoder) for each in sources)

    if taken.time is None:
        return Evidence(taken, given(None, problem.sources))
    now = float(taken.time.max())
    earlier = []
    for origin, _ in origins(taken.time, folds):
        just_before = float(np.nextafter(origin, -np.inf))
        earlier.append(given(origin, [each.until(just_before) for each in problem.sources]))
    return Evidence(taken, given(now, problem.sources), tuple(earlier), now)


def standings(
    found: Evidence, sources: Sequence[Source], rng: Rng, tick: Tick = idle
) -> list[Standing]:
    """How each source stands, by the summed cosine to what hidden items' users took before."""
    folds = hide(found.taken, ASKED, 1, rng.child("hide").generator())
    if not folds:
        return [Standing(source.name, 0.0, 0.0, 0.0, 0.0) for source in sources]
    (hidden,) = folds
    place, column = drawn(hidden, rng.child("drawn").generator())
    histories, own = hidden.histories, Market.of_taken(hidden.rest, hidden.origin)

    def gain(market: Market) -> Array:
        tick()
        score = voices(market, histories, place, column, tick)[:, :1]
        return Lesson.of_fold(hidden, place, column, score).gain(score[:, 0])

    mine = gain(own)
    ranked = []
    for source, market in zip(sources, found.at(0, hidden), strict=True):
        more = gain(own.plus([market])) - mine
        error = float(more.std(ddof=1) / np.sqrt(len(more))) if len(more) > 1 else 0.0
        at = float(mine.mean())
        ranked.append(
            Standing(source.name, float(gain(market).mean()), at, at + more.mean(), error)
        )
    return ranked


def said(ranked: list[Standing]) -> list[str]:
    """A sentence a source, the one that orders best alone first."""
    return [
        f"{each.name!r} orders held-out items with nDCG@10 {each.alone:.3f} alone, and "
        f"{each.both:.3f} together with the target's own {each.own:.3f}: "
        f"{'refused' if each.harms else 'kept'}"
        for each in sorted(ranked, key=lambda each: -each.alone)
    ]

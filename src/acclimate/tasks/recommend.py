"""Recommend: which new items each user of the target takes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints, Strings, Tensor
from acclimate.domains.about import about
from acclimate.domains.copies import cleaned
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Exam, Prediction, Ranking, Truth
from acclimate.domains.interest import counting, standing
from acclimate.domains.pairs import ids_of, interactions, positions
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions, Sample
from acclimate.domains.source import Source, shared
from acclimate.domains.split import Cut, EventParts, cut_events
from acclimate.domains.view import ItemRecipe
from acclimate.errors import TaskError, UsageError
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.tasks import ranking as per_user
from acclimate.tasks.behaviours import by_behaviour
from acclimate.tasks.candidates import sampled
from acclimate.tasks.given import artifacts_of, items_said, unchecked
from acclimate.tasks.moments import at_moments, late_said
from acclimate.tasks.pasts import (
    Known,
    beside,
    events_of,
    past_of,
    require_events,
    without_returned,
)
from acclimate.tasks.task import Metric, Posed, left_out


@dataclass(frozen=True)
class Recommend:
    """Rank the target's catalogue for each user; what a user already took is left out.

    k        1 … 100, length of the list
    at_most  ≥ 2, items a model keeps; the rest are pruned and count as misses
    negatives  ≥ 0; above 0 each truth is ranked among that many sampled items the user
             never took, to repeat a published protocol, in which an item taken again
             counts again; 0 ranks the whole catalogue without what was taken
    negatives_seed  of NumPy's default generator, which draws the judge's negatives user
             by user in the order of their ids; the next seed draws those of `choose`
    behaviour  the kind of events to recommend for, such as "order"; the other kinds are
             then what else users do, as sources.  None: events of every kind alike
    The independent unit is the user; the primary metric is nDCG@k.
    """

    k: int = 10
    at_most: int = 6000
    negatives: int = 0
    negatives_seed: int = 0
    behaviour: str | None = None

    kind: ClassVar[str] = "recommend"
    form: ClassVar[str] = "items"

    def __post_init__(self) -> None:
        if not 1 <= self.k <= 100:
            raise UsageError(f"Expected k between 1 and 100; found {self.k}.")
        if self.at_most < 2:
            raise UsageError(f"Expected at_most of at least 2 items; found {self.at_most}.")

    @property
    def metric(self) -> Metric:
        return Metric(f"ndcg@{self.k}", higher=True, mean=True, delta=0.005)

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        artifacts = [source for source in sources if source.learned is not None]
        given = artifacts_of(artifacts)
        sources = [source for source in sources if source.learned is None]
        for market in (target, *sources):
            require_events(market)  # none is a mistake, not a source cut by time
        asked = [by_behaviour(market, self.behaviour) for market in (target, *sources)]
        doing, (target, *sources) = asked[0].others, [each.market for each in asked]
        every = events_of(target)
        kinds = target.schema.declared.kinds
        allowed = _allowed(every, target)
        events = counting(allowed, kinds)
        parts = cut_events(events, cut, rng.child("cut"), repeats=self.negatives > 0)
        columns = [column for column in ("user", "item", "time") if column in every.columns]
        sources, copies = cleaned(sources, every.select(columns), "events")
        met = [(kind, past_of(each)) for kind, each in doing.items()]
        catalogue, note = self._catalogue(target, parts.fit, met, parts.clock)
        parts = without_returned(parts, allowed, kinds)
        pasts: list[tuple[Source, Known, Mapping[str, Known]]] = []
        for source, each in zip(sources, asked[1:], strict=True):
            also = {kind: past_of(other) for kind, other in each.others.items()}
            shares = shared(source.schema.declared.shares)
            pasts.append((Source(source.name, None, shares), past_of(source), also))
        for kind, past in met:
            pasts.append((Source(f"{target.name} {kind}", None, behaviour=kind), past, {}))
        problem = self._problem(target, parts.fit, catalogue, pasts, parts, parts.clock)
        problem = problem.with_sources([*problem.sources, *given])
        end = events["time"].max() if "time" in events.columns else None
        end = end if isinstance(end, datetime) else None
        everything, _ = self._catalogue(target, events, met, end)
        events = standing(events, allowed, kinds)
        whole = self._problem(target, events, everything, pasts, parts, end)
        whole = whole.with_sources([*whole.sources, *given])
        exam = self._exam(problem, parts, events, beside(parts, pasts))
        judged = exam.judge[0].truth
        assert judged.missed is not None
        notes = [
            *parts.notes,
            *copies,
            note,
            f"{number_of(judged.n_units, 'user')} to judge on",
        ]
        notes += left_out(sources, problem, "events")
        if doing and parts.clock is None:
            notes.append(
                f"nothing says when users did what else they do ({', '.join(doing)}), so that "
                "what they did with a judged item is known"
            )
        notes += items_said(target.name, catalogue, artifacts)
        notes += unchecked(target.name, artifacts)
        notes += late_said(exam.judge[0].query)
        if judged.missed.sum():
            missed = number_of(int(judged.missed.sum()), "judged item is", "judged items are")
            notes.append(f"{missed} in no catalogue: misses")
        return Posed(self, problem, exam, whole, tuple(notes))

    def _catalogue(
        self,
        target: Domain,
        events: pl.DataFrame,
        met: Sequence[tuple[str, Known]],
        clock: datetime | None,
    ) -> tuple[Strings, str]:
        """What may be recommended, never read off the parts that judge.

        met  what users had done with items at a moment, by kind
        """
        seen = set(events["item"].unique().to_list())
        for _, past in met:
            seen |= set(past(clock, False).items)
        if "items" in target.tables:
            seen |= set(target.tables["items"]["item"].drop_nulls().to_list())
            seen -= set(target.schema.declared.restricted)
            note = (
                f"catalogue: {number_of(len(seen), 'item')} of {target.name}'s items table and "
                "events"
            )
        else:
            note = (
                f"catalogue: {number_of(len(seen), 'item')} seen in {target.name} so far; "
                "an items table would add those not sold yet"
            )
        return np.array(sorted(seen), dtype=object), note

    def _problem(
        self,
        target: Domain,
        fit: pl.DataFrame,
        catalogue: Strings,
        pasts: Sequence[tuple[Source, Known, Mapping[str, Known]]],
        parts: EventParts,
        clock: datetime | None,
    ) -> Problem:
        users, timed = ids_of(fit["user"]), parts.clock is not None
        kept = [
            replace(
                source,
                held=known,
                also=tuple((kind, each(clock, timed)) for kind, each in also.items()),
            )
            for source, past, also in pasts
            if (known := past(clock, timed)).n
        ]
        known = interactions(fit, users, catalogue, timed)
        return Problem(
            target=target.name,
            fit=replace(known, about_users=about(target, "users", users)),
            sources=tuple(kept),
            claim=parts.claim,
            recipe=ItemRecipe(catalogue, self.at_most, about(target, "items", catalogue)),
        )

    def _exam(
        self,
        problem: Problem,
        parts: EventParts,
        events: pl.DataFrame,
        beside: Mapping[str, Interactions] | None,
    ) -> Exam:
        fit = problem.fit
        assert isinstance(fit, Interactions)
        context = interactions(parts.context, fit.users, fit.items)
        context = replace(context, about_users=fit.about_users, beside=beside)
        new = self.negatives == 0
        choose = fit.ask(*_later(parts.choose, parts.fit, fit, new))
        judge = context.ask(*_later(parts.judge, parts.context, context, new))
        if parts.clock is None and not self.negatives:
            choose = at_moments(choose, parts.choose, events)
            judge = at_moments(judge, parts.judge, events)
        taken = interactions(events, fit.users, fit.items)
        return Exam(
            (self.protocol(choose, taken, self.negatives_seed + 1),),
            (self.protocol(judge, taken, self.negatives_seed),),
        )

    def protocol(self, case: Case, taken: Sample, seed: int) -> Case:
        """With `negatives`, candidates are the truths and items never taken, drawn once."""
        if not self.negatives:
            return case
        assert isinstance(taken, Interactions)
        candidates = sampled(case, taken, self.negatives, seed)
        return replace(case, query=replace(case.query, candidates=candidates))

    def score(self, prediction: Prediction, truth: Truth, weight: Array | None = None) -> Array:
        scores = self.unit_scores(prediction, truth)
        if weight is None:
            return np.array([scores.mean() if len(scores) else np.nan])
        result: Array = weight @ scores / weight.sum(axis=1)
        return result

    def unit_scores(self, prediction: Prediction, truth: Truth) -> Array:
        assert isinstance(prediction, Ranking)
        return per_user.ndcg(*per_user.relevance(prediction, truth, self.k))

    def metrics(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        assert isinstance(prediction, Ranking)
        hits, wanted = per_user.relevance(prediction, truth, self.k)
        scores = {
            "ndcg": per_user.ndcg(hits, wanted),
            "precision": per_user.precision(hits),
            "recall": per_user.recall(hits, wanted),
            "f1": per_user.f1(hits, wanted),
            "hit-rate": per_user.hit_rate(hits),
            "mrr": per_user.mrr(hits),
            "map": per_user.average_precision(hits, wanted),
        }
        named = {f"{name}@{self.k}": float(each.mean()) for name, each in scores.items()}
        return {**named, f"coverage@{self.k}": per_user.coverage(prediction, self.k)}

    def join(self, answers: Sequence[tuple[Prediction, Truth]]) -> tuple[Prediction, Truth]:
        rankings = [answer for answer, _ in answers if isinstance(answer, Ranking)]
        offsets = np.cumsum([0] + [len(ranking.items) for ranking in rankings])
        users, items, missed = [], [], []
        for offset, (_, truth) in zip(offsets, answers, strict=False):
            assert truth.user is not None and truth.item is not None
            assert truth.missed is not None
            users.append(truth.user + offset)
            items.append(truth.item)
            missed.append(truth.missed)
        together = Truth(
            units=np.arange(offsets[-1]),
            user=np.concatenate(users),
            item=np.concatenate(items),
            missed=np.concatenate(missed),
        )
        # Folds by the clock know fewer items the earlier they are, and list fewer.
        width = max(ranking.items.shape[1] for ranking in rankings)
        lists = np.concatenate([_as_wide(each.items, width, -1) for each in rankings])
        scores = np.concatenate([_as_wide(each.scores, width, -np.inf) for each in rankings])
        return replace(rankings[0], items=lists, scores=scores), together


def _as_wide(lists: Tensor, width: int, filler: float) -> Tensor:
    """(n, width) lists, filled up at their ends."""
    return np.pad(lists, ((0, 0), (0, width - lists.shape[1])), constant_values=filler)


def _allowed(events: pl.DataFrame, market: Domain) -> pl.DataFrame:
    """The events on items that may be recommended; raises TaskError if there are none."""
    restricted = market.schema.declared.restricted
    if not restricted:
        return events
    kept = events.filter(~pl.col("item").is_in(restricted))
    if not kept.height:
        raise TaskError(
            f"Expected events on items of {market.name!r} that may be recommended; found "
            f"restricted ones only, {events['item'].n_unique():,} of them. Check "
            "restricted_items in market.toml."
        )
    return kept


def _later(
    later: pl.DataFrame, before: pl.DataFrame, asked: Interactions, only_new: bool
) -> tuple[Interactions, Ints]:
    """What users took later, only what is new to them or not, and how much of it no
    catalogue holds."""
    new = later.select("user", "item").unique(maintain_order=True)
    if only_new:
        new = new.join(before.select("user", "item"), on=["user", "item"], how="anti")
    user, item = positions(new["user"], asked.users), positions(new["item"], asked.items)
    outside = (user >= 0) & (item < 0)
    inside = (user >= 0) & (item >= 0)
    missed = np.bincount(user[outside], minlength=len(asked.users)).astype(np.int64)
    return Interactions(user[inside], item[inside], asked.users, asked.items), missed

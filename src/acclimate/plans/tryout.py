"""One strategy with one model on a made market, beside doing without: what the docs show.

Nothing is tuned and nothing decided: `workflow.adapt` does that, on markets of one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events, make_rows
from acclimate.errors import UsageError
from acclimate.nearest import expected
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import models, named
from acclimate.tasks.classify import Classify
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed

BESIDE = ("target-only", "source-only")
JUDGED = 1000  # rows of the target that scores are taken on
USERS = 20  # whose rows those of a source are, in turn
ITEMS = 200


@dataclass(frozen=True)
class Tryout:
    """Scores on the same judged rows of a made market.

    values  strategy → the metric, in the order they were fitted
    facts   what the last strategy's steps found out
    """

    metric: str
    values: dict[str, float]
    facts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "  ".join(f"{kind} {value:.3f}" for kind, value in self.values.items())


def tryout(
    strategy: str,
    model: str = "linear",
    *,
    labels: int = 40,
    sources: Sequence[tuple[float, float]] = ((2.0, 0.0),),
    metric: str | None = None,
    levels: int = 4,
    seed: int = 0,
) -> Tryout:
    """Fit target-only, source-only and one strategy, and score them on 1,000 other rows.

    strategy  a kind of the catalogue, or a chain such as "coral + finetune"
    model     a kind of the catalogue that eats rows or items
    labels    ≥ 0, labelled target rows to fit on; users of the target for items.  With 0,
              target-only is left out
    sources   (covariate, concept) of each source: by how many standard deviations one of
              its columns is moved, and 0 … 1 how far its labels mean something else.  For
              items: (catalogue, taste), the shares of items with other ids and other
              neighbours
    metric    of the task, or None for log loss (lower is better), nDCG@10 (higher)
    levels    ≥ 0, of the category column of rows, whose effects rise from one to the next
    returns   scores by strategy; printed, they are one line
    """
    if model not in models():
        raise UsageError(expected("a model", models(), model))
    key, specification = Rng.of(seed), models()[model]
    items = specification.form == "items"
    posed = (
        _events(labels, sources, metric, key)
        if items
        else _rows(labels, sources, metric, levels, key)
    )
    values: dict[str, float] = {}
    facts: tuple[str, ...] = ()
    for kind in dict.fromkeys((*BESIDE[not labels :], strategy)):
        arm = Arm(named(kind), specification)
        if (why := arm.why_not(posed.problem)) is not None:
            raise UsageError(f"Expected a strategy that applies here; {kind} does not: {why}.")
        fitted = arm.fit(posed.problem, key.child("fit"))
        answers = [(fitted.answer(case), case.truth) for case in posed.exam.judge]
        values[kind] = float(posed.task.score(*posed.task.join(answers))[0])
        facts = fitted.facts
    return Tryout(posed.task.metric.name, values, facts)


def _rows(
    labels: int,
    sources: Sequence[tuple[float, float]],
    metric: str | None,
    levels: int,
    rng: Rng,
) -> Posed:
    """A made problem of rows, whose other label `other` is a task of its own."""
    whole = 2 * JUDGED + labels
    key = rng.child("target")
    target = make_rows(key, whole, levels=levels, other=True, name="target").domain
    made = [
        make_rows(
            rng.child(f"source/{number}"),
            JUDGED,
            covariate=covariate,
            concept=concept,
            levels=levels,
            other=True,
            name=f"source {number}",
        )
        for number, (covariate, concept) in enumerate(sources, start=1)
    ]
    cut = Cut(JUDGED / whole, labels=max(labels, 2), by="random", cross_below=whole)
    task = Classify("label", metric, also=("other",))
    posed = task.pose(
        target, [_with_users(each.domain) for each in made], cut, rng.child("cut")
    )
    if labels:
        return posed
    nothing = posed.problem.fit.take(np.empty(0, np.int64))
    return replace(posed, problem=posed.problem.with_fit(nothing))


def _with_users(domain: Domain) -> Domain:
    """The market with rows of users, who come in turn: tasks for learning from users."""
    table = domain.tables["rows"]
    users = pl.Series("entity", [f"u{row % USERS}" for row in range(table.height)])
    return replace(domain, tables={**domain.tables, "rows": table.with_columns(users)})


def _events(
    labels: int, sources: Sequence[tuple[float, float]], metric: str | None, rng: Rng
) -> Posed:
    """A made problem of events, each user's last ones to be found."""
    if metric is not None:
        raise UsageError(
            f"Expected no metric for items, which are told by nDCG@10; found {metric!r}."
        )
    target = make_events(rng.child("target"), max(labels, 1), ITEMS, name="target").domain
    made = [
        make_events(
            rng.child(f"source/{number}"),
            JUDGED,
            ITEMS,
            catalogue=catalogue,
            taste=taste,
            name=f"source {number}",
        ).domain
        for number, (catalogue, taste) in enumerate(sources, start=1)
    ]
    return Recommend().pose(target, made, Cut(by="last", cross_below=10**9), rng.child("cut"))

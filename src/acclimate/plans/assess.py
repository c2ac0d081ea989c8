"""Measure the gap between a problem's target and each of its sources.

Before: a task posed the problem.  After: the plan orders its arms by what is
found here.  Only `fit` and unlabelled target rows are read.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Rows, stack_rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.sentences import Sentences
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemView, RowView
from acclimate.errors import DataError
from acclimate.gaps.columns import column_shift
from acclimate.gaps.concept import concept_shift
from acclimate.gaps.covariates import mmd_test, proxy_a_distance
from acclimate.gaps.gap import Gap
from acclimate.gaps.labels import label_shift
from acclimate.gaps.numbers import label_distance
from acclimate.gaps.overlap import event_overlap, overlap
from acclimate.gaps.sliced import sliced_wasserstein
from acclimate.gaps.transferability import source_ranking_power
from acclimate.models.ease import Ease
from acclimate.models.popularity import Popularity
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.instance.weighting import (
    FOLDS,
    DensityRatio,
    effective_rows,
    ratios,
)
from acclimate.strategies.relation.itemprior import SourceSettings, given_items, map_items
from acclimate.tasks.task import Task

# Rows of a side that a measure looks at; distances settle long before.
AT_MOST = 2_000
# Category levels that become indicator columns; the rest say little about distance.
LEVELS = 20
SHOWN_COLUMNS = 3
CONCEPT_ROWS = 40  # labelled, a side: fewer tell no two meanings apart
WORDS = {
    "rows": "rows",
    "moments": "moments",
    "gram": "Gram matrix",
    "fitted": "fitted model",
    "gradients": "gradients",
}


def assess(task: Task, problem: Problem, rng: Rng) -> list[Gap]:
    """Every measure that applies, source by source.

    Raises nothing for a side that is too small: what cannot be measured is left out.
    """
    found: list[Gap] = []
    if isinstance(problem.fit, Rows):
        for source in problem.sources:
            if source.seen:
                found += _rows_gap(problem, source, rng.child(source.name))
            else:
                found.append(_unseen(source, problem))
        return found
    if isinstance(problem.fit, Sentences):
        return [gap for s in problem.sources if s.seen for gap in _tokens_gap(problem, s)]
    for source in problem.sources:
        found += _items_gap(problem, source) if source.seen else [_unseen(source, problem)]
    return found + _ranking_power(task, problem, rng.child("ranking"))


def _rows_gap(problem: Problem, source: Source, rng: Rng) -> list[Gap]:
    me, them = problem.target, source.name
    fit, theirs = problem.fit, source.sample
    assert isinstance(fit, Rows) and isinstance(theirs, Rows)
    mine = fit.unlabelled()
    if isinstance(problem.unlabelled, Rows):
        mine = stack_rows([mine, problem.unlabelled])
    some_mine = _some(mine, rng.child("target"))
    some_theirs = _some(theirs, rng.child("source"))
    both = replace(
        problem, fit=some_mine, sources=(replace(source, held=some_theirs),)
    ).encoded(Statistics.BOTH)
    xs, columns = _matrix(both, some_theirs)
    xt, _ = _matrix(both, some_mine)
    unread = [name for name, kind in fit.types.items() if kind == ColumnType.TEXT]
    silent = [_unmeasured(unread, source.name, problem)] if unread else []
    if min(len(xs), len(xt)) < 10 or not columns:
        return silent
    found = [
        *silent,
        mmd_test(xs, xt, rng.child("mmd"), source=them, target=me),
        proxy_a_distance(xs, xt, rng.child("a-distance"), source=them, target=me),
        sliced_wasserstein(xs, xt, rng.child("sliced"), source=them, target=me),
    ]
    if min(len(xs), len(xt)) >= 2 * FOLDS:
        found.append(_worth(both, some_mine, some_theirs, source, rng.child("worth")))
    if theirs.label is not None and fit.label is not None and fit.n:
        key = rng.child("labels")
        if not fit.numbers:
            found.append(
                label_shift(
                    theirs.label,
                    fit.label,
                    len(fit.classes),
                    key,
                    source=them,
                    target=me,
                    classes=fit.classes,
                )
            )
        elif theirs.n > 1 and np.ptp(fit.label) > 0:
            found.append(label_distance(theirs.label, fit.label, key, source=them, target=me))
    found += _concept(both, some_theirs, _some(fit, rng.child("fit")), source, rng)
    for shifted in column_shift(xs, xt, columns)[:SHOWN_COLUMNS]:
        if shifted.p < 0.05:
            found.append(
                Gap(
                    measure=f"column: {shifted.name}",
                    source=them,
                    target=me,
                    value=shifted.ks,
                    low=None,
                    high=None,
                    p=shifted.p,
                    null_low=None,
                    null_high=None,
                    n_source=len(xs),
                    n_target=len(xt),
                    sentence=f"{shifted.name} differs most between {them} and "
                    f"{me} (largest gap of the two distributions {shifted.ks:.2f})",
                )
            )
    return found


def _concept(both: Problem, theirs: Rows, mine: Rows, source: Source, rng: Rng) -> list[Gap]:
    """Whether the same row means the same label, asked of the labelled rows of both."""
    labels = _targets(theirs), _targets(mine)
    if labels[0] is None or labels[1] is None or min(theirs.n, mine.n) < CONCEPT_ROWS:
        return []
    try:
        found = concept_shift(
            _matrix(both, theirs)[0],
            labels[0],
            _matrix(both, mine)[0],
            labels[1],
            rng.child("concept"),
            at_most=1000,
            draws=499,
            source=source.name,
            target=both.target,
        )
    except DataError:  # labels that the rows tell entirely: nothing is left to compare
        return []
    return [found]


def _targets(rows: Rows) -> Array | None:
    """(n, c) numbers, or an indicator a class but the first; None without labels to compare."""
    if rows.label is None or rows.elsewhere:
        return None
    if rows.numbers:
        return np.asarray(rows.label, dtype=np.float64)[:, None]
    found: Array = (rows.label[:, None] == np.arange(1, len(rows.classes))).astype(np.float64)
    return found


def _worth(problem: Problem, mine: Rows, theirs: Rows, source: Source, rng: Rng) -> Gap:
    """How many of a source's rows are left once they are weighed towards the target."""
    views = [problem.view(rows.unlabelled()) for rows in (theirs, mine)]
    settings = DensityRatio()
    assert isinstance(views[0], RowView) and isinstance(views[1], RowView)
    weight = ratios(views[0], views[1], settings.penalty, settings.at_most, rng)
    share = effective_rows(weight) / len(weight)
    return Gap(
        measure="effective-share",
        source=source.name,
        target=problem.target,
        value=share,
        low=None,
        high=None,
        p=None,
        null_low=None,
        null_high=None,
        n_source=len(weight),
        n_target=mine.n,
        sentence=f"Weighed to look like {problem.target}'s, {source.name}'s "
        f"{number_of(source.n, 'row is', 'rows are')} worth about {share * source.n:,.0f} "
        f"({share:.0%})",
    )


def _unseen(source: Source, problem: Problem) -> Gap:
    """Says that a source's rows are nobody's to measure."""
    sentence = (
        f"How far {source.name} is from {problem.target} is not measured: it shares its "
        f"{' and '.join(WORDS[each] for each in sorted(source.shares)) or 'name'}, and no rows"
    )
    nothing = (None, None, None, None, None, 0, 0)
    return Gap("rows", source.name, problem.target, float("nan"), *nothing, sentence)


def _unmeasured(text: list[str], source: str, problem: Problem) -> Gap:
    """Says that text is read by the models but by no measure here."""
    sentence = (
        f"How far {source}'s {', '.join(text)} is from {problem.target}'s is not measured: "
        "distances here are of the other columns only"
    )
    nothing = (None, None, None, None, None, 0, 0)
    return Gap("text", source, problem.target, float("nan"), *nothing, sentence)


def _some(rows: Rows, rng: Rng) -> Rows:
    """A sample of the rows without their text, which these measures do not read."""
    text = [name for name, kind in rows.types.items() if kind == ColumnType.TEXT]
    rows = replace(rows, columns=rows.columns.drop(text))
    if rows.n <= AT_MOST:
        return rows
    return rows.take(np.sort(rng.generator().choice(rows.n, AT_MOST, replace=False)))


def _matrix(problem: Problem, rows: Rows) -> tuple[Array, list[str]]:
    """Numbers and indicators of frequent category levels, with a name for each column."""
    view = problem.view(rows)
    assert isinstance(view, RowView)
    encoder = problem.encoder
    names, columns = [], []
    for position, name in enumerate(getattr(encoder, "numeric_names", ())):
        names.append(name)
        columns.append(view.numeric[:, position])
    for position, (name, known) in enumerate(getattr(encoder, "levels", {}).items()):
        for code, level in enumerate(known[:LEVELS], start=1):
            names.append(f"{name} = {level}")
            columns.append((view.codes[:, position] == code).astype(float))
    if not columns:
        return np.zeros((rows.n, 0)), []
    return np.column_stack(columns), names


def _tokens_gap(problem: Problem, source: Source) -> list[Gap]:
    """How much of the target's vocabulary, and of its running text, a source knows."""
    mine, theirs = problem.fit, source.sample
    assert isinstance(mine, Sentences) and isinstance(theirs, Sentences)
    names = {"source": source.name, "target": problem.target}
    words = mine.tokens.explode().to_list()
    known = theirs.tokens.explode().unique().to_list()
    return [overlap(known, words).gap("tokens", **names)] if words and known else []


def _items_gap(problem: Problem, source: Source) -> list[Gap]:
    mine, theirs = problem.fit, source.sample
    assert isinstance(mine, Interactions) and isinstance(theirs, Interactions)
    names = {"source": source.name, "target": problem.target}
    return [
        overlap(list(theirs.users), list(mine.users)).gap("users", **names),
        overlap(list(theirs.items), list(mine.items)).gap("items", **names),
        event_overlap(list(theirs.items), list(mine.items[mine.item]), **names),
    ]


def _is_ease(source: Source) -> bool:
    return source.fitted is not None and isinstance(source.fitted.model, Ease)


def _ranking_power(task: Task, problem: Problem, rng: Rng) -> list[Gap]:
    """How much better than the target's popularity each source alone ranks an inner fold."""
    folds = problem.inner(2, rng.child("folds"))
    if not folds or not problem.sources:
        return []
    inner, held = folds[0]
    held = task.protocol(held, inner.onto(problem.fit), rng.child("protocol").seed)
    if held.truth.n_units < 2:
        return []
    encoded = inner.encoded(Statistics.BOTH)
    encoder = encoded.encoder
    assert isinstance(encoder, ItemEncoder)
    view = encoded.view(encoded.fit)
    assert isinstance(view, ItemView)
    floor = Fitted(encoder, Popularity(counts=view.popularity, standing=view.popularity))
    scores, settings = {}, SourceSettings.for_recipe(problem.recipe)
    for source in inner.sources:
        if "gram" in source.shares or _is_ease(source):
            given = map_items(given_items(source, settings), encoder)
            if not given.popularity.any():
                continue  # it knows none of these items, and ranks nothing
            alone = Fitted(encoder, Ease(matrix=given.matrix, popularity=given.popularity))
            scores[source.name] = task.unit_scores(alone.answer(held), held.truth)
    if not scores:
        return []
    return source_ranking_power(
        scores,
        task.unit_scores(floor.answer(held), held.truth),
        rng.child("bootstrap"),
        metric=task.metric.name,
        target=problem.target,
    )

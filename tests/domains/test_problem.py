"""A problem shows a strategy what it may see, and inner folds come from `fit` alone."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.sample import Interactions, Rows
from acclimate.domains.source import Source
from acclimate.domains.view import ItemRecipe
from acclimate.rng import Rng
from acclimate.tasks.task import Posed


def test_a_problem_has_no_place_for_choose_or_judge() -> None:
    assert {each.name for each in fields(Problem)} == {
        "target", "fit", "sources", "claim", "recipe", "unlabelled", "encoder",
        "facts", "levels",
    }  # fmt: skip


def test_inner_folds_of_rows_cover_fit_and_leave_the_rest_alone(
    posed_rows: Posed, rng: Rng
) -> None:
    problem = posed_rows.problem
    folds = problem.inner(4, rng)
    assert sum(held.query.n for _, held in folds) == problem.fit.n
    for inner, _ in folds:
        assert inner.sources is problem.sources and inner.recipe is problem.recipe
    again = problem.inner(4, rng)
    for (one, _), (other, _) in zip(folds, again, strict=True):
        assert one.fit.fingerprint == other.fit.fingerprint


def test_inner_folds_of_events_ask_for_what_came_last(posed_events: Posed, rng: Rng) -> None:
    fit = posed_events.problem.fit
    assert isinstance(fit, Interactions)
    ((inner, held),) = posed_events.problem.inner(1, rng)
    assert isinstance(inner.fit, Interactions)
    assert inner.fit.n + len(held.truth.item) == fit.n  # type: ignore[arg-type]
    last = {int(u): int(i) for u, i in zip(fit.user, fit.item, strict=True)}
    position = {user: at for at, user in enumerate(fit.users)}
    assert held.truth.user is not None and held.truth.item is not None
    for row, item in zip(held.truth.user, held.truth.item, strict=True):
        assert last[position[held.query.users[row]]] == item


DAY = np.float64(86_400)


def by_the_clock() -> Problem:
    """Ten users of a target and of a source, an item a day each; and a source of the end."""

    def market(first: int, days: int) -> Interactions:
        day = np.arange(days, dtype=np.int64)
        users = np.array([f"u{k}" for k in range(10)], dtype=object)
        items = np.array([f"i{k:02}" for k in range(first, first + days)], dtype=object)
        return Interactions(day % 10, day, users, items, time=DAY * (first + day))

    sources = (Source("one", market(0, 40)), Source("late", market(35, 5)))
    fit = market(0, 40)
    return Problem("target", fit, sources, Claim.LATER, ItemRecipe(fit.items))


def test_inner_folds_by_the_clock_know_nothing_of_any_market_from_their_origin_on(
    rng: Rng,
) -> None:
    problem = by_the_clock().encoded(Statistics.BOTH)
    assert problem.clocked
    for (inner, held), days in zip(problem.inner(2, rng), (30, 22), strict=True):
        fit, recipe = inner.fit, inner.recipe
        assert isinstance(fit, Interactions) and isinstance(recipe, ItemRecipe)
        assert fit.n == days and recipe.catalogue.tolist() == fit.items.tolist()
        # The late source had not begun, and what the encoder had read is forgotten.
        assert [source.name for source in inner.sources] == ["one"]
        theirs = inner.sources[0].sample
        assert isinstance(theirs, Interactions) and theirs.time is not None
        assert theirs.time.max() == 86_400.0 * (days - 1)
        assert len(theirs.items) == days
        assert inner.encoder is None
        assert held.context.items is fit.items
        onto = inner.onto(problem.fit)
        assert isinstance(onto, Interactions) and onto.items.tolist() == fit.items.tolist()


def test_a_fold_before_every_source_began_is_left_out(rng: Rng) -> None:
    problem = by_the_clock()
    late = problem.with_sources(problem.sources[1:])
    assert late.inner(2, rng) == []
    assert len(problem.with_sources([]).inner(2, rng)) == 2


def test_a_source_cut_at_a_moment_keeps_the_weights_of_what_is_left() -> None:
    source = by_the_clock().sources[0].weighed(np.arange(40.0))
    cut = source.until(86_400.0 * 2)
    assert cut.n == 3 and cut.weight is not None and cut.weight.tolist() == [0, 1, 2]
    whole = replace(source, held=replace(source.sample, time=None))
    assert whole.until(0.0) is whole


def test_a_view_is_made_once_per_content_and_statistics(posed_rows: Posed) -> None:
    target = posed_rows.problem.encoded(Statistics.TARGET)
    both = posed_rows.problem.encoded(Statistics.BOTH)
    assert target.view(target.fit) is target.view(target.fit)
    assert target.view(target.fit) is not both.view(both.fit)
    assert isinstance(target.fit, Rows)
    fewer = target.fit.take(np.arange(target.fit.n - 1))
    assert target.view(fewer) is not target.view(target.fit)


def test_fewer_sources_are_another_problem(posed_rows: Posed) -> None:
    problem = posed_rows.problem
    one = problem.with_sources(problem.sources[:1])
    assert [source.name for source in one.sources] == ["near"]
    assert [source.name for source in problem.sources] == ["near", "far"]

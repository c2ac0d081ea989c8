"""A problem shows a strategy what it may see, and inner folds come from `fit` alone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions, Rows
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

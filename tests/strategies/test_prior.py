"""Source prior: between target-only and source-only, and honest about when it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows, stack_rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Derived, Source
from acclimate.domains.view import RowView, View
from acclimate.errors import BudgetError, StrategyError
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear, LinearPrior
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.parameter import prior as prior_module
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.stacking import stack
from tests.models.designs import objective

RNG = Rng.of(0)


def market(n: int, seed: int, *, flip: float = 1.0, base: float = 0.0) -> Rows:
    """Rows of one market; `flip` is −1 where the same causes have opposite effects."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 3))
    group = g.integers(0, 5, n)
    score = flip * (x @ np.array([1.5, -1.0, 0.5]) + np.linspace(-1, 1, 5)[group]) + base
    label = (g.random(n) < 1 / (1 + np.exp(-score))).astype(np.int64)
    columns = {f"x{i}": x[:, i] for i in range(3)} | {"group": [f"g{k}" for k in group]}
    types = {f"x{i}": ColumnType.NUMERIC for i in range(3)} | {"group": ColumnType.CATEGORY}
    return Rows(pl.DataFrame(columns), types, ("no", "yes"), label)


def problem(target: Rows, *sources: Rows) -> Problem:
    named = tuple(Source(f"s{i}", sample) for i, sample in enumerate(sources))
    raw = Problem("t", target, named, Claim.NEW, RowRecipe())
    return raw.encoded(SourcePrior.statistics)


def target_only(given: Problem, model: Linear) -> Linear:
    """The target's own fit in the problem's encoder."""
    view = given.view(given.fit)
    assert isinstance(view, RowView)
    return model.fit(model.prepare(view), rng=RNG)


def coefficients(model: object) -> Array:
    assert isinstance(model, Linear) and model.fitted is not None
    return model.fitted.coefficients


def log_loss(given: Problem, model: object, held: Rows) -> float:
    view = given.view(held)
    assert isinstance(model, Linear) and isinstance(view, RowView) and held.label is not None
    p = model.predict(view).p[np.arange(held.n), held.label]
    return float(-np.log(p).mean())


def test_the_limits_are_target_only_and_source_only() -> None:
    given = problem(market(80, 1), market(2000, 2, flip=0.3))
    model = Linear(2.0)
    alone = target_only(given, model)
    weak = SourcePrior(1e-9).adapt(given, model, RNG)
    strong = SourcePrior(1e10).adapt(given, model, RNG)
    np.testing.assert_allclose(coefficients(weak), coefficients(alone), atol=1e-6)
    np.testing.assert_allclose(
        coefficients(strong), coefficients(SourceOnly().adapt(given, model, RNG)), atol=1e-6
    )


def test_the_fit_is_the_minimum_of_the_objective_around_the_sources_coefficients() -> None:
    """At a strength between the limits, written out: (μ/2) Σ dⱼ (βⱼ − bⱼ)²."""
    bare = problem(market(60, 1), market(90, 2, flip=0.4), market(80, 3, base=1.0))
    given = bare.weighed({"s0": np.linspace(0.0, 3.0, 90)})
    source = coefficients(SourceOnly().adapt(given, Linear(2.0), RNG))
    found = coefficients(SourcePrior(7.0).adapt(given, Linear(2.0), RNG))
    view = given.view(given.fit)
    assert isinstance(view, RowView)
    sure = np.full(source.shape, 7.0)
    sure[0] = 0.7  # the base rate, a tenth as sure
    prior = LinearPrior(source, sure, np.ones(2, bool))
    slopes = []
    for at in range(len(found)):
        step = np.zeros_like(found)
        step[at] = 1e-4
        ahead, behind = (objective(view, found + s * step, 2.0, None, prior) for s in (1, -1))
        slopes.append((ahead - behind) / 2e-4)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-5)


def test_with_few_target_rows_a_like_source_helps() -> None:
    given, held = problem(market(40, 1), market(3000, 2)), market(3000, 3)
    model = Linear()
    alone = target_only(given, model)
    helped = SourcePrior(100.0).adapt(given, model, RNG)
    assert log_loss(given, helped, held) < log_loss(given, alone, held) - 0.02


def test_a_weak_prior_does_less_harm_than_a_strong_one_when_effects_are_flipped() -> None:
    given, held = problem(market(80, 1), market(3000, 2, flip=-1.0)), market(3000, 3)
    losses = [
        log_loss(given, each.step(given, Linear(), RNG)[1], held)
        for each in SourcePrior().grid(given)
    ]
    assert losses == sorted(losses)


def test_the_base_rate_moves_more_freely_than_the_effects() -> None:
    source, target = market(5000, 2), market(400, 1, base=-2.0)
    given = problem(target, source)
    from_source = coefficients(SourceOnly().adapt(given, Linear(), RNG))
    found = coefficients(SourcePrior(100.0).adapt(given, Linear(), RNG))
    moved = found - from_source
    assert moved[0, 0] < -1.0
    assert np.abs(moved[1:]).max() < 0.6


def test_several_sources_are_one_source_of_all_their_rows() -> None:
    target, one, two = market(50, 1), market(300, 2), market(400, 3, flip=0.5)
    apart = SourcePrior().adapt(problem(target, one, two), Linear(), RNG)
    joined = SourcePrior().adapt(problem(target, stack_rows([one, two])), Linear(), RNG)
    np.testing.assert_allclose(coefficients(apart), coefficients(joined), atol=1e-6)


def test_the_source_is_fitted_once_for_all_strengths_and_folds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = problem(market(60, 11), market(500, 12))
    stacked: list[int] = []

    def counted(views: Sequence[View]) -> View:
        stacked.append(len(views))
        return stack(views)

    monkeypatch.setattr(prior_module, "stack", counted)
    for each in SourcePrior().grid(given):
        for inner, _ in given.inner(3, RNG):
            each.step(inner, Linear(), RNG)
    assert stacked == [1]
    SourcePrior().adapt(given, Linear(7.0), RNG)  # another penalty is another source model
    other = problem(market(60, 11), market(500, 13))
    SourcePrior().adapt(other, Linear(), RNG)
    assert stacked == [1, 1, 1]


def test_a_kept_prior_gives_what_a_fresh_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    given = problem(market(60, 1), market(500, 2))
    kept = [coefficients(SourcePrior().adapt(given, Linear(), RNG.child(i))) for i in range(2)]
    monkeypatch.setattr(prior_module, "_PRIORS", Derived())
    fresh = coefficients(SourcePrior().adapt(given, Linear(), RNG))
    np.testing.assert_array_equal(kept[0], kept[1])
    np.testing.assert_array_equal(kept[0], fresh)


def test_a_budget_that_ends_during_the_source_fit_keeps_nothing() -> None:
    given = problem(market(60, 21), market(500, 22))

    def over() -> None:
        raise BudgetError("the budget ended")

    with pytest.raises(BudgetError):
        SourcePrior().adapt(given, Linear(), RNG, over)
    assert coefficients(SourcePrior().adapt(given, Linear(), RNG)).shape == (9, 1)


def test_refusals_say_why() -> None:
    target = market(40, 1)
    given = problem(target, market(100, 2))
    assert SourcePrior().why_not(given, Linear()) is None
    assert "trees takes no prior" in str(SourcePrior().why_not(given, Trees()))
    assert "ease takes no prior" in str(SourcePrior().why_not(given, Ease()))
    assert SourcePrior().why_not(given.with_sources([]), Linear()) == "there is no source"
    closed = [replace(source, shares=frozenset({"moments"})) for source in given.sources]
    assert "does not share its rows" in str(
        SourcePrior().why_not(given.with_sources(closed), Linear())
    )
    one = replace(market(100, 2), label=np.zeros(100, np.int64))
    assert "a single class" in str(SourcePrior().why_not(problem(target, one), Linear()))
    blind = market(100, 2).unlabelled()
    assert "no labels" in str(SourcePrior().why_not(problem(target, blind), Linear()))
    with pytest.raises(StrategyError, match="strength above 0, found 0"):
        SourcePrior(0.0)


def test_the_grid_holds_the_default_and_grows() -> None:
    given = problem(market(40, 1), market(100, 2))
    strengths = [
        each.strength for each in SourcePrior().grid(given) if isinstance(each, SourcePrior)
    ]
    assert strengths == sorted(strengths)
    assert SourcePrior().strength in strengths
    assert SourcePrior.statistics == Statistics.SOURCES

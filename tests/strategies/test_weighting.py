"""Density ratio: the true one, by a classifier that has not seen the row; none too heavy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.plans.tryout import tryout
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.instance import weighting
from acclimate.strategies.instance.weighting import (
    FOLDS,
    DensityRatio,
    clipped,
    effective_rows,
    ratios,
    worth,
)
from tests.strategies.shapes import RNG, market, problem, view


def gaussians(n_source: int, n_target: int, apart: float = 1.0) -> tuple[Array, Array]:
    g = np.random.default_rng(3)
    return g.standard_normal((n_source, 2)), g.standard_normal((n_target, 2)) + np.array(
        [apart, 0.0]
    )


def test_weights_are_the_true_ratio_of_two_gaussians() -> None:
    xs, xt = gaussians(4000, 2000)
    found = ratios(view(xs), view(xt), 1.0, 1e6, RNG)
    true = np.exp(xs[:, 0] - 0.5)  # N(1, 1) / N(0, 1) at x
    # The wrong way round, or without the classifier's odds, correlation is ≤ 0.
    assert np.corrcoef(np.log(found), np.log(true))[0, 1] > 0.99
    assert np.median(np.abs(found / (true / true.mean()) - 1)) < 0.1


def test_weights_do_not_change_with_how_many_rows_the_target_has() -> None:
    xs, xt = gaussians(1000, 4000)
    whole = ratios(view(xs), view(xt), 1.0, 1e6, RNG)
    part = ratios(view(xs), view(xt[:1000]), 1.0, 1e6, RNG)
    assert np.median(np.abs(whole / part - 1)) < 0.1


def test_without_a_shift_all_rows_weigh_about_the_same() -> None:
    xs, xt = gaussians(2000, 2000, apart=0.0)
    assert effective_rows(ratios(view(xs), view(xt), 1.0, 20.0, RNG)) > 0.97 * 2000


def test_no_row_is_weighed_by_a_classifier_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 53
    marks = np.arange(n, dtype=float)[:, None]
    learned: list[set[float]] = []
    asked: list[float] = []

    class Watched(Linear):
        def prepare(self, view: Any) -> Any:
            learned.append(set(view.numeric[view.label == 0, 0]))
            assert set(view.label) == {0, 1}
            return super().prepare(view)

        def predict(self, query: Any, context: Any = None) -> Any:
            assert query.label is None
            assert not set(query.numeric[:, 0]) & learned[-1]
            asked.extend(query.numeric[:, 0])
            return super().predict(query, context)

    monkeypatch.setattr(weighting, "Linear", Watched)
    ratios(view(marks), view(marks[:20] + 1000), 1.0, 20.0, RNG)
    assert len(learned) == FOLDS and sorted(asked) == marks[:, 0].tolist()


def test_rows_of_both_kinds_weigh_the_same_however_sources_and_targets_are_labelled() -> None:
    xs, xt = gaussians(100, 80)
    bare = ratios(view(xs), view(xt), 1.0, 20.0, RNG)
    told = ratios(view(xs, np.ones(100, int)), view(xt, np.zeros(80, int)), 1.0, 20.0, RNG)
    np.testing.assert_array_equal(bare, told)


# ── clipping ────────────────────────────────────────────────────────────────


def test_weights_within_the_limit_are_only_scaled_to_mean_1() -> None:
    np.testing.assert_allclose(clipped(np.array([1.0, 2.0, 3.0]), 20.0), [0.5, 1.0, 1.5])


def test_what_is_too_heavy_is_cut_to_the_limit_in_means_of_what_is_left() -> None:
    # Cut at c with (c + 3)/4 the mean and 2 the limit: c = (c + 3)/2, so c = 3.
    found = clipped(np.array([1000.0, 1.0, 1.0, 1.0]), 2.0)
    np.testing.assert_allclose(found, np.array([3.0, 1.0, 1.0, 1.0]) / 1.5)


@pytest.mark.parametrize("at_most", [1.01, 2.0, 5.0, 20.0])
def test_one_row_never_outweighs_the_limit_and_order_is_kept(at_most: float) -> None:
    g = np.random.default_rng(1)
    for n in (1, 2, 7, 100):
        weight = np.exp(6 * g.standard_normal(n))
        found = clipped(weight, at_most)
        assert found.mean() == pytest.approx(1.0)
        assert found.max() <= at_most * (1 + 1e-9)
        assert (np.diff(found[np.argsort(weight)]) >= 0).all()


def test_domains_that_are_told_apart_without_fail_still_give_finite_weights() -> None:
    g = np.random.default_rng(1)
    xs, xt = g.standard_normal((50, 1)) - 1e4, g.standard_normal((50, 1)) + 1e4
    found = ratios(view(xs), view(xt), 1e-6, 20.0, RNG)
    assert np.isfinite(found).all() and found.mean() == pytest.approx(1.0)


def test_rows_that_are_surely_the_sources_weigh_next_to_nothing_and_not_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Sure(Linear):
        def predict(self, query: Any, context: Any = None) -> Any:
            mine = (query.numeric[:, 0] > 0).astype(float)
            return Probabilities(np.column_stack([1 - mine, mine]))

    monkeypatch.setattr(weighting, "Linear", Sure)
    xs = np.linspace(-1, 1, 20)[:, None]
    found = ratios(view(xs), view(xs), 1.0, 1.5, RNG)
    assert np.isfinite(found).all() and found.max() <= 1.5 + 1e-9
    assert (found > 0).all()
    none = ratios(view(xs - 2), view(xs), 1.0, 1.5, RNG)
    np.testing.assert_allclose(none, 1.0)


def test_weights_of_nothing_leave_no_row_above_the_limit() -> None:
    # One row of four has all: cut at c of itself with (c + 3e-12)/4 the mean, c = 3e-12.
    found = clipped(np.array([7.0, 0.0, 0.0, 0.0]), 2.0)
    np.testing.assert_allclose(found, np.array([3.0, 1.0, 1.0, 1.0]) / 1.5)
    np.testing.assert_array_equal(clipped(np.zeros(3), 2.0), np.ones(3))


def test_effective_rows_by_hand() -> None:
    assert effective_rows(np.ones(7)) == pytest.approx(7)
    assert effective_rows(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert effective_rows(np.array([5.0, 0.0, 0.0])) == pytest.approx(1)


# ── the step ────────────────────────────────────────────────────────────────


def test_each_source_is_weighed_by_itself_and_times_the_weights_it_has() -> None:
    one, two = market(60, 2), market(80, 3, shift=1.0)
    given = problem(market(50, 1, shift=1.0), one, two)
    plain = DensityRatio().weigh(given, RNG)
    doubled = given.with_sources(
        [replace(given.sources[0], weight=np.full(60, 2.0)), given.sources[1]]
    )
    again = DensityRatio().weigh(doubled, RNG)
    first, second = (np.asarray(source.weight) for source in plain.sources)
    assert first.mean() == pytest.approx(1) and second.mean() == pytest.approx(1)
    assert effective_rows(first) / 60 < effective_rows(second) / 80
    np.testing.assert_allclose(np.asarray(again.sources[0].weight), 2 * first)
    alone = DensityRatio().weigh(given.with_sources(given.sources[1:]), RNG)
    np.testing.assert_array_equal(np.asarray(alone.sources[0].weight), second)
    assert plain.encoder is given.encoder and plain.fit is given.fit


def test_the_step_hands_on_weights_that_the_fit_uses() -> None:
    given = problem(market(50, 1, shift=1.0), market(80, 2))
    weighed = DensityRatio().weigh(given, RNG)
    ours = SourceOnly().adapt(weighed, Linear(), RNG).state().tensors["coefficients"]
    plain = SourceOnly().adapt(given, Linear(), RNG).state().tensors["coefficients"]
    assert np.abs(ours - plain).max() > 0.01


# ── refusals ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("penalty", "at_most"),
    [(0.0, 20.0), (-1.0, 20.0), (1.0, 1.0), (np.inf, 20.0), (1.0, np.inf)],
)
def test_settings_out_of_range_are_refused(penalty: float, at_most: float) -> None:
    with pytest.raises(
        StrategyError, match="Expected a finite penalty above 0 and a finite at_most"
    ):
        DensityRatio(penalty, at_most)


def test_the_grid_holds_the_default_first() -> None:
    grid = DensityRatio().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == DensityRatio() and len(set(grid)) == 3


def test_what_weighting_leaves_of_each_source_is_told_by_its_effective_rows() -> None:
    half = np.repeat([2.0, 0.0], 50)
    assert worth({"near": np.ones(2000), "far": half}) == [
        "near: weighted, its 2,000 rows are worth 2,000 equal ones",
        "far: weighted, its 100 rows are worth 50 equal ones",
    ]


def test_an_arm_tells_what_weighting_left_beside_its_fit() -> None:
    tried = tryout("density-ratio + source-only", labels=0)
    assert len(tried.facts) == 1 and tried.facts[0].startswith("source 1: weighted, its 1,000")

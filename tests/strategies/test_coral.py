"""CORAL: the target's covariance, by the paper's formula, for sources and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.problem import Statistics
from acclimate.domains.sample import Rows
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.catalogue import named
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.coral import Coral, recolour, recoloured, rescale, variance
from tests.strategies.shapes import (
    RNG,
    chances,
    log_loss,
    market,
    problem,
    rows,
    table,
    text,
    view,
    views_of,
)


def normal(n: int, seed: int, mix: Array, shift: float = 0.0) -> Array:
    return np.random.default_rng(seed).standard_normal((n, len(mix))) @ mix + shift


MIX_S = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, -0.7], [0.3, 0.0, 0.4]])
MIX_T = np.array([[0.5, 0.0, 0.2], [0.9, 1.5, 0.0], [0.0, -0.4, 1.0]])


# ── the formula ─────────────────────────────────────────────────────────────


def test_recolour_matches_target_covariance_as_shrink_vanishes() -> None:
    xs, xt = normal(300, 1, MIX_S, shift=-1.0), normal(200, 2, MIX_T, shift=2.0)
    moved = recolour(xs, xt, 1e-9)
    np.testing.assert_allclose(moved.mean(axis=0), xt.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(xt.T), atol=1e-6)
    assert np.abs(np.cov(xs.T) - np.cov(xt.T)).max() > 0.5


def test_recolour_is_algorithm_1_with_the_identity_added_to_both_covariances() -> None:
    # C_s = [[2, 0], [0, 8]] and C_t = [[4, 3], [3, 4]], both by hand with n − 1.
    xs = np.array([[1.0, 2.0], [-1.0, 2.0], [1.0, -2.0], [-1.0, -2.0]]) * np.sqrt(1.5)
    axes = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    spread = np.array([np.sqrt(7.0), 1.0]) * np.sqrt(1.5)
    xt = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * spread @ axes
    np.testing.assert_allclose(np.cov(xs.T), [[2, 0], [0, 8]], atol=1e-12)
    np.testing.assert_allclose(np.cov(xt.T), [[4, 3], [3, 4]], atol=1e-12)
    # C_s + I = diag(3, 9), so its power −½ is diag(1/√3, 1/3); C_t + I has the eigenvalues
    # 8 along (1, 1) and 2 along (1, −1), so its root is
    # [[√8 + √2, √8 − √2], …]/2, that is [[3, 1], [1, 3]]/√2.
    by_hand = xs @ np.diag([1 / np.sqrt(3), 1 / 3]) @ np.array([[3.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(recolour(xs, xt), by_hand / np.sqrt(2), atol=1e-12)


def test_a_large_shrink_moves_nothing_but_the_mean() -> None:
    xs, xt = normal(50, 1, MIX_S), normal(60, 2, MIX_T, shift=3.0)
    moved = recolour(xs, xt, 1e12)
    np.testing.assert_allclose(moved, xs - xs.mean(axis=0) + xt.mean(axis=0), atol=1e-8)
    thin = sp.csr_array(np.abs(xs) * (xs > 0))
    np.testing.assert_allclose(
        rescale(thin, sp.csr_array(xt), 1e12).toarray(), thin.toarray(), atol=1e-8
    )


def test_the_same_rows_on_both_sides_stay_where_they_are() -> None:
    x = normal(40, 3, MIX_S, shift=2.0)
    np.testing.assert_allclose(recolour(x, x, 0.1), x, atol=1e-10)


def test_columns_that_never_vary_and_single_columns_are_recoloured_too() -> None:
    xs, xt = normal(30, 1, MIX_S), normal(30, 2, MIX_T)
    xs[:, 1] = 3.0
    assert np.isfinite(recolour(xs, xt)).all()
    one = recolour(xs[:, :1], xt[:, :1], 1e-9)
    np.testing.assert_allclose(one.var(ddof=1), xt[:, 0].var(ddof=1), rtol=1e-6)


def thin(n: int, seed: int, scale: Array) -> sp.csr_array:
    g = np.random.default_rng(seed)
    return sp.csr_array((g.random((n, len(scale))) < 0.3) * g.random((n, len(scale))) * scale)


def test_variances_of_sparse_columns_are_those_of_numpy() -> None:
    x = thin(40, 1, np.array([1.0, 5.0, 0.0]))
    np.testing.assert_allclose(variance(x), x.toarray().var(axis=0, ddof=1), atol=1e-12)


def test_rescale_matches_the_variance_of_each_column_and_keeps_what_is_0() -> None:
    xs = thin(200, 1, np.array([1.0, 4.0, 0.2, 0.0]))
    xt = thin(150, 2, np.array([3.0, 1.0, 1.0, 0.0]))
    moved = rescale(xs, xt, 1e-12)
    np.testing.assert_allclose(variance(moved), variance(xt), atol=1e-9)
    np.testing.assert_array_equal(moved.toarray() == 0, xs.toarray() == 0)


def test_the_identity_of_sparse_columns_is_their_mean_variance() -> None:
    xs = sp.csr_array(np.array([[2.0, 0.0], [0.0, 0.0]]))  # variances 2 and 0
    xt = sp.csr_array(np.array([[0.0, 0.0], [0.0, 4.0]]))  # variances 0 and 8, mean 4
    moved = rescale(xs, xt, 1.0).toarray()
    np.testing.assert_allclose(moved, [[2 * np.sqrt((0 + 4) / (2 + 4)), 0], [0, 0]])


def test_text_of_a_target_that_says_nothing_moves_nothing() -> None:
    xs, none = thin(10, 1, np.ones(3)), sp.csr_array((10, 3))
    np.testing.assert_allclose(rescale(none, none).toarray(), 0)
    np.testing.assert_array_equal(rescale(none, xs).toarray(), 0)


# ── the step ────────────────────────────────────────────────────────────────


def mixed(n: int, seed: int, shift: float) -> Rows:
    """Numbers, a category and a text whose word "good" makes yes likelier."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2)) * (1 + shift)
    good = g.random(n) < 0.5
    label = (g.random(n) < 1 / (1 + np.exp(-(x[:, 0] + 2.0 * good - 1.0)))).astype(np.int64)
    note = [f"{'good' if each else 'bad'} parcel {g.integers(5)}" for each in good]
    return table(x, label, group=g.integers(0, 3, n), note=note)


def test_codes_labels_and_the_targets_rows_are_left_alone() -> None:
    given = problem(mixed(60, 1, 0.0), mixed(80, 2, 1.0))
    after = Coral().reshape(given, RNG)
    before, moved = views_of(given)[0], views_of(after)[0]
    assert after.encoder is given.encoder
    np.testing.assert_array_equal(moved.codes, before.codes)
    np.testing.assert_array_equal(np.asarray(moved.label), np.asarray(before.label))
    assert np.abs(moved.numeric - before.numeric).max() > 0.1
    assert abs(text(moved) - text(before)).max() > 0.01
    mine = rows(after.view(after.fit))
    np.testing.assert_array_equal(mine.numeric, rows(given.view(given.fit)).numeric)


def test_several_sources_are_each_recoloured_by_itself() -> None:
    one, two = market(70, 2, shift=1.0), market(90, 3, flip=-1.0)
    both = views_of(Coral(0.1).reshape(problem(market(60, 1), one, two), RNG))
    target = rows(problem(market(60, 1), one, two).view(market(60, 1))).numeric
    for at, moved in enumerate(both):
        raw = views_of(problem(market(60, 1), one, two))[at].numeric
        np.testing.assert_allclose(moved.numeric, recolour(raw, target, 0.1), atol=1e-10)


def test_unlabelled_rows_of_the_target_count_in_its_covariance() -> None:
    fit, more = market(30, 1), market(200, 5, shift=3.0).unlabelled()
    given = problem(fit, market(80, 2), unlabelled=more)
    moved = views_of(Coral(1e-9).reshape(given, RNG))[0].numeric
    seen = np.concatenate([rows(given.view(each)).numeric for each in (fit, more)])
    np.testing.assert_allclose(np.cov(moved.T), np.cov(seen.T), atol=1e-5)


def test_the_covariance_of_a_target_without_labels_is_taken_all_the_same() -> None:
    none = market(5, 1).take(np.empty(0, np.int64))
    given = problem(none, market(80, 2), unlabelled=market(50, 3).unlabelled(), on=None)
    strategy = named("coral + source-only")
    assert strategy.why_not(given, Linear()) is None
    p = chances(Arm(strategy, Linear()).fit(given, RNG).predict(market(9, 4).unlabelled()))
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("model", [Linear(), Trees(rounds=8)], ids=lambda each: each.kind)
@pytest.mark.parametrize("columns", ["dense", "mixed", "text"])
def test_every_model_of_rows_is_fitted_on_what_was_moved(model: Model, columns: str) -> None:
    target, source = mixed(60, 1, 0.0), mixed(200, 2, 1.0)
    kept = {"dense": ["x0", "x1"], "mixed": target.columns.columns, "text": ["note"]}[columns]
    target, source = (
        replace(each, columns=each.columns.select(kept), types={n: each.types[n] for n in kept})
        for each in (target, source)
    )
    given = problem(target, source, on=None)
    strategy = named("coral + pooled")
    assert strategy.why_not(given, model) is None
    ours, plain = (
        chances(Arm(each, model).fit(given, RNG).predict(target.unlabelled()))
        for each in (strategy, named("pooled"))
    )
    assert np.isfinite(ours).all() and not np.allclose(ours, plain, atol=1e-6)


def test_recolouring_helps_where_a_source_measures_in_a_mixed_frame() -> None:
    g = np.random.default_rng(1)

    def drawn(n: int, frame: Array) -> Rows:
        # The label hangs on what lies under the frame; the target's is the identity.
        z = g.standard_normal((n, 2))
        label = (g.random(n) < 1 / (1 + np.exp(-3 * z[:, 0]))).astype(np.int64)
        return table(z @ frame, label)

    # C_s^-½ undoes a symmetric frame.
    given = problem(
        drawn(200, np.eye(2)), drawn(800, np.array([[1.0, 0.6], [0.6, 1.0]])), on=None
    )
    held = drawn(500, np.eye(2))
    moved, plain = (
        log_loss(chances(Arm(each, Linear()).fit(given, RNG).predict(held.unlabelled())), held)
        for each in (Chain((Coral(0.01), SourceOnly())), SourceOnly())
    )
    assert moved < plain - 0.1, (moved, plain)


# ── refusals ────────────────────────────────────────────────────────────────


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert Coral().why_not(given, Linear()) is None
    why = Coral().why_not(given, Popularity())
    assert why == "popularity reads no numbers or text that could be recoloured"
    codes = market(30, 1)
    codes = replace(
        codes, columns=codes.columns.select("group"), types={"group": codes.types["group"]}
    )
    assert Coral().why_not(problem(codes, codes, on=None), Linear()) == (
        "source and target share no numeric or text columns"
    )
    few = market(1, 3)
    for one in (problem(few, market(40, 2), on=None), problem(market(30, 1), few, on=None)):
        assert Coral().why_not(one, Linear()) == (
            "a side has fewer than three rows, too few for a covariance in every fold"
        )


@pytest.mark.parametrize("shrink", [0.0, -1.0, np.nan, np.inf])
def test_a_shrink_out_of_range_is_refused(shrink: float) -> None:
    with pytest.raises(StrategyError, match="Expected a finite shrink above 0, found"):
        Coral(shrink)


@pytest.mark.parametrize("move", [recolour, rescale])
def test_one_row_has_no_covariance(move: object) -> None:
    x = np.ones((1, 2)) if move is recolour else sp.csr_array(np.ones((1, 2)))
    with pytest.raises(
        StrategyError, match=r"Expected two rows a side .* found 1 of the source"
    ):
        move(x, x)  # type: ignore[operator]


def test_the_grid_holds_the_default_first() -> None:
    grid = Coral().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == Coral() and len(set(grid)) == 3


def test_the_encoder_of_a_chain_takes_the_statistics_of_what_it_fits() -> None:
    assert named("coral + source-only").statistics == Statistics.SOURCES
    assert named("coral + pooled").statistics == Statistics.BOTH


def test_a_view_without_numbers_keeps_its_empty_columns() -> None:
    empty = view(np.zeros((4, 0)), sparse=np.eye(4))
    assert recoloured(empty, empty, 1.0).numeric.shape == (4, 0)

"""Subspace alignment: Algorithm 1, beside another library's and on rows turned by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.strategies.feature.subspace import SubspaceAlignment, aligned, principal
from tests.strategies.shapes import RNG, chances, market, problem, rows, table, text, views_of


def normal(n: int, seed: int, d: int = 5) -> Array:
    g = np.random.default_rng(seed)
    return g.standard_normal((n, d)) @ g.standard_normal((d, d)) + 3 * g.random(d)


def test_axes_are_those_of_largest_variance_however_few_the_rows() -> None:
    for n in (40, 4):
        x = normal(n, 1)
        axes = principal(x, 3)
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-10)
        values = np.linalg.eigvalsh(np.cov(x.T))[::-1][:3]
        np.testing.assert_allclose(np.cov((x @ axes).T), np.diag(values), atol=1e-8)


def test_source_rows_land_where_algorithm_1_puts_them() -> None:
    # The source's axes by hand: e₁ (variance 4), e₂ (1); the target's: e₂, then e₃.
    xs = np.array([[2, 0, 0], [-2, 0, 0], [0, 1, 0], [0, -1, 0]], float) + 7
    xt = np.array([[0, 3, 0], [0, -3, 0], [0, 0, 1], [0, 0, -1]], float)
    moved = aligned(xs, principal(xt, 2))
    # P_sᵀP_t = [[0, 0], [±1, 0]]: of the source's second axis, the target's first is left.
    np.testing.assert_allclose(np.abs(moved), [[0, 0], [0, 0], [1, 0], [1, 0]], atol=1e-12)


def test_it_agrees_with_skada() -> None:
    skada = pytest.importorskip("skada")
    xs, xt = normal(60, 2), normal(70, 3)
    theirs = skada.SubspaceAlignmentAdapter(n_components=3)
    domain = np.r_[np.ones(60, int), -2 * np.ones(70, int)]
    moved = theirs.fit_transform(np.r_[xs, xt], sample_domain=domain)
    onto = principal(xt, 3)
    mine = np.r_[aligned(xs, onto), (xt - xt.mean(axis=0)) @ onto]
    np.testing.assert_allclose(mine @ mine.T, moved @ moved.T, atol=1e-8)


def test_the_targets_rows_are_projected_now_and_when_asked_later() -> None:
    given = problem(market(60, 1), market(80, 2, shift=1.0), market(50, 4, flip=-1.0))
    after = SubspaceAlignment(axes=2).reshape(given, RNG)
    fit, later = market(60, 1), market(9, 5)
    raw = rows(given.view(fit)).numeric
    onto = principal(raw, 2)
    for sample in (fit, later):
        mine = rows(after.view(sample)).numeric
        centred = rows(given.view(sample)).numeric - raw.mean(axis=0)
        np.testing.assert_allclose(mine, centred @ onto, atol=1e-10)
    for before, moved in zip(views_of(given), views_of(after), strict=True):
        np.testing.assert_allclose(moved.numeric, aligned(before.numeric, onto), atol=1e-10)
        np.testing.assert_array_equal(moved.codes, before.codes)
        np.testing.assert_array_equal(np.asarray(moved.label), np.asarray(before.label))


def test_text_stays_and_axes_are_no_more_than_rows_allow() -> None:
    g = np.random.default_rng(0)
    note = [f"parcel {n}" for n in range(4)]
    small = table(g.standard_normal((4, 6)), np.array([0, 1, 0, 1]), note=note)
    given = problem(small, small)
    after = SubspaceAlignment(axes=20).reshape(given, RNG)
    moved = views_of(after)[0]
    assert moved.numeric.shape == (4, 3)
    assert abs(sp.csr_array(text(moved) - text(views_of(given)[0]))).max() == 0


def test_it_helps_where_a_source_measures_in_a_turned_frame() -> None:
    g = np.random.default_rng(3)
    turn = np.linalg.qr(g.standard_normal((6, 6)))[0]
    turn *= np.sign(np.diag(turn))

    def drawn(n: int, frame: Array) -> tuple[Array, Array]:
        z = g.standard_normal((n, 6)) * [4, 0.5, 0.4, 0.3, 0.2, 0.1]
        return z @ frame, (z[:, 0] > 0).astype(np.int64)

    half = np.eye(6)
    half[:2, :2] = [[np.cos(1.3), np.sin(1.3)], [-np.sin(1.3), np.cos(1.3)]]
    (xs, ys), (xt, yt) = drawn(400, np.eye(6)), drawn(400, half)
    onto = principal(xt, 1)
    theirs, mine = aligned(xs, onto), (xt - xt.mean(axis=0)) @ onto
    assert np.mean((mine[:, 0] > 0) == yt) in (
        pytest.approx(1, abs=0.05),
        pytest.approx(0, abs=0.05),
    )
    # The same side of the aligned axis means the same label on both sides.
    same = np.mean((theirs[:, 0] > 0) == ys) > 0.5
    assert same == (np.mean((mine[:, 0] > 0) == yt) > 0.5)
    raw = np.mean((xt[:, 0] > 0) == yt)
    assert raw < 0.9


@pytest.mark.parametrize("model", [Linear(), Trees(rounds=8)], ids=lambda each: each.kind)
def test_every_model_of_rows_reads_the_axes(model: Model) -> None:
    given = problem(market(60, 1), market(80, 2), on=None)
    for kind in ("subspace + source-only", "subspace + pooled"):
        fitted = Arm(named(kind), model).fit(given, RNG)
        p = chances(fitted.predict(market(9, 4).unlabelled()))
        np.testing.assert_allclose(p.sum(axis=1), 1)


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert SubspaceAlignment().why_not(given, Linear()) is None
    assert SubspaceAlignment().why_not(given, Popularity()) == (
        "popularity reads no numbers whose axes could be aligned"
    )
    codes = market(30, 1)
    codes = replace(
        codes, columns=codes.columns.select("group"), types={"group": codes.types["group"]}
    )
    assert SubspaceAlignment().why_not(problem(codes, codes, on=None), Linear()) == (
        "source and target share no numeric columns"
    )
    assert SubspaceAlignment().why_not(problem(market(2, 1), codes, on=None), Linear()) == (
        "a side has fewer than three rows, too few for an axis in every fold"
    )


def test_settings_and_sides_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match="Expected at least one axis, found 0"):
        SubspaceAlignment(0)
    with pytest.raises(StrategyError, match="Expected 1 to 2 axes of 3 rows with 5 columns"):
        principal(normal(3, 1), 3)


def test_the_grid_holds_the_default_first() -> None:
    grid = SubspaceAlignment().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == SubspaceAlignment() and len(set(grid)) == 4

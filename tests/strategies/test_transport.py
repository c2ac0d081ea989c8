"""Transport beside POT's, in single precision and blocks, and what becomes of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.strategies.feature import sinkhorn as plans
from acclimate.strategies.feature import transport
from acclimate.strategies.feature.monge import LinearTransport, carried
from acclimate.strategies.feature.sinkhorn import Plan
from acclimate.strategies.feature.transport import Transport, median_cost, planned
from tests.strategies.shapes import RNG, chances, market, problem, rows, table, text, views_of


def sides(n: int = 40, m: int = 50) -> tuple[Array, Ints, Array]:
    g = np.random.default_rng(0)
    label = np.arange(n) % 3
    xs = g.standard_normal((n, 3)) + 2 * np.eye(3)[label]
    xt = 1.5 * g.standard_normal((m, 3)) + 2 * np.eye(3)[np.arange(m) % 3] + 1
    return xs, label, xt


def gamma(plan: Plan) -> Array:
    found: Array = plan.u[:, None] * plan.kernel(slice(0, len(plan.u))) * plan.v
    return found


def scaled_cost(xs: Array, xt: Array) -> Array:
    cost = ((xs[:, None] - xt[None]) ** 2).sum(axis=2)
    found: Array = cost / np.median(cost)
    return found


def test_plan_and_barycentres_are_those_of_pot() -> None:
    ot = pytest.importorskip("ot")
    xs, _, xt = sides()
    mine = planned(xs, None, xt, Transport(rounds=10_000), RNG, tolerance=1e-12)
    a, b = np.full(40, 1 / 40), np.full(50, 1 / 50)
    cost = scaled_cost(xs, xt)
    theirs = ot.bregman.sinkhorn_log(a, b, cost, 0.05, numItermax=20_000, stopThr=1e-13)
    np.testing.assert_allclose(gamma(mine), theirs, atol=1e-10)
    np.testing.assert_allclose(mine.barycentres(xt), 40 * theirs @ xt, atol=1e-8)
    assert median_cost(xs, xt, RNG) == pytest.approx(1 / (cost / _plain(xs, xt)).max())


def _plain(xs: Array, xt: Array) -> Array:
    found: Array = ((xs[:, None] - xt[None]) ** 2).sum(axis=2)
    return found


def test_the_class_term_is_that_of_pot(monkeypatch: pytest.MonkeyPatch) -> None:
    ot = pytest.importorskip("ot")
    xs, label, xt = sides()
    # POT counts masses; shares are 50 times as large, and so is the floor beside them.
    monkeypatch.setattr(transport, "FLOOR", 50 * 1e-3)
    settings = Transport(reg=0.3, classes=0.4, turns=9, rounds=10_000)
    mine = planned(xs, label, xt, settings, RNG, tolerance=1e-12)
    theirs = ot.da.sinkhorn_lpl1_mm(
        np.full(40, 1 / 40),
        label,
        np.full(50, 1 / 50),
        scaled_cost(xs, xt),
        0.3,
        eta=0.4 / np.sqrt(50),
        numItermax=10,
        numInnerItermax=5_000,
        stopInnerThr=1e-12,
    )
    np.testing.assert_allclose(gamma(mine), theirs, atol=1e-9)
    without = planned(xs, label, xt, replace(settings, classes=0), RNG, tolerance=1e-12)
    assert np.abs(gamma(without) - theirs).max() > 1e-4


def test_columns_get_what_they_should_and_classes_share_them() -> None:
    xs, label, xt = sides()
    plan = planned(xs, label, xt, Transport(), RNG, tolerance=1e-10)
    whole = gamma(plan)
    np.testing.assert_allclose(whole.sum(axis=0), 1 / 50, atol=1e-14)
    np.testing.assert_allclose(whole.sum(axis=1), 1 / 40, atol=1e-10)
    each = np.stack([whole[label == c].sum(axis=0) for c in range(3)])
    np.testing.assert_allclose(plan.of_classes(3), each, atol=1e-15)


def test_single_precision_blocks_and_absorption_change_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    xs, label, xt = sides()
    settings = Transport(rounds=5_000)
    exact = planned(xs, label, xt, settings, RNG, tolerance=1e-5).barycentres(xt)
    monkeypatch.setattr(plans, "EXACT", 0)
    monkeypatch.setattr(plans, "BLOCK", 350)
    monkeypatch.setattr(plans, "LARGE", 0.5)
    for held in (2**20, 0):
        monkeypatch.setattr(plans, "HELD", held)
        plan = planned(xs, label, xt, settings, RNG, tolerance=1e-5)
        assert plan.kernel(slice(0, 7)).dtype == np.float32
        np.testing.assert_allclose(plan.barycentres(xt), exact, atol=2e-3)


def test_a_row_far_from_all_others_loses_nothing() -> None:
    xs, _, xt = sides()
    xs[0] += 100
    plan = planned(xs, None, xt, Transport(rounds=5_000), RNG, tolerance=1e-6)
    # Its kernel values are below exp(−10⁴) before potentials lift them.
    assert np.isfinite(plan.barycentres(xt)).all() and plan.missed <= 1e-6


def test_a_plan_that_ends_early_is_told() -> None:
    given = problem(market(60, 1), market(80, 2, shift=1.0))
    assert Transport().reshape(given, RNG).facts == ()
    (fact,) = Transport(rounds=1).reshape(given, RNG).facts
    assert fact.startswith("transport from s0 ended with ") and fact.endswith(
        "% of its mass misplaced"
    )


def test_small_entropy_finds_the_row_that_was_moved() -> None:
    g = np.random.default_rng(2)
    xs = g.standard_normal((30, 2)) * 5
    order = g.permutation(30)
    shift = np.array([1.0, -2.0])
    xt = (xs + shift)[order]
    plan = planned(xs, None, xt, Transport(reg=5e-4, rounds=50_000), RNG, tolerance=1e-4)
    # A shift moves rows least of all maps between these, whatever its length.
    np.testing.assert_allclose(plan.barycentres(xt), xs + shift, atol=0.05)


def test_only_sources_move() -> None:
    given = problem(market(60, 1), market(80, 2, shift=1.0), market(50, 4, flip=-1.0))
    xt = rows(given.view(market(60, 1))).numeric
    for step in (Transport(), LinearTransport()):
        after = step.reshape(given, RNG)
        asked = market(9, 5)
        np.testing.assert_array_equal(
            rows(after.view(asked)).numeric, rows(given.view(asked)).numeric
        )
        for name, theirs, moved in zip(
            ("s0", "s1"), views_of(given), views_of(after), strict=True
        ):
            if isinstance(step, Transport):
                told = np.asarray(theirs.label)
                plan = planned(theirs.numeric, told, xt, step, RNG.child(name))
                expected = plan.barycentres(xt)
            else:
                expected = carried(theirs.numeric, xt, step.ridge)
            np.testing.assert_array_equal(moved.numeric, expected)
            np.testing.assert_array_equal(moved.codes, theirs.codes)
            np.testing.assert_array_equal(np.asarray(moved.label), np.asarray(theirs.label))


def test_text_stays() -> None:
    g = np.random.default_rng(0)
    note = [f"parcel {n}" for n in range(8)]
    small = table(g.standard_normal((8, 6)), np.array([0, 1] * 4), note=note)
    given = problem(small, small)
    for step in (Transport(), LinearTransport()):
        moved = views_of(step.reshape(given, RNG))[0]
        assert abs(sp.csr_array(text(moved) - text(views_of(given)[0]))).max() == 0


def test_linear_transport_is_pots_and_gives_mean_and_covariance() -> None:
    ot = pytest.importorskip("ot")
    g = np.random.default_rng(1)
    xs = g.standard_normal((60, 4)) @ g.standard_normal((4, 4)) + 3
    xt = g.standard_normal((70, 4)) @ g.standard_normal((4, 4)) - 1
    ridge = 0.3 * np.eye(4)
    A, b = ot.gaussian.bures_wasserstein_mapping(
        xs.mean(axis=0), xt.mean(axis=0), np.cov(xs.T) + ridge, np.cov(xt.T) + ridge
    )
    np.testing.assert_allclose(carried(xs, xt, 0.3), xs @ A + b, atol=1e-8)
    moved = carried(xs, xt, 1e-9)
    np.testing.assert_allclose(moved.mean(axis=0), xt.mean(axis=0))
    np.testing.assert_allclose(np.cov(moved.T), np.cov(xt.T), rtol=1e-6, atol=1e-6)


def test_linear_transport_of_one_column_by_hand() -> None:
    xs, xt = np.array([[0.0], [2.0], [4.0]]), np.array([[10.0], [11.0], [12.0]])
    # Deviations 2 and 1: x ↦ 11 + (x − 2) / 2.
    np.testing.assert_allclose(carried(xs, xt, 1e-12), [[10.0], [11.0], [12.0]], atol=1e-9)


@pytest.mark.parametrize("model", [Linear(), Trees(rounds=8)], ids=lambda each: each.kind)
def test_every_model_of_rows_reads_what_was_moved(model: Model) -> None:
    given = problem(market(60, 1), market(80, 2), on=None)
    for kind in ("transport + source-only", "transport-linear + pooled"):
        fitted = Arm(named(kind), model).fit(given, RNG)
        p = chances(fitted.predict(market(9, 4).unlabelled()))
        np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("step", [Transport(), LinearTransport()], ids=lambda each: each.kind)
def test_refusals_say_why(step: Transport | LinearTransport) -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert step.why_not(given, Linear()) is None
    assert (
        step.why_not(given, Popularity()) == "popularity reads no numbers that could be moved"
    )
    codes = market(30, 1)
    codes = replace(
        codes, columns=codes.columns.select("group"), types={"group": codes.types["group"]}
    )
    assert step.why_not(problem(codes, codes, on=None), Linear()) == (
        "source and target share no numeric columns"
    )
    assert step.why_not(problem(market(30, 1), market(2, 2), on=None), Linear()) == (
        "a side has fewer than three rows, too few for a covariance in every fold"
    )


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match="Expected a finite reg above 0, found 0"):
        Transport(reg=0)
    with pytest.raises(StrategyError, match="Expected classes of 0 or more and at least"):
        Transport(classes=-1)
    with pytest.raises(StrategyError, match="Expected a finite ridge above 0, found 0"):
        LinearTransport(0)


def test_grids_hold_the_default_first() -> None:
    given = problem(market(30, 1), market(40, 2))
    for step in (Transport(), LinearTransport()):
        grid = step.grid(given)
        assert grid[0] == step and len(set(grid)) == 3

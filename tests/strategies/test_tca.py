"""Transfer components beside the paper's n × n matrices, and what a step does with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import moves, named
from acclimate.strategies.feature.components import Components, features_of, lengthened, span
from acclimate.strategies.feature.tca import Tca, transfer_components
from acclimate.strategies.instance.kernels import median_distance
from tests.strategies.shapes import (
    RNG,
    chances,
    market,
    problem,
    rows,
    table,
    text,
    view,
    views_of,
)


def sides(n: int, m: int, d: int, seed: int = 0) -> tuple[Array, Array]:
    g = np.random.default_rng(seed)
    mix = g.standard_normal((d, d))
    return g.standard_normal((n, d)) @ mix + 1, g.standard_normal((m, d)) @ mix - g.random(d)


def by_the_paper(K: Array, n: int, m: int, mu: float, k: int) -> Array:
    """K W for the leading eigenvectors of (KLK + μI)⁻¹ KHK, each with wᵀKw = 1."""
    e = np.r_[np.full(n, 1 / n), np.full(m, -1 / m)]
    L = np.outer(e, e)
    H = np.eye(n + m) - np.ones((n + m, n + m)) / (n + m)
    values, vectors = np.linalg.eig(np.linalg.solve(K @ L @ K + mu * np.eye(n + m), K @ H @ K))
    W = np.real(vectors[:, np.argsort(-np.real(values))[:k]])
    found: Array = K @ W / np.sqrt((W * (K @ W)).sum(axis=0))
    return found


def alike(found: Array, expected: Array, atol: float = 1e-7) -> None:
    """Equal but for the sign of each column."""
    assert found.shape == expected.shape
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=atol)


@pytest.mark.parametrize("d", [6, 40], ids=["more rows", "more columns"])
def test_linear_components_are_the_papers_with_the_kernel_of_products(d: int) -> None:
    xs, xt = sides(12, 15, d)
    both = np.r_[xs, xt]
    for mu in (1.0, 30.0):
        move = transfer_components(xs, xt, 3, mu, "linear", 9, RNG)
        alike(move.of(both), by_the_paper(both @ both.T, 12, 15, mu, 3))


def test_gaussian_components_are_the_papers_where_every_row_is_a_landmark() -> None:
    xs, xt = sides(12, 15, 4)
    both = np.r_[xs, xt]
    move = transfer_components(xs, xt, 4, 0.5, "rbf", 27, RNG)
    between = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    width = median_distance(xs, xt, RNG.child("width"))
    assert width == pytest.approx(np.sqrt(np.median(between[np.triu_indices(27, 1)])))
    K = np.exp(-between / (2 * width**2))
    alike(move.of(both), by_the_paper(K, 12, 15, 0.5, 4), 1e-6)


def test_landmarks_are_the_features_that_nystroem_takes() -> None:
    xs, xt = sides(30, 20, 3)
    features, values = features_of(xs, xt, "rbf", 8, RNG)
    assert values.shape == (50, 8) and features.landmarks is not None
    among = features(features.landmarks)
    whole = span(features, values)
    kernel = values @ np.linalg.solve(among, values.T)
    np.testing.assert_allclose(whole.rows @ whole.rows.T, kernel, atol=1e-7)
    np.testing.assert_allclose(values @ whole.basis, whole.rows, atol=1e-7)


def test_the_direction_that_tells_markets_apart_is_dropped() -> None:
    g = np.random.default_rng(1)
    # Means differ along (1, 1) alone, along which rows vary more than along (1, -1).
    along, across = np.array([1.0, 1.0]) / np.sqrt(2), np.array([1.0, -1.0]) / np.sqrt(2)

    def drawn(n: int, at: float) -> Array:
        noise = g.standard_normal((n, 2)) * [3.0, 1.0]
        noise -= noise.mean(axis=0)
        found: Array = (noise[:, :1] + at) * along + noise[:, 1:] * across
        return found

    xs, xt = drawn(500, 5.0), drawn(400, -5.0)
    move = transfer_components(xs, xt, 5, 1e-3, "linear", 9, RNG)
    assert move.matrix.shape == (2, 1)
    alike(move.matrix, across[:, None], 1e-4)


def test_rows_of_many_columns_have_length_1_before_and_after() -> None:
    xs, xt = sides(20, 15, 100)
    both = np.r_[xs, xt]
    move = transfer_components(xs, xt, 4, 1.0, "linear", 9, RNG)
    unit = both / np.linalg.norm(both, axis=1, keepdims=True)
    expected = by_the_paper(unit @ unit.T, 20, 15, 1.0, 4)
    alike(move.of(both), expected / np.linalg.norm(expected, axis=1, keepdims=True))
    np.testing.assert_array_equal(
        lengthened(np.array([[0.0, 0], [3, 4]])), [[0, 0], [0.6, 0.8]]
    )


@pytest.mark.parametrize("step", [Tca(dimension=2), Tca(kernel="rbf", landmarks=30)], ids=str)
def test_every_row_is_moved_alike_now_and_when_asked_later(step: Tca) -> None:
    given = problem(market(60, 1), market(80, 2, shift=1.0), market(50, 4, flip=-1.0))
    after = step.reshape(given, RNG)
    xs = np.concatenate([each.numeric for each in views_of(given)])
    xt = rows(given.view(market(60, 1))).numeric
    move = transfer_components(
        xs, xt, step.dimension, step.penalty, step.kernel, step.landmarks, RNG
    )
    for sample in (market(60, 1), market(9, 5)):
        before = rows(given.view(sample))
        np.testing.assert_array_equal(rows(after.view(sample)).numeric, move.of(before.numeric))
    for theirs, moved in zip(views_of(given), views_of(after), strict=True):
        np.testing.assert_array_equal(moved.numeric, move.of(theirs.numeric))
        np.testing.assert_array_equal(moved.codes, theirs.codes)
        np.testing.assert_array_equal(np.asarray(moved.label), np.asarray(theirs.label))


def test_an_artifact_reads_components_back() -> None:
    xs, xt = sides(20, 15, 4)
    asked = view(sides(7, 1, 4, seed=3)[0])
    for kernel in ("linear", "rbf"):
        move = transfer_components(xs, xt, 2, 1.0, kernel, 10, RNG)
        again = moves()[Components.kind].restore(move.state())
        seen = again(asked)
        assert isinstance(seen, RowView)
        np.testing.assert_array_equal(seen.numeric, move(asked).numeric)


def test_text_stays() -> None:
    g = np.random.default_rng(0)
    note = [f"parcel {n}" for n in range(8)]
    small = table(g.standard_normal((8, 6)), np.array([0, 1] * 4), note=note)
    given = problem(small, small)
    moved = views_of(Tca().reshape(given, RNG))[0]
    assert moved.numeric.shape == (8, 3)
    assert abs(sp.csr_array(text(moved) - text(views_of(given)[0]))).max() == 0


@pytest.mark.parametrize("model", [Linear(), Trees(rounds=8)], ids=lambda each: each.kind)
def test_every_model_of_rows_reads_components(model: Model) -> None:
    given = problem(market(60, 1), market(80, 2), on=None)
    for kind in ("tca + source-only", "jda + source-only", "tca + pooled", "jda + pooled"):
        fitted = Arm(named(kind), model).fit(given, RNG)
        p = chances(fitted.predict(market(9, 4).unlabelled()))
        np.testing.assert_allclose(p.sum(axis=1), 1)


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert Tca().why_not(given, Linear()) is None
    assert Tca().why_not(given, Popularity()) == (
        "popularity reads no numbers that components could replace"
    )
    codes = market(30, 1)
    codes = replace(
        codes, columns=codes.columns.select("group"), types={"group": codes.types["group"]}
    )
    assert Tca().why_not(problem(codes, codes, on=None), Linear()) == (
        "source and target share no numeric columns"
    )
    assert Tca().why_not(problem(market(30, 1), market(1, 2), on=None), Linear()) == (
        "a side has fewer than two rows, too few for a mean in every fold"
    )


def test_settings_out_of_range_and_rows_of_nothing_are_refused() -> None:
    with pytest.raises(StrategyError, match="two landmarks, found 0 and 1000"):
        Tca(0)
    with pytest.raises(StrategyError, match="found 100 and 1"):
        Tca(landmarks=1)
    with pytest.raises(StrategyError, match="Expected a finite penalty above 0, found 0"):
        Tca(penalty=0)
    with pytest.raises(StrategyError, match="the kernel linear or rbf; found 'poly'"):
        Tca(kernel="poly")
    with pytest.raises(StrategyError, match="a number other than 0 to find components of"):
        transfer_components(np.zeros((3, 2)), np.zeros((3, 2)), 1, 1.0, "linear", 9, RNG)


def test_the_grid_holds_the_default_first() -> None:
    grid = Tca().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == Tca() and len(set(grid)) == 3

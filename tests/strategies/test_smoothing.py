"""Graph smoothing: what joins levels, what an effect costs, and what is carried over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Numbers
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowEncoder, RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.baselines import TargetOnly
from acclimate.strategies.relation.graph import (
    alike,
    behaviour,
    directions,
    kinship,
    smoothed,
)
from acclimate.strategies.relation.smoothing import GraphSmoothing, LevelColumns
from tests.strategies.shapes import chances, log_loss, problem, rows, table, view

RNG = Rng.of(0)


def priced(seed: int, n: int, levels: list[str], effect: Array) -> Rows:
    """Rows of a category alone, whose levels have these prices."""
    g = np.random.default_rng(seed)
    code = np.r_[np.repeat(np.arange(len(levels)), 2), g.integers(0, len(levels), n)]
    columns = pl.DataFrame({"kind": [levels[each] for each in code]})
    types = {"kind": ColumnType.CATEGORY}
    return Rows(columns, types, (), effect[code] + 0.5 * g.standard_normal(len(code)))


LEVELS = [f"k{n}" for n in range(9)]
EFFECT = np.linspace(-3, 3, 9)


def prices(*, sign: float = 1.0) -> Problem:
    source = Source("s0", priced(2, 300, LEVELS, sign * EFFECT))
    own = priced(1, 20, LEVELS, EFFECT)
    raw = Problem("t", own, (source,), Claim.NEW, RowRecipe())
    return raw.encoded(Statistics.BOTH)


def answers(model: object, seen: object) -> Array:
    found = model.predict(seen)  # type: ignore[attr-defined]
    assert isinstance(found, Numbers)
    return found.y


# ── the fit ─────────────────────────────────────────────────────────────────


def test_the_fit_minimises_squares_and_a_quadratic_form_of_effects_by_direct_solve() -> None:
    given = prices()
    strategy = GraphSmoothing(smooth=4.0, weight=2.5)
    moved, model = strategy.step(given, Linear(3.0), RNG)
    fit = moved.fit
    assert isinstance(fit, Rows) and fit.label is not None
    ours = answers(model, moved.view(fit))

    theirs, own = (rows(given.source_view(given.sources[0])), rows(given.view(fit)))
    W = alike(*behaviour(theirs, 0))
    K = np.linalg.inv(np.eye(9) + 4.0 * (np.diag(W.sum(axis=1)) - W))
    K /= np.diag(K).mean()
    one_hot = np.eye(10)[own.codes[:, 0]][:, 1:]
    # ½‖y − b − Ze‖² + (λ/2) eᵀ (I + wK)⁻¹ e
    X = np.column_stack([np.ones(fit.n), one_hot])
    P = np.zeros((10, 10))
    P[1:, 1:] = 3.0 * np.linalg.inv(np.eye(9) + 2.5 * K)
    expected = X @ np.linalg.solve(X.T @ X + P, X.T @ fit.label)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-8)


def test_without_a_shared_part_it_is_target_only() -> None:
    given = prices()
    moved, model = GraphSmoothing(weight=0.0).step(given, Linear(), RNG)
    alone = TargetOnly().adapt(given, Linear(), RNG)
    ours, theirs = answers(model, moved.view(moved.fit)), answers(alone, given.view(given.fit))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def test_a_source_whose_tastes_are_the_opposite_gives_the_same_relations() -> None:
    # Only the noise of labels is another: near levels are near in both.
    for given in (prices(), prices(sign=-1.0)):
        move, encoder = GraphSmoothing(3.0).columns(given), given.encoder
        assert isinstance(move, LevelColumns) and isinstance(encoder, RowEncoder)
        R = move.tables[0][1:][[encoder.levels["kind"].index(name) for name in LEVELS]]
        K = R @ R.T
        assert K[0, 1] > 2 * K[0, 4] > 4 * K[0, 8] > 0


def families(seed: int, n: int, sign: float) -> Rows:
    g = np.random.default_rng(seed)
    kind = g.integers(0, 40, n)
    effect = np.repeat([-2.0, -0.7, 0.7, 2.0], 10) + 0.3 * np.cos(np.arange(40))
    label = (g.random(n) < 1 / (1 + np.exp(-sign * effect[kind]))).astype(np.int64)
    return table(np.zeros((n, 1)), label, group=kind)


def test_few_rows_of_many_levels_learn_more_with_the_graph_of_an_opposite_market() -> None:
    held = families(3, 2000, 1.0)
    given = problem(families(1, 100, 1.0), families(2, 3000, -1.0))
    moved, model = GraphSmoothing().step(given, Linear(), RNG)
    alone = TargetOnly().adapt(given, Linear(), RNG)
    ours = log_loss(chances(model.predict(moved.view(held))), held)
    theirs = log_loss(chances(alone.predict(given.view(held))), held)
    assert ours < theirs - 0.05


def test_labels_of_the_target_have_no_part_in_the_graph() -> None:
    given = prices()
    fit = given.fit
    assert isinstance(fit, Rows) and fit.label is not None
    other = given.with_fit(replace(fit, label=-fit.label[::-1]))
    ours, theirs = (GraphSmoothing().columns(each).state() for each in (given, other))
    np.testing.assert_array_equal(ours.tensors["table000"], theirs.tensors["table000"])


def test_a_level_without_target_rows_starts_from_where_it_stands() -> None:
    # "a > z" and "b > z" have no row here; what stands beside them has.
    code = np.tile(np.arange(6), 10)
    known = code[code % 3 < 2]
    said = {}
    for names in (
        ["a > x", "a > y", "a > z", "b > x", "b > y", "b > z"],
        ["a x", "a y", "a z", "b x", "b y", "b z"],
    ):
        columns = pl.DataFrame({"kind": [names[each] for each in code]})
        # To the source "a > z" is like "b > z": it is their names that tell them apart.
        price = 10.0 * (code % 3) + 0.1 * (code // 3)
        theirs = Rows(columns, {"kind": ColumnType.CATEGORY}, (), price)
        own = theirs.take(np.flatnonzero(code % 3 < 2))
        own = replace(own, label=np.where(known < 3, 5.0, -5.0))
        raw = Problem("t", own, (Source("s", theirs),), Claim.NEW, RowRecipe())
        moved, model = GraphSmoothing().step(raw.encoded(Statistics.BOTH), Linear(), RNG)
        asked = Rows(pl.DataFrame({"kind": names}), {"kind": ColumnType.CATEGORY}, ())
        said[names[0]] = answers(model, moved.view(asked))
    by_name, alone = said["a > x"], said["a x"]
    assert abs(alone[2]) < 1e-9 and abs(alone[5]) < 1e-9
    assert by_name[2] > 0.05 and by_name[5] < -0.05


# ── the graph ───────────────────────────────────────────────────────────────


def test_two_joined_levels_share_by_hand() -> None:
    # (I + γ[[1, −1], [−1, 1]])⁻¹ = [[1 + γ, γ], [γ, 1 + γ]] / (1 + 2γ)
    K = smoothed(np.array([[0.0, 1.0], [1.0, 0.0]]), 4.0, 2)
    np.testing.assert_allclose(K, [[1, 4 / 5], [4 / 5, 1]], rtol=1e-12)
    np.testing.assert_allclose(smoothed(np.zeros((3, 3)), 4.0, 3), np.eye(3))


def test_siblings_share_through_what_they_stand_under_and_strangers_do_not() -> None:
    W = kinship(["a > x", "a > y", "b > z"])
    # Nodes: the three, then a and b.
    assert W.tolist() == [
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
    ]
    K = smoothed(W, 2.0, 3)
    Q = np.eye(5) + 2.0 * (np.diag(W.sum(axis=1)) - W)
    expected = np.linalg.inv(Q)[:3, :3]
    np.testing.assert_allclose(K, expected / np.trace(expected) * 3, rtol=1e-12)
    assert K[0, 1] > 0.2 and K[0, 2] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("names", "edges"),
    [
        (["home", "home > pans", "home>pans>iron"], {(0, 1), (1, 2)}),
        (["a/b/c", "a/b/d"], {(0, 2), (1, 2), (2, 3)}),
        (["a | x", "a|x"], {(0, 1), (0, 2)}),
        (["red", "blue", "s/m"], set()),
        ([], set()),
    ],
)
def test_paths_are_read_whatever_the_spaces_and_other_names_are_not(
    names: list[str], edges: set[tuple[int, int]]
) -> None:
    W = kinship(names)
    found = {(i, j) for i, j in zip(*np.nonzero(W), strict=True) if i < j}
    # What is no level is numbered by the order in which it is met, from the top down.
    assert len(found) == len(edges) and (W == W.T).all() and set(W.ravel()) <= {0.0, 1.0}
    if len(names) == 3:
        assert found == edges


def test_what_the_label_does_at_a_level_is_its_shrunk_distance_from_all_by_hand() -> None:
    # Level 1: 3 rows, all of class 1; level 2: 5 rows, 1 of them.  All: 4 of 8.
    codes = np.array([1, 1, 1, 2, 2, 2, 2, 2])
    label = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    seen = view(np.zeros((8, 0)), label, codes=codes)
    count, means = behaviour(seen, 0)
    assert count.tolist() == [3, 5]
    np.testing.assert_allclose(means[:, 0], [3 * 0.5 / 13, 5 * (0.2 - 0.5) / 15])
    weight = np.array([2.0, 0, 0, 1, 1, 0, 0, 0])
    heavy, means = behaviour(seen, 0, weight)
    assert heavy.tolist() == [2, 2]
    np.testing.assert_allclose(means[:, 0], [2 * 0.25 / 12, 2 * (0.5 - 0.75) / 12])


def test_levels_are_joined_to_the_nearest_and_those_without_rows_to_none() -> None:
    means = np.r_[np.linspace(0, 0.1, 6), np.linspace(5, 5.1, 6), 0.05][:, None]
    count = np.r_[np.ones(12), 0]
    W = alike(count, means)
    assert (W == W.T).all() and not W[12].any() and not np.diag(W).any()
    assert not W[:6, 6:].any()
    assert W.sum(axis=1)[:12].mean() == pytest.approx(1.0)
    # A third of eleven others: 3.  Their farthest are .06, .04, .04, .04, .04 and .06 away.
    ratio = np.exp(-(0.02**2) / (2 * 0.04**2)) / np.exp(-(0.04**2) / (2 * 0.04**2))
    assert W[0, 1] / W[0, 2] == pytest.approx(ratio)
    assert W[0, 4] == 0 < W[0, 3]


def test_levels_that_behave_the_same_are_joined_all_the_same() -> None:
    W = alike(np.ones(2), np.zeros((2, 1)))
    np.testing.assert_allclose(W, 1 - np.eye(2))
    assert not alike(np.array([1.0, 0.0]), np.zeros((2, 1))).any()


def test_directions_give_back_the_covariance_and_the_largest_come_first() -> None:
    g = np.random.default_rng(0)
    A = g.standard_normal((6, 6))
    K = A @ A.T
    R = directions(K, 6)
    np.testing.assert_allclose(R @ R.T, K, atol=1e-10)
    np.testing.assert_allclose(directions(K, 2), R[:, :2])
    assert (np.diff((R**2).sum(axis=0)) < 0).all()


# ── around it ───────────────────────────────────────────────────────────────


def test_a_row_of_an_unknown_level_gets_nothing_and_the_columns_come_back() -> None:
    move = GraphSmoothing().columns(prices())
    seen = view(np.ones((3, 1)), codes=np.array([0, 1, 9]))
    moved = move(seen)
    assert moved.numeric.shape == (3, 10) and not moved.numeric[0, 1:].any()
    back = LevelColumns.restore(move.state())
    np.testing.assert_array_equal(back(seen).numeric, moved.numeric)


def test_every_source_says_what_it_knows_of_levels() -> None:
    given = prices()
    second = Source("s1", priced(9, 100, LEVELS, EFFECT[::-1]))
    both = given.with_sources([*given.sources, second])
    one, two = GraphSmoothing().columns(given), GraphSmoothing().columns(both)
    assert one.state().tensors["table000"].shape == two.state().tensors["table000"].shape
    assert (
        np.abs(one.state().tensors["table000"] - two.state().tensors["table000"]).max() > 0.01
    )


def test_the_encoder_orders_names_as_codes() -> None:
    # What `kinship` says of the n-th name is put in the row of code n + 1.
    encoder = prices().encoder
    assert isinstance(encoder, RowEncoder)
    names: list[str] = encoder.levels["kind"]
    seen = Rows(pl.DataFrame({"kind": names}), {"kind": ColumnType.CATEGORY}, ())
    code: Ints = encoder.encode(seen).codes[:, 0]
    assert code.tolist() == list(range(1, 10))


def test_models_without_effects_and_rows_without_categories_are_refused() -> None:
    given = prices()
    why = GraphSmoothing().why_not(given, Trees())
    assert why == "trees adds up no effects of categories that could be smoothed"
    g = np.random.default_rng(0)
    bare = [table(g.standard_normal((20, 2)), g.integers(0, 2, 20)) for _ in range(2)]
    why = GraphSmoothing().why_not(problem(*bare), Linear())
    assert why == "source and target share no category columns"
    unlabelled = given.with_sources([Source("s0", priced(2, 9, LEVELS, EFFECT).unlabelled())])
    why = GraphSmoothing().why_not(unlabelled, Linear())
    assert why == "source 's0' has no labelled rows to learn from"


@pytest.mark.parametrize(("smooth", "weight"), [(0.0, 1.0), (np.inf, 1.0), (1.0, -0.1)])
def test_settings_out_of_range_are_refused(smooth: float, weight: float) -> None:
    with pytest.raises(StrategyError, match="smooth above 0 and weight of at least 0; found"):
        GraphSmoothing(smooth, weight)

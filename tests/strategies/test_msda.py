"""mSDA: equations 3 to 6, against averages over real corruptions and a slow transcription."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.arrays import Array, Ints
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.strategies.feature.msda import Denoise, Msda, denoiser, restoring
from tests.strategies.shapes import RNG, chances, market, problem, rows, view, views_of


def counts(n: int, d: int, seed: int) -> Array:
    """Counts that hang together: columns share two hidden topics."""
    g = np.random.default_rng(seed)
    topics = g.random((n, 2)) @ (3 * g.random((2, d)))
    return g.poisson(topics).astype(float)


def transcribed(
    x: Array, p: float, inputs: Ints | None = None, outputs: Ints | None = None
) -> tuple[Array, Array]:
    """Equations 3 to 6 as printed, the constant row at the end: W of inputs and of 1."""
    inputs = np.arange(x.shape[1]) if inputs is None else inputs
    outputs = np.arange(x.shape[1]) if outputs is None else outputs
    a = np.c_[x[:, inputs], np.ones(len(x))]
    q = np.r_[np.full(len(inputs), 1 - p), 1.0]
    S = a.T @ a
    Q, P = np.zeros_like(S), np.zeros((len(outputs), len(q)))
    for i in range(len(q)):
        for j in range(len(q)):
            Q[i, j] = S[i, j] * q[i] * q[j] if i != j else S[i, i] * q[i]
    for i, column in enumerate(outputs):
        for j in range(len(q)):
            P[i, j] = x[:, column] @ a[:, j] * q[j]
    W = P @ np.linalg.inv(Q)
    return W[:, :-1], W[:, -1]


# ── the formula ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_the_map_is_that_of_the_paper_with_its_constant_column(p: float) -> None:
    x = counts(30, 6, 1)
    layer = restoring(sp.csr_array(x), p)
    W, b = transcribed(x, p)
    np.testing.assert_allclose(layer.matrix.T, W, atol=1e-10)
    np.testing.assert_allclose(layer.shift, b, atol=1e-10)
    np.testing.assert_allclose(restoring(x, p).matrix, layer.matrix, atol=1e-12)
    np.testing.assert_allclose(layer(x), np.tanh(x @ W.T + b), atol=1e-10)


def test_the_map_is_the_least_squares_of_very_many_corruptions() -> None:
    x, p, g = counts(12, 4, 2), 0.4, np.random.default_rng(0)
    copies = 40_000
    clean = np.tile(x, (copies, 1))
    blanked = np.c_[clean * (g.random(clean.shape) >= p), np.ones(len(clean))]
    brute = np.linalg.lstsq(blanked.T @ blanked, blanked.T @ clean, rcond=None)[0]
    layer = restoring(sp.csr_array(x), p)
    np.testing.assert_allclose(layer.matrix, brute[:-1], atol=0.01)
    np.testing.assert_allclose(layer.shift, brute[-1], atol=0.02)


def test_a_block_restores_other_columns_as_the_paper_does() -> None:
    x = counts(40, 9, 3)
    inputs, outputs = np.array([1, 4, 8]), np.array([0, 4, 5, 7])
    layer = restoring(sp.csr_array(x), 0.5, inputs, outputs)
    W, b = transcribed(x, 0.5, inputs, outputs)
    np.testing.assert_allclose(layer.matrix.T, W, atol=1e-10)
    np.testing.assert_allclose(layer.shift, b, atol=1e-10)


def test_wide_inputs_are_the_mean_of_disjoint_blocks_for_the_most_frequent_columns() -> None:
    x = counts(60, 7, 4)
    x[:, [2, 5]] *= np.random.default_rng(1).random((60, 2)) < 0.1  # two rare columns
    x[:, 6] = 0.0  # one that is never there
    key = Rng.of(3)
    move = denoiser(view(np.zeros((60, 0)), sparse=x), 0.5, 1, 4, key)
    assert move.inputs.tolist() == [0, 1, 2, 3, 4, 5]
    frequent = np.array([0, 1, 3, 4])
    order = key.child("blocks").generator().permutation(6)
    maps = [transcribed(x, 0.5, block, frequent) for block in (order[:3], order[3:])]
    by_hand = np.mean(
        [x[:, b] @ W.T + c for b, (W, c) in zip((order[:3], order[3:]), maps, strict=True)],
        axis=0,
    )
    hidden = move.hidden(view(np.zeros((60, 0)), sparse=x))[0]
    np.testing.assert_allclose(hidden, np.tanh(by_hand), atol=1e-10)


def test_every_layer_is_fitted_on_the_one_before() -> None:
    x = counts(30, 5, 5)
    given = view(np.zeros((30, 0)), sparse=x)
    one, two = denoiser(given, 0.3, 2, 10, RNG).hidden(given)
    W, b = transcribed(x, 0.3)
    np.testing.assert_allclose(one, np.tanh(x @ W.T + b), atol=1e-10)
    W, b = transcribed(one, 0.3)
    np.testing.assert_allclose(two, np.tanh(one @ W.T + b), atol=1e-10)


def test_wide_layers_in_single_precision_agree_with_double() -> None:
    x = counts(1500, 1100, 6)
    layer = restoring(sp.csr_array(x), 0.5)
    assert layer.matrix.dtype == np.float32
    W, b = transcribed(x, 0.5)
    np.testing.assert_allclose(layer.matrix.T, W, atol=2e-5)
    np.testing.assert_allclose(layer.shift, b, atol=2e-4)


def test_columns_that_hold_nothing_stay_empty() -> None:
    x = counts(20, 4, 7)
    x[:, 2] = 0.0
    layer = restoring(x, 0.5)
    assert not layer.matrix[2].any() and not layer.matrix[:, 2].any() and layer.shift[2] == 0
    W, _ = transcribed(x[:, [0, 1, 3]], 0.5)
    np.testing.assert_allclose(layer.matrix[np.ix_([0, 1, 3], [0, 1, 3])].T, W, atol=1e-10)


# ── the step ────────────────────────────────────────────────────────────────


def reviews(n: int, seed: int, own: int) -> tuple[Array, Ints]:
    """Counts of good, bad and six words of which a market uses its own pair of each mind."""
    g = np.random.default_rng(seed)
    label = g.integers(0, 2, n)
    x = np.zeros((n, 10))
    x[np.arange(n), 1 - label] = g.random(n) < 0.5
    for _ in range(3):
        x[np.arange(n), own + 2 * g.integers(0, 2, n) + 1 - label] += 1
    return x, label.astype(np.int64)


def test_words_a_source_never_saw_are_understood_through_those_that_both_use() -> None:
    (x, y), (asked, truth) = reviews(300, 1, own=2), reviews(300, 2, own=6)
    nothing = np.zeros((300, 0))
    source, target = view(nothing, y, sparse=x), view(nothing, sparse=asked)
    move = denoiser(stack_views([replace(source, label=None), target]), 0.5, 3, 100, RNG)

    def right(theirs: RowView, mine: RowView) -> float:
        fitted = Linear().fit(Linear().prepare(theirs), rng=RNG)
        return float((fitted.predict(mine).p.argmax(axis=1) == truth).mean())

    # Half of the target's rows hold no word that the source knows.
    assert right(source, target) < 0.85
    assert right(move(source), move(target)) > 0.95


def test_source_rows_and_the_targets_get_the_same_columns() -> None:
    given = problem(market(60, 1), market(80, 2, shift=1.0))
    after = Msda(layers=2).reshape(given, RNG)
    before, moved = views_of(given)[0], views_of(after)[0]
    assert moved.numeric.shape == (80, 3 * before.numeric.shape[1])
    np.testing.assert_array_equal(moved.codes, before.codes)
    np.testing.assert_array_equal(np.asarray(moved.label), np.asarray(before.label))
    raw = rows(given.view(given.fit))
    mine = rows(after.view(after.fit))
    np.testing.assert_array_equal(mine.numeric[:, : raw.numeric.shape[1]], raw.numeric)
    x = np.concatenate([before.numeric, raw.numeric])
    W, b = transcribed(x, Msda().corruption)
    d = raw.numeric.shape[1]
    np.testing.assert_allclose(
        moved.numeric[:, d : 2 * d], np.tanh(before.numeric @ W.T + b), atol=1e-9
    )
    np.testing.assert_allclose(
        mine.numeric[:, d : 2 * d], np.tanh(raw.numeric @ W.T + b), atol=1e-9
    )


def test_several_sources_keep_their_own_rows() -> None:
    one, two = market(70, 2, shift=1.0), market(90, 3)
    given = problem(market(60, 1), one, two)
    after = Msda(layers=1).reshape(given, RNG)
    for before, moved in zip(views_of(given), views_of(after), strict=True):
        assert moved.n == before.n
        np.testing.assert_array_equal(
            moved.numeric[:, : before.numeric.shape[1]], before.numeric
        )


def test_a_map_read_back_answers_alike() -> None:
    x = view(np.zeros((30, 1)), sparse=counts(30, 5, 8))
    move = denoiser(x, 0.5, 2, 10, RNG)
    again = Denoise.restore(move.state())
    np.testing.assert_array_equal(again(x).numeric, move(x).numeric)


@pytest.mark.parametrize("model", [Linear(), Trees(rounds=8)], ids=lambda each: each.kind)
def test_every_model_of_rows_reads_the_layers(model: Model) -> None:
    given = problem(market(60, 1), market(80, 2), on=None)
    p = chances(
        Arm(named("msda + pooled"), model).fit(given, RNG).predict(market(9, 4).unlabelled())
    )
    np.testing.assert_allclose(p.sum(axis=1), 1)


# ── refusals ────────────────────────────────────────────────────────────────


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert Msda().why_not(given, Linear()) is None
    assert Msda().why_not(given, Popularity()) == (
        "popularity reads no numbers or text that could be restored"
    )
    codes = market(30, 1)
    codes = replace(
        codes, columns=codes.columns.select("group"), types={"group": codes.types["group"]}
    )
    assert Msda().why_not(problem(codes, codes, on=None), Linear()) == (
        "source and target share no numeric or text columns"
    )


@pytest.mark.parametrize("corruption", [0.0, 1.0, -0.1, np.nan])
def test_a_corruption_out_of_range_is_refused(corruption: float) -> None:
    with pytest.raises(StrategyError, match="Expected a corruption above 0 and below 1, found"):
        Msda(corruption)


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"layers": 11}, {"width": 1}])
def test_layers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(StrategyError, match="Expected 1 to 10 layers of 2 to 10,000 columns"):
        Msda(**wrong)


def test_rows_that_hold_nothing_are_refused() -> None:
    empty = view(np.zeros((4, 0)), sparse=np.zeros((4, 3)))
    with pytest.raises(StrategyError, match="Expected a column with something other than 0"):
        denoiser(empty, 0.5, 1, 10, RNG)


def test_the_grid_holds_the_default_first() -> None:
    grid = Msda().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == Msda() and len(set(grid)) == 3

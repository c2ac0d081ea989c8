"""Joint components beside Algorithm 1 with the paper's matrices, and where guesses go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import eigh

from acclimate.arrays import Array, Ints
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.popularity import Popularity
from acclimate.strategies.feature import jda
from acclimate.strategies.feature.jda import Jda, differences, joint_components, nearest
from acclimate.strategies.instance.kernels import median_distance
from tests.made_numbers import make_prices
from tests.strategies.shapes import RNG, market, problem, rows, views_of
from tests.strategies.test_tca import alike


def classes(n: int, m: int, d: int, seed: int = 0) -> tuple[Array, Ints, Array, Ints]:
    """Three classes a side, whose means a shift of the target's blurs."""
    g = np.random.default_rng(seed)
    centres = 2 * g.standard_normal((3, d))
    ys, yt = np.arange(n) % 3, np.arange(m) % 3
    xs = centres[ys] + g.standard_normal((n, d))
    xt = centres[yt] + g.standard_normal((m, d)) + 2 * g.standard_normal(d)
    return xs, ys, xt, yt


def algorithm_1(
    X: Array, ys: Ints, m: int, lam: float, k: int, rounds: int, K: Array | None = None
) -> tuple[Array, Ints]:
    """Z and guesses after so many rounds; X is (d, n) as the paper has it."""
    read = X if K is None else K
    n = len(ys)
    H = np.eye(n + m) - np.ones((n + m, n + m)) / (n + m)
    guess: Any = None
    for _ in range(rounds):
        e = np.r_[np.full(n, 1 / n), np.full(m, -1 / m)]
        M = 3 * np.outer(e, e)  # as many classes
        for c in range(3) if guess is not None else ():
            mine = guess == c
            e = np.r_[(ys == c) / (ys == c).sum(), -1.0 * mine / max(mine.sum(), 1)]
            M += np.outer(e, e) if mine.any() else 0
        M /= np.linalg.norm(M)
        left = read @ M @ read.T + lam * np.eye(len(read))
        # The k smallest solutions of left A = XHXᵀ A Φ are the largest of the reverse.
        A = eigh(read @ H @ read.T, left)[1][:, ::-1][:, :k]
        norm = A if K is None else K @ A
        A = A / np.sqrt((A * norm).sum(axis=0))
        Z = A.T @ read
        apart = ((Z[:, n:, None] - Z[:, None, :n]) ** 2).sum(axis=0)
        guess = ys[apart.argmin(axis=1)]
    assert guess is not None
    return Z.T, guess


@pytest.mark.parametrize("d", [8, 50], ids=["more rows", "more columns"])
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_components_are_those_of_algorithm_1(d: int, rounds: int) -> None:
    xs, ys, xt, _ = classes(21, 24, d)
    both = np.r_[xs, xt]
    settings = Jda(dimension=3, penalty=0.7, iterations=rounds)
    move = joint_components(xs, ys, xt, settings, RNG)
    alike(move.of(both), algorithm_1(both.T, ys, 24, 0.7, 3, rounds)[0])


def test_gaussian_components_are_those_of_algorithm_1_on_the_kernel() -> None:
    xs, ys, xt, _ = classes(21, 24, 3)
    both = np.r_[xs, xt]
    width = median_distance(xs, xt, RNG.child("width"))
    K = np.exp(-((both[:, None] - both[None]) ** 2).sum(axis=2) / (2 * width**2))
    settings = Jda(dimension=3, penalty=0.3, iterations=3, kernel="rbf")
    move = joint_components(xs, ys, xt, settings, RNG)
    alike(move.of(both), algorithm_1(both.T, ys, 24, 0.3, 3, 3, K)[0], 1e-6)


def test_a_class_without_guessed_rows_has_no_term() -> None:
    xs = np.array([[0.0, 0], [2, 0], [10, 10], [12, 12]])
    labels = np.array([0, 0, 1, 1])
    xt = np.array([[1.0, 1], [3, 1]])
    overall = np.r_[0.25, 0.25, 0.25, 0.25, -0.5, -0.5]
    first, second = np.r_[0.5, 0.5, 0, 0, -0.5, -0.5], np.r_[0, 0, 0.5, 0.5, 0, 0]
    for guesses, weights in (
        (None, [overall]),
        (np.array([0, 0]), [overall, first]),
        (np.array([0, 1]), [overall, first * [1, 1, 1, 1, 2, 0], second - [0, 0, 0, 0, 0, 1]]),
    ):
        weights[0] = np.sqrt(2) * weights[0]
        M = sum(np.outer(e, e) for e in weights)
        both = np.r_[xs, xt]
        expected = both.T @ np.column_stack(weights) / np.sqrt(np.linalg.norm(M))
        np.testing.assert_allclose(differences(xs, labels, xt, guesses), expected, atol=1e-12)


def test_blocks_of_rows_find_the_nearest_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    xs, ys, xt, _ = classes(21, 24, 4)
    whole = nearest(xt, xs, ys)
    apart = ((xt[:, None] - xs[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(whole, ys[apart.argmin(axis=1)])
    monkeypatch.setattr(jda, "BLOCK", 50)
    np.testing.assert_array_equal(nearest(xt, xs, ys), whole)


def test_rounds_end_where_guesses_repeat() -> None:
    xs, ys, xt, _ = classes(30, 30, 6)
    counted = [0]

    def tick() -> None:
        counted[0] += 1

    joint_components(xs, ys, xt, Jda(dimension=3, penalty=1.0, iterations=1000), RNG, tick)
    assert counted[0] < 40


def test_labels_of_the_target_are_not_read() -> None:
    source = market(80, 2, shift=1.0)
    target = market(60, 1)
    assert target.label is not None
    other = market(60, 1)
    object.__setattr__(other, "label", 1 - target.label)
    first, second = (
        views_of(Jda(dimension=1).reshape(problem(each, source), RNG))[0].numeric
        for each in (target, other)
    )
    np.testing.assert_array_equal(first, second)


def test_every_row_is_moved_alike() -> None:
    given = problem(market(60, 1), market(80, 2, shift=1.0), market(50, 4))
    after = Jda().reshape(given, RNG)
    before = views_of(given)
    xs = np.concatenate([each.numeric for each in before])
    labels = np.concatenate([np.asarray(each.label) for each in before])
    xt = rows(given.view(market(60, 1))).numeric
    move = joint_components(xs, labels, xt, Jda(), RNG)
    asked = market(9, 5)
    np.testing.assert_array_equal(
        rows(after.view(asked)).numeric, move.of(rows(given.view(asked)).numeric)
    )
    for theirs, moved in zip(before, views_of(after), strict=True):
        np.testing.assert_array_equal(moved.numeric, move.of(theirs.numeric))


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert Jda().why_not(given, Linear()) is None
    assert Jda().why_not(given, Popularity()) == (
        "popularity reads no numbers that components could replace"
    )
    from acclimate.domains.split import Cut
    from acclimate.tasks.regress import Regress

    near, far = make_prices(1, 90, name="near"), make_prices(2, 90, name="far")
    posed = Regress("price").pose(near, (far,), Cut(0.3, 0.25, by="random"), RNG)
    assert Jda().why_not(posed.problem, Linear()) == (
        "the label is a number, and jda aligns by classes; tca does without"
    )


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(StrategyError, match="Expected at least one round, found 0"):
        Jda(iterations=0)
    with pytest.raises(StrategyError, match="Without it jda has no unique solution"):
        Jda(penalty=-1)


def test_the_grid_holds_the_default_first() -> None:
    grid = Jda().grid(problem(market(30, 1), market(40, 2)))
    assert grid[0] == Jda() and len(set(grid)) == 3

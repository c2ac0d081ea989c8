"""uLSIF: the closed form against refitting without each pair, and the true ratio."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.sample import Rows
from acclimate.errors import StrategyError
from acclimate.strategies.instance import ulsif
from acclimate.strategies.instance.ulsif import Ulsif, coefficients, left_out, moments, ratio
from tests.strategies.shapes import RNG, market, problem, table


def gaussians(n_source: int, n_target: int, apart: float = 1.0) -> tuple[Array, Array]:
    g = np.random.default_rng(3)
    return g.standard_normal((n_source, 2)), g.standard_normal((n_target, 2)) + np.array(
        [apart, 0.0]
    )


def basis(x: Array, centres: Array, sigma: float) -> Array:
    """φ row by row, as equation 3 of the paper writes it."""
    return np.array([[np.exp(-sum((p - c) ** 2) / (2 * sigma**2)) for c in centres] for p in x])


def refitted(phi_s: Array, phi_t: Array, lam: float, pairs: list[tuple[int, int]]) -> float:
    """The leave-one-out score, fitting anew without each pair."""
    scores = []
    for i, j in pairs:
        rest_s, rest_t = np.delete(phi_s, i, axis=0), np.delete(phi_t, j, axis=0)
        H = np.mean([np.outer(row, row) for row in rest_s], axis=0)
        alpha = np.linalg.inv(H + lam * np.eye(len(H))) @ rest_t.mean(axis=0)
        alpha = np.where(alpha < 0, 0.0, alpha)
        scores.append(0.5 * (phi_s[i] @ alpha) ** 2 - phi_t[j] @ alpha)
    return float(np.mean(scores))


@pytest.mark.parametrize("lam", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize(("n_s", "n_t"), [(30, 20), (20, 30)])
def test_the_score_is_that_of_refitting_without_each_pair(
    lam: float, n_s: int, n_t: int
) -> None:
    xs, xt = gaussians(n_s, n_t)
    phi_s, phi_t = basis(xs, xt[:8], 0.7), basis(xt, xt[:8], 0.7)
    g = np.random.default_rng(1)
    m = min(n_s, n_t) - 3
    i, j = g.permutation(n_s)[:m], g.permutation(n_t)[:m]
    H, h = phi_s.T @ phi_s / n_s, phi_t.mean(axis=0)
    ours = left_out(H, h, (n_s, n_t), phi_s[i], phi_t[j], lam)
    pairs = list(zip(i.tolist(), j.tolist(), strict=True))
    assert ours == pytest.approx(refitted(phi_s, phi_t, lam, pairs), rel=1e-9)


def test_negative_coefficients_are_set_to_0_and_the_others_are_the_solutions() -> None:
    H, h = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([1.0, 0.5])
    # (1.1, .9; .9, 1.1)⁻¹ (1, ½) = (1.1 − .45, .55 − .9) / .4
    np.testing.assert_allclose(coefficients(H, h, 0.1), [0.65 / 0.4, 0.0])


def test_moments_are_those_of_the_basis_a_part_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    xs, xt = gaussians(23, 9)
    monkeypatch.setattr(ulsif, "PART", 5)
    H, h = moments(xs, xt, 0.7)
    phi = basis(xs, xt, 0.7)
    np.testing.assert_allclose(H, phi.T @ phi / 23)
    np.testing.assert_allclose(h, phi.mean(axis=0))


def test_width_and_penalty_have_the_least_score_of_all() -> None:
    """The whole method written out again, with every fit made anew."""
    xs, xt = gaussians(40, 30)
    found = ratio(xs, xt, RNG)

    def drawn(name: str, n: int) -> Ints:
        return RNG.child(name).generator().permutation(n)

    every = np.vstack([xs, xt])
    apart = [
        np.sqrt(((a - b) ** 2).sum()) for at, a in enumerate(every) for b in every[at + 1 :]
    ]
    middle = float(np.median(apart))
    pairs = list(zip(drawn("source", 40)[:30], drawn("target", 30), strict=True))
    best = None
    for times in (0.25, 0.5, 1.0, 2.0, 4.0):
        phi_s, phi_t = basis(xs, xt, times * middle), basis(xt, xt, times * middle)
        for lam in np.logspace(-3, 1, 9):
            score = refitted(phi_s, phi_t, lam, pairs)
            if best is None or score < best[0]:
                solved = np.linalg.inv(phi_s.T @ phi_s / 40 + lam * np.eye(30)) @ phi_t.mean(0)
                best = (score, phi_s @ np.maximum(solved, 0))
    assert best is not None
    np.testing.assert_allclose(found, best[1], rtol=1e-7)


def test_weights_are_the_true_ratio_of_two_gaussians() -> None:
    xs, xt = gaussians(3000, 2000)
    found = ratio(xs, xt, RNG)
    true = np.exp(xs[:, 0] - 0.5)  # N(1, 1) / N(0, 1) at x
    edge = np.quantile(xs[:, 0], [0, 0.2, 0.4, 0.6, 0.8, 1])
    parts = [(xs[:, 0] >= a) & (xs[:, 0] <= b) for a, b in pairwise(edge)]
    ours = np.array([found[part].mean() for part in parts])
    # Unscaled, as the method gives it; turned round it would fall with x0.
    np.testing.assert_allclose(ours, [true[part].mean() for part in parts], rtol=0.3)


def test_a_source_that_no_centre_reaches_weighs_the_same_everywhere() -> None:
    own = table(np.random.default_rng(0).standard_normal((30, 1)) * 1e-9, np.arange(30) % 2)
    far = table(np.full((30, 1), 1e9), np.arange(30) % 2)
    weight = np.asarray(Ulsif().weigh(problem(own, far), RNG).sources[0].weight)
    np.testing.assert_allclose(weight, 1.0)


def test_text_alone_is_weighed() -> None:
    def said(n: int, words: list[str]) -> Rows:
        g = np.random.default_rng(n)
        return table(
            np.zeros((n, 1)),
            g.integers(0, 2, n),
            note=[words[i % len(words)] for i in range(n)],
        )

    given = problem(said(60, ["red coat"]), said(80, ["red coat", "blue sofa"]))
    weight = np.asarray(Ulsif().weigh(given, RNG).sources[0].weight)
    assert weight[::2].min() > 3 * weight[1::2].max()


@pytest.mark.parametrize("at_most", [1.0, np.inf, np.nan])
def test_settings_out_of_range_are_refused(at_most: float) -> None:
    with pytest.raises(StrategyError, match="Expected a finite at_most above 1, found"):
        Ulsif(at_most)


def test_the_grid_holds_the_default_first() -> None:
    assert Ulsif().grid(problem(market(30, 1), market(40, 2))) == (Ulsif(), Ulsif(5.0))

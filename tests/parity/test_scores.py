"""Areas under curves against scikit-learn, with ties and weights, many weightings at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics

from acclimate.arrays import Array, Bools
from acclimate.tasks import scores

Ours = Callable[[Array, Bools, Array], Array]
PAIRS = {
    "average-precision": (scores.average_precision, metrics.average_precision_score),
    "roc-auc": (scores.roc_auc, metrics.roc_auc_score),
}


def case(seed: int, n: int, levels: int) -> tuple[Array, Bools]:
    """Scores with ties (few levels) or without, and labels that lean on them."""
    generator = np.random.default_rng(seed)
    score = generator.integers(0, levels, n) / levels
    positive = generator.random(n) < 0.2 + 0.4 * score
    positive[0], positive[1] = True, False
    return score, positive


def rows_of(seed: int, n: int) -> Array:
    """Weight rows as a bootstrap, a jackknife and a person would draw them."""
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(n, np.full(n, 1 / n), 8).astype(float)
    without_first = np.ones(n)
    without_first[2] = 0.0
    return np.vstack([np.ones(n), counts, without_first, generator.exponential(size=(3, n))])


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("levels", [2, 5, 10**9])
@pytest.mark.parametrize("n", [2, 7, 60])
def test_every_weight_row_scores_as_scikit_learn_scores_it(
    name: str, levels: int, n: int
) -> None:
    ours, theirs = PAIRS[name]
    for seed in range(5):
        score, positive = case(seed, n, levels)
        weight = rows_of(seed, n) if n > 2 else np.ones((1, n))
        got = ours(score, positive, weight)
        for row, value in zip(weight, got, strict=True):
            if not (row @ positive and row @ ~positive):
                continue
            expected = theirs(positive, score, sample_weight=row)
            assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_a_weight_of_two_is_the_row_twice(name: str) -> None:
    ours = PAIRS[name][0]
    score, positive = case(3, 20, 6)
    counts = np.random.default_rng(3).integers(0, 3, 20)
    counts[:2] = 1
    repeated = ours(
        np.repeat(score, counts), np.repeat(positive, counts), np.ones((1, counts.sum()))
    )
    assert ours(score, positive, counts[None].astype(float))[0] == pytest.approx(repeated[0])


@pytest.mark.parametrize("name", PAIRS)
def test_a_class_without_weight_has_no_area(name: str) -> None:
    ours = PAIRS[name][0]
    score, positive = np.array([0.1, 0.5, 0.9]), np.array([False, True, True])
    weight = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ours(score, positive, weight)
    assert np.isnan(found).tolist() == [True, False, True]
    only_positives = ours(score, positive, np.array([[0.0, 1.0, 1.0]]))[0]
    # With positives alone every list is right; there is no negative to be outranked by.
    assert np.isnan(only_positives) if name == "roc-auc" else only_positives == 1.0


def test_log_loss_is_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    p = generator.dirichlet([1, 2, 3], 50)
    label = generator.integers(0, 3, 50)
    expected = metrics.log_loss(label, p, labels=[0, 1, 2])
    assert scores.log_losses(p, label).mean() == pytest.approx(expected, rel=1e-12)

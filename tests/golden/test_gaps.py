"""Gap measures on cases small enough to be worked out on paper; each says how."""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
import pytest

from acclimate.gaps.covariates import mmd2_unbiased
from acclimate.gaps.labels import bbse
from acclimate.gaps.transferability import leep, logme


def test_mmd2_of_two_rows_a_side() -> None:
    # x = 0, 2 and y = 0, 1 with σ = 1: within x e^(−2), within y e^(−½), across
    # the distances 0, 1, 2, 1.  It is below 0: nothing is clamped.
    across = (1.0 + exp(-0.5) + exp(-2.0) + exp(-0.5)) / 4.0
    expected = exp(-2.0) + exp(-0.5) - 2.0 * across
    assert expected == pytest.approx(-0.4323323584, abs=1e-9)
    assert mmd2_unbiased([[0.0], [2.0]], [[0.0], [1.0]], 1.0) == pytest.approx(expected)


def test_leep_of_a_source_that_decides_the_labels_is_zero() -> None:
    assert leep([[1, 0], [1, 0], [0, 1], [0, 1]], [0, 0, 1, 1]) == 0.0


def test_leep_of_a_source_that_knows_nothing_is_minus_the_entropy() -> None:
    assert leep([[1, 0], [1, 0], [0, 1], [0, 1]], [0, 1, 0, 1]) == pytest.approx(-log(2.0))


def test_leep_of_soft_answers() -> None:
    # θ = (¾, ¼), (¼, ¾), labels 0, 1: P(z) = ½, ½ and P(0 | z) = ¾, ¼.  Both rows give
    # ¾·¾ + ¼·¼ = 10/16.
    assert leep([[0.75, 0.25], [0.25, 0.75]], [0, 1]) == pytest.approx(log(10.0 / 16.0))


def test_logme_of_one_feature() -> None:
    # F = (1, 1, 1)ᵀ and y = (1, 2, 3): along F/√3 y has 2√3, so z² = 12 with σ = 3, and 2
    # outside.  The evidence is that of one normal of variance a = 1/β + 3/α in F's
    # direction and two of variance b = 1/β: it is greatest at a = 12 and b = 2/2 = 1.
    # So −½[3 log 2π + log 12 + 2 log 1 + 12/12 + 2/1] / 3, where a > b is allowed.
    expected = -0.5 * (3.0 * log(2.0 * pi) + log(12.0) + 3.0) / 3.0
    assert logme(np.ones((3, 1)), [1.0, 2.0, 3.0], "regress") == pytest.approx(expected)


def test_bbse_of_two_classes() -> None:
    # Class 0: 40 right, 10 taken for 1.  Class 1: 20 taken for 0, 30 right.  With q the
    # target's share of class 0, predicted 0: 0.8q + 0.4(1 − q) = ½ gives q = ¼; the
    # source's share is ½, so the weights are ½ and 1½.
    assert bbse([[40, 20], [10, 30]], [0, 1, 0, 1]) == pytest.approx([0.5, 1.5])

"""How far numbers of two markets lie apart: known distances, a true 0, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from acclimate.arrays import Array
from acclimate.errors import DataError
from acclimate.gaps.numbers import label_distance
from acclimate.rng import Rng

RNG = Rng.of(0)


def drawn(seed: int, n: int, shift: float = 0.0, scale: float = 1.0) -> Array:
    return np.asarray(shift + scale * np.random.default_rng(seed).normal(size=n))


def test_the_distance_is_that_of_scipy_in_standard_deviations() -> None:
    for shift, scale in ((0.0, 1.0), (3.0, 1.0), (0.0, 4.0)):
        s, t = drawn(1, 400, shift, scale), drawn(2, 400)
        # 400 rows and 200 quantiles: every other row stands for two.
        expected = wasserstein_distance(s, t) / t.std(ddof=1)
        assert label_distance(s, t, RNG, 19).value == pytest.approx(expected, abs=0.03)


def test_a_shift_is_found_and_told_with_both_medians() -> None:
    gap = label_distance(drawn(1, 300, 3.0), drawn(2, 200), RNG, source="us", target="jp")
    assert gap.p is not None and gap.p < 0.01 and gap.low is not None and gap.low > 2.5
    assert gap.sentence.startswith(
        "jp's labels fall otherwise than us's: the median goes from 2.943 to"
    )
    assert gap.null_high is not None and gap.value > gap.null_high


def test_equal_markets_read_0_and_the_unit_of_the_label_changes_nothing() -> None:
    s, t = drawn(1, 300), drawn(2, 300)
    gap = label_distance(s, t, RNG)
    assert gap.low == 0 and gap.p is not None and gap.p > 0.05
    assert "No difference shows between" in gap.sentence
    other = label_distance(1e6 * s + 5e6, 1e6 * t + 5e6, RNG)
    assert other.value == pytest.approx(gap.value) and other.p == gap.p


def test_the_interval_covers_and_the_null_is_not_rejected_too_often() -> None:
    rejected = missed = 0
    for seed in range(60):
        null = label_distance(drawn(seed, 60), drawn(1000 + seed, 40), RNG.child(seed), 99)
        rejected += null.p is not None and null.p <= 0.05
        moved = label_distance(drawn(seed, 60, 1.0), drawn(1000 + seed, 40), RNG, 99)
        assert moved.low is not None and moved.high is not None
        missed += not moved.low <= 1.0 <= moved.high
    # 60 draws at 5 %: 9 or more come once in 500; the interval is wider than it need be.
    assert rejected < 9 and missed < 9


def test_labels_that_do_not_vary_and_few_draws_are_refused() -> None:
    with pytest.raises(DataError, match="labels that vary"):
        label_distance(drawn(1, 20), np.ones(20), RNG)
    with pytest.raises(DataError, match="at least 19 resamples, found 5"):
        label_distance(drawn(1, 20), drawn(2, 20), RNG, 5)

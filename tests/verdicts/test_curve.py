"""Learning curves: laws that are exact, and what is read off curves whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from acclimate.errors import DataError
from acclimate.verdicts.curve import PowerLaw, fit, span, worth

N = np.array([10, 20, 40, 80, 160, 320])


@pytest.mark.parametrize("law", [PowerLaw(0.2, 1.5, 0.5), PowerLaw(0.0, 3.0, 1.2)])
def test_an_exact_power_law_is_found_again(law: PowerLaw) -> None:
    found = fit(N, law.at(N))
    assert found.level == pytest.approx(law.level, abs=1e-4)
    assert found.drop == pytest.approx(law.drop, rel=1e-3)
    assert found.rate == pytest.approx(law.rate, rel=1e-3)
    assert found.at(10_000) == pytest.approx(law.at(10_000), abs=1e-4)


def test_labels_for_an_error_invert_the_law() -> None:
    law = PowerLaw(0.2, 1.5, 0.5)
    assert law.labels_for(float(law.at(250.0))) == pytest.approx(250.0)
    assert law.labels_for(0.2) == math.inf
    assert PowerLaw(0.3, 0.0, 1.0).labels_for(0.3) == 0.0
    assert PowerLaw(0.3, 0.0, 1.0).labels_for(0.29) == math.inf


def test_no_law_rises_or_falls_below_what_is_possible() -> None:
    assert fit(N, 0.1 + 0.01 * np.log(N)).drop == 0.0
    falling = 0.2 - 0.03 * np.log(N / 10)
    assert fit(N, falling, least=0.0).level == 0.0
    assert fit(N, falling).level < 0.0


def test_points_with_more_labels_count_for_more() -> None:
    flat = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    late = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.5])
    # With drop 0 the law is the mean weighted by n: (0.5·320 + 0.1·310) / 630.
    assert fit(N, late).level == pytest.approx((0.5 * 320 + 0.1 * 310) / 630)
    assert fit(N, flat).at(320) == pytest.approx(0.1, abs=0.01)


def test_fewer_than_four_sizes_make_no_law() -> None:
    with pytest.raises(DataError, match=r"4 numbers of labels at least, found 3.*more sizes"):
        fit(N[:3], np.array([0.3, 0.2, 0.1]))


def test_transfer_like_five_times_the_labels_is_worth_four_times_as_many_more() -> None:
    alone = PowerLaw(0.2, 1.5, 0.5)
    n = np.array([16, 32, 64, 128, 256, 320])
    found = worth(n, alone.at(5 * n), alone.at(n), delta=0.001)
    assert found.labels == pytest.approx(4 * 320, rel=0.01)
    # 320 labels alone are 64 with transfer.
    assert found.parity == pytest.approx(64.0)
    assert found.saving == pytest.approx(5.0)
    assert found.stops == math.inf, "a gain below 0.001 is past 100 times the labels here"
    # 1.5·(1 − 1/√5)/√n = 0.01
    wide = worth(n, alone.at(5 * n), alone.at(n), delta=0.01)
    assert wide.stops == pytest.approx((1.5 * (1 - 5**-0.5) / 0.01) ** 2, rel=0.02)


def test_transfer_that_is_worse_at_the_end_is_worth_less_than_nothing_and_stops_there() -> None:
    alone = PowerLaw(0.1, 2.0, 0.5).at(N)
    flat = np.full(len(N), 0.3)
    found = worth(N, flat, alone, delta=0.0)
    # alone falls below 0.3 at n = 100, between the fits on 80 and 160
    assert found.stops == 160
    assert 80 < 320 + found.labels < 160
    assert found.parity == math.inf
    assert found.saving == 0.0


def test_where_it_never_pays_it_stops_at_the_first_fit() -> None:
    alone = PowerLaw(0.1, 2.0, 0.5).at(N)
    assert worth(N, alone, alone, delta=0.01).stops == 10


def test_a_target_only_that_levels_off_above_never_catches_up() -> None:
    alone, ours = PowerLaw(0.3, 1.0, 1.0).at(N), PowerLaw(0.1, 1.0, 1.0).at(N)
    found = worth(N, ours, alone, delta=0.01)
    assert found.labels == found.stops == math.inf


def test_a_bump_in_a_curve_is_no_parity_before_it() -> None:
    """What was reached by luck and lost again is averaged with what came after."""
    alone = np.array([0.6, 0.5, 0.4, 0.35, 0.32, 0.3])
    ours = np.array([0.5, 0.29, 0.45, 0.31, 0.28, 0.26])
    # isotonic means: (20·0.29 + 40·0.45) / 60 = 0.397 from 20 to 40
    found = worth(N, ours, alone, delta=0.0)
    assert 80 < found.parity < 160


def test_a_span_holds_what_is_infinite() -> None:
    values = np.r_[np.arange(100.0), np.full(10, np.inf)]
    assert span(values) == (2.0, np.inf)

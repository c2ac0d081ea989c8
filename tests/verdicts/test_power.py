"""What a judge can show before it is looked at: the formula, and that it comes true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from acclimate.errors import UsageError
from acclimate.rng import Rng
from acclimate.verdicts import Contrast, judge, paired_effect
from acclimate.verdicts.power import moved, smallest_effect, units_for


def test_the_smallest_effect_is_2_8_standard_errors() -> None:
    # 1.959964 + 0.841621
    assert smallest_effect(0.01) == pytest.approx(0.02801585, rel=1e-6)
    # of a second look: 2.241403 + 0.841621
    assert smallest_effect(0.01, 0.025) == pytest.approx(0.03083024, rel=1e-6)


def test_units_for_an_effect_invert_it() -> None:
    se = 0.02
    wanted = units_for(0.01, se, 400)
    assert wanted == math.ceil(400 * (2.801585 * 2) ** 2)
    assert smallest_effect(moved(se, 400, wanted)) == pytest.approx(0.01, rel=1e-4)
    assert units_for(1.0, se, 400) == 30, "fewer are never enough"
    assert units_for(0.0, se, 400) is None


def test_a_standard_error_shrinks_with_the_root_of_units() -> None:
    assert moved(0.04, 100, 400) == pytest.approx(0.02)
    assert moved(0.04, 100, 0) == math.inf


def test_such_an_effect_is_adopted_four_times_in_five() -> None:
    """127 to 186 of 200 would be within 4 standard errors of 80 %: 137 to 183."""
    g = np.random.default_rng(0)
    n, spread = 200, 1.0
    effect = smallest_effect(spread / math.sqrt(n))
    hits = 0
    for draw in range(200):
        d = g.normal(effect, spread, n)
        found = paired_effect(Contrast.of_means(d), Rng.of(draw), replicates=400)
        hits += judge(found, delta=0.0).answer == "adopt"
    assert 137 <= hits <= 183


def test_shares_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="power between 0 and 1, found 1"):
        smallest_effect(0.1, power=1)

"""Numbers of the interval that were worked out by hand or by another program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from acclimate.verdicts.compare import bca_level, confidence, ends


def test_bca_level_of_a_hand_computed_case() -> None:
    # z0 = 0.1, a = 0.05, z = -1.96: w = -1.86, 1 - a·w = 1.093, z0 + w/1.093 = -1.601738,
    # Φ(-1.601738) = 0.054607 (Efron 1987, equation 3.9).
    assert bca_level(-1.96, 0.1, 0.05) == pytest.approx(0.054607, abs=2e-6)


def test_without_bias_and_acceleration_the_level_is_the_normal_one() -> None:
    assert bca_level(-1.959963985, 0.0, 0.0) == pytest.approx(0.025, abs=1e-9)


@pytest.mark.parametrize(("z", "expected"), [(25.0, 1.0), (-25.0, 0.0)])
def test_level_past_the_pole_is_the_end_of_the_replicates(z: float, expected: float) -> None:
    assert bca_level(z, 0.0, 0.05 if z > 0 else -0.05) == expected


def test_ends_of_an_exact_normal_bootstrap_for_ten_units() -> None:
    # Replicates at the normal quantiles have z0 = 0.  With a = 0 and n = 10, Hesterberg's
    # level is Φ(-√(10/9)·t₉) = Φ(-1.054093·2.262157) = Φ(-2.384523), so that BCa ends at
    # ±2.384523; Student's t at se = 1 ends at ±2.262157: the wider is the former.
    theta = np.asarray(ndtri((np.arange(200_000) + 0.5) / 200_000), dtype=np.float64)
    assert ends(theta, 0.0, 1.0, 0.0, 10, 0.05) == pytest.approx(
        (-2.384523, 2.384523), abs=1e-3
    )
    # At se = 2 Student's is the wider.
    assert ends(theta, 0.0, 2.0, 0.0, 10, 0.05) == pytest.approx(
        (-4.524314, 4.524314), abs=1e-5
    )
    # The same replicates about 2.384523 have their lower end at 0: confidence 97.5 %.
    moved = theta + 2.384523
    assert confidence(moved, 2.384523, 1.0, 0.0, 10) == pytest.approx(0.975, abs=1e-4)

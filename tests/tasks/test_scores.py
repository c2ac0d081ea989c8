"""Scores of probabilities by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from acclimate.tasks import scores


def test_log_loss_is_the_surprise_at_what_was_true_and_is_bounded() -> None:
    p = np.array([[0.25, 0.75], [1.0, 0.0], [0.0, 1.0]])
    found = scores.log_losses(p, np.array([1, 0, 0]))
    np.testing.assert_allclose(found, [-log(0.75), 0.0, -log(1e-15)])


def test_average_precision_is_what_a_person_computes() -> None:
    # Ranked: + − + −; precisions at the hits are 1 and 2/3.
    found = scores.average_precision(
        np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]), np.ones((1, 4))
    )
    assert found[0] == pytest.approx((1 + 2 / 3) / 2)
    # One threshold for a tie: of the two best one is right.
    tied = scores.average_precision(
        np.array([0.8, 0.8, 0.1]), np.array([True, False, False]), np.ones((1, 3))
    )
    assert tied[0] == pytest.approx(1 / 2)


def test_roc_auc_is_the_share_of_pairs_in_order_with_ties_for_half() -> None:
    # Pairs (positive, negative): (.9,.8) right, (.9,.5) right, (.5,.8) wrong, (.5,.5) tied.
    found = scores.roc_auc(
        np.array([0.9, 0.8, 0.5, 0.5]), np.array([True, False, True, False]), np.ones((1, 4))
    )
    assert found[0] == pytest.approx(2.5 / 4)


def test_calibration_error_is_the_mean_gap_of_confidence_and_accuracy() -> None:
    # Confidences .95 .91 (one right), .65 (right), 1.0 (right, in the last bin too).
    p = np.array([[0.95, 0.05], [0.09, 0.91], [0.65, 0.35], [0.0, 1.0]])
    label = np.array([0, 0, 0, 1])
    last = abs(2 / 3 - (0.95 + 0.91 + 1.0) / 3)
    middle = abs(1 - 0.65)
    expected = 3 / 4 * last + 1 / 4 * middle
    assert scores.calibration_error(p, label) == pytest.approx(expected, rel=1e-12)


def test_bins_of_confidence_are_told_apart() -> None:
    # Each bin is off by .4 in its own direction; together they would look calibrated.
    p = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    label = np.array([0, 0, 0, 1])
    assert scores.calibration_error(p, label) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    assert scores.calibration_error(p, label, bins=1) == pytest.approx(0.0, abs=1e-12)


def test_calibrated_probabilities_have_no_error() -> None:
    p = np.repeat([[0.75, 0.25]], 4, axis=0)
    assert scores.calibration_error(p, np.array([0, 0, 0, 1])) == pytest.approx(0.0)

"""Label shift with target labels and without them, on planted class shares."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError
from acclimate.gaps.labels import as_probabilities, bbse, joint_confusion, label_shift
from acclimate.rng import Rng

RNG = Rng.of(0)
# P(predicted | class) of a middling, biased classifier; columns are true classes.
CLASSIFIER = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]])


def labels(name: object, n: int, shares: list[float]) -> Ints:
    return RNG.child(name).generator().choice(len(shares), size=n, p=shares)


def predictions(name: object, truth: Ints) -> Ints:
    """A draw of CLASSIFIER's answer for each label."""
    u = RNG.child(name).generator().random(len(truth))
    below = np.cumsum(CLASSIFIER, axis=0)[:, truth]  # (3, n)
    return np.asarray((u > below).sum(axis=0), dtype=np.int64)


def test_total_variation_by_hand() -> None:
    # Shares ½ ½ 0 against ¼ ¼ ½: ½(¼ + ¼ + ½) = ½.
    found = label_shift([0, 0, 1, 1], [0, 1, 2, 2], 3, RNG)
    assert found.value == 0.5
    assert (found.n_source, found.n_target) == (4, 4)


def test_total_variation_reaches_one_only_for_disjoint_labels() -> None:
    found = label_shift([0] * 50, [1] * 50, 2, RNG, source="us", target="jp")
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.p == 1 / 1001
    assert found.sentence.startswith("jp's labels fall otherwise than us's: class 0 goes from")
    named = label_shift(
        [0] * 50, [1] * 50, 2, RNG, source="us", target="jp", classes=("no", "yes")
    )
    assert "class 'no' goes from 100.0% to 0.0%" in named.sentence


def test_label_shift_is_symmetric() -> None:
    ys, yt = labels("s", 100, [0.5, 0.5]), labels("t", 60, [0.3, 0.7])
    assert label_shift(ys, yt, 2, RNG).value == label_shift(yt, ys, 2, RNG).value


@pytest.mark.parametrize(
    ("shares", "target_shares"),
    [
        ([0.5, 0.5], [0.5, 0.5]),
        ([0.5, 0.5], [0.4, 0.6]),
        ([0.2] * 5, [0.3, 0.3, 0.2, 0.1, 0.1]),
    ],
)
def test_label_shift_interval_holds_the_truth_at_least_as_often_as_it_says(
    shares: list[float], target_shares: list[float]
) -> None:
    truth = np.abs(np.array(shares) - np.array(target_shares)).sum() / 2.0
    held = [
        (found.low or 0.0) <= truth <= (found.high or 0.0)
        for i in range(200)
        for found in [
            label_shift(
                labels(("s", i), 200, shares),
                labels(("t", i), 100, target_shares),
                len(shares),
                RNG.child(i),
                200,
            )
        ]
    ]
    assert np.mean(held) > 0.88  # 0.95 less four standard errors of 0.0154


def test_label_shift_p_of_equal_shares_is_uniform() -> None:
    p = np.array(
        [
            label_shift(
                labels(("s", i), 150, [0.2] * 5), labels(("t", i), 90, [0.2] * 5), 5, RNG, 99
            ).p
            for i in range(200)
        ],
        dtype=np.float64,
    )
    assert abs(p.mean() - 0.5) < 0.08  # four standard errors of 0.020
    assert 0.02 < (p <= 0.1).mean() < 0.18


def test_equal_shares_stay_inside_the_null_band_and_say_so() -> None:
    found = label_shift([0, 1] * 50, [0, 1] * 40, 2, RNG, source="us", target="jp")
    assert found.value == 0.0
    assert found.p == 1.0
    assert found.sentence.startswith("No difference shows between jp's label shares and us's")


def test_joint_confusion_by_hand() -> None:
    C = joint_confusion([0, 1, 1, 1], [0, 0, 1, 1], 2)
    np.testing.assert_array_equal(C, [[0.25, 0.0], [0.25, 0.5]])  # row predicted, column true


def test_joint_confusion_of_certain_probabilities_is_that_of_codes() -> None:
    predicted, truth = [0, 1, 1, 2], [0, 0, 1, 2]
    hard = joint_confusion(predicted, truth, 3)
    np.testing.assert_array_equal(joint_confusion(np.eye(3)[predicted], truth, 3), hard)


def test_bbse_recovers_planted_shares_exactly_from_population_values() -> None:
    source, target = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    # Target rows whose predicted shares are exactly CLASSIFIER @ target.
    counts = np.rint(100 * CLASSIFIER @ target).astype(int)
    np.testing.assert_allclose(counts / 100, CLASSIFIER @ target)
    weights = bbse(CLASSIFIER * source, np.repeat([0, 1, 2], counts))
    np.testing.assert_allclose(weights, target / source, rtol=1e-9)


@pytest.mark.parametrize("soft", [False, True])
def test_bbse_recovers_planted_shares_from_a_sample(soft: bool) -> None:
    source, target = [0.5, 0.3, 0.2], [0.1, 0.3, 0.6]
    ys, yt = labels("s", 20_000, source), labels("t", 20_000, target)
    told_s, told_t = predictions("ps", ys), predictions("pt", yt)
    answer: Array = 0.8 * np.eye(3) + 0.2 / 3  # a soft answer in place of a code
    found = (
        bbse(joint_confusion(answer[told_s], ys, 3), answer[told_t])
        if soft
        else bbse(joint_confusion(told_s, ys, 3), told_t)
    )
    # Standard error of a share is about 0.0035 × ‖CLASSIFIER⁻¹‖ (2.5): below 0.01.
    np.testing.assert_allclose(found * np.array(source), target, atol=0.035)


def test_bbse_weighs_every_class_one_when_nothing_shifted() -> None:
    predicted, truth = [0, 1, 1, 0, 1], [0, 0, 1, 0, 1]
    weights = bbse(joint_confusion(predicted, truth, 2), predicted)
    np.testing.assert_allclose(weights, [1.0, 1.0])


def test_bbse_takes_counts_and_shares_alike() -> None:
    counts = np.array([[30, 5], [10, 55]])
    np.testing.assert_allclose(bbse(counts, [0, 1, 1]), bbse(counts / 100, [0, 1, 1]))


def test_bbse_clips_at_zero_and_its_shares_still_sum_to_one() -> None:
    # Solved without clipping the target would hold −1/8 of class 0.
    C = np.array([[0.45, 0.05], [0.05, 0.45]])
    weights = bbse(C, [1] * 50)
    np.testing.assert_allclose(np.linalg.solve(C, [0.0, 1.0]) * 0.5, [-0.125, 1.125])
    np.testing.assert_allclose(weights, [0.0, 2.0])
    assert weights @ C.sum(axis=0) == pytest.approx(1.0)


def test_bbse_does_not_take_a_rare_class_for_one_that_cannot_be_told_apart() -> None:
    source = np.array([1e-7, 0.4, 0.6])
    weights = bbse(CLASSIFIER * source, [1, 2])
    assert np.isfinite(weights).all()


@pytest.mark.parametrize(
    ("confusion", "predicted", "text"),
    [
        (np.ones((2, 3)), [0], r"square confusion of 2 or more classes, found shape \(2, 3\)"),
        ([[1.0, -1.0], [0.0, 1.0]], [0], "counts or shares of 0 or more"),
        ([[1.0, 0.0], [1.0, 0.0]], [0], "found none of class 1. Hold out more rows"),
        ([[2.0, 2.0], [2.0, 2.0]], [0], "cannot be inverted. Use a better source model"),
        (np.eye(2), [2], "predicted labels in 0 to 1"),
        (np.eye(2), [[0.5, 0.9]], "sum to 1 in every row, found a row off by 0.4"),
        (np.eye(2), [[1.0, 0.0, 0.0]], r"shape \(rows, 2\), found \(1, 3\)"),
    ],
)
def test_bbse_refusals_say_what_to_do(confusion: Array, predicted: Ints, text: str) -> None:
    with pytest.raises(DataError, match=text):
        bbse(confusion, predicted)


def test_other_label_refusals_say_what_to_do() -> None:
    with pytest.raises(DataError, match="at least 19 resamples, found 3"):
        label_shift([0, 1], [0, 1], 2, RNG, 3)
    with pytest.raises(DataError, match="each of 2 held-out labels, found 1"):
        joint_confusion([0], [0, 1], 2)
    with pytest.raises(DataError, match="not logits"):
        as_probabilities([[-1.0, 2.0]])


def test_the_same_key_gives_the_same_label_gap() -> None:
    ys, yt = labels("s", 50, [0.5, 0.5]), labels("t", 50, [0.4, 0.6])
    assert label_shift(ys, yt, 2, RNG) == label_shift(ys, yt, 2, RNG)
    assert label_shift(ys, yt, 2, RNG).null_high != label_shift(ys, yt, 2, RNG.child(1), 19).low

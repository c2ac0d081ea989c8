from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.reports import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (12.3, "12.3"),
        (12345.6, "12,350"),
        (999.96, "1,000"),
        (-1234567, "-1,235,000"),
        (0.0000123456, "1.235e-05"),
        (0, "0"),
        (-0.0, "0"),
        (1e300, "1e+300"),
        (None, "–"),
        (math.nan, "–"),
        (-math.inf, "–"),
        ("0.5", "–"),
        (True, "–"),
        (10**400, "–"),
    ],
)
def test_number_has_four_places_and_is_never_nan(value: object, text: str) -> None:
    assert wording.number(value) == text


@given(st.floats(-1e300, 1e300))
def test_number_is_within_half_of_its_last_place(value: float) -> None:
    said = float(wording.number(value).replace(",", ""))
    assert said == pytest.approx(value, rel=5.01e-4, abs=1e-320)


def test_signed_marks_what_is_above_zero() -> None:
    assert [wording.signed(x) for x in (0.5, -0.5, 0.0, None)] == ["+0.5", "-0.5", "0", "–"]


def test_interval_needs_both_ends() -> None:
    assert wording.interval(0.123, 0.145) == "0.123 to 0.145"
    assert wording.interval(-0.1, 0.2, sign=True) == "-0.1 to +0.2"
    assert wording.interval(None, 0.2) == wording.interval(0.1, math.inf) == "–"


def test_count_separates_thousands() -> None:
    assert [wording.count(x) for x in (1204118, 0, None)] == ["1,204,118", "0", "–"]


def test_percent_is_not_led_astray_by_binary_fractions() -> None:
    assert [wording.percent(x) for x in (1 - 0.05, 1 - 0.025, 0.9991, None)] == [
        "95 %",
        "97.5 %",
        "99.91 %",
        "–",
    ]


def test_seconds_become_minutes_when_long() -> None:
    assert [wording.seconds(x) for x in (0.41, 83.21, 725, None)] == [
        "0.41 s",
        "83.21 s",
        "12 min 5 s",
        "–",
    ]


def test_whole_numbers_keep_their_digits_since_they_may_be_ids() -> None:
    assert wording.plain_value(123456789) == "123456789"
    assert wording.plain_value([1, "a", None, {"k": 0.123456}]) == "1, a, –, k = 0.1235"


@pytest.mark.parametrize(
    ("text", "short"),
    [("abcdef", "abcdef"), ("abcdefg", "abcde…"), ("日本語", "日本語"), ("日本語話", "日本…")],
)
def test_shorten_counts_wide_letters_twice(text: str, short: str) -> None:
    assert wording.shorten(text, 6) == short

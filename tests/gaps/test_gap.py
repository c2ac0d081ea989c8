"""A Gap and what every measure asks of its arrays."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from acclimate.errors import DataError
from acclimate.gaps.gap import Gap, as_codes, as_matrix, as_pair, permutation_p

GAP = Gap("mmd2", "us", "jp", 0.5, 0.4, 0.6, 0.01, -0.1, 0.1, 30, 20, "jp differs from us")


def test_a_gap_reads_as_its_sentence() -> None:
    assert str(GAP) == "jp differs from us"


def test_a_row_holds_every_field_and_survives_strict_json() -> None:
    odd = replace(GAP, value=np.float64("nan"), low=float("-inf"), n_source=np.int64(3))  # type: ignore[arg-type]
    row = json.loads(json.dumps(odd.as_row(), allow_nan=False))
    assert row == {
        "measure": "mmd2",
        "source": "us",
        "target": "jp",
        "value": None,
        "low": None,
        "high": 0.6,
        "p": 0.01,
        "null_low": -0.1,
        "null_high": 0.1,
        "n_source": 3,
        "n_target": 20,
        "sentence": "jp differs from us",
    }


def test_permutation_p_counts_the_value_itself_and_ties() -> None:
    assert permutation_p(2.0, np.array([1.0, 2.0, 3.0])) == 3 / 4
    assert permutation_p(9.0, np.array([1.0, 2.0, 3.0])) == 1 / 4


def test_a_matrix_of_whole_numbers_becomes_floats() -> None:
    assert as_matrix([[1, 2], [3, 4]], "source").dtype == np.float64


@pytest.mark.parametrize(
    ("x", "text"),
    [
        ([["a"], ["b"]], "Expected numbers for the source rows.*Pass the numeric view"),
        ([1.0, 2.0], r"Expected a \(rows, columns\) matrix for the source.*\(2,\)"),
        (np.zeros((3, 0)), r"found shape \(3, 0\).*at least one column"),
        ([[1.0]], "at least 2 source rows, found 1"),
        ([[1.0], [np.nan], [np.inf]], "found 2 missing or infinite values"),
    ],
)
def test_a_matrix_that_is_none_is_refused(x: object, text: str) -> None:
    with pytest.raises(DataError, match=text):
        as_matrix(x, "source")  # type: ignore[arg-type]


def test_sides_with_other_columns_are_refused() -> None:
    with pytest.raises(DataError, match="found 2 in the source and 3 in the target"):
        as_pair(np.zeros((4, 2)), np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("y", "n_classes", "text"),
    [
        ([0, 1], 1, "at least 2 classes, found 1"),
        ([0.0, 1.0], 2, "whole class codes.*Encode the classes as 0 to 1"),
        ([], 2, "non-empty list"),
        ([0, -1], 2, "found -1 to 0. Drop the rows without a label"),
        ([0, 2], 2, "in 0 to 1, found 0 to 2"),
    ],
)
def test_labels_that_are_no_codes_are_refused(y: list[int], n_classes: int, text: str) -> None:
    with pytest.raises(DataError, match=text):
        as_codes(y, "source", n_classes)

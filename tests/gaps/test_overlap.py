"""Overlap of ids, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import DataError
from acclimate.gaps.overlap import event_overlap, overlap


def test_overlap_by_hand() -> None:
    found = overlap(["a", "b", "c", "c"], ["b", "c", "d", "d", "e"])
    assert (found.shared, found.n_source, found.n_target) == (2, 3, 4)
    assert found.jaccard == 2 / 5
    assert found.target_covered == 2 / 4


def test_overlap_takes_arrays_sets_and_numbers() -> None:
    assert overlap(np.array([1, 2, 2]), {2, 3}).shared == 1
    assert overlap(np.array(["a", "b"]), ("a",)).target_covered == 1.0


def test_a_source_without_ids_covers_nothing() -> None:
    found = overlap([], ["a"])
    assert (found.jaccard, found.target_covered) == (0.0, 0.0)


@given(st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20), min_size=1))
def test_overlap_obeys_its_bounds(a: set[int], b: set[int]) -> None:
    found = overlap(a, b)
    assert 0.0 <= found.jaccard <= found.target_covered <= 1.0
    assert (found.target_covered == 1.0) == (b <= a)
    assert (found.jaccard == 1.0) == (a == b)


def test_overlap_reads_as_a_gap() -> None:
    gap = overlap(["a", "b"], ["b", "c", "d", "e"]).gap("items", source="us", target="jp")
    assert gap.measure == "items-overlap"
    assert gap.value == 0.25
    assert str(gap) == "us knows 1 of jp's 4 items (25%; Jaccard 0.20)"
    assert gap.as_row()["p"] is None


def test_event_overlap_counts_events_and_not_ids() -> None:
    gap = event_overlap(["a", "z"], ["a", "a", "a", "b"], source="us", target="jp")
    assert gap.value == 0.75
    assert (gap.n_source, gap.n_target) == (2, 4)
    assert str(gap) == "75% of jp's events are on items that us knows"


def test_event_overlap_weighs_events() -> None:
    gap = event_overlap(["a"], ["a", "b", "a"], weight=[1.0, 6.0, 1.0])
    assert gap.value == 0.25
    assert "weighted events" in gap.sentence


def test_overlap_refusals_say_what_to_do() -> None:
    with pytest.raises(DataError, match="at least one target id, found none"):
        overlap(["a"], [])
    with pytest.raises(DataError, match=r"every source row, found missing ones\. Drop"):
        overlap(["a", None], ["a"])
    with pytest.raises(DataError, match=r"every target row, found missing ones\. Drop"):
        overlap([1.0], [float("nan")])
    with pytest.raises(DataError, match="strings on one and numbers on the other"):
        overlap(["1", "2"], [1, 2])
    with pytest.raises(DataError, match="at least one target event, found none"):
        event_overlap(["a"], [])
    with pytest.raises(DataError, match="strings on one and numbers on the other"):
        event_overlap([1], ["1"])


@pytest.mark.parametrize("weight", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_weights_that_do_not_fit_are_refused(weight: list[float]) -> None:
    with pytest.raises(DataError, match="Expected 2 weights of 0 or more, not all 0"):
        event_overlap(["a"], ["a", "b"], weight=weight)

"""Tags and spans: every scheme, broken sequences, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.domains.bio import allowed, is_tag, read_tags, spans_of, tags_of
from acclimate.domains.ragged import Ragged, joined


def spans(*tags: str) -> list[tuple[int, int, str]]:
    read = read_tags([list(tags)])
    return [(start, end, read.classes[at]) for start, end, at in read.spans.lists()[0]]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-A I-A O B-B", [(1, 3, "A"), (4, 5, "B")]),
        ("B-A B-A I-A", [(0, 1, "A"), (1, 3, "A")]),
        ("S-A B-A I-A E-A S-B", [(0, 1, "A"), (1, 4, "A"), (4, 5, "B")]),
        ("B-A M-A E-A O S-B", [(0, 3, "A"), (4, 5, "B")]),
        ("U-A B-A L-A O", [(0, 1, "A"), (1, 3, "A")]),
        # Broken: an I that begins, a class that changes, an end that begins, no end.
        ("O I-A I-A", [(1, 3, "A")]),
        ("B-A I-B I-B", [(0, 1, "A"), (1, 3, "B")]),
        ("S-A I-A O", [(0, 1, "A"), (1, 2, "A")]),
        ("O E-A S-A", [(1, 2, "A"), (2, 3, "A")]),
        ("B-A E-A E-A", [(0, 2, "A"), (2, 3, "A")]),
    ],
)
def test_tags_of_every_scheme_become_spans(
    tags: str, expected: list[tuple[int, int, str]]
) -> None:
    assert spans(*tags.split()) == expected


@pytest.mark.parametrize(
    ("tags", "scheme", "broken"),
    [
        ("B-A I-A O", "BIO", 0),
        ("I-A O I-B", "BIO", 2),
        ("B-A E-A S-B", "BIOES", 0),
        ("B-A I-A O S-B", "BIOES", 1),
        ("B-A M-A E-A", "BMES", 0),
        ("B-A L-A U-A", "BILOU", 0),
    ],
)
def test_schemes_are_told_by_their_letters_and_breaks_are_counted(
    tags: str, scheme: str, broken: int
) -> None:
    read = read_tags([tags.split()])
    assert (read.scheme, read.broken) == (scheme, broken)


def test_a_span_does_not_go_on_in_the_next_sentence() -> None:
    read = read_tags([["O", "B-A"], [], ["I-A", "O"]])
    assert read.spans.lists() == [[[1, 2, 0]], [], [[0, 1, 0]]]


def test_words_are_no_tags() -> None:
    assert [is_tag(each) for each in ("O", "B-A", "B_A", "B-", "X-A", "brand", 3)] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip


@st.composite
def sentences(draw: st.DrawFn) -> tuple[Ragged, list[int]]:
    rows, lengths = [], []
    for _ in range(draw(st.integers(0, 5))):
        row, at = [], 0
        for _ in range(draw(st.integers(0, 4))):
            start = at + draw(st.integers(0, 2))
            at = start + draw(st.integers(1, 3))
            row.append((start, at, draw(st.integers(0, 2))))
        rows.append(row)
        lengths.append(at + draw(st.integers(0, 2)))
    return Ragged.of(rows, 3), lengths


@given(sentences())
def test_spans_survive_the_way_to_tags_and_back(given: tuple[Ragged, list[int]]) -> None:
    ragged, lengths = given
    count = np.array(lengths, np.int64)
    back = spans_of(tags_of(ragged, count), count)
    assert back.lists() == ragged.lists()


@given(sentences())
def test_taking_rows_and_joining_them_gives_the_whole(given: tuple[Ragged, list[int]]) -> None:
    ragged, _ = given
    halves = [ragged.take(np.arange(ragged.n)[part]) for part in (slice(2), slice(2, None))]
    assert joined(halves).lists() == ragged.lists()
    backwards = ragged.take(np.arange(ragged.n)[::-1])
    assert backwards.lists() == ragged.lists()[::-1]


def test_only_a_class_goes_on_behind_itself() -> None:
    # O B-0 I-0 B-1 I-1; the last row is the start.
    expected = [
        [1, 1, 0, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 1, 1],
        [1, 1, 0, 1, 1],
        [1, 1, 0, 1, 0],
    ]
    assert allowed(2).astype(int).tolist() == expected

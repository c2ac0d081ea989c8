"""Texts at the door: token files, JSON Lines with spans, and what is wrong with them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.domains.readers import read_table
from acclimate.domains.sentences import Cutting, cut_text
from acclimate.domains.texts import cut_column, holds_texts
from acclimate.errors import DomainError

CONLL = "Nike B-BRAND\nshoes B-PRODUCT\nfor O\n\nblue O\nApple B-BRAND\nWatch I-BRAND\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def cells(domain: Domain, column: str) -> list[object]:
    return [None if c is None else json.loads(c) for c in domain.tables["texts"][column]]


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.txt", "train.txt.gz"])
@pytest.mark.parametrize("text", [CONLL, CONLL.replace(" ", "\t"), CONLL.replace("\n", "\r\n")])
def test_a_file_of_tokens_and_tags_is_a_market_of_texts(
    tmp_path: Path, name: str, text: str
) -> None:
    domain = open_market(write(tmp_path, name, text))
    assert list(domain.tables) == ["texts"]
    assert cells(domain, "tokens") == [["Nike", "shoes", "for"], ["blue", "Apple", "Watch"]]
    assert cells(domain, "spans") == [
        [[0, 1, "BRAND"], [1, 2, "PRODUCT"]],
        [[1, 3, "BRAND"]],
    ]
    assert any("scheme BIO." in finding.message for finding in domain.findings)


def test_a_folder_with_a_token_file_is_a_market_of_texts(tmp_path: Path) -> None:
    write(tmp_path, "train.conll", CONLL)
    assert open_market(tmp_path).tables["texts"].height == 2


def test_documents_columns_between_and_blanks_that_are_tokens_are_read(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O\n\nNike NNP B-BRAND\n\u3000 _ O\nx NN O\n"
    domain = open_market(write(tmp_path, "a.conll", text))
    assert cells(domain, "tokens") == [["Nike", "\u3000", "x"]]


def test_a_file_of_tokens_alone_has_no_spans(tmp_path: Path) -> None:
    domain = open_market(write(tmp_path, "a.conll", "Nike\nshoes\n\nblue\n"))
    assert domain.tables["texts"].columns == ["tokens"]


def test_broken_sequences_are_read_as_they_stand_and_counted(tmp_path: Path) -> None:
    domain = open_market(write(tmp_path, "a.conll", "a I-X\nb I-X\nc I-Y\n"))
    assert cells(domain, "spans") == [[[0, 2, "X"], [2, 3, "Y"]]]
    assert "The tags of 'tags' leave 2 spans without a beginning or an end" in " ".join(
        f.message for f in domain.findings if f.level == "warning"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "a B-X\nb\nc O\n",
            "Expected a token and its tag on line 2 of 'a.conll', as on",
        ),
        ("a B-X\n\nb Q\n", "at the end of line 3 of 'a.conll', found 'Q'"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DomainError, match=says):
        read_table(write(tmp_path, "a.conll", text))


def test_a_table_of_two_columns_is_no_token_file(tmp_path: Path) -> None:
    frame = read_table(write(tmp_path, "a.txt", "item tag\nshoes O\nhat B-x\n"))
    assert frame.columns == ["item", "tag"]


# ── JSON Lines ──────────────────────────────────────────────────────────────

TITLES: list[dict[str, Any]] = [
    {"text": "Nike Air shoes", "spans": [[0, 8, "BRAND"], [9, 14, "PRODUCT"]]},
    {"text": "blue lamp", "spans": []},
    {"text": "  hat ", "spans": [[2, 5, "PRODUCT"]]},
]


@pytest.mark.parametrize("form", ["lists", "objects", "json", "some"])
def test_spans_in_characters_become_spans_in_tokens(tmp_path: Path, form: str) -> None:
    rows: list[dict[str, object]] = []
    for row in TITLES:
        spans: object = row["spans"]
        if form == "objects":
            spans = [{"start": a, "end": b, "label": c} for a, b, c in row["spans"]]
        if form == "json":
            spans = json.dumps(spans)
        rows.append({"text": row["text"], "spans": spans})
    if form == "some":
        rows.append({"text": "unknown", "spans": None})
    domain = open_market(write(tmp_path, "a.jsonl", lines(*rows)))
    assert cells(domain, "tokens")[:3] == [["Nike", "Air", "shoes"], ["blue", "lamp"], ["hat"]]
    expected: list[object] = [
        [[0, 2, "BRAND"], [2, 3, "PRODUCT"]],
        [],
        [[0, 1, "PRODUCT"]],
    ]
    assert cells(domain, "spans") == expected + ([None] if form == "some" else [])


def test_tokens_with_spans_or_tags_keep_their_tokens(tmp_path: Path) -> None:
    rows: list[object] = [
        {"tokens": ["New", "York"], "spans": [[0, 2, "CITY"]], "user_id": "a"}
    ]
    tags: list[object] = [{"tokens": ["New", "York"], "tags": ["B-CITY", "I-CITY"]}]
    for number, each in enumerate((rows, tags)):
        domain = open_market(write(tmp_path, f"{number}.jsonl", lines(*each)))
        assert cells(domain, "tokens") == [["New", "York"]]
        assert cells(domain, "spans") == [[[0, 2, "CITY"]]]


def test_time_and_entity_are_understood(tmp_path: Path) -> None:
    rows = [
        {**TITLES[0], "created_at": f"2024-03-0{1 + n}", "user_id": f"u{n % 3}"}
        for n in range(8)
    ]
    domain = open_market(write(tmp_path, "a.jsonl", lines(*rows)))
    assert dict(domain.schema.tables["texts"].roles) == {
        "tokens": "text", "spans": "spans", "time": "created_at", "entity": "user_id",
    }  # fmt: skip


def test_spans_inside_of_a_token_are_widened_and_overlaps_left_out(tmp_path: Path) -> None:
    row = {"text": "iphone13 case", "spans": [[0, 6, "A"], [0, 13, "B"], [9, 13, "C"]]}
    domain = open_market(write(tmp_path, "a.jsonl", lines(row)))
    assert cells(domain, "spans") == [[[0, 2, "B"]]]
    said = " ".join(f.message for f in domain.findings if f.level == "warning")
    assert "In 'spans' 1 span with an end inside of a token became as wide" in said
    assert "2 spans overlap another one; the first and longest were kept" in said


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([[0, 10, "A"]], "Expected a span within the 9 characters of row 2 in 'spans'"),
        ([[4, 5, "A"]], "found 4 to 5"),
        ([[40, 99, "A"]], "Expected a span within the 9 characters of row 2 in 'spans'"),
        ([[3, 3, "A"]], "found 3 to 3. Count from 0"),
        ([[0, "x", "A"]], "Expected spans such as .*in row 2 of .spans., found"),
        ([[0, 4]], "Expected spans such as"),
        ("nothing", "Expected spans such as"),
    ],
)
def test_spans_that_cannot_be_are_refused_with_their_row(
    tmp_path: Path, spans: object, says: str
) -> None:
    path = write(
        tmp_path, "a.jsonl", lines(TITLES[0], {"text": "blue lamp", "spans": spans}, *TITLES)
    )
    with pytest.raises(DomainError, match=says):
        open_market(path)


def test_tags_that_do_not_fit_their_tokens_are_refused(tmp_path: Path) -> None:
    good = {"tokens": ["a", "b"], "tags": ["O", "B-X"]}
    for wrong, says in (
        (["O"], "Expected a tag for each of 2 tokens in row 2 of 'tags', found 1"),
        (["O", "blue"], "Expected tags such as O, B-CLASS and I-CLASS in row 2 of 'tags'"),
    ):
        path = write(tmp_path, "a.jsonl", lines(good, {**good, "tags": wrong}, good))
        with pytest.raises(DomainError, match=says):
            open_market(path)


def test_tags_of_goods_are_no_spans(tmp_path: Path) -> None:
    rows = [{"title": "red hat", "tags": ["red", "cheap"], "label": n % 2} for n in range(6)]
    assert "texts" not in open_market(write(tmp_path, "a.jsonl", lines(*rows))).tables


@pytest.mark.parametrize(
    ("text", "words", "characters"),
    [
        ("iPhone 12, 128GB", ["iPhone", "12", ",", "128GB"], list("iPhone12,128GB")),
        ("红米Note 9元", ["红", "米", "Note", "9", "元"], list("红米Note9元")),
        (" ", [], []),
    ],
)
def test_texts_are_cut_at_blanks_signs_and_ideographs(
    text: str, words: list[str], characters: list[str]
) -> None:
    for how, expected in ((Cutting.WORDS, words), (Cutting.CHARACTERS, characters)):
        assert [text[start:end] for start, end in cut_text(text, how)] == expected


def test_rows_without_text_are_dropped_and_said(tmp_path: Path) -> None:
    rows = [*TITLES, {"text": " ", "spans": []}]
    domain = open_market(write(tmp_path, "a.jsonl", lines(*rows)))
    assert domain.tables["texts"].height == 3
    assert any("1 of 4 rows have no text" in finding.message for finding in domain.findings)


def test_a_market_before_a_clock_lacks_later_texts(tmp_path: Path) -> None:
    rows = [{**TITLES[0], "created_at": f"2024-03-0{1 + n}"} for n in range(5)]
    domain = open_market(write(tmp_path, "a.jsonl", lines(*rows)))
    clock = domain.tables["texts"]["time"].sort()[2]
    assert domain.before(clock).tables["texts"].height == 3
    assert isinstance(domain.tables["texts"], pl.DataFrame)


def test_moments_that_no_calendar_holds_are_no_texts() -> None:
    moments = pl.Series("when", [-(2**62)], dtype=pl.Int64).cast(pl.Datetime("us"))
    with pytest.raises(DomainError, match="tokens or spans in column 'when', found values of"):
        cut_column(moments)
    assert not holds_texts(moments.alias("spans").to_frame())

"""Files are read as written, or refused with what to do."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.readers import read_table, stem_of
from acclimate.errors import AcclimateError, DomainError
from acclimate.settings import settings

EXPECTED = [("007", "a b"), ("8", None)]


@pytest.fixture
def cap(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setenv("ACCLIMATE_MAX_BYTES", "5000")
    settings.cache_clear()
    yield 5000
    monkeypatch.undo()
    settings.cache_clear()


def put(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("extension", ["csv", "tsv", "txt", "csv.gz"])
def test_the_delimiter_is_found_whatever_the_extension(
    tmp_path: Path, mark: str, extension: str
) -> None:
    data = f"id{mark}note\n007{mark}a b\n8{mark}\n".encode()
    packed = gzip.compress(data) if extension.endswith("gz") else data
    assert read_table(put(tmp_path, f"t.{extension}", packed)).rows() == EXPECTED


def test_single_spaces_separate_where_nothing_else_does(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.txt", "userId itemId rate\nu1 007 5.0\nu2 8 4.0\n"))
    assert frame.columns == ["userId", "itemId", "rate"]
    assert frame["itemId"].to_list() == ["007", "8"]


def test_runs_of_spaces_count_as_one_where_columns_are_aligned(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.txt", " id  day\n 007 19970101\n 8   19970112 \n"))
    assert frame.rows() == [("007", "19970101"), ("8", "19970112")]


def test_commas_inside_semicolon_cells_do_not_mislead(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.csv", "a;b\n1,5;2,5\n3,5;4,5\n"))
    assert frame.rows() == [("1,5", "2,5"), ("3,5", "4,5")]


def test_a_column_of_sentences_is_one_column(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.csv", "review\nvery good indeed\nbad\n"))
    assert frame.rows() == [("very good indeed",), ("bad",)]


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.csv", 'a,b\n"x,1","say ""hi"""\n"two\nlines",2\n'))
    assert frame.rows() == [("x,1", 'say "hi"'), ("two\nlines", "2")]


@pytest.mark.parametrize("body", ['5" pipe,1\n6,2\n', '5" pipe,1\n7" pipe,2\n'])
def test_inch_signs_are_letters_where_quoting_makes_no_sense(tmp_path: Path, body: str) -> None:
    frame = read_table(put(tmp_path, "t.csv", "size,n\n" + body))
    assert frame["size"][0] == '5" pipe'
    assert frame["n"].to_list() == ["1", "2"]


def test_text_behind_a_closing_quote_stays_in_the_cell(tmp_path: Path) -> None:
    assert read_table(put(tmp_path, "t.csv", 'a,b\n"x"y,2\n3,4\n')).height == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_and_a_byte_order_mark_are_understood(
    tmp_path: Path, end: str
) -> None:
    data = "\ufeff" + end.join(["id,note", "007,a b", "", "8,", ""])
    assert read_table(put(tmp_path, "t.csv", data)).rows() == EXPECTED


def test_a_first_line_that_tells_the_delimiter_is_no_header(tmp_path: Path) -> None:
    for first in ("sep=;", '"sep=;"', "SEP=;"):
        frame = read_table(put(tmp_path, "t.csv", f"{first}\r\na,b;c,d\r\n1,2;3,4\r\n"))
        assert frame.rows(named=True) == [{"a,b": "1,2", "c,d": "3,4"}]
    with pytest.raises(DomainError, match="on line 4 of"):
        read_table(put(tmp_path, "t.csv", "sep=;\na;b\n1;2\n3\n"))
    assert read_table(put(tmp_path, "t.csv", "sep=,x\n1,2\n")).columns == ["sep=", "x"]


def test_a_comma_counts_last_where_it_cuts_as_evenly(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.csv", "Preis, EUR;Menge\n1,5;2\n2,5;3\n"))
    assert frame.columns == ["Preis, EUR", "Menge"]
    assert frame.rows() == [("1,5", "2"), ("2,5", "3")]


def test_a_blank_column_name_becomes_its_position(tmp_path: Path) -> None:
    assert read_table(put(tmp_path, "t.csv", ",a\n0,x\n")).columns == ["column_1", "a"]


def test_parquet_keeps_its_types_plain_and_gzipped(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["007"], "n": [1], "x": [0.5]})
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    assert read_table(put(tmp_path, "t.parquet", buffer.getvalue())).equals(frame)
    packed = gzip.compress(buffer.getvalue())
    assert read_table(put(tmp_path, "t.parquet.gz", packed)).equals(frame)


def test_json_lines_fill_missing_keys_with_nulls(tmp_path: Path) -> None:
    frame = read_table(put(tmp_path, "t.jsonl", '{"id": "007", "n": 1}\n\n{"id": "8"}\n'))
    assert frame.rows() == [("007", 1), ("8", None)]


def test_json_lines_of_mixed_types_become_text(tmp_path: Path) -> None:
    text = '{"a": 1.5}\n{"a": true}\n{"a": "007"}\n{"a": [1]}\n'
    frame = read_table(put(tmp_path, "t.ndjson", text))
    assert frame["a"].to_list() == ["1.5", "true", "007", "[1]"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [("de_5core.txt.gz", "de_5core"), ("a.b.CSV", "a.b"), ("x.parquet", "x"), (".csv", ".csv")],
)
def test_a_stem_is_the_name_without_known_extensions(name: str, stem: str) -> None:
    assert stem_of(Path(name)) == stem


REFUSED = {
    "empty": ("t.csv", b"", "found an empty file"),
    "only blanks": ("t.csv", b" \n\n", "found an empty file"),
    "header only": ("t.csv", b"a,b\n", "a header and no rows"),
    "rows of nothing": ("t.csv", b"a,b\n,\n,\n", "a header and no rows"),
    "unknown": ("t.xlsx", b"x", r"Expected one of \.csv, \.tsv, .*found 't\.xlsx'"),
    "too many cells": (
        "t.csv",
        b"a,b\n1,2\n\n3,4,5\n",
        "Expected 2 cells on line 4 .* found 3",
    ),
    "too few cells": ("t.csv", b"a,b,c\n1,2,3\n4,5\n", "Expected 3 cells on line 3 .* found 2"),
    "ragged in quotes": ("t.csv", b'a,b\n"x\ny",2\n3\n', "on line 4 .* found 1"),
    "open quote": ("t.csv", b'a,b\n"x,2\n3,4,5\n', "Expected closed quotes"),
    "equal names": ("t.csv", b"a,b,a\n1,2,3\n", "found more than one 'a'"),
    "a return within": ("t.csv", b"a,b\rc,d\n1,2\n", "a carriage return in the middle"),
    "no header": ("t.csv", b"17,4\n18,5\n", "found numbers: 17, 4"),
    "bad gzip": ("t.csv.gz", b"a,b\n1,2\n", "drop .gz from the name"),
    "cut gzip": ("t.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-6], "cut or damaged"),
    "json array": ("t.jsonl", b'[{"a": 1}]', "found a JSON array"),
    "bad json": ("t.jsonl", b'{"a": 1}\n{"a": \n', "on line 2 of 't.jsonl', found text"),
    "json list": ("t.jsonl", b'{"a": 1}\n[1]\n', "object on line 2 .* found list"),
    "json bytes": ("t.jsonl", b'{"a": "\x81\xff"}\n', "byte 0x81 at offset 7"),
    "json empty": ("t.jsonl", b"{}\n{}\n", "found no columns"),
    "not parquet": ("t.parquet", b"a,b\n1,2\n", "Expected a Parquet file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, case: str) -> None:
    name, data, message = REFUSED[case]
    with pytest.raises(DomainError, match=message):
        read_table(put(tmp_path, name, data))


def test_a_parquet_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"a": list(range(1000))}).write_parquet(buffer)
    half = buffer.getvalue()[: len(buffer.getvalue()) // 2]
    with pytest.raises(DomainError, match="Is the file complete"):
        read_table(put(tmp_path, "t.parquet", half))


def test_a_missing_path_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="found nothing there"):
        read_table(tmp_path / "t.csv")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DomainError, match="found the folder"):
        read_table(tmp_path / "d.csv")
    with pytest.raises(DomainError, match="Expected"):
        read_table("nul\0.csv")


def test_a_file_larger_than_the_cap_is_refused(tmp_path: Path, cap: int) -> None:
    path = put(tmp_path, "t.csv", b"a,b\n" + b"1,2\n" * cap)
    with pytest.raises(DomainError, match=r"at most 5,000 bytes .* ACCLIMATE_MAX_BYTES"):
        read_table(path)


def test_a_gzip_bomb_is_refused_by_the_cap(tmp_path: Path, cap: int) -> None:
    path = put(tmp_path, "t.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * cap))
    assert path.stat().st_size < cap
    with pytest.raises(DomainError, match="once unpacked"):
        read_table(path)


def test_a_gzip_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" + b"0" * (80 * 2**20))
    with pytest.raises(DomainError, match="at most 67,108,864 bytes"):
        read_table(put(tmp_path, "t.csv.gz", packed))


def test_a_parquet_file_of_endless_equal_rows_is_refused(tmp_path: Path, cap: int) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [0] * 100_000}).write_parquet(buffer)
    assert len(buffer.getvalue()) < cap
    with pytest.raises(DomainError, match="100,000 rows of 1 columns"):
        read_table(put(tmp_path, "t.parquet", buffer.getvalue()))


def _seeds() -> dict[str, bytes]:
    buffer = io.BytesIO()
    pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]}).write_parquet(buffer)
    return {
        "t.csv": b'user_id,item_id,time\n1,"a,b",2015-02-24\n2,b,2/3/15 1:02\n',
        "t.jsonl": b'{"user_id": 1, "item_id": "a"}\n{"user_id": 2, "x": [1.5, null]}\n',
        "t.parquet": buffer.getvalue(),
        "t.csv.gz": gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0),
    }


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Flip, cut, double or splice a few bytes."""
    bytes_ = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        where = draw.randrange(len(bytes_) + 1)
        match draw.randrange(4):
            case 0 if bytes_:
                bytes_[where % len(bytes_)] = draw.randrange(256)
            case 1:
                del bytes_[where : where + draw.randint(1, 9)]
            case 2:
                bytes_[where:where] = bytes_[max(0, where - 9) : where]
            case _:
                bytes_[where:where] = draw.choice([b'"', b",", b"\n", b"\r", b"\0", b"{", b"9"])
    return bytes(bytes_)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.csv.gz"])
def test_damaged_files_give_a_table_or_our_own_error(tmp_path: Path, name: str) -> None:
    draw = random.Random(name)
    for _ in range(60):
        path = put(tmp_path, name, mutate(_seeds()[name], draw))
        try:
            frame = read_table(path)
        except AcclimateError:
            continue
        assert frame.height
        assert frame.width

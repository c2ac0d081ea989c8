"""What is written is read back, and a failed write leaves what was there."""

from __future__ import annotations

import os
import string
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from acclimate.domains.readers import read_table
from acclimate.domains.writers import write_answers, write_table
from acclimate.errors import DomainError, UsageError

EXTENSIONS = [".csv", ".tsv", ".parquet", ".jsonl", ".ndjson"]
EVERY = [extension + gz for extension in EXTENSIONS for gz in ("", ".gz")]

cells = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
)
headers = st.lists(
    st.text(string.ascii_letters, min_size=1, max_size=8), min_size=2, max_size=4, unique=True
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Tables of strings whose rows are not empty."""
    names = draw(headers)
    rows = draw(
        st.lists(
            st.lists(cells, min_size=len(names), max_size=len(names)).filter(any),
            min_size=1,
            max_size=6,
        )
    )
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")


@pytest.mark.parametrize("extension", EVERY)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(frame=frames())
def test_tables_of_strings_come_back_as_they_were(
    tmp_path: Path, extension: str, frame: pl.DataFrame
) -> None:
    path = tmp_path / f"t{extension}"
    write_table(frame, path)
    back = read_table(path)
    assert back.columns == frame.columns
    assert back.rows() == frame.rows()


@pytest.mark.parametrize("extension", EVERY)
def test_numbers_and_times_come_back_readable(tmp_path: Path, extension: str) -> None:
    frame = pl.DataFrame({"n": [1, None], "x": [0.5, 2.0], "t": [datetime(2020, 1, 2, 3)] * 2})
    write_table(frame, tmp_path / f"t{extension}")
    back = read_table(tmp_path / f"t{extension}")
    assert back["x"].cast(pl.Float64).to_list() == [0.5, 2.0]
    assert str(back["t"][0])[:10] == "2020-01-02"


def test_missing_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "t.csv"
    write_table(pl.DataFrame({"a": [1]}), path)
    assert names_in(path.parent) == ["t.csv"]


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write_table(pl.DataFrame({"a": [1]}), tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.gz", "csv"])
def test_an_unknown_extension_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"Expected one of \.csv, \.tsv, \.parquet, \.jsonl"):
        write_table(pl.DataFrame({"a": [1]}), tmp_path / name)


def test_nested_columns_are_refused_by_csv_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\nold\n")
    with pytest.raises(DomainError, match="Write Parquet, or drop nested columns"):
        write_table(pl.DataFrame({"a": [[1, 2]]}), path)
    assert path.read_text() == "a\nold\n"
    assert names_in(tmp_path) == ["t.csv"]


def test_a_rename_that_fails_leaves_the_old_file_and_no_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\nold\n")

    def fail(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UsageError, match="disk full"):
        write_table(pl.DataFrame({"a": ["new"]}), path)
    assert path.read_text() == "a\nold\n"
    assert names_in(tmp_path) == ["t.csv"]


def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(UsageError, match="Expected a path that can be written"):
        write_table(pl.DataFrame({"a": [1]}), tmp_path / "t.csv")


def test_answers_as_text_have_six_digits_and_no_empty_quotes(tmp_path: Path) -> None:
    said = {"mine": [1 / 3, 2 / 3], "said": ["", "x"]}
    frame = pl.DataFrame({**said, "score": [1 / 3, 2e-9 / 3], "note": ["", "new"]})
    ours = ["score", "note"]
    write_answers(frame, ours, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "mine,said,score,note",
        '0.3333333333333333,"",0.333333,',
        "0.6666666666666666,x,6.66667e-10,new",
    ]
    write_answers(frame, ours, tmp_path / "a.parquet")
    assert pl.read_parquet(tmp_path / "a.parquet").equals(frame)
    other = pl.DataFrame({"prediction": [1234567.25, 1 / 3]})
    write_answers(other, ["prediction"], tmp_path / "b.csv")
    assert pl.read_csv(tmp_path / "b.csv").equals(other)

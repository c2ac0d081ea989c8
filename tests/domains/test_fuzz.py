"""Damaged and odd files become a market or an error that says why; never a traceback.

Two hundred files of each kind here, two thousand in `python -m benchmarks fuzz`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains.market import open_market
from acclimate.domains.panics import unheard
from acclimate.domains.readers import read_table
from acclimate.domains.schema import SchemaHints
from acclimate.domains.values import canonical, text
from acclimate.errors import DomainError
from benchmarks.__main__ import main
from benchmarks.fuzz import fuzz, one
from benchmarks.mutations import MAKERS
from tests.domains.files import EVENTS, put


@pytest.mark.parametrize("kind", MAKERS)
def test_two_hundred_odd_files_give_a_market_or_our_own_error(kind: str) -> None:
    outcomes = list(fuzz(kind, 200))
    assert [o for o in outcomes if o.found == "traceback"] == []
    assert all(o.why.startswith("Expected ") for o in outcomes if o.found == "refused")
    assert sum(o.found == "domain" for o in outcomes) >= 40


def test_an_input_is_made_by_its_number_alone() -> None:
    assert one("csv", 7) == one("csv", 7)
    assert one("parquet", 3) == list(fuzz("parquet", 4))[3]


def test_the_benchmark_counts_what_became_of_each_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["fuzz", "--inputs", "5", "--kind", "jsonl"]) == 0
    assert "traceback" in capsys.readouterr().out


# What it found -------------------------------------------------------------------


@pytest.mark.parametrize("values", [[["a"], ["b"]], [{"x": "a"}, {"x": "b"}], [b"a", b"\xff"]])
def test_lists_records_and_bytes_play_no_role(tmp_path: Path, values: list[object]) -> None:
    frame = pl.DataFrame({"user_id": values, "age": [1, 2], "label": [0, 1]})
    frame.write_parquet(tmp_path / "t.parquet")
    rows = open_market(tmp_path / "t.parquet").tables["rows"]
    assert rows.columns == ["age", "label"]
    with pytest.raises(DomainError, match="Expected single values in column 'user_id' for the"):
        open_market(tmp_path / "t.parquet", SchemaHints(roles={"rows": {"entity": "user_id"}}))
    with pytest.raises(DomainError, match="Expected single values in column 'user_id', found"):
        open_market(f"{tmp_path}/t.parquet::user_id=a")


def test_durations_are_written_in_seconds() -> None:
    waits = pl.Series("wait", [timedelta(days=1), timedelta(milliseconds=1500), None])
    for unit in ("ns", "us", "ms"):
        cast = waits.cast(pl.Duration(unit))
        assert text(cast).to_list() == ["86400", "1.5", None]
    assert canonical(waits).to_list() == ["86400", "1.5", None]


def test_half_a_character_in_json_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": "x"}\n{"a": "\\ude00"}\n{"a": [1]}\n')
    with pytest.raises(DomainError, match=r"whole characters on line 2 of 't\.jsonl'"):
        read_table(tmp_path / "t.jsonl")


def test_a_file_name_too_long_for_the_system_is_refused(tmp_path: Path) -> None:
    put(tmp_path, e__csv=EVENTS, market__toml=f'[files]\nevents = "{"9" * 400}"\n')
    with pytest.raises(DomainError, match=r"Expected the file '999.*found: e\.csv, market"):
        open_market(tmp_path)


def test_the_story_of_a_panic_is_dropped_and_other_words_are_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    story = "thread 'x' (1) panicked at a.rs:1:2:\nbad\nnote: run with `RUST_BACKTRACE=1`\n"
    with unheard():
        os.write(2, f"before\n{story}after\n".encode())
    assert capfd.readouterr().err in ("before\nafter\n", "beforeafter\n")

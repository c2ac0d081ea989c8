"""What makes large markets bearable: files read where they lie, no copy made for nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from acclimate.domains import readers
from acclimate.domains.copies import without_copies
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.domains.readers import read_table
from acclimate.domains.schema import Schema
from acclimate.domains.values import numbers
from acclimate.errors import DomainError
from acclimate.settings import settings
from tests.domains.files import messages

FRAME = pl.DataFrame({"user_id": ["u", "v"], "item_id": ["a", "b"]})


@pytest.mark.parametrize("name", ["a.parquet", "[a]*?.parquet", "day=1 é.PARQUET"])
def test_parquet_is_read_where_it_lies_whatever_its_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hive=1").mkdir()
    path = tmp_path / "hive=1" / name
    FRAME.write_parquet(path)
    monkeypatch.setattr(readers, "_contents", lambda _: pytest.fail("was read as a whole"))
    assert read_table(path).equals(FRAME)


def test_parquet_past_the_cap_is_refused_by_its_size_or_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = pl.DataFrame({"x": [1] * 100_000, "y": [2] * 100_000})
    same.write_parquet(tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 10_000
    monkeypatch.setenv("ACCLIMATE_MAX_BYTES", "1500000")
    settings.cache_clear()
    with pytest.raises(DomainError, match=r"found 100,000 rows of 2 columns"):
        read_table(tmp_path / "bomb.parquet")
    monkeypatch.setenv("ACCLIMATE_MAX_BYTES", "100")
    settings.cache_clear()
    with pytest.raises(DomainError, match=r"at most 100 bytes in 'bomb.parquet', found"):
        read_table(tmp_path / "bomb.parquet")


def test_an_empty_or_broken_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"")
    with pytest.raises(DomainError, match="found an empty file"):
        read_table(path)
    path.write_bytes(b"PAR1 not at all")
    with pytest.raises(DomainError, match=r"Expected a Parquet file in 'a.parquet'"):
        read_table(path)


def test_rows_without_any_value_are_left_out_wherever_the_gaps_are(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None, None], "b": ["x", None, "y"]})
    frame.write_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").rows() == [(1, "x"), (None, "y")]


def test_rows_that_repeat_are_counted(tmp_path: Path) -> None:
    twice = pl.concat([FRAME, FRAME, FRAME.head(1)])
    twice.write_parquet(tmp_path / "a.parquet")
    assert "3 of 5 rows repeat another row exactly" in messages(
        open_market(tmp_path / "a.parquet")
    )


def test_numbers_are_not_written_out_unless_one_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = numbers(pl.Series([1.5, float("inf"), None, 2.0]))
    assert (odd.values.to_list(), odd.failed, odd.example) == ([1.5, None, None, 2.0], 1, "inf")
    monkeypatch.setattr(
        "acclimate.domains.values.text", lambda _: pytest.fail("was written out")
    )
    plain = numbers(pl.Series([1, None, 3]))
    assert (plain.values.to_list(), plain.failed) == ([1.0, None, 3.0], 0)


def test_a_market_that_nothing_happened_in_since_is_not_copied() -> None:
    events = FRAME.with_columns(time=pl.Series([datetime(2024, 1, 1), None]))
    domain = Domain("jp", {"events": events}, Schema({}))
    assert domain.before(datetime(2024, 1, 2)).tables["events"] is events
    assert domain.before(datetime(2023, 1, 2)).tables["events"].rows() == [("v", "b", None)]


def test_copies_are_found_however_the_two_tables_type_their_columns() -> None:
    held = pl.DataFrame({"user": ["1", "2"], "item": ["a", "b"]})
    theirs = pl.DataFrame({"user": [1, 2, 3], "item": ["a", "b", "c"]})
    for other in (theirs, theirs.with_columns(pl.col("user").cast(pl.String))):
        source = Domain("us", {"events": other}, Schema({}))
        kept = without_copies(source, held, "events")
        assert kept.tables["events"]["item"].to_list() == ["c"]
        assert "2 of 3 events of us are the target's own" in messages(kept)

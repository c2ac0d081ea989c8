"""A run is spoken of as one would type it here."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.release import as_typed


def test_a_target_is_said_as_one_would_type_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, home = tmp_path / "runs" / "jp", tmp_path / "data"
    home.mkdir()
    (home / "jp.csv").write_text("a\n")
    monkeypatch.chdir(tmp_path)
    assert as_typed("../../data/jp.csv", out) == "data/jp.csv"
    assert as_typed("../../data/jp.csv::country=JP", out) == "data/jp.csv::country=JP"
    monkeypatch.chdir(home)
    assert as_typed("../../data/jp.csv", out) == "jp.csv"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert as_typed("../../data/jp.csv", out) == (home / "jp.csv").as_posix()
    assert as_typed("made", out) == "made"  # a market that is no file
    assert as_typed("duckdb:///shop.db", out) == "duckdb:///shop.db"

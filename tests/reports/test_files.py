from __future__ import annotations

import json
import os
from datetime import date
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from acclimate.errors import IntegrityError, UsageError
from acclimate.reports import report
from acclimate.reports.plain import plain
from acclimate.reports.report import read_summary, render, write_report
from tests.reports.sample import summary


def test_run_json_gives_the_summary_back(tmp_path: Path) -> None:
    write_report(summary(), tmp_path / "run" / "report.html")
    assert read_summary(tmp_path / "run") == summary()
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page == render(summary())
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["report.html", "run.json"]


def test_page_of_a_summary_read_back_is_the_same_page(tmp_path: Path) -> None:
    given = summary() | {"judged": {"a": {"m": np.float64(0.25), "n": float("nan")}}}
    write_report(given, tmp_path / "report.html")
    assert render(read_summary(tmp_path)) == render(given)


def test_run_json_holds_no_nan_and_is_utf_8(tmp_path: Path) -> None:
    made = summary() | {"target": "日本 \ud800", "seconds": float("nan")}
    write_report(made, tmp_path / "report.html")
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert "NaN" not in text and "日本" in text
    assert read_summary(tmp_path)["seconds"] is None


def test_failing_to_replace_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(summary(), tmp_path / "report.html")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(UsageError, match="No space left on device") as caught:
        write_report(summary() | {"seed": 1}, tmp_path / "report.html")
    assert "--out" in str(caught.value)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_nothing_is_replaced_before_both_files_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        events.append("fsync")
        sync(handle)

    def replaced(old: Path, new: Path) -> None:
        events.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_report(summary(), tmp_path / "report.html")
    assert events[:4] == ["fsync", "fsync", "replace", "replace"]


def test_a_summary_that_cannot_be_rendered_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_page", lambda run, say: {})
    with pytest.raises(Exception, match="undefined"):
        write_report(summary(), tmp_path / "run" / "report.html")
    assert not (tmp_path / "run").exists()


def test_writing_where_a_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Expected to write the report"):
        write_report(summary(), tmp_path / "file" / "report.html")


def test_missing_run_is_refused_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder") as caught:
        read_summary(tmp_path / "nowhere")
    assert "nowhere" in str(caught.value) and "acclimate adapt --out" in str(caught.value)
    with pytest.raises(UsageError, match="an empty folder"):
        read_summary(tmp_path)
    for name in "abcdefg":
        (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="a, b, c, d, e and 2 more"):
        read_summary(tmp_path)
    with pytest.raises(UsageError, match="found a file"):
        read_summary(tmp_path / "a")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "text that is not JSON"),
        (b'{"task": ', "text that is not JSON"),
        (b"\xff\xfe", "text that is not JSON"),
        (b"[" * 200_000, "text that is not JSON"),
        (b'{"task": NaN}', "NaN is no JSON"),
        (b"[]", "a list"),
        (b'{"task": "t", "target": "x"}', "no sources, verdict, leaderboard"),
    ],
)
def test_damaged_run_is_an_integrity_error(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=found) as caught:
        read_summary(tmp_path)
    assert "run `acclimate adapt` again" in str(caught.value)


def test_oversized_run_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(summary(), tmp_path / "report.html")
    monkeypatch.setattr(report, "LARGEST_BYTES", 10)
    with pytest.raises(IntegrityError, match="bytes"):
        read_summary(tmp_path)


def test_plain_leaves_only_what_json_can_say() -> None:
    class Colour(StrEnum):
        RED = "red"

    given = {
        "path": Path("a/b"),
        1: (np.int64(3), np.float32(0.5), np.bool_(True), float("-inf")),
        "set": {"b", "a"},
        "array": np.array([[1.0, np.nan]]),
        "enum": Colour.RED,
        "day": date(2024, 1, 31),
    }
    made = plain(given)
    assert made == {
        "path": str(Path("a/b")),
        "1": [3, 0.5, True, None],
        "set": ["a", "b"],
        "array": [[1.0, None]],
        "enum": "red",
        "day": "2024-01-31",
    }
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert plain(made) == made

"""Claims about the ledger: a rerun is free, another procedure pays, nothing is lost."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from acclimate.errors import IntegrityError, UsageError
from acclimate.verdicts import Ledger, level_at
from acclimate.verdicts.ledger import Entry

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "state" / "looks.jsonl")


def test_rerun_is_the_same_look(ledger: Ledger) -> None:
    assert ledger.look("judge", "a", NOON) == 1
    before = ledger.path.read_bytes()
    assert ledger.look("judge", "a", "tomorrow") == 1
    assert ledger.path.read_bytes() == before


def test_second_procedure_on_a_judge_has_half_the_level(ledger: Ledger) -> None:
    first, second = ledger.look("judge", "a", NOON), ledger.look("judge", "b", NOON)
    assert (first, second) == (1, 2)
    assert level_at(second) == level_at(first) / 2 == 0.025


def test_first_procedure_keeps_its_look_after_a_second(ledger: Ledger) -> None:
    ledger.look("judge", "a", NOON)
    ledger.look("judge", "b", NOON)
    assert ledger.look("judge", "a", NOON) == 1


def test_another_judge_starts_afresh(ledger: Ledger) -> None:
    ledger.look("judge", "a", NOON)
    assert ledger.look("other", "b", NOON) == 1
    assert (ledger.looks("judge"), ledger.looks("other"), ledger.looks("none")) == (1, 1, 0)


def test_all_looks_together_cost_at_most_twice_the_level() -> None:
    assert sum(level_at(look) for look in range(1, 60)) <= 0.1
    assert level_at(1, 0.2) == 0.2


def test_entries_return_what_was_entered(ledger: Ledger) -> None:
    ledger.look("préço\n", 'say "a"', NOON)
    ledger.look("judge", "b", "2025-03-02")
    assert ledger.entries() == (
        Entry("préço\n", 'say "a"', "2025-03-01T12:00:00+00:00"),
        Entry("judge", "b", "2025-03-02"),
    )


@pytest.mark.parametrize("line", ["{]", '"text"', '{"fingerprint": "x"}', ""])
def test_corrupt_line_is_reported_with_its_number(ledger: Ledger, line: str) -> None:
    ledger.look("judge", "a", NOON)
    with ledger.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(IntegrityError, match=r"Line 2 of the ledger .* is not a look"):
        ledger.look("judge", "b", NOON)


def test_line_cut_by_a_crash_is_reported_and_nothing_is_appended(ledger: Ledger) -> None:
    ledger.look("judge", "a", NOON)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + whole[:-1])  # valid JSON, no newline
    with pytest.raises(IntegrityError, match="Line 2"):
        ledger.look("judge", "b", NOON)
    assert ledger.path.read_bytes() == whole + whole[:-1]


def test_failed_look_releases_the_lock(ledger: Ledger) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_text("broken\n")
    with pytest.raises(IntegrityError):
        ledger.look("judge", "a", NOON)
    ledger.path.unlink()
    assert ledger.look("judge", "a", NOON) == 1


def enter(path: Path, who: str) -> list[int]:
    return [Ledger(path).look("judge", f"{who}{i}", "now") for i in range(20)]


def test_two_processes_never_share_a_look(tmp_path: Path) -> None:
    path = tmp_path / "looks.jsonl"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        looks = pool.starmap(enter, [(path, "a"), (path, "b")])
    assert sorted(looks[0] + looks[1]) == list(range(1, 41))
    assert Ledger(path).looks("judge") == 40


@pytest.mark.parametrize(("fingerprint", "procedure"), [("", "a"), ("judge", "")])
def test_look_without_a_name_is_refused(
    ledger: Ledger, fingerprint: str, procedure: str
) -> None:
    with pytest.raises(UsageError, match="needs the judge's fingerprint"):
        ledger.look(fingerprint, procedure, NOON)


@pytest.mark.parametrize(
    ("look", "level", "text"), [(0, 0.05, "count from 1"), (1, 1.0, "between 0 and 1")]
)
def test_level_out_of_range_is_refused(look: int, level: float, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        level_at(look, level)

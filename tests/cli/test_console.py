"""What a person reads in a terminal of 80 columns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from acclimate.cli.console import Console
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.result import Result
from tests.cli.calls import Markets

ARM = "density-ratio + source-only/linear"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setenv("COLUMNS", "80")
    return Console(as_json=False)


def finished(**more: Any) -> Result:
    row = {
        "arm": ARM,
        "strategy": "density-ratio + source-only",
        "model": "linear",
        "value": 0.45721,
        "low": 0.36811,
        "high": 0.57312,
        "n": 18200,
        "seconds": 1234.5,
        "status": "abandoned",
    }
    summary = {
        "leaderboard": [row],
        "refused": [],
        "facts": {},
        "verdict": {"metric": "log-loss"},
        "shipped": {"arm": ARM},
        **more,
    }
    verdict = SimpleNamespace(arm=ARM, answer="adopt", sentence="Adopt it.")
    return cast(
        Result, SimpleNamespace(summary=summary, verdict=verdict, artifact=None, report=None)
    )


def cells(out: str) -> list[list[str]]:
    """The cells of every line of a table."""
    return [[c.strip() for c in line.split("│")] for line in out.splitlines() if "│" in line]


def test_a_leaderboard_keeps_its_figures_whole_and_its_names_complete(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow.finish(finished())
    lines = cells(capsys.readouterr().out)
    figures = ["0.4572", "0.3681 to 0.5731", "18,200", "1234.5", "abandoned"]
    assert lines[0][1:] == figures
    assert " ".join(line[0] for line in lines) == ARM


def test_arms_that_the_budget_did_not_reach_are_counted_and_not_listed(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = {"arm": "ran/linear", "value": None, "low": None, "n": 0, "status": "abandoned"}
    reached = finished().summary["leaderboard"]
    never = {**cut, "arm": "never/linear", "seconds": 0.0, "strategy": "never"}
    begun = {**cut, "arm": "begun/linear", "seconds": 2.1, "strategy": "begun"}
    narrow.finish(finished(leaderboard=[*reached, begun, never, never]))
    out = capsys.readouterr().out
    assert "begun/linear" in out and "never/linear" not in out
    assert "ended before 2 arms; raise --budget" in " ".join(out.split())


def test_validators_keep_their_names(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = {ARM: {"likelihood": -0.5203, "information": 0.1383, "density": 4.5878}}
    narrow.finish(finished(votes=votes))
    out = capsys.readouterr().out
    for heading in ("likelihood", "information", "density", "status"):
        assert heading in out
    lines = cells(out)
    assert lines[0][1:] == ["-0.5203", "0.1383", "4.5878", "abandoned"]
    assert " ".join(line[0] for line in lines) == ARM


def test_names_of_columns_in_wide_letters_are_not_cut(
    narrow: Console, markets: Markets, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pl.DataFrame(
        {
            "年齢": [20 + i % 50 for i in range(80)],
            "地域": ["関東", "九州"] * 40,
            "支払方法": ["カード", "代引き", "コンビニ", "カード"] * 20,
            "解約": ["はい", "いいえ", "いいえ", "はい"] * 20,
        }
    )
    domain: Domain = open_market(markets.write("jp", table))
    narrow.market(domain)
    out = capsys.readouterr().out
    assert "…" not in out
    for name in table.columns:
        assert name in out


def test_arms_that_a_spent_budget_passes_over_are_no_lines_of_progress(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    with narrow.listening() as listen:
        for number, left in enumerate([5.0, -1.0, -1.0]):
            budget = SimpleNamespace(spent=1.0, left=left)
            listen("trial", (f"arm{number}", number, 2, budget))
    out = capsys.readouterr().out
    assert "arm0" in out and "arm1" not in out and "arm2" in out

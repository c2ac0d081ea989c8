"""What a person reads in a terminal of 80 columns."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from acclimate.artifacts.predictor import COLD, NEW
from acclimate.cli.console import Console, advice, because
from acclimate.cli.pace import Pace
from acclimate.cli.predict import OWN_SCALE, own_scale
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market
from acclimate.plans.tally import Tally
from acclimate.result import Result
from acclimate.verdicts.verdict import Verdict
from tests.cli.calls import Call, Markets

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
        "failed": {},
        "facts": {},
        "verdict": {"metric": "log-loss"},
        "shipped": {"arm": ARM},
        **more,
    }
    verdict = SimpleNamespace(
        arm=ARM, answer="adopt", sentence="Adopt it.", looks=1, level=0.05, unit="users"
    )
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
    plain = " ".join(out.split())
    assert "4 arms: 4 abandoned abandoned: the budget, less what judging" in plain
    assert "ended before they did; raise --budget" in plain


def test_arms_that_failed_are_told_with_why(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    row = finished().summary["leaderboard"][0]
    board = [{**row, "status": "done"}, {**row, "value": None, "low": None, "status": "failed"}]
    narrow.finish(
        finished(leaderboard=board, failed={"a/b": "no [ids] meet", "c/d": "no [ids] meet"})
    )
    plain = " ".join(capsys.readouterr().out.split())
    assert "2 arms: 1 done, 1 failed failed: a/b, c/d: no [ids] meet" in plain


def test_a_leaderboard_without_a_score_is_one_sentence(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {**finished().summary["leaderboard"][0], "value": None, "low": None}
    narrow.finish(finished(leaderboard=[{**row, "status": "done"}, {**row, "status": "done"}]))
    out = capsys.readouterr().out
    assert "no leaderboard: the target is too small to set any of it aside" in " ".join(
        out.split()
    )
    assert "│" not in out and "2 arms" not in out and "judged:" not in out


def test_the_simplest_near_the_best_is_said_to_be_near_by_a_paired_difference(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {**finished().summary["leaderboard"][0], "status": "done"}
    narrow.finish(finished(leaderboard=[{**row, "arm": "best/ease"}, row]))
    assert (
        f"judged: {ARM}, the simplest of these whose paired difference to the best is within "
        "one standard error of that difference"
    ) in " ".join(capsys.readouterr().out.split())


def test_what_is_wrong_with_the_targets_tables_is_said_again_beside_the_verdict(
    narrow: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"level": "warning", "table": "rows", "message": "'paid' gives the label away."}
    other = {"level": "note", "table": "rows", "message": "a note"}
    markets = [{"findings": [other, told]}, {"findings": [{**told, "message": "a source's"}]}]
    narrow.finish(finished(markets=markets))
    out = " ".join(capsys.readouterr().out.split())
    assert "Adopt it. before you believe it: 'paid' gives the label away. ships:" in out


def test_a_later_look_and_what_ships_when_unsure_are_explained() -> None:
    first = Verdict(
        "adopt", "coral/linear", "target-only/linear", "f1", 0.1, 0.05, 0.2, 90, 0.9
    )
    assert advice(first, "coral/linear") == []
    unsure = replace(first, answer="not-enough-data", looks=2, level=0.025, unit="users")
    assert advice(unsure, "target-only/linear") == [
        "look 2 at these judged users: each look is paid for, so the interval is of 97.5 % "
        "where the first had 95 %",
        "until there are more users to judge on, target-only ships; --when-unsure best-guess "
        "ships coral/linear instead",
    ]
    assert len(advice(unsure, "coral/linear")) == 1
    worse = replace(unsure, looks=1, effect=-0.1)
    assert advice(worse, "target-only/linear") == [
        "until there are more users to judge on, target-only ships, the best guess as well"
    ]


def test_the_best_so_far_is_told_by_the_metric() -> None:
    from acclimate.models.linear import Linear
    from acclimate.plans.trial import Trial
    from acclimate.strategies.arm import Arm
    from acclimate.strategies.baselines import Pooled, TargetOnly

    pace = Pace(sign=-1.0)
    assert pace.best == ""
    pace.ended(Trial(Arm(Pooled(), Linear()), "abandoned", "", "rmse"))
    assert pace.best == ""
    pace.ended(Trial(Arm(TargetOnly(), Linear()), "done", "", "rmse", 2.5))
    pace.ended(Trial(Arm(Pooled(), Linear()), "done", "", "rmse", 3.0))
    assert pace.best == "best so far target-only/linear: 2.5"


def test_time_left_is_told_once_an_arm_of_every_model_to_come_has_ended() -> None:
    pace = Pace()
    pace.plan(["ease", "stack", "ease", "stack"])
    for done, spent, left in [(0, 7.0, None), (1, 9.0, None), (2, 19.0, 12.0), (3, 23.0, 10.0)]:
        pace.at(done, spent)
        assert pace.left(done) == left
    pace.plan(["ease"])
    assert pace.left(3) == 13.0 and pace.left(4) == 3.0
    pace.plan(["bpr"])
    assert pace.left(3) is None


def test_arms_are_counted_in_one_way() -> None:
    assert str(Tally.of(["done", "failed", "done", "abandoned"])) == (
        "4 arms: 2 done, 1 failed, 1 abandoned"
    )
    assert str(Tally.of(["done"])) == "1 arm: 1 done"
    assert str(Tally.of([])) == "0 arms: none"
    with pytest.raises(ValueError, match="no status of a trial: lost"):
        Tally.of(["lost"])


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
    assert "[1/2] arm0\n" in out  # how long it takes is not known yet
    assert "arm1" not in out and "arm2" not in out


def test_sources_tried_alone_after_harm_are_planned_and_counted_with_the_others(
    call: Call, markets: Markets
) -> None:
    def taken(users: str, alike: bool, seed: int) -> pl.DataFrame:
        """Who took what: items of one's own quarter of them, or any."""
        rng = np.random.default_rng(seed)
        n = 800 if alike else 4000
        user, item = rng.integers(0, 200, n), rng.integers(0, 40, n)
        item = item // 4 * 4 + user % 4 if alike else item
        return pl.DataFrame(
            {"user_id": [f"{users}{u}" for u in user], "item_id": [f"p{i}" for i in item]}
        )

    sources = [markets.write(name, taken(name, False, n)) for n, name in enumerate(["a", "b"])]
    asked = markets.recommend(markets.write("t", taken("t", True, 9)), sources[0])
    words = ("--source", sources[1], "--model", "ease", "--strategy", "pooled")
    answer = call(*(word for word in asked if word != "--json"), *words)
    lines = [line.strip() for line in answer.out.splitlines()]
    reason = "all sources together hurt on choose: try"
    assert f"pooled/ease from a: {reason} a alone" in lines
    assert any(line.startswith("[5/5] pooled/ease from b") for line in lines)
    assert "5 arms: 5 done" in lines


def test_what_the_choice_rests_on_is_told_where_it_is_clear() -> None:
    found = {
        "arm": "pooled/linear",
        "metric": "log-loss",
        "sources": [
            {"source": "us", "effect": 0.17, "low": 0.1, "high": 0.25, "n": 600},
            {"source": "de", "effect": 0.01, "low": -0.1, "high": 0.12, "n": 600},
            {"source": "uk", "effect": -0.2, "low": -0.3, "high": -0.1, "n": 600},
            {"source": "fr", "effect": None, "low": None, "high": None, "n": 600},
        ],
        "columns": [
            {"column": "price", "worth": 0.2, "low": 0.1, "high": 0.3},
            {"column": "age", "worth": 0.1, "low": -0.1, "high": 0.3},
            {"column": "note", "worth": 0.0, "low": None, "high": None},
        ],
    }
    assert because(found) == [
        "source us helps pooled/linear: +0.17 log-loss with it (+0.1 to +0.25, n = 600)",
        "source uk hurts pooled/linear: -0.2 log-loss with it (-0.3 to -0.1, n = 600)",
        "columns that carry the gain: price",
    ]
    assert because({}) == []


def test_users_without_a_history_are_said_to_have_a_scale_of_their_own() -> None:
    assert own_scale(["already taken", NEW]) and own_scale([f"{COLD}; unknown item"])
    assert not own_scale(["already taken", "unknown item"])
    assert OWN_SCALE == (
        "scores of users without a known history are on a scale of their own: compare scores "
        "of one user, not between users"
    )

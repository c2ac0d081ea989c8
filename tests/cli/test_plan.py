"""`acclimate plan`: what would be tried and what the judge could show; nothing is written."""

from __future__ import annotations

import pytest

from tests.cli.calls import Call, Markets, events, rows


def words(markets: Markets, n: int = 300) -> list[object]:
    target, source = markets.write("shop", rows(1, n)), markets.write("web", rows(2, 300))
    asked = markets.classify(target, source)
    at = asked.index("--out")
    return ["plan", *asked[1:at], *asked[at + 2 :]]


def test_a_plan_is_shown_with_its_reasons_and_nothing_is_tried(
    call: Call, markets: Markets
) -> None:
    answer = call(*words(markets))
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["plan"][0] == {
        "arm": "target-only/linear",
        "reason": "what transfer must beat",
    }
    assert all(step["reason"] for step in found["plan"])
    assert all(each["why"] for each in found["refused"])
    assert found["power"] is None
    assert "source-prior/linear" in answer.err
    assert markets.nothing_written()


def test_power_says_the_smallest_effect_and_what_delta_would_take(
    call: Call, markets: Markets
) -> None:
    found = call(*words(markets), "--power").json["power"]
    assert found["judged"] == 90
    assert found["between"] == ["pooled/linear", "target-only/linear"]
    assert found["looks"] == 1 and found["level"] == pytest.approx(0.05)
    ratio = (found["smallest"] / found["delta"]) ** 2
    assert found["wanted"] == pytest.approx(90 * ratio, rel=0.02) or found["wanted"] == 30
    assert "with 80 % chance (look 1)" in found["sentence"]
    # looking ahead is no look
    assert call(*words(markets), "--power").json["power"] == found


def test_a_judge_of_a_few_rows_can_show_nothing(call: Call, markets: Markets) -> None:
    found = call(*words(markets, 60), "--power").json["power"]
    assert found["smallest"] is None
    assert "can show nothing: at least 30 are wanted" in found["sentence"]


def test_a_budget_that_is_spent_says_so(call: Call, markets: Markets) -> None:
    answer = call(*words(markets), "--budget", 0.0001)
    answer.refuses(6, "Raise --budget")


def test_markets_are_asked_for(call: Call) -> None:
    call("plan", "--json").refuses(2, "Expected --target")


def test_power_of_lists_is_measured_between_models_of_users(
    call: Call, markets: Markets
) -> None:
    target, source = markets.write("jp", events(1)), markets.write("us", events(2))
    answer = call("plan", "--target", target, "--source", source, "--power", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["power"]["between"] == ["pooled/ease", "target-only/ease"]
    assert answer.json["power"]["unit"] == "users"

"""Claims about the answer: the rule at each of its boundaries, and how it is told."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from acclimate.errors import IntegrityError, UsageError
from acclimate.rng import Rng
from acclimate.verdicts import (
    Contrast,
    Effect,
    Verdict,
    judge,
    paired_effect,
    provisional,
    units_to_settle,
)

KEYS = [
    "answer",
    "arm",
    "metric",
    "effect",
    "low",
    "high",
    "n",
    "probability",
    "looks",
    "against",
]
TINY = 1e-12


def effect(low: float, high: float, n: int = 100) -> Effect:
    middle = (low + high) / 2
    return Effect(middle, low, high, n, 0.6, (high - low) / 4)


@pytest.mark.parametrize(
    ("low", "high", "n", "answer"),
    [
        (TINY, 0.5, 100, "adopt"),
        (0.0, 0.5, 100, "not-enough-data"),  # low must be above 0, not at it
        (TINY, 0.005, 100, "adopt"),  # a gain smaller than delta is a gain
        (-0.5, 0.01 - TINY, 100, "keep-target-only"),
        (-0.5, 0.01, 100, "not-enough-data"),  # high must be below delta, not at it
        (-0.5, -0.1, 100, "keep-target-only"),
        (-0.5, 0.5, 100, "not-enough-data"),
        (0.1, 0.5, 30, "adopt"),
        (0.1, 0.5, 29, "not-enough-data"),
        (-0.5, -0.1, 29, "not-enough-data"),
        (-math.inf, math.inf, 100, "not-enough-data"),
    ],
)
def test_rule_at_its_boundaries(low: float, high: float, n: int, answer: str) -> None:
    assert judge(effect(low, high, n), delta=0.01).answer == answer


@pytest.mark.parametrize("delta", [0.0, 0.01])
def test_arms_that_agree_on_every_unit_keep_target_only(delta: float) -> None:
    same = paired_effect(Contrast.of_means(np.zeros(500)), Rng())
    verdict = judge(same, delta=delta)
    assert verdict.answer == "keep-target-only"
    assert "on all 500 units judged the two score the same" in verdict.sentence


def test_eleven_rows_are_told_how_many_are_wanted() -> None:
    found = paired_effect(Contrast.of_means(np.linspace(-0.1, 0.4, 11)), Rng())
    verdict = judge(found, delta=0.01, unit="rows")
    assert verdict.answer == "not-enough-data"
    assert verdict.units_wanted is not None
    assert verdict.units_wanted >= 30
    assert f"11 rows to judge on, at least {verdict.units_wanted} wanted" in verdict.sentence


def test_a_single_unit_is_told_that_thirty_are_wanted() -> None:
    verdict = judge(paired_effect(Contrast.of_means(np.ones(1)), Rng()), delta=0.01)
    assert (verdict.answer, verdict.units_wanted) == ("not-enough-data", 30)
    assert (verdict.low, verdict.high) == (None, None)


def test_no_units_at_all_are_not_an_error() -> None:
    verdict = judge(paired_effect(Contrast.of_means(np.ones(0)), Rng()), delta=0.01)
    assert (verdict.answer, verdict.effect, verdict.n) == ("not-enough-data", None, 0)
    assert "unknown" in verdict._repr_html_()


def test_score_that_the_judge_lacks_is_not_enough_data() -> None:
    unknown = Effect(math.nan, -math.inf, math.inf, 200, 0.5, math.inf)
    verdict = judge(unknown, delta=0.01, metric="PR-AUC", unit="rows")
    assert (verdict.answer, verdict.units_wanted) == ("not-enough-data", None)
    assert "200 rows say nothing about PR-AUC" in verdict.sentence


def test_units_wanted_settle_it_with_eighty_percent_chance() -> None:
    found = Effect(0.1, -0.1, 0.3, 100, 0.84, 0.1)
    wanted = units_to_settle(found, 0.0)
    assert wanted is not None
    se = found.se * math.sqrt(found.n / wanted)
    assert stats.norm.sf(1.95996 - found.value / se) == pytest.approx(0.8, abs=0.01)


def test_units_wanted_take_the_shorter_way() -> None:
    near_delta = Effect(0.9, -0.1, 1.9, 100, 0.9, 0.5)
    near_zero = replace(near_delta, value=0.1)
    # The way to "adopt" from 0.9 is as long as the way to "keep" from 0.1.
    assert units_to_settle(near_delta, 1.0) == units_to_settle(near_zero, 1.0)


def test_units_wanted_exceed_those_at_hand() -> None:
    barely = Effect(0.4, -TINY, 0.8, 100, 0.97, 0.1)
    assert units_to_settle(barely, 0.0) == 101


def test_row_has_exactly_the_keys_of_the_design_first() -> None:
    verdict = judge(effect(0.1, 0.5), delta=0.01, against=[("pooled", effect(-0.1, 0.2))])
    row = verdict.as_row()
    assert list(row)[: len(KEYS)] == KEYS
    assert list(row["against"][0]) == ["baseline", "effect", "low", "high"]


@pytest.mark.parametrize("n", [0, 1, 12, 200])
def test_verdict_returns_from_json_unchanged(n: int) -> None:
    d = np.random.default_rng(n).normal(size=n)
    found = paired_effect(Contrast.of_means(d), Rng())
    verdict = judge(found, delta=0.01, against=[("source-only", found)], looks=2)
    assert Verdict.from_row(json.loads(verdict.to_json())) == verdict


@pytest.mark.parametrize(
    ("row", "text"),
    [({"answer": "adopt"}, "Expected a verdict"), ({"answer": "yes"}, "Expected one of adopt")],
)
def test_json_that_is_no_verdict_is_refused(row: dict[str, object], text: str) -> None:
    full = judge(effect(0.1, 0.5), delta=0.0).as_row()
    with pytest.raises(IntegrityError, match=text):
        Verdict.from_row({**full, **row} if text.startswith("Expected one") else row)


def test_sentence_tells_a_manager_of_source_only_and_pooled() -> None:
    verdict = judge(
        effect(0.1, 0.5),
        delta=0.01,
        arm="coral+finetune",
        baseline="ridge",
        metric="nDCG@10",
        unit="users",
        against=[("source-only", effect(0.2, 0.6)), ("pooled", effect(-0.1, 0.1))],
    )
    assert str(verdict) == (
        "Adopt coral+finetune: +0.3 nDCG@10 against ridge on 100 users (95 % interval +0.1 to "
        "+0.5); coral+finetune beats source-only (+0.4, +0.2 to +0.6); coral+finetune cannot "
        "be told from pooled (+0, -0.1 to +0.1)."
    )


def test_sentence_says_where_transfer_loses_and_what_is_excluded() -> None:
    verdict = judge(effect(-0.4, -0.2), delta=0.01, against=[("pooled", effect(-0.3, -0.1))])
    assert verdict.sentence.startswith("Keep target-only: transfer gives -0.3")
    assert "excludes a gain of 0.01" in verdict.sentence
    assert "transfer loses to pooled" in verdict.sentence


def test_sentence_leaves_out_the_contrast_of_an_arm_with_itself() -> None:
    verdict = judge(
        effect(0.1, 0.5), delta=0.0, arm="pooled", against=[("pooled", effect(0, 0))]
    )
    assert verdict.sentence.count("pooled") == 1


def test_sentence_shows_the_level_of_the_look() -> None:
    verdict = judge(replace(effect(0.1, 0.5), level=0.025), delta=0.0, looks=2)
    assert "97.5 % interval" in verdict.sentence
    assert (verdict.level, verdict.looks) == (0.025, 2)


def test_without_target_labels_the_answer_is_provisional_and_claims_no_number() -> None:
    verdict = provisional(arm="coral")
    assert verdict.answer == "provisional"
    assert verdict.as_row()["effect"] is None
    assert "no target labels" in verdict.sentence


def test_names_from_outside_are_escaped_in_html() -> None:
    seen: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append(tag)

    Tags().feed(judge(effect(0.1, 0.5), delta=0.0, arm="<script>x</script>")._repr_html_())
    assert "table" in seen
    assert "script" not in seen


@pytest.mark.parametrize("delta", [-0.1, math.nan, math.inf])
def test_impossible_delta_is_refused(delta: float) -> None:
    with pytest.raises(UsageError, match="smallest effect worth having"):
        judge(effect(0.1, 0.5), delta=delta)


def test_look_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="Looks count from 1, found 0"):
        judge(effect(0.1, 0.5), delta=0.0, looks=0)


def test_a_verdict_says_from_which_score_to_which() -> None:
    made = replace(provisional(arm="pooled", metric="ndcg@10"), before=0.2, after=0.25)
    assert made.change == "ndcg@10 goes from 0.2 to 0.25 (+25 %)"
    assert "; ndcg@10 goes from 0.2 to 0.25 (+25 %)." in made.sentence
    assert replace(made, before=-0.1).change == "ndcg@10 goes from -0.1 to 0.25"
    assert replace(made, before=None).change is None
    assert Verdict.from_row(made.as_row()) == made


@pytest.mark.parametrize(
    ("unit", "said"),
    [("users", "1 user to"), ("entities", "1 entity to"), ("rows", "1 row to")],
)
def test_one_unit_is_counted_as_one(unit: str, said: str) -> None:
    effect = Effect(0.1, -math.inf, math.inf, 1, 0.5, math.inf)
    assert judge(effect, delta=0.1, unit=unit).reason.startswith(said)

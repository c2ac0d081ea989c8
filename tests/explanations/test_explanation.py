"""What an explanation tells of made markets whose truth is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.explanations.asked import Asked
from acclimate.explanations.columns import ColumnWorth
from acclimate.explanations.explanation import NO_LABELS, NO_TIME, Explanation, explain
from acclimate.explanations.layers import called, goes_on, moved_layers
from acclimate.explanations.rows import quarters, weighed_rows, weighed_segments
from acclimate.explanations.share import Share
from acclimate.explanations.sources import SourceWorth, source_worths
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.examine import Examined
from acclimate.plans.plan import Step
from acclimate.plans.runner import attempt
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.coral import Coral
from acclimate.strategies.instance.tradaboost import TrAdaBoost
from acclimate.strategies.instance.weighting import DensityRatio
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed
from acclimate.verdicts.verdict import provisional

KEY = Rng.of(11)


@cache
def posed(labels: int = 120) -> Posed:
    """A near source; one whose labels mean something else."""
    target = make_rows(KEY.child("jp"), 1600, name="jp").domain
    near = make_rows(KEY.child("us"), 700, name="us").domain
    off = make_rows(KEY.child("uk"), 700, concept=0.9, covariate=2.0, name="uk").domain
    cut = Cut(labels=labels, by="random", cross_below=300)
    return Classify("label").pose(target, [near, off], cut, Rng.of(0))


def examined(given: Posed, arm: Arm, budget: Budget) -> Examined:
    def tried(each: Arm) -> Trial:
        step = Step(each, "")
        return attempt(step, given.task, given.problem, given.exam, budget, Rng.of(0))

    alone, chosen = tried(Arm(TargetOnly(), Linear())), tried(arm)
    assert (alone.status, chosen.status) == ("done", "done")
    verdict = provisional(arm=arm.name)
    return Examined(verdict, alone, chosen, {})


def explained(given: Posed, arm: Arm, seconds: float = 600) -> Explanation:
    budget = Budget(seconds)
    found = explain(
        examined(given, arm, budget), given.task, given.problem, given.exam, Rng.of(0), budget
    )
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pooled() -> Explanation:
    return explained(posed(), Arm(Pooled(), Linear()))


@pytest.mark.parametrize("labels", [60, 600])
def test_the_source_like_the_target_helps_and_the_other_hurts(labels: int) -> None:
    found = explained(posed(labels), Arm(Pooled(), Linear()))
    assert found.on == ("folds" if labels == 60 else "choose")
    best, worst = found.sources
    assert (best.source, worst.source) == ("us", "uk")
    assert best.low is not None and best.low > 0
    assert worst.high is not None and worst.high < 0
    assert not found.not_done


def test_a_source_is_worth_what_the_arm_loses_without_it() -> None:
    given = posed(600)
    chosen = examined(given, Arm(Pooled(), Linear()), Budget(600)).chosen
    assert chosen is not None
    arm = chosen.arm
    found = {each.source: each.effect for each in explained(given, arm).sources}
    rest = [source for source in given.problem.sources if source.name != "us"]

    def score(problem: object) -> float:
        fitted = arm.fit(problem, Rng.of(0).child("fit"))  # type: ignore[arg-type]
        answers = [(fitted.answer(case), case.truth) for case in given.exam.choose]
        return float(given.task.score(*given.task.join(answers))[0])

    gain = score(given.problem.with_sources(rest)) - score(given.problem)  # log loss: lower
    assert found["us"] == pytest.approx(gain, abs=1e-9)


def test_columns_that_tell_the_label_carry_the_gain_and_noise_does_not(
    pooled: Explanation,
) -> None:
    near = explained(posed(60), Arm(Pooled(), Linear(), only=("us",)))
    worth = {each.column: each for each in near.columns}
    assert set(worth) == {"x0", "x1", "x2", "x3", "group"}
    assert near.columns[0].column == "x0" and worth["x0"].low is not None
    assert worth["x0"].low > 0
    assert abs(worth["x3"].worth) < 0.2 * worth["x0"].worth
    for each in near.columns:
        assert each.worth == pytest.approx(each.adapted - each.alone)
    assert not near.sources  # of one source there is none to leave out


def test_a_model_that_needs_no_column_loses_nothing_by_shuffling_it() -> None:
    given = posed(600)
    found = explained(given, Arm(SourceOnly(), Linear(), only=("us",)))
    chosen = {each.column: each.adapted for each in found.columns}
    fitted = Arm(SourceOnly(), Linear(), only=("us",)).fit(
        given.problem, Rng.of(0).child("fit")
    )
    case = given.exam.choose[0]
    rows = case.query
    order = np.random.default_rng(0).permutation(rows.n)
    mixed = rows.columns.with_columns(rows.columns["x0"].gather(pl.Series(order)))
    before = given.task.score(fitted.answer(case), case.truth)[0]
    other = replace(case, query=replace(rows, columns=mixed))
    after = given.task.score(fitted.answer(other), case.truth)[0]
    assert chosen["x0"] == pytest.approx(float(after - before), rel=0.35)


def test_weights_are_told_by_source_and_by_the_kinds_of_rows_they_raise() -> None:
    arm = Arm(Chain((DensityRatio(), Pooled())), Linear())
    found = explained(posed(600), arm)
    rows = {each.source: each for each in found.rows}
    assert rows["us"].effective > 0.8 * rows["us"].rows
    assert rows["uk"].effective < 0.5 * rows["uk"].rows  # two deviations away
    assert sum(each.share_of_weight for each in found.rows) == pytest.approx(1)
    first = found.segments[0]
    assert first.source == "uk" and first.share_of_rows == pytest.approx(0.25, abs=0.01)
    assert first.segment.startswith("x2 ≤ ")  # where the target's rows are
    assert first.share_of_weight > 0.5


def test_what_boosting_ended_with_counts_as_weights() -> None:
    found = explained(posed(), Arm(TrAdaBoost(rounds=4), Linear()))
    rows = {each.source: each for each in found.rows}
    assert rows["uk"].effective < rows["us"].effective
    assert rows["uk"].share_of_weight < rows["us"].share_of_weight


def test_an_arm_that_weighs_nothing_tells_no_weights(pooled: Explanation) -> None:
    assert pooled.rows == [] and pooled.segments == [] and pooled.layers == []


def test_effective_rows_and_shares_are_those_of_the_weights() -> None:
    rows = Rows(
        pl.DataFrame({"kind": ["a", "a", "b", "b"], "price": [1.0, 2.0, 3.0, 4.0]}),
        {"kind": ColumnType.CATEGORY, "price": ColumnType.NUMERIC},
        ("0", "1"),
        np.array([0, 1, 0, 1]),
    )
    sources = [
        Source("one", rows, weight=np.array([3.0, 1.0, 0.0, 0.0])),
        Source("two", rows),
    ]
    first, second = weighed_rows(sources)
    assert [*first] == ["one", 4, pytest.approx(1.6), 0.5, 0.5]  # 4² / (9 + 1)
    assert [*second] == ["two", 4, pytest.approx(4.0), 0.5, 0.5]
    told = {each.segment: each for each in weighed_segments(sources)}
    assert [*told["kind = a"]] == ["one", "kind = a", 0.5, 1.0]
    assert [*told["price ≤ 1.75"]] == ["one", "price ≤ 1.75", 0.25, 0.75]
    assert "1.75 < price ≤ 2.5" not in told  # a quarter of rows and of weight


def test_quarters_hold_every_known_row_once() -> None:
    values = np.array([5.0, 1.0, np.nan, 3.0, 2.0, 4.0, 2.0])
    held = sum(those.astype(int) for _, those in quarters("x", values))
    assert np.array_equal(held, np.isfinite(values).astype(int))
    assert [*quarters("x", np.ones(3))] == []


def test_layers_tell_how_far_they_moved_from_the_sources_network() -> None:
    pytest.importorskip("torch")
    given, key = posed(600), Rng.of(0).child("fit")
    held = Arm(FineTune("head", epochs=1), MixedNetwork(epochs=2))
    problem, fitted = held.taken(given.problem, key)
    layers = moved_layers(held.strategy, held.model, fitted.model, problem, key)
    assert [layer.moved for layer in layers[:-1]] == [0.0] * (len(layers) - 1)
    assert layers[-1].layer == "head" and 0 < layers[-1].moved < 1
    still = Arm(FineTune("all", epochs=0), MixedNetwork(epochs=2))
    problem, fitted = still.taken(given.problem, key)
    layers = moved_layers(still.strategy, still.model, fitted.model, problem, key)
    assert layers and all(layer.moved == 0 for layer in layers)


def test_a_way_that_starts_anew_has_no_layers_that_moved() -> None:
    assert goes_on(FineTune()) and goes_on(Chain((Coral(), FineTune())))
    assert not goes_on(Pooled()) and not goes_on(Chain((Pooled(), FineTune())))
    assert called(["body.0.bias", "body.0.weight"], 2) == "body.0"
    assert called(["a", "b"], 2) == "2"


def test_what_there_was_no_time_for_is_named() -> None:
    given, arm = posed(600), Arm(Pooled(), Linear())
    budget = Budget(600)
    found = examined(given, arm, budget)
    over = Budget(1e-9)
    made = explain(found, given.task, given.problem, given.exam, Rng.of(0), over)
    assert made is not None
    assert made.not_done == {"rows": NO_TIME, "columns": NO_TIME, "sources": NO_TIME}
    assert NO_TIME == "the share of the budget that is theirs ended before"
    assert (made.sources, made.columns) == ([], [])


def test_a_share_is_a_tenth_of_the_budget_and_what_is_left_of_it() -> None:
    now = [0.0]
    given, arm = posed(600), Arm(Pooled(), Linear())
    found = examined(given, arm, Budget(600))

    class Clock:
        def __call__(self) -> float:
            now[0] += 1.0  # each question of the time is a second
            return now[0]

    made = explain(
        found, given.task, given.problem, given.exam, Rng.of(0), Budget(100, clock=Clock())
    )
    assert made is not None
    assert 8 <= now[0] <= 14
    assert made.not_done["sources"] == "no time was left for us, uk, so raise --budget"


@pytest.mark.parametrize(
    ("reached", "columns", "said"),
    [
        (7, 2, {"columns": "3 columns were not reached in time, so raise --budget"}),
        (13, 4, {"columns": "1 column was not reached in time, so raise --budget"}),
    ],
)
def test_columns_that_were_not_reached_are_counted_and_sources_named(
    reached: int, columns: int, said: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [reached]

    def tick(share: Share) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OutOfBudget

    # A column ticks once a shuffle, of which there are three; fits are made not to.
    given, arm = posed(600), Arm(Pooled(), Linear())
    monkeypatch.setattr(Arm, "taken", _unticked(Arm.taken))
    monkeypatch.setattr(Share, "tick", tick)
    monkeypatch.setattr(Share, "require", lambda share, seconds: None)
    found = explained(given, arm)
    assert len(found.columns) == columns
    assert found.not_done["columns"] == said["columns"]
    left[0] = 0
    monkeypatch.setattr(Share, "require", lambda share, seconds: tick(share))
    chosen = examined(given, arm, Budget(600)).chosen
    assert chosen is not None and chosen.answer is not None
    asked = Asked.of(given.problem, given.exam, given.task, Rng.of(0))
    left[0] = 1
    worths, missed = source_worths(
        chosen.arm, chosen.answer, asked, given.task, Rng.of(0), Share(Budget(9), 9), 0.0
    )
    assert [each.source for each in worths] == ["us"] and missed == ["uk"]


def _unticked(taken: Callable[..., object]) -> Callable[..., object]:
    return lambda arm, problem, rng, tick=None: taken(arm, problem, rng)


def test_without_labels_only_what_needs_none_is_told() -> None:
    given = posed(600)
    assert isinstance(given.problem.fit, Rows)
    bare = replace(given.problem.fit, label=None)
    problem = replace(given.problem, fit=bare.take(np.empty(0, np.int64)))
    arm = Arm(Chain((DensityRatio(), SourceOnly())), Linear())
    chosen = Trial(arm, "done", "", "log-loss")
    alone = Trial(Arm(SourceOnly(), Linear()), "done", "", "log-loss")
    exam = replace(given.exam, choose=(), judge=())
    found = explain(
        Examined(provisional(arm=arm.name), alone, chosen, {}),
        given.task,
        problem,
        exam,
        Rng.of(0),
        Budget(60),
    )
    assert found is not None and len(found.rows) == 2
    assert found.not_done == {"columns": NO_LABELS, "sources": NO_LABELS}
    assert NO_LABELS == "the target has no labels to ask by"


def test_what_has_no_score_is_none_in_json() -> None:
    found = Explanation("pooled/linear", "roc-auc")
    found.columns = [ColumnWorth("x", math.nan, 0.5, math.nan)]
    found.sources = [SourceWorth("us", math.nan, None, None, 3)]
    row = json.loads(json.dumps(found.as_row(), allow_nan=False))
    assert row["columns"][0]["adapted"] is None and row["columns"][0]["alone"] == 0.5
    assert row["sources"][0]["effect"] is None


def test_no_chosen_arm_has_nothing_to_explain() -> None:
    given = posed(600)
    alone = Trial(Arm(TargetOnly(), Linear()), "done", "", "log-loss")
    found = Examined(provisional(arm="x"), alone, None, {})
    args = (given.task, given.problem, given.exam, Rng.of(0), Budget(60))
    assert explain(found, *args) is None

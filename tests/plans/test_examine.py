"""The exam looks at the judge once, pairs by unit, and refits with the same key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.domains.exam import Exam, Probabilities, Truth
from acclimate.domains.sample import Rows
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.plans.budget import Budget
from acclimate.plans.examine import contrast_of, examine, judge_fingerprint
from acclimate.plans.plan import Plan, Step
from acclimate.plans.runner import run
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed
from acclimate.verdicts.ledger import Ledger
from acclimate.verdicts.verdict import Verdict, judge


@pytest.fixture(scope="module")
def trials(small_rows: Posed) -> list[Trial]:
    arms = [Arm(strategy, Linear()) for strategy in (TargetOnly(), SourceOnly(), Pooled())]
    plan = Plan(tuple(Step(arm, "") for arm in arms), ())
    return run(
        plan, small_rows.task, small_rows.problem, small_rows.exam, Budget(60), Rng.of(0)
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def test_the_picked_arm_is_compared_with_every_baseline(
    small_rows: Posed, trials: list[Trial], ledger: Ledger
) -> None:
    task, problem, exam = small_rows.task, small_rows.problem, small_rows.exam
    found = examine(trials, task, problem, exam, Rng.of(0), ledger, "once")
    assert found.chosen is not None
    assert found.verdict.baseline == "target-only/linear"
    others = {"source-only/linear", "pooled/linear"} - {found.chosen.arm.name}
    assert {each.baseline for each in found.verdict.against} == others
    assert set(found.scores) == {"target-only/linear", "source-only/linear", "pooled/linear"}
    ours, theirs = (
        found.scores[name][task.metric.name]
        for name in (found.chosen.arm.name, "target-only/linear")
    )
    assert found.verdict.effect == pytest.approx(task.metric.sign * (ours - theirs))
    assert found.verdict.n == exam.judge[0].truth.n_units


def test_the_same_procedure_is_one_look_and_another_is_paid_for(
    small_rows: Posed, trials: list[Trial], ledger: Ledger
) -> None:
    task, problem, exam = small_rows.task, small_rows.problem, small_rows.exam
    looks = [
        examine(trials, task, problem, exam, Rng.of(0), ledger, name).verdict
        for name in ("one", "one", "other")
    ]
    assert [verdict.looks for verdict in looks] == [1, 1, 2]
    assert looks[0] == looks[1]
    assert [verdict.level for verdict in looks] == [0.05, 0.05, 0.025]


def test_nothing_is_adopted_while_a_way_of_doing_without_is_unknown(
    small_rows: Posed,
    trials: list[Trial],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def adopting(*given: Any, **named: Any) -> Verdict:
        return replace(judge(*given, **named), answer="adopt")

    monkeypatch.setattr("acclimate.plans.examine.judge", adopting)
    task, problem, exam = small_rows.task, small_rows.problem, small_rows.exam
    found = examine(trials, task, problem, exam, Rng.of(0), ledger, "once")
    assert found.verdict.answer == "adopt"
    lost = Trial(Arm(TargetOnly(), Trees()), "abandoned", "", task.metric.name)
    found = examine([*trials, lost], task, problem, exam, Rng.of(0), ledger, "once")
    assert found.verdict.answer == "not-enough-data"
    assert (
        ", but the budget ended before target-only/trees, also to be beaten "
        "(abandoned: 1 of 4 arms; raise --budget)"
    ) in found.verdict.reason
    # A way to transfer that was not tried takes nothing from what was.
    lost = replace(lost, arm=Arm(Pooled(), Trees()))
    found = examine([*trials, lost], task, problem, exam, Rng.of(0), ledger, "once")
    assert found.verdict.answer == "adopt"


def test_without_transfer_nothing_is_looked_at(
    small_rows: Posed, trials: list[Trial], ledger: Ledger
) -> None:
    task, problem, exam = small_rows.task, small_rows.problem, small_rows.exam
    found = examine(trials[:1], task, problem, exam, Rng.of(0), ledger, "once")
    assert (found.verdict.answer, found.chosen) == ("keep-target-only", None)
    assert ledger.entries() == ()


def test_nobody_to_judge_on_is_not_enough_and_no_look(
    small_rows: Posed, trials: list[Trial], ledger: Ledger
) -> None:
    query = small_rows.exam.judge[0].query
    assert isinstance(query, Rows)
    nobody = replace(query, label=np.zeros(query.n, np.int64)).take(np.empty(0, np.int64))
    exam = Exam(small_rows.exam.choose, (nobody.case(),))
    task, problem = small_rows.task, small_rows.problem
    found = examine(trials, task, problem, exam, Rng.of(0), ledger, "once")
    assert (found.verdict.answer, found.verdict.n) == ("not-enough-data", 0)
    assert found.verdict.units_wanted == 30
    assert found.chosen is not None and found.scores == {}
    assert ledger.entries() == ()


def test_a_judge_is_known_by_its_target_and_its_truth(small_rows: Posed) -> None:
    exam = small_rows.exam
    (case,) = exam.judge
    assert case.truth.label is not None
    flipped = replace(case, truth=replace(case.truth, label=1 - case.truth.label))
    prints = {
        judge_fingerprint("jp", exam),
        judge_fingerprint("us", exam),
        judge_fingerprint("jp", Exam(exam.choose, (flipped,))),
    }
    assert len(prints) == 3
    # What is chosen on may change and the judge is the same.
    assert judge_fingerprint("jp", Exam((), exam.judge)) in prints


@pytest.mark.parametrize("metric", ["log-loss", "accuracy", "pr-auc", "roc-auc"])
def test_a_contrast_points_to_the_better_arm_and_pairs_by_unit(metric: str) -> None:
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 40)
    truth = Truth(units=np.arange(40) // 2, label=label)
    good, poor = (
        Probabilities(np.column_stack([1 - p, p]))
        for p in (np.clip(label * 0.6 + 0.4 * generator.random(40), 0.01, 0.99) for _ in "ab")
    )
    poor = Probabilities(poor.p[:, ::-1])
    task = Classify(score_by=metric)
    contrast = contrast_of(task, (good, truth), (poor, truth))
    assert contrast.n == 20
    weight = generator.integers(0, 3, (4, 20)).astype(float)
    difference = task.score(good, truth, weight) - task.score(poor, truth, weight)
    assert (contrast.statistic(weight) > 0).all()
    if not task.metric.mean:
        np.testing.assert_allclose(contrast.statistic(weight), difference)
    same = contrast_of(task, (good, truth), (good, truth))
    assert not same.statistic(weight).any()

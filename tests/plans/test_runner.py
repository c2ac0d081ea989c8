"""Trials are tried in order, told with their intervals, and the simplest good one is picked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities, Truth
from acclimate.domains.problem import Problem, Statistics
from acclimate.errors import BudgetError, StrategyError
from acclimate.models.linear import Linear
from acclimate.models.model import Model, Tick, idle
from acclimate.models.trees import Trees
from acclimate.plans.budget import Budget
from acclimate.plans.plan import Plan, Refusal, Step
from acclimate.plans.runner import attempt, best_baseline, best_of, interval, pick, run, tied
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.catalogue import strategies
from acclimate.strategies.strategy import Adapt, Strategy
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed

TASK = Classify(score_by="accuracy")


def trial(kind: str, right: Array, task: Classify = TASK, **changes: Any) -> Trial:
    """A done trial that answered these rows right (1), wrong (0) or in between."""
    p = np.column_stack([1 - right, right])
    truth = Truth(units=np.arange(len(right)), label=np.ones(len(right), np.int64))
    value = float(task.score(Probabilities(p), truth)[0])
    arm = Arm(strategies()[kind], Linear())
    answer = (Probabilities(p), truth)
    made = Trial(arm, "done", "", task.metric.name, value, n=len(right), answer=answer)
    return replace(made, **changes)


def share(of: float, n: int = 100) -> Array:
    return (np.arange(n) < of * n).astype(float)


# ── pick ────────────────────────────────────────────────────────────────────


def test_the_simplest_transfer_within_one_standard_error_is_picked(rng: Rng) -> None:
    # Five of a hundred rows differ: the error of the difference is about √.05/10 = 2.2 %.
    best, near = trial("source-prior", share(0.85)), trial("pooled", share(0.84))
    assert pick([best, near], TASK, rng) is near
    far = trial("source-only", share(0.75))
    assert pick([best, near, far], TASK, rng) is near
    assert pick([best, far], TASK, rng) is best


def test_the_standard_error_is_that_of_the_paired_difference(rng: Rng) -> None:
    # Three per cent apart either way; what differs is on how many rows they disagree.
    best = share(0.85)
    nested = share(0.82)
    crossed = 1 - share(0.18)
    assert crossed.mean() == nested.mean() == 0.82
    prior = trial("source-prior", best)
    # On the same rows, 3 of them apart: error √(.03·.97)/10 = 1.7 %, less than the 3 %.
    assert pick([prior, trial("pooled", nested)], TASK, rng) is prior
    # On 33 rows apart: error about 5.7 %, more than the 3 %.
    simple = trial("pooled", crossed)
    assert pick([prior, simple], TASK, rng) is simple


def test_tied_is_what_cannot_be_told_from_the_best_baselines_included(rng: Rng) -> None:
    best, near = trial("source-prior", share(0.85)), trial("target-only", share(0.84))
    far, lost = trial("source-only", share(0.75)), trial("pooled", share(0.85), status="failed")
    assert tied([far, near, lost, best], TASK, rng) == [near, best]
    assert tied([far, best], TASK, rng) == [] == tied([lost], TASK, rng)


def test_the_better_of_two_equally_simple_arms_is_picked(rng: Rng) -> None:
    one, other = trial("pooled", share(0.84)), trial("pooled", share(0.85))
    assert pick([one, other], TASK, rng) is other


def test_of_two_ways_alike_the_one_with_the_simpler_model_is_picked(rng: Rng) -> None:
    linear = trial("pooled", share(0.84))
    trees = trial("pooled", share(0.85), arm=Arm(Pooled(), Trees()))
    assert pick([trees, linear], TASK, rng) is linear
    # A simpler way comes before a simpler model, and neither where it costs too much.
    assert pick([trial("source-prior", share(0.85)), trees], TASK, rng) is trees
    assert pick([trees, trial("pooled", share(0.75))], TASK, rng) is trees


def test_lower_is_better_where_the_metric_says_so(rng: Rng) -> None:
    task = Classify(score_by="log-loss")
    good, bad = (trial("pooled", np.full(50, p), task) for p in (0.9, 0.6))
    assert pick([bad, good], task, rng) is good
    assert best_baseline(
        [trial("target-only", np.full(50, p), task) for p in (0.6, 0.9)], task.metric.sign
    ).value == pytest.approx(-np.log(0.9))


def test_target_only_is_never_picked_and_what_did_not_finish_neither(rng: Rng) -> None:
    alone = trial("target-only", share(0.9))
    assert pick([alone], TASK, rng) is None
    lost = trial("pooled", share(0.9), status="abandoned")
    failed = trial("source-only", share(0.9), status="failed")
    assert pick([alone, lost, failed], TASK, rng) is None
    kept = trial("source-prior", share(0.1))
    assert pick([alone, lost, failed, kept], TASK, rng) is kept


def test_where_nothing_has_a_value_the_simplest_is_picked(rng: Rng) -> None:
    prior, simple = (
        trial(kind, share(0.5), value=float("nan"), answer=None, n=0)
        for kind in ("source-prior", "source-only")
    )
    assert pick([prior, simple], TASK, rng) is simple
    # One known value beats none.
    known = trial("source-prior", share(0.2))
    assert (
        pick([trial("source-only", share(0.5), value=float("nan")), known], TASK, rng) is known
    )


def test_the_best_of_a_strategy_is_the_best_that_finished() -> None:
    trials = [
        trial("pooled", share(0.5)),
        trial("pooled", share(0.7)),
        trial("pooled", share(0.9), status="failed"),
        trial("source-only", share(0.8)),
    ]
    assert best_of(trials, "pooled", 1.0) is trials[1]
    assert best_of(trials, "pooled", -1.0) is trials[0]
    assert best_of(trials, "source-prior", 1.0) is None


# ── the interval ────────────────────────────────────────────────────────────


def test_the_interval_of_a_value_is_that_of_a_bootstrap_at_95_percent() -> None:
    right = share(0.7, 400)
    p = Probabilities(np.column_stack([1 - right, right]))
    truth = Truth(units=np.arange(400), label=np.ones(400, np.int64))
    ends = np.array([interval(TASK, p, truth, Rng.of(seed)) for seed in range(30)])
    assert (ends[:, 0] == 0.7).all()
    # Each end lies 1.96 standard errors off; at 90 % it would be 1.645, at 99 % 2.58.
    error = np.sqrt(0.7 * 0.3 / 400)
    low, high = ends[:, 1].mean(), ends[:, 2].mean()
    assert (0.7 - low) / error == pytest.approx(1.96, abs=0.12)
    assert (high - 0.7) / error == pytest.approx(1.96, abs=0.12)


def test_the_interval_resamples_units_and_not_rows() -> None:
    right = np.repeat(share(0.6, 20), 10)
    p = Probabilities(np.column_stack([1 - right, right]))
    label = np.ones(200, np.int64)
    widths = []
    for units in (np.arange(200), np.repeat(np.arange(20), 10)):
        _, low, high = interval(TASK, p, Truth(units=units, label=label), Rng.of(0))
        widths.append(high - low)
    # Ten equal rows of a unit say no more than one: √10 times as wide.
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(10), rel=0.2)


def test_one_unit_has_a_value_and_no_interval() -> None:
    p = Probabilities(np.array([[0.2, 0.8]]))
    truth = Truth(units=np.zeros(1, np.int64), label=np.ones(1, np.int64))
    value, low, high = interval(TASK, p, truth, Rng.of(0))
    assert value == 1.0 and np.isnan(low) and np.isnan(high)


def test_a_score_that_most_replicates_lack_has_no_interval() -> None:
    # One positive row of 30: a third of the replicates draw none.
    p = Probabilities(np.column_stack([1 - share(0.5, 30), share(0.5, 30)]))
    truth = Truth(units=np.arange(30), label=(np.arange(30) == 0).astype(np.int64))
    value, low, high = interval(Classify(score_by="pr-auc"), p, truth, Rng.of(0))
    assert np.isfinite(value) and np.isnan(low) and np.isnan(high)


def test_a_row_of_the_leaderboard_holds_no_nan() -> None:
    row = trial("pooled", share(0.5), value=float("nan")).as_row()
    assert list(row) == [
        "arm", "strategy", "model", "metric", "value", "low", "high", "n", "seconds", "status",
    ]  # fmt: skip
    assert row["value"] is row["low"] is row["high"] is None


# ── trials ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Falls(Adapt):
    """A strategy that cannot take what it is given."""

    kind: ClassVar[str] = "target-only"
    statistics: ClassVar[Statistics] = Statistics.TARGET
    complexity: ClassVar[int] = 0
    transfers: ClassVar[bool] = False

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        raise StrategyError("Expected two of something; found one. Bring another.")


def planned(*strategies_: Strategy) -> Plan:
    return Plan(tuple(Step(Arm(each, Linear()), "why") for each in strategies_), ())


def tried(plan: Plan, posed: Posed, budget: Budget) -> list[Trial]:
    return run(plan, posed.task, posed.problem, posed.exam, budget, Rng.of(0))


def test_trials_come_in_the_order_of_the_plan_and_progress_is_told(small_rows: Posed) -> None:
    told: list[tuple[str, int, int]] = []
    plan = planned(TargetOnly(), Pooled())
    trials = run(
        plan,
        small_rows.task,
        small_rows.problem,
        small_rows.exam,
        Budget(60),
        Rng.of(0),
        lambda *said: told.append(said),
    )
    assert [t.arm.name for t in trials] == ["target-only/linear", "pooled/linear"]
    assert told == [("target-only/linear", 0, 2), ("pooled/linear", 1, 2)]
    for each in trials:
        assert (each.status, each.reason) == ("done", "why")
        assert each.low <= each.value <= each.high
        assert each.n == small_rows.exam.choose[0].truth.n_units


def test_a_trial_depends_on_no_other(small_rows: Posed) -> None:
    both = tried(planned(TargetOnly(), Pooled()), small_rows, Budget(60))
    alone = tried(planned(TargetOnly()), small_rows, Budget(60))
    assert both[0].value == alone[0].value and both[0].low == alone[0].low


def test_a_strategy_that_fails_is_a_failed_trial_with_its_words(small_rows: Posed) -> None:
    trials = tried(planned(Falls(), TargetOnly()), small_rows, Budget(60))
    assert [t.status for t in trials] == ["failed", "done"]
    assert trials[0].why == "Expected two of something; found one. Bring another."


def test_target_only_that_fails_everywhere_is_said_once(small_rows: Posed) -> None:
    with pytest.raises(StrategyError, match="that can be fitted; found: Expected two") as found:
        tried(planned(Falls(), Falls(), Pooled()), small_rows, Budget(60))
    assert str(found.value).count("Bring another") == 1
    assert found.value.exit_code == 3


def test_target_only_that_applies_to_no_model_is_said_with_why(small_rows: Posed) -> None:
    why = "transformer reads text, and the rows have no column of it"
    plan = Plan((), (Refusal("target-only", "transformer", why),))
    with pytest.raises(StrategyError, match=f"can be fitted; found: {why}. Mend"):
        tried(plan, small_rows, Budget(60.0))


def test_a_spent_budget_abandons_and_without_target_only_ends(small_rows: Posed) -> None:
    seconds = iter(np.r_[0.0, np.full(10_000, 100.0)])
    budget = Budget(10.0, lambda: float(next(seconds)))
    with pytest.raises(BudgetError, match="at least one target-only arm within 10 s"):
        tried(planned(TargetOnly(), Pooled()), small_rows, budget)


def test_a_budget_that_ends_between_trials_keeps_what_was_done(small_rows: Posed) -> None:
    now = [0.0]
    budget = Budget(10.0, lambda: now[0])
    plan = planned(TargetOnly(), SourceOnly())

    def report(text: str, done: int, total: int) -> None:
        now[0] = 9.5 * done  # past the nine seconds that trials have, after the first

    trials = run(
        plan, small_rows.task, small_rows.problem, small_rows.exam, budget, Rng.of(0), report
    )
    assert [t.status for t in trials] == ["done", "abandoned"]
    free = tried(planned(TargetOnly()), small_rows, Budget(60))
    assert trials[0].value == free[0].value


def test_without_rows_to_choose_on_the_folds_of_fit_answer(small_rows: Posed) -> None:
    exam = replace(small_rows.exam, choose=())
    step = Step(Arm(TargetOnly(), Linear()), "")
    done = attempt(step, small_rows.task, small_rows.problem, exam, Budget(60), Rng.of(0))
    assert done.n == small_rows.problem.fit.n


def test_one_row_to_fit_on_gives_a_trial_without_a_value(small_rows: Posed) -> None:
    problem = small_rows.problem.with_fit(small_rows.problem.fit.take(np.array([0])))
    exam = replace(small_rows.exam, choose=())
    step = Step(Arm(Pooled(), Linear()), "")
    done = attempt(step, small_rows.task, problem, exam, Budget(60), Rng.of(0))
    assert (done.status, done.n, done.answer) == ("done", 0, None)
    assert np.isnan(done.value)

"""Before tuning, experience puts off what is dear and a screening stops what is behind."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from acclimate.domains.exam import Probabilities, Truth
from acclimate.domains.problem import Problem
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.plans import halving
from acclimate.plans.budget import OutOfBudget
from acclimate.plans.halving import going_on, halved, screened
from acclimate.plans.plan import Plan, Step
from acclimate.plans.prior import Prior, Standing, kind_of, of_json, shipped
from acclimate.plans.trial import Trial
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import strategies
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Posed
from benchmarks.choice_learn import to_json

DEAR = Standing("tradaboost", "trees", 20, 0.25, 0.6, 0.03, put_off=True)
CHEAP = Standing("blend", "linear", 20, 0.6, 0.01, 0.001, put_off=False)


def prior(*standings: Standing, kind: str = "classify") -> Prior:
    return Prior({kind: {(s.strategy, s.model): s for s in standings}}, {"problems": 20})


def step(strategy: str, model: Linear | Trees | None = None) -> Step:
    return Step(Arm(strategies()[strategy], model or Linear()), "why")


def plan(*kinds: str) -> Plan:
    return Plan(tuple(step(kind) for kind in kinds), ())


def names(planned: Plan) -> list[str]:
    return [each.arm.strategy.kind for each in planned.steps]


def scored(value: float, kind: str = "blend", metric: str = "log-loss") -> Trial:
    answer = (Probabilities(np.ones((2, 2)) / 2), Truth(np.arange(2), np.zeros(2, np.int64)))
    return Trial(step(kind).arm, "done", "", metric, value, n=2, answer=answer)


def with_scores(values: dict[str, float]) -> object:
    """Screening replaced: each strategy scores what is said of it."""

    def score(each: Step, *rest: object) -> Trial | None:
        found = values.get(each.arm.strategy.kind)
        return None if found is None else scored(found, each.arm.strategy.kind)

    return patch.object(halving, "screened", score)


def test_what_takes_too_much_is_put_off_with_its_figures(small_rows: Posed) -> None:
    steps = Plan((step("target-only"), step("tradaboost", Trees())), ())
    left = halved(steps, prior(DEAR), small_rows.task, small_rows.problem, Rng.of(0))
    assert names(left) == ["target-only"]
    [put_off] = left.put_off
    assert put_off.arm == "tradaboost/trees"
    assert put_off.why == (
        "put off: on 20 solved problems of this kind it took 60% of the time of trying "
        "everything, and was within a standard error of the best in 25% of them; name it with "
        "--strategy to try it"
    )


def test_the_best_screened_goes_on_and_baselines_are_never_screened(small_rows: Posed) -> None:
    steps = plan("target-only", "source-only", "pooled", "source-prior", "blend", "tradaboost")
    with with_scores({"source-prior": 0.5, "blend": 0.4, "tradaboost": 0.6}):  # type: ignore[attr-defined]
        left = halved(steps, prior(CHEAP), small_rows.task, small_rows.problem, Rng.of(0))
    assert names(left) == ["target-only", "source-only", "pooled", "blend"]
    assert [each.arm for each in left.put_off] == ["source-prior/linear", "tradaboost/linear"]
    assert left.put_off[0].why == (
        "stopped early: with default settings its log-loss was 0.5 on 2 held-out units of the "
        "target, that of blend/linear 0.4"
    )


def test_what_cannot_be_screened_is_tried(small_rows: Posed) -> None:
    with with_scores({"blend": 0.4}):  # type: ignore[attr-defined]
        left = halved(
            plan("target-only", "source-prior", "blend"),
            prior(CHEAP),
            small_rows.task,
            small_rows.problem,
            Rng.of(0),
        )
    assert names(left) == ["target-only", "source-prior", "blend"] and not left.put_off


def test_a_kind_of_problem_nobody_solved_is_tried_whole(small_rows: Posed) -> None:
    steps = plan("target-only", "blend", "source-prior")
    other = prior(CHEAP, kind="regress")
    with with_scores({"blend": 0.4, "source-prior": 0.5}):  # type: ignore[attr-defined]
        assert halved(steps, other, small_rows.task, small_rows.problem, Rng.of(0)) is steps


def test_a_target_without_labels_is_tried_whole(small_rows: Posed) -> None:
    fit = small_rows.problem.fit
    bare = small_rows.problem.with_fit(fit.take(np.empty(0, np.int64)))
    steps = plan("source-only", "blend", "source-prior")
    with with_scores({"blend": 0.4, "source-prior": 0.5}):  # type: ignore[attr-defined]
        assert halved(steps, prior(CHEAP), small_rows.task, bare, Rng.of(0)) is steps


def test_the_better_goes_on_by_the_direction_of_the_metric() -> None:
    low, high = scored(0.3), scored(0.6)
    assert going_on([high, low], Classify(score_by="log-loss")) == [low]
    assert going_on([low, high], Classify(score_by="accuracy")) == [high]
    assert going_on([], Classify()) == []


def test_a_screening_is_the_default_on_tunings_first_fold(small_rows: Posed) -> None:
    found = screened(step("pooled"), small_rows.task, small_rows.problem, Rng.of(0))
    assert found is not None and found.answer is not None
    assert found.arm.model == Linear()
    arm = replace(found.arm, strategy=strategies()["pooled"])
    encoded = arm.encoded(small_rows.problem)
    tuned = tune(arm, small_rows.task, encoded, Rng.of(0).child("tune"), cross_fit=True)
    assert tuned.truth is not None and tuned.truth.label is not None
    held = found.answer[1].label
    assert held is not None and 0 < len(held) < encoded.fit.n
    np.testing.assert_array_equal(tuned.truth.label[: len(held)], held)
    assert found.value == pytest.approx(float(small_rows.task.score(*found.answer)[0]))


def test_a_budget_that_ends_leaves_the_rest_to_the_runner(small_rows: Posed) -> None:
    def tick() -> None:
        raise OutOfBudget

    steps = plan("target-only", "blend", "source-prior")
    left = halved(steps, prior(CHEAP), small_rows.task, small_rows.problem, Rng.of(0), tick)
    assert names(left) == names(steps)


def test_a_table_is_read_as_it_was_written() -> None:
    made = prior(DEAR, CHEAP)
    assert of_json(to_json(made)) == made


def test_the_shipped_table_says_where_it_comes_from_and_knows_the_common_kinds() -> None:
    table = shipped()
    assert table.provenance["problems"] >= 40
    assert {"classify", "regress", "recommend"} <= set(table.kinds)
    for standings in table.kinds.values():
        for each in standings.values():
            assert 0 <= each.near <= 1 and each.screen >= 0 and 0 <= each.cost <= 1
        # Nothing that the verdict is contrasted with is put off under every model.
        for kind in ("source-only", "pooled"):
            parts = [s.put_off for s in standings.values() if s.strategy == kind]
            assert not all(parts)


def test_rows_of_text_are_a_kind_of_their_own(small_rows: Posed) -> None:
    problem: Problem = small_rows.problem
    assert kind_of("classify", problem) == "classify"
    fit = problem.fit
    types = {**fit.types, "said": "text"}  # type: ignore[union-attr]
    assert kind_of("classify", problem.with_fit(replace(fit, types=types))) == "classify-texts"  # type: ignore[arg-type]

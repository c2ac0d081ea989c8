"""Without target labels a model is tuned on the sources' rows, as its arm weighs them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.models.linear import Linear
from acclimate.models.model import idle
from acclimate.plans.blind import FOLDS, blind
from acclimate.plans.tune import tune
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.catalogue import named
from acclimate.tasks.classify import Classify
from tests.strategies.shapes import RNG, market, problem, rows, table

ALONE = Arm(SourceOnly(), Linear())
LOSS = Classify("label")


def without_labels(*sources: Rows) -> Problem:
    nothing = sources[0].take(np.empty(0, np.int64))
    return problem(nothing, *sources, unlabelled=market(50, 9).unlabelled(), on=None)


def noisy(n: int, seed: int, columns: int, sure: float) -> Rows:
    """Many columns of which the first two tell something: much penalty where it is little."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, columns))
    label = (g.random(n) < 1 / (1 + np.exp(-sure * (x[:, 0] - x[:, 1])))).astype(np.int64)
    return table(x, label)


def tuned(given: Problem, arm: Arm = ALONE) -> Arm:
    encoded = arm.encoded(given)
    return tune(arm, Classify("label"), encoded, RNG, cross_fit=False).arm


def test_noise_asks_for_more_penalty_than_a_clear_answer() -> None:
    def of(sure: float) -> float:
        source = noisy(150, 1, 30, sure)
        empty = source.take(np.empty(0, np.int64))
        model = tuned(problem(empty, source, unlabelled=source.unlabelled(), on=None)).model
        assert isinstance(model, Linear)
        return model.penalty

    assert of(0.05) == 100.0 and of(6.0) < 2.0


def test_rows_that_weigh_nothing_decide_nothing() -> None:
    source = market(200, 2, half=True)  # the second half means the opposite
    given = without_labels(source).encoded(SourceOnly.statistics)
    first = np.repeat([1.0, 0.0], 100)
    half = given.with_sources([replace(given.sources[0], weight=first)])
    # Both halves together tell nothing; the first alone is clear.
    mixed, clear = (blind(ALONE, LOSS, each, RNG, idle)[0].model for each in (given, half))
    assert isinstance(mixed, Linear) and isinstance(clear, Linear)
    assert mixed.penalty > clear.penalty


def test_the_choice_is_that_of_cross_validation_by_hand_in_the_tasks_metric() -> None:
    source = noisy(90, 6, 12, 1.0)
    empty = source.take(np.empty(0, np.int64))
    given = ALONE.encoded(problem(empty, source, unlabelled=source.unlabelled(), on=None))
    folds = source.folds(FOLDS, RNG.child("folds"))
    grid = Linear().grid()
    likelihood, right = np.zeros(len(grid)), np.zeros(len(grid))
    for at, model in enumerate(grid):
        for rest, case in folds:
            fitted = model.fit(model.prepare(rows(given.view(rest))), rng=RNG)
            answer = fitted.predict(rows(given.view(case.query)))
            assert isinstance(answer, Probabilities) and case.truth.label is not None
            p: Array = answer.p
            likelihood[at] += float(np.log(p[np.arange(len(p)), case.truth.label]).sum())
            right[at] += float((p.argmax(axis=1) == case.truth.label).sum())
    assert likelihood.argmax() != right.argmax()
    for task, scores in ((LOSS, likelihood), (Classify("label", "accuracy"), right)):
        chosen, tried = blind(ALONE, task, given, RNG, idle)
        assert tried == len(grid)
        assert chosen.model == grid[int(np.argmax(scores))]


@pytest.mark.parametrize("kind", ["coral + source-only", "density-ratio + source-only"])
def test_steps_before_the_model_are_taken_first(kind: str) -> None:
    arm = tuned(without_labels(market(80, 4)), Arm(named(kind), Linear()))
    assert arm.strategy == named(kind) and isinstance(arm.model, Linear)


def test_an_arm_that_does_more_than_serve_a_model_stays_as_it_is() -> None:
    given = without_labels(market(80, 4))
    arm = Arm(named("source-only + pooled"), Linear())
    assert blind(arm, LOSS, arm.encoded(given), RNG, idle) == (arm, 0)
    hidden = [replace(source, shares=frozenset({"moments"})) for source in given.sources]
    encoded = ALONE.encoded(given).with_sources(hidden)
    assert blind(ALONE, LOSS, encoded, RNG, idle) == (ALONE, 0)

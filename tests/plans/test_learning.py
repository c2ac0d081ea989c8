"""Fits on more and more labels: what is drawn, what is scored on, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_events
from acclimate.errors import BudgetError, StrategyError, UsageError
from acclimate.models.linear import Linear
from acclimate.plans.budget import Budget
from acclimate.plans.learning import (
    Fits,
    first,
    in_proportion,
    learn,
    scored_on,
    units,
    wanted,
)
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.tasks.recommend import Recommend
from acclimate.tasks.task import Posed

ARMS = {
    "transfer": Arm(Pooled(), Linear()),
    "target-only": Arm(TargetOnly(), Linear()),
    "source-only": Arm(SourceOnly(), Linear()),
}


def learned(posed: Posed, seconds: float = 60.0, draws: int = 2) -> Fits:
    return learn(
        ARMS,
        posed.task,
        posed.problem,
        posed.exam,
        Budget(seconds),
        Rng.of(0),
        (20, 40),
        draws,
    )


def test_errors_are_those_of_fits_on_so_many_labels(small_rows: Posed) -> None:
    fits = learned(small_rows)
    assert fits.labels.tolist() == [20, 40, 63]
    assert (fits.scored, fits.where, fits.unit) == (21, "choose", "rows")
    assert list(fits.errors) == list(ARMS)
    assert {found.shape for found in fits.errors.values()} == {(2, 3, 201)}
    # The fit on everything is that of the runner's arm with the same randomness.
    task, problem = small_rows.task, small_rows.problem
    (case,) = small_rows.exam.choose
    key = Rng.of(0).child("draw/0")
    arm = ARMS["target-only"]
    encoded = arm.encoded(problem)
    tuned = tune(arm, task, encoded, key.child("tune"), cross_fit=False).arm
    answer = tuned.fit(encoded, key.child("fit")).answer(case)
    score = float(task.score(answer, case.truth)[0])
    assert fits.errors["target-only"][:, 2, 0] == pytest.approx([score, score])
    alone = fits.errors["target-only"][:, 0, 0]
    assert alone[0] != alone[1], "another draw has other labels"
    source = fits.errors["source-only"][:, :, 0]
    assert (source == source[0, 0]).all(), "no label of the target is read"


def test_the_same_seed_gives_the_same_curve(small_rows: Posed) -> None:
    first_, again = learned(small_rows, draws=1), learned(small_rows, draws=1)
    for role in ARMS:
        np.testing.assert_array_equal(first_.errors[role], again.errors[role])


def test_beginnings_of_an_order_hold_classes_in_proportion(small_rows: Posed) -> None:
    fit = small_rows.problem.fit
    assert isinstance(fit, Rows) and fit.label is not None
    order = in_proportion(fit, units(fit), Rng.of(1))
    assert sorted(order.tolist()) == list(range(fit.n))
    share = np.asarray(fit.label == 1, dtype=float).mean()
    for size in (10, 20, 40):
        some = first(fit, units(fit), order[:size])
        assert isinstance(some, Rows) and some.label is not None
        assert abs(float((some.label == 1).sum()) - share * size) <= 1.0


def test_users_are_drawn_with_all_they_did() -> None:
    key = Rng.of(3)
    target = make_events(key.child("t"), 30, 12).domain
    source = make_events(key.child("s"), 30, 12, name="near").domain
    posed = Recommend(k=3).pose(target, [source], Cut(), key)
    fit = posed.problem.fit
    of = units(fit)
    kept = in_proportion(fit, of, Rng.of(0))[:5]
    some = first(fit, of, kept)
    assert len(some.users) == 5  # type: ignore[union-attr]
    assert some.n == int(np.isin(of, kept).sum())


def test_without_choose_a_fifth_of_fit_is_kept_to_score_on(small_rows: Posed) -> None:
    problem, exam = small_rows.problem, replace(small_rows.exam, choose=())
    cases, rest = scored_on(problem, exam, Rng.of(0))
    assert (rest.fit.n, cases[0].query.n) == (50, 13)


def test_sizes_are_even_on_a_log_scale_and_hold_two_of_the_rarest_class(
    small_rows: Posed,
) -> None:
    fit = small_rows.problem.fit
    assert isinstance(fit, Rows)
    assert wanted((), 640, replace(fit, label=None)) == [10, 23, 53, 121, 279, 640]
    rare = replace(fit, label=(np.arange(63) < 7).astype(np.int64))
    assert wanted((), 63, rare)[0] == 18


def test_labels_that_are_not_there_are_refused(small_rows: Posed) -> None:
    fit = small_rows.problem.fit
    assert isinstance(fit, Rows)
    with pytest.raises(UsageError, match=r"from 2 to 63.*found 1, 64\. Leave --labels out"):
        wanted((1, 30, 64), 63, fit)
    with pytest.raises(UsageError, match=r"Expected 20 labels to fit on at least.*found 15"):
        wanted((), 15, replace(fit, label=None))


def test_a_target_without_labels_has_no_curve(small_rows: Posed) -> None:
    fit = small_rows.problem.fit
    assert isinstance(fit, Rows)
    bare = small_rows.problem.with_fit(replace(fit, label=None))
    with pytest.raises(UsageError, match="found too few to set any apart"):
        scored_on(bare, replace(small_rows.exam, choose=()), Rng.of(0))


def test_a_budget_that_ends_before_one_draw_says_so(small_rows: Posed) -> None:
    clock = iter(np.arange(0.0, 1e6, 30.0)).__next__
    budget = Budget(60.0, clock=lambda: float(clock()))
    with pytest.raises(BudgetError, match=r"2 arms on 3 numbers.*Raise --budget, or"):
        learn(
            ARMS,
            small_rows.task,
            small_rows.problem,
            small_rows.exam,
            budget,
            Rng.of(0),
            (20, 40),
        )


def test_a_number_of_labels_that_an_arm_refuses_is_left_out(
    small_rows: Posed, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Arm.why_not

    def picky(self: Arm, problem: Problem) -> str | None:
        few = problem.fit.n < 30 and self.strategy.transfers
        return "too few rows for this" if few else asked(self, problem)

    monkeypatch.setattr(Arm, "why_not", picky)
    fits = learned(small_rows, draws=1)
    assert fits.labels.tolist() == [40, 63]
    assert fits.left_out == {20: "too few rows for this"}
    assert StrategyError("too few rows for this").exit_code

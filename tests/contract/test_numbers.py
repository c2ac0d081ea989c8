"""The contract on numbers: every strategy with every model fits, or says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acclimate.artifacts.artifact import Contents, load, save
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.verdicts.verdict import provisional
from tests.contract import checks, poison
from tests.contract.cases import (
    NUMBERS,
    SEED,
    answers,
    cases,
    fitted_on_numbers,
    named,
    of_form,
    posed,
    scene,
)


def contents(arm: Arm) -> Contents:
    """What `adapt` would write had it chosen this arm."""
    return Contents.of(
        posed(NUMBERS),
        fitted_on_numbers(arm),
        scene(NUMBERS).target,
        scene(NUMBERS).sources,
        arm=arm.name,
        settings=arm.settings,
        verdict=provisional(arm=arm.name, metric="rmse"),
        plan=[{"arm": arm.name, "reason": "contract"}],
        seed=0,
        threads=1,
    )


every_arm = pytest.mark.parametrize("arm", of_form(NUMBERS), ids=named)


@every_arm
def test_answers_are_finite_numbers_that_the_same_seed_gives_again(arm: Arm) -> None:
    given = posed(NUMBERS)
    asked = cases(given)
    first = answers(fitted_on_numbers(arm), asked)
    assert [each.shape for each in first] == [(case.query.n, 1) for case in asked]
    assert all(np.isfinite(each).all() for each in first)
    checks.same(first, answers(arm.fit(given.problem, SEED.child("fit")), asked))
    arm.fit(given.problem, Rng.of(5))


@every_arm
def test_who_else_is_asked_changes_no_answer(arm: Arm) -> None:
    atol = 1e-3 if arm.model.kind == "network" else 1e-9  # of labels about 100
    case = posed(NUMBERS).exam.judge[0]
    checks.answers_each_alone(fitted_on_numbers(arm), case, atol)


@every_arm
def test_saved_and_loaded_answers_agree(arm: Arm, tmp_path: Path) -> None:
    save(tmp_path / "artifact", contents(arm))
    loaded = load(tmp_path / "artifact").fitted
    asked = cases(posed(NUMBERS))
    checks.same(answers(fitted_on_numbers(arm), asked), answers(loaded, asked), atol=1e-6)


@every_arm
def test_what_is_learned_moves_neither_with_the_exam_nor_with_what_sources_saw_after_the_clock(
    arm: Arm, few_settings: None
) -> None:
    checks.learns_alike(arm, *checks.poisoned_alike(NUMBERS))


@pytest.mark.parametrize("kind", ["values", "more", "fewer"])
def test_the_problem_is_the_same_whatever_is_chosen_and_judged_on(kind: str) -> None:
    clean = scene(NUMBERS)
    checks.poses_alike(clean, poison.poisoned(clean, kind))


def test_no_path_leads_from_the_problem_to_the_exam() -> None:
    checks.hides_exam(posed(NUMBERS))
    for inner, held in posed(NUMBERS).problem.inner(3, SEED):
        assert held.truth.label is not None and inner.fit.n


def test_the_problem_does_not_move_with_what_sources_saw_after_the_clock() -> None:
    clean = scene(NUMBERS)
    fit = poison.parts_of(clean)[0]
    late = poison.late_sources(clean, fit["time"].max())  # type: ignore[arg-type]
    checks.hears_no_future(clean, late)

"""Every entry of the catalogue: same seed, same answers; nothing it is given changes."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from tests.contract import checks
from tests.contract.cases import answers, applicable, cases, fitted, named, posed, scene

every_arm = pytest.mark.parametrize("arm", applicable(), ids=named)


@every_arm
def test_same_seed_gives_the_same_answers_whatever_was_computed_before(arm: Arm) -> None:
    checks.repeats(arm, posed(arm.model.form))


@every_arm
def test_another_seed_is_taken_and_gives_an_answer_of_the_same_form(arm: Arm) -> None:
    asked = cases(posed(arm.model.form))
    ours = answers(fitted(arm), asked)
    theirs = answers(arm.fit(posed(arm.model.form).problem, Rng.of(5)), asked)
    assert [each.shape for each in ours] == [each.shape for each in theirs]


@every_arm
def test_inputs_are_left_as_they_were(arm: Arm) -> None:
    checks.leaves_inputs(arm, posed(arm.model.form), scene(arm.model.form))


@every_arm
def test_who_else_is_asked_changes_no_answer(arm: Arm) -> None:
    # Single precision sums in another order where a batch is smaller.
    atol = 1e-5 if arm.model.kind == "network" else 1e-9
    checks.answers_each_alone(fitted(arm), posed(arm.model.form).exam.judge[0], atol)


@every_arm
def test_answers_are_well_formed(arm: Arm) -> None:
    for case, answer in zip(
        cases(posed(arm.model.form)),
        answers(fitted(arm), cases(posed(arm.model.form))),
        strict=True,
    ):
        if arm.model.form == "rows":
            assert np.isfinite(answer).all() and (answer >= 0).all()
            np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)
            continue
        if arm.model.form == "tokens":
            start, end, label, p = answer.reshape(len(answer), -1, 4).transpose(2, 0, 1)
            there = label >= 0
            assert (start[there] < end[there]).all() and (p[there] > 0).all()
            assert (end[:, :-1] <= start[:, 1:])[there[:, 1:]].all(), "spans overlap"
            assert (p <= 1).all()
            continue
        items, context = answer[0].astype(int), case.context
        for user, row in enumerate(items):
            listed = row[row >= 0]
            assert len(set(listed)) == len(listed), "an item is listed twice"
            assert not set(listed) & set(context.item[context.user == user]), "already taken"

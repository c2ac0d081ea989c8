"""Odds of a few scores, against the likelihood written out; and where they stand for trees."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from acclimate.arrays import Array
from acclimate.models.across import Across, Judgement
from acclimate.models.lessons import Lesson
from acclimate.models.odds import SHRINK, logs, questions, weights
from acclimate.rng import Rng

KEY = Rng.of(0)
COLUMNS, FLOORS = np.array([2, 0]), np.array([0.01, 0.1])


def shoppers(asked: int = 300, each: int = 12, seed: int = 0) -> Lesson:
    """Candidates of two folds; the odds of being taken grow with two of three features."""
    draw = np.random.default_rng(seed)
    user = np.repeat(np.arange(asked), each)
    features = draw.gamma(0.5, size=(asked * each, 3))
    odds = (features[:, 2] + 0.01) ** 0.9 * (features[:, 0] + 0.1) ** 0.6
    found = np.zeros(len(user), bool)
    for who in range(asked):
        mine = np.flatnonzero(user == who)
        many = draw.integers(1, 3)
        found[draw.choice(mine, many, replace=False, p=odds[mine] / odds[mine].sum())] = True
    wanted = np.bincount(user[found], minlength=asked)
    return Lesson(user, features, found, wanted, np.arange(asked) % 2, timed=True)


def test_each_right_candidate_is_asked_for_among_the_wrong_ones_of_its_user() -> None:
    user = np.array([0, 0, 0, 2, 2, 5])
    found = np.array([False, True, True, True, False, False])
    lesson = Lesson(user, np.zeros((6, 1)), found, np.ones(6, int), np.zeros(6, int))
    asked = questions(lesson, np.arange(6.0)[:, None])
    # User 0 took 1 and 2 and not 0; user 2 took 3 and not 4; user 5 teaches nothing.
    assert asked.features.ravel().tolist() == [1, 0, 2, 0, 3, 4]
    assert asked.first.tolist() == [0, 2, 4]


def test_weights_make_what_was_taken_likeliest_under_their_penalty() -> None:
    lesson = shoppers(60)
    x = np.log(lesson.features[:, COLUMNS] + FLOORS)
    sets = []
    for taken in np.flatnonzero(lesson.found):
        wrong = np.flatnonzero((lesson.user == lesson.user[taken]) & ~lesson.found)
        sets.append(np.r_[taken, wrong])
    scale = np.concatenate([x[each] for each in sets]).std(axis=0)

    def loss(theta: Array) -> float:
        value = 0.5 * SHRINK * float(((theta * scale) ** 2).sum())
        for each in sets:
            exponent = x[each] @ theta
            value -= float(exponent[0] - np.log(np.exp(exponent).sum()))
        return value

    wanted = minimize(loss, np.zeros(2), tol=1e-10).x
    found = weights(lesson, COLUMNS, FLOORS)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    assert found.min() > 0.1


def test_what_is_below_zero_counts_as_nothing() -> None:
    found = logs(np.array([[-2.0, 0.0, 0.5]]), np.array([0, 2]), np.array([0.1, 0.5]))
    np.testing.assert_allclose(found, [[np.log(0.1), 0.0]])


def known() -> Any:
    """What `judged` asks of all that is known."""
    return SimpleNamespace(ordering=np.array([0, 1, 2]), speaking=(COLUMNS, FLOORS))


def test_by_the_clock_odds_answer_where_they_beat_the_best_score_and_come_back() -> None:
    lesson = shoppers()
    told = Across().judged(lesson, known(), KEY, lambda: None)
    assert len(told.theta) == 2 and not told.model
    expected = logs(lesson.features, COLUMNS, FLOORS) @ told.theta
    np.testing.assert_array_equal(told.score(lesson.features), expected)
    again = Judgement.restore("named", told.column, told.tensors("named"))
    np.testing.assert_array_equal(again.score(lesson.features), expected)
    # Without a clock trees answer, or a score.
    assert not len(Across().judged(replace(lesson, timed=False), known(), KEY, _idle).theta)


def test_odds_that_tell_nothing_more_leave_the_best_score_to_answer() -> None:
    lesson = shoppers()
    best = np.zeros(len(lesson.user))
    best[lesson.found] = 1.0
    other = replace(lesson, features=np.column_stack([lesson.features[:, :2], best]))
    told = Across().judged(other, known(), KEY, _idle)
    assert (told.column, len(told.theta), told.model) == (2, 0, "")
    one = replace(lesson, fold=np.zeros(lesson.users, np.int64))
    assert not len(Across().judged(one, known(), KEY, _idle).theta)


def _idle() -> None:
    """A tick."""

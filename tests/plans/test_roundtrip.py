"""Answers to the target's rows travel back to the sources, whose labels are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.models.linear import Linear
from acclimate.models.model import idle
from acclimate.plans import roundtrip
from acclimate.plans.ballot import Ballot, furthest, known, travels
from acclimate.plans.budget import OutOfBudget
from acclimate.plans.roundtrip import returned, round_trips, rows_of_sources
from acclimate.plans.trial import Trial
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.catalogue import named
from tests.strategies.shapes import RNG, market, problem

ALONE = Arm(SourceOnly(), Linear())
ALIGNED = Arm(named("coral + source-only"), Linear())


def without_labels(target: Rows, *sources: Rows) -> Problem:
    nothing = target.take(np.empty(0, np.int64))
    return problem(nothing, *sources, unlabelled=target.unlabelled(), on=None)


def sure(label: Ints | Array | None) -> Array:
    assert label is not None
    return np.eye(2)[label.astype(np.int64)]


# ── the way back ────────────────────────────────────────────────────────────


def test_the_way_back_is_the_arm_taught_by_its_answers_and_asked_for_the_sources_labels() -> (
    None
):
    target, theirs = market(60, 1), market(80, 2, shift=1.0)
    given = without_labels(target, theirs)
    g = np.random.default_rng(0)
    answer = g.dirichlet([1, 1], 60)
    told = replace(target, label=answer.argmax(axis=1))
    for arm in (ALONE, ALIGNED):
        found = returned(arm, answer, target.unlabelled(), theirs, given, RNG, idle)
        swapped = without_labels(theirs, told)
        swapped = replace(swapped, sources=(Source(given.target, told),))
        asked = arm.fit(swapped, RNG.child("back")).predict(theirs.unlabelled())
        assert isinstance(asked, Probabilities)
        np.testing.assert_array_equal(found, asked.p.argmax(axis=1) == theirs.label)


def test_right_answers_come_home_and_wrong_ones_do_not() -> None:
    target, theirs = market(300, 1), market(300, 2)
    given = without_labels(target, theirs)
    right, wrong = sure(target.label), 1 - sure(target.label)
    back = [
        returned(ALONE, each, target.unlabelled(), theirs, given, RNG, idle)
        for each in (right, wrong)
    ]
    assert back[0] is not None and back[1] is not None
    assert back[0].mean() > 0.7
    np.testing.assert_array_equal(back[1], 1 - back[0])


def test_an_arm_that_cannot_go_back_has_no_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    from acclimate.errors import StrategyError

    target, theirs = market(30, 1), market(40, 2)

    def refused(*args: object) -> None:
        raise StrategyError("Expected two classes, found one. Label more rows.")

    monkeypatch.setattr(Arm, "fit", refused)
    given = without_labels(target, theirs)
    found = round_trips([ALONE], [sure(target.label)], target.unlabelled(), given, RNG)
    assert found == [None]


def test_rows_of_all_sources_that_show_them_are_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = without_labels(market(30, 1), market(40, 2), market(25, 3))
    every = rows_of_sources(given, RNG)
    assert every is not None and every.n == 65
    hidden = [replace(s, shares=frozenset({"moments"})) for s in given.sources]
    one = rows_of_sources(given.with_sources([hidden[0], given.sources[1]]), RNG)
    assert one is not None and one.n == 25
    none = given.with_sources(hidden)
    assert rows_of_sources(none, RNG) is None
    rows, answer = market(30, 1).unlabelled(), np.full((30, 2), 0.5)
    assert round_trips([ALONE, ALIGNED], [answer, answer], rows, none, RNG) == [None, None]
    monkeypatch.setattr(roundtrip, "AT_MOST", 50)
    some = rows_of_sources(given, RNG)
    assert some is not None and some.n == 50


def test_trips_that_time_does_not_allow_are_left_out() -> None:
    target, theirs = market(30, 1), market(40, 2)
    given, answers = without_labels(target, theirs), [sure(target.label)] * 2
    counted = [0]

    def tick() -> None:
        counted[0] += 1
        if counted[0] > most:
            raise OutOfBudget

    most = 10**9
    whole = round_trips([ALONE, ALIGNED], answers, target.unlabelled(), given, RNG, tick)
    most, counted[0] = counted[0] - 1, 0
    cut = round_trips([ALONE, ALIGNED], answers, target.unlabelled(), given, RNG, tick)
    assert whole[1] is not None and cut[1] is None
    assert whole[0] is not None and cut[0] is not None
    np.testing.assert_array_equal(whole[0], cut[0])


# ── what a trip is worth ────────────────────────────────────────────────────


def ones(share: float, of: int = 100) -> Array:
    return (np.arange(of) < round(of * share)).astype(float)


def ballot(home: Array | None, right: Array | None, weight: Array | None = None) -> Ballot:
    said = Trial(ALIGNED, "done", "", "log-loss")
    if right is not None and weight is None:
        weight = np.ones(len(right))
    return Ballot(said, np.zeros(3), np.full((2, 2), 0.5), right, weight, right, home)


def test_more_rows_must_be_known_both_ways_together_by_two_errors() -> None:
    base = ballot(ones(0.5), ones(0.5))
    # Of 100 rows k more: mean k/100, error sqrt(k/100 (1 − k/100) / 99).
    for k, error in ((3, 0.017145), (4, 0.019695)):
        apart = ones(0.5 + k / 100) - ones(0.5)
        assert apart.std(ddof=1) / 10 == pytest.approx(error, abs=1e-5)
    assert not travels(ballot(ones(0.53), ones(0.5)), base)  # .03 < 2 · .0171
    assert travels(ballot(ones(0.54), ones(0.5)), base)  # .04 > 2 · .0197
    # .04 − .01 < 2 · sqrt(.0197² + .01²), and .09 − .01 > 2 · sqrt(.0288² + .01²).
    assert not travels(ballot(ones(0.54), ones(0.49)), base)
    assert travels(ballot(ones(0.59), ones(0.49)), base)
    # What is better known without the journey counts as much, if more rows come home too.
    assert travels(ballot(ones(0.51), ones(0.55)), base)
    assert not travels(ballot(ones(0.5), ones(0.7)), base)


def test_rows_held_out_count_by_their_weight() -> None:
    weight = np.r_[np.full(55, 1.0), np.full(45, 1e-9)]
    base = ballot(ones(0.5), ones(0.5), weight)
    lost = ballot(ones(0.55), 1 - ones(0.5), weight)  # wrong where rows count
    assert known(lost) == pytest.approx(0.55 + 5 / 55)
    assert not travels(lost, base)
    assert travels(ballot(ones(0.55), ones(0.5) * (weight > 0.5), weight), base)


def test_without_a_way_back_or_rows_held_out_nothing_is_known() -> None:
    base = ballot(ones(0.5), ones(0.5))
    assert not travels(ballot(None, ones(0.9)), base)
    assert not travels(ballot(ones(0.9), ones(0.9)), ballot(None, ones(0.5)))
    assert not travels(ballot(ones(0.9), None), ballot(ones(0.5), None))


def test_of_those_that_travel_the_one_that_knows_most_both_ways_is_the_furthest() -> None:
    far, near = ballot(ones(0.9), ones(0.3)), ballot(ones(0.7), ones(0.6))
    assert furthest([far, near]) is near and furthest([near, far]) is near

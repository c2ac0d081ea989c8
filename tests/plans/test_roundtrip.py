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
from acclimate.plans.ballot import Ballot, furthest, travels
from acclimate.plans.budget import OutOfBudget
from acclimate.plans.roundtrip import (
    RoundTrip,
    agreement,
    returned,
    round_trips,
    rows_of_sources,
)
from acclimate.plans.runner import Trial
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
    np.testing.assert_array_equal(whole[0].home, cut[0].home)


# ── what a trip is worth ────────────────────────────────────────────────────


def trip(share: float, agrees: float = 0.5) -> RoundTrip:
    return RoundTrip((np.arange(100) < round(100 * share)).astype(float), agrees)


def test_more_rows_must_come_back_by_two_errors() -> None:
    # Of 100 rows k more: mean k/100, error sqrt(k/100 (1 − k/100) / 99).
    for k, error in ((3, 0.017145), (4, 0.019695), (5, 0.021904)):
        apart = trip(0.5 + k / 100).home - trip(0.5).home
        assert apart.std(ddof=1) / 10 == pytest.approx(error, abs=1e-5)
    assert not trip(0.53).beats(trip(0.5))
    assert trip(0.54).beats(trip(0.5)) and trip(0.55).beats(trip(0.5))
    assert not trip(0.5).beats(trip(0.5)) and not trip(0.4).beats(trip(0.5))


def test_agreement_is_with_the_mean_of_all_arms() -> None:
    one, two, three = sure(np.array([0, 0, 1])), sure(np.array([0, 1, 1])), np.full((3, 2), 0.4)
    three[1, 1] = 0.6
    np.testing.assert_allclose(agreement([one, two, three]), [2 / 3, 1.0, 2 / 3])


def ballot(risk: float | None, travelled: RoundTrip | None, arm: Arm = ALIGNED) -> Ballot:
    scores = np.array([0.0, 0.0] if risk is None else [risk, 0.0, 0.0])
    gain = None if risk is None else np.full(9, risk)
    said = Trial(arm, "done", "", "log-loss")
    return Ballot(
        said, scores, np.full((2, 2), 0.5), gain, None if gain is None else gain, travelled
    )


@pytest.mark.parametrize(
    ("risk", "agrees", "wanted"),
    [(1.0, 0.9, True), (1.0, 0.1, True), (-1.0, 0.9, True), (-1.0, 0.1, False)],
)
def test_a_better_trip_needs_the_risk_or_the_others_with_it(
    risk: float, agrees: float, wanted: bool
) -> None:
    base = ballot(0.0, trip(0.5), ALONE)
    assert travels(ballot(risk, trip(0.7, agrees)), base) == wanted
    assert not travels(ballot(risk, trip(0.5, agrees)), base)
    assert not travels(ballot(risk, None), base)
    assert not travels(ballot(risk, trip(0.7, agrees)), ballot(0.0, None, ALONE))


def test_without_source_rows_to_hold_out_the_others_must_be_with_it() -> None:
    base = ballot(None, trip(0.5), ALONE)
    assert travels(ballot(None, trip(0.7, 0.9)), base)
    assert not travels(ballot(None, trip(0.7, 0.1)), base)


def test_the_best_of_those_that_travel_has_the_best_mean_rank_of_three() -> None:
    first = ballot(1.0, trip(0.7, 0.6))  # ranks 1, 1, 1
    second = ballot(2.0, trip(0.6, 0.7))  # ranks 0, 2, 0
    third = ballot(0.0, trip(0.8, 0.5))  # ranks 2, 0, 2
    assert furthest([first, second, third]) is second
    assert furthest([third, first]) is first

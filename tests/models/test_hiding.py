"""Hiding asks what the exam asks: for what came last, or by the clock for what came later."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.arrays import Array
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.taken import Taken
from acclimate.domains.view import ItemRecipe, ItemView
from acclimate.models.across import Across
from acclimate.models.hiding import NEGATIVES, Hidden, drawn, hide
from acclimate.models.items import gram_of
from acclimate.models.known import Known, Reach
from acclimate.models.lambdarank import asked as asked_of
from acclimate.models.lambdarank import read
from acclimate.models.lessons import Lesson, Score
from acclimate.models.model import idle
from acclimate.models.ranker import Stack, known_by
from acclimate.rng import Rng
from acclimate.strategies.relation.marketstack import evidence
from acclimate.strategies.stacking import stack

KEY = Rng.of(0)
N = 9
HOUR = np.float64(3600)


def taken(seed: int, users: int, items: int = N) -> Taken:
    """Events in a random order; the first user has none."""
    draw = np.random.default_rng(seed)
    matrix = draw.random((users, items)) < 0.4
    matrix[0] = False
    user, item = np.nonzero(matrix)
    order = np.random.default_rng(seed + 1).permutation(len(user))
    return Taken(user[order], item[order], (users, items))


def timed(seed: int, users: int, items: int = N) -> Taken:
    """The same, an hour apart."""
    whole = taken(seed, users, items)
    return replace(whole, time=HOUR * np.arange(len(whole.user)))


# ── without a clock ─────────────────────────────────────────────────────────


def test_each_user_hides_what_came_last_in_one_fold() -> None:
    whole = taken(3, 20)
    folds = hide(whole, 100, 3, KEY.generator())
    users = np.concatenate([fold.user for fold in folds])
    assert sorted(users) == sorted(set(whole.user))
    for fold in folds:
        assert (whole.last[fold.user[fold.asker]] == fold.item).all()
        assert fold.columns.tolist() == [*range(N)] and fold.wanted.tolist() == [1] * len(
            fold.user
        )
        assert len(fold.rest.user) == len(whole.user) - len(fold.user)
        assert not fold.rest.rows[fold.user, fold.item].any()
        assert (fold.histories.toarray() == fold.rest.rows.toarray()[fold.user]).all()


def test_who_would_keep_too_little_hides_nothing() -> None:
    alone = Taken(np.arange(6), np.arange(6), (6, 6))
    assert not sum(len(fold.user) for fold in hide(alone, 9, 2, KEY.generator(), least=1))
    assert sum(len(fold.user) for fold in hide(alone, 9, 2, KEY.generator())) == 6


def test_users_with_more_events_are_drawn_more_often() -> None:
    user = np.r_[np.zeros(9, int), np.arange(1, 10)]
    whole = Taken(user, np.r_[np.arange(9), np.zeros(9, int)], (10, 9))
    first = [hide(whole, 1, 1, KEY.child(str(n)).generator())[0].user[0] for n in range(400)]
    # One user has 9 of 18 events: 200 of 400 draws, with a standard deviation of 10.
    assert 170 < first.count(0) < 230


def test_rows_without_an_order_hide_any_item() -> None:
    rows = taken(3, 50).rows
    found = Taken.of(rows, KEY.generator())
    assert (found.rows.toarray() == rows.toarray()).all()
    assert (found.last != Taken.of(rows, KEY.child("other").generator()).last).any()


# ── by the clock ────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(3, 30), st.integers(1, 4), st.integers(1, 30))
def test_by_the_clock_a_fold_knows_nothing_from_its_origin_on(
    seed: int, users: int, folds: int, own: int
) -> None:
    whole = replace(timed(seed, users), own=own)
    dense = whole.rows.toarray()
    for fold in hide(whole, 1000, folds, KEY.generator()):
        assert fold.origin is not None and fold.rest.time is not None
        assert (fold.rest.time < fold.origin).all()
        names = fold.columns[fold.rest.item]
        mine = set(names[fold.rest.user < own])
        assert set(fold.columns) == mine
        # Who is asked was met before, and is asked for all that followed up to the end.
        assert np.isin(fold.user, fold.rest.user).all()
        assert fold.rest.rows.shape == (users, len(fold.columns))
        histories = fold.histories.toarray()
        assert not histories[fold.asker, fold.item].any()
        assert dense[fold.user[fold.asker], fold.columns[fold.item]].all()
        assert (np.bincount(fold.asker, minlength=len(fold.user)) <= fold.wanted).all()
        assert (fold.wanted >= 1).all() and (np.diff(fold.asker) >= 0).all()


def test_by_the_clock_what_follows_up_to_the_next_origin_is_to_be_found() -> None:
    # Eight events: origins at 6 and 4 hours; user 1 takes item 3, which is new, at 7.
    user, item = np.array([0, 1, 2, 0, 1, 2, 0, 1]), np.array([0, 1, 2, 1, 0, 0, 2, 3])
    whole = Taken(user, item, (3, 4), HOUR * np.arange(8))
    one, other = hide(whole, 100, 2, KEY.generator())
    assert (one.user.tolist(), one.wanted.tolist()) == ([0, 1], [1, 1])
    assert (one.asker.tolist(), one.columns[one.item].tolist()) == ([0], [2])
    assert one.columns.tolist() == [0, 1, 2]
    assert (other.user.tolist(), other.wanted.tolist()) == ([1, 2], [1, 1])
    assert (other.asker.tolist(), other.columns[other.item].tolist()) == ([0, 1], [0, 0])
    assert len(hide(whole, 1, 1, KEY.generator())[0].user) == 1


def markets(late: float | None = None) -> Problem:
    """A target and a source of 40 users each over 80 days; from `late` on items are others."""

    def made(seed: int) -> Interactions:
        draw = np.random.default_rng(seed)
        user, item = np.nonzero(draw.random((40, 12)) < 0.5)
        order = draw.permutation(len(user))
        user, item = user[order], item[order]
        time = 86_400.0 * np.linspace(0.0, 80.0, len(user))
        if late is not None:
            # What each takes from then on is dealt anew among its own events from then on and
            # items it never takes, so that no pair comes twice.
            for who in range(40):
                mine = np.flatnonzero((user == who) & (time >= late))
                early = item[(user == who) & (time < late)]
                free = np.setdiff1d(np.arange(12), early)
                item[mine] = free[::-1][: len(mine)]
        users, items = (np.array([f"{c}{k:02}" for k in range(n)], object) for c, n in UI)
        return Interactions(user, item, users, items, time=time)

    fit = made(0)
    problem = Problem("t", fit, (Source("s", made(1)),), Claim.LATER, ItemRecipe(fit.items))
    return problem.encoded(Statistics.BOTH)


UI = (("u", 40), ("i", 12))


def test_nothing_from_the_origin_on_moves_a_feature_of_the_stack_over_markets() -> None:
    """Whatever target and source take from then on, candidates look the same."""
    across = Across(reach=Reach(5.0, 6), names=12, folds=1)
    clean = evidence(markets(), 1)
    (hidden,) = hide(clean.taken, 1000, 1, KEY.generator())
    assert hidden.origin is not None
    late = evidence(markets(hidden.origin), 1)
    (again,) = hide(late.taken, 1000, 1, KEY.generator())
    assert (clean.sources[0].count != late.sources[0].count).any()
    both = np.intersect1d(hidden.user, again.user)
    assert len(both) > 10 and hidden.origin == again.origin
    assert hidden.rest.time is not None and len(hidden.rest.time) == len(again.rest.user)
    features = []
    for given_, fold in ((clean, hidden), (late, again)):
        known = Known.of(fold.rest, given_.at(0, fold), across.reach, now=fold.origin)
        rows = fold.rest.rows[both]
        user, item = known.named(rows, 12)
        features.append(known.features(rows, fold.rest.last[both], user, item))
    assert features[0].shape[0] > 50
    np.testing.assert_array_equal(features[0], features[1])


def test_shares_of_a_market_are_of_what_was_lately_taken_there() -> None:
    found = evidence(markets(), 1)
    known = Known.of(found.taken, found.sources, Reach(5.0, 6), now=found.now)
    lately = found.taken.recent(30.0, found.now)
    user, item = known.named(found.taken.rows[:5], 12)
    features = known.features(found.taken.rows[:5], found.taken.last[:5], user, item)
    np.testing.assert_allclose(features[:, -9 + 2], lately[item] / lately.sum(), rtol=1e-5)
    # The last ordering features are those shares, three half-lives for each of three markets.
    assert known.ordering[-9:].tolist() == [*range(features.shape[1] - 9, features.shape[1])]


def test_the_pooled_stack_names_nothing_that_the_target_had_not_taken() -> None:
    one, other = timed(3, 20), timed(5, 30)
    views = [known_by(each) for each in (one, other)]
    both = stack(views, own=views[0])
    assert isinstance(both, ItemView) and both.taken is not None and both.taken.own == 20
    assert both.popularity.tolist() == (views[0].popularity + views[1].popularity).tolist()
    prepared = gram_of(both)
    lesson = Stack(names=5).lessons(prepared, KEY)
    assert lesson.timed and set(lesson.fold) == {0, 1}
    # Plain popularity, three that fade, item-kNN and two EASE, two features each, and three.
    assert lesson.features.shape[1] == 2 * 7 + 3


# ── what is asked and what it is worth ──────────────────────────────────────


@pytest.mark.parametrize("whole", [taken(3, 8, 400), timed(3, 8, 400)])
def test_negatives_are_new_to_their_user_and_come_once(whole: Taken) -> None:
    (hidden,) = hide(whole, 8, 1, KEY.generator())
    place, column = drawn(hidden, KEY.generator())
    assert (np.diff(place) >= 0).all()
    dense = hidden.histories.toarray()
    for number in range(len(hidden.user)):
        theirs = column[place == number]
        right = hidden.item[hidden.asker == number]
        assert theirs[: len(right)].tolist() == sorted(right) or set(right) <= set(theirs)
        assert len(set(theirs)) == len(theirs)
        assert not dense[number, theirs].any()
        assert 30 < len(theirs) - len(right) <= NEGATIVES


def lesson(found: list[bool], wanted: list[int]) -> Lesson:
    user = np.array([0, 0, 0, 1, 1])
    nothing: Array = np.zeros((5, 1))
    many = np.array(wanted)
    return Lesson(user, nothing, np.array(found), many, np.zeros(len(many), np.int64))


def test_gain_is_ndcg_with_ties_against_us() -> None:
    one = lesson([True, False, False, False, True], [1, 1, 1])
    gain = one.gain(np.array([2.0, 2.0, 1.0, 0.0, 3.0]))
    assert gain == pytest.approx([1 / np.log2(3), 1.0, 0.0])


def test_gain_of_several_right_ones_counts_those_that_are_no_candidates() -> None:
    two = lesson([True, False, True, False, True], [2, 3])
    gain = two.gain(np.array([3.0, 2.0, 1.0, 0.0, 3.0]))
    best = [1 + 1 / np.log2(3), 1 + 1 / np.log2(3) + 0.5]
    assert gain == pytest.approx([1.5 / best[0], 1 / best[1]])


def test_by_the_clock_other_times_teach_than_those_that_ask() -> None:
    """In each of two stretches of time another item is a hit, which half of its users teach."""
    asked = 200
    user = np.repeat(np.arange(asked), 10)
    fold = np.arange(asked) // 100
    item = np.tile(np.arange(10), asked)
    found = item == np.repeat(np.where(fold == 0, 3, 7), 10)
    code = item + 10.0 * fold[user]
    features = np.column_stack([code, np.tile(np.arange(10) == 3, asked).astype(float)])
    whole = Lesson(user, features, found, np.ones(asked, np.int64), fold)
    alone = whole.gain(features[:, 1])

    def teach(some: Lesson) -> Score:
        return partial(asked_of, read(Across(leaves=4, rounds=10).boost(some, KEY, idle)))

    assert whole.earns(teach, alone, KEY)
    assert not replace(whole, timed=True).earns(teach, alone, KEY)


def test_nothing_hidden_is_an_empty_lesson() -> None:
    assert Lesson.joined([]).users == 0
    once = Taken(np.arange(4), np.arange(4), (4, 4), np.zeros(4))
    assert hide(once, 10, 2, KEY.generator()) == list[Hidden]()
    fitted = Stack().fit(gram_of(known_by(once)), rng=KEY)
    assert fitted.fitted is not None and not fitted.fitted.model

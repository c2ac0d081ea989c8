"""The market stack: sources in the target's columns, and those that harm left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Ranking, RankQuery
from acclimate.domains.origins import origins
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder
from acclimate.models.across import Across
from acclimate.models.ease import Ease
from acclimate.models.ranker import Stack
from acclimate.models.voices import Market
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.relation.marketstack import (
    MarketStack,
    Moment,
    Standing,
    counts,
    evidence,
    mapped,
    said,
    standings,
)
from tests.golden.test_itemprior import problem, taken

KEY = Rng.of(0)
GROUPS, EACH = 30, 6
NAMES = [f"i{n}" for n in range(GROUPS * EACH)]


def shoppers(users: int, seed: int, mixed: bool = False) -> Interactions:
    """Users take four items of a group; where tastes are mixed, groups are others."""
    draw = np.random.default_rng(seed)
    X = np.zeros((users, GROUPS * EACH))
    items = np.arange(GROUPS * EACH)
    if mixed:
        items = np.random.default_rng(99).permutation(items)
    for user in range(users):
        group = draw.integers(GROUPS)
        X[user, items[EACH * group + draw.permutation(EACH)[:4]]] = 1.0
    sample = taken(X, NAMES)
    return sample.take(draw.permutation(sample.n))


def given() -> Problem:
    sources = {"alike": shoppers(400, 1), "mixed": shoppers(4000, 2, mixed=True)}
    return problem(shoppers(120, 3), sources)


def test_a_stack_that_learned_nothing_says_that_a_single_score_answers() -> None:
    few = problem(shoppers(6, 3), {"alike": shoppers(6, 1)})
    fitted = Arm(MarketStack(), Stack()).fit(few, KEY)
    assert isinstance(fitted.model, Across) and fitted.model.named is not None
    assert not fitted.model.named.learned
    assert fitted.facts[-1] == (
        "nothing that was learned beats the best single score by more than a standard error, "
        "so that score answers alone"
    )


def test_counts_stand_in_the_columns_of_the_target() -> None:
    here = taken(np.array([[1.0, 1, 0], [0, 1, 1]]), ["a", "b", "c"])
    there = taken(np.array([[1.0, 1, 1], [1, 0, 1], [1, 0, 0]]), ["c", "x", "b"])
    posed = problem(here, {"s": there})
    encoder = posed.encoder
    assert isinstance(encoder, ItemEncoder)
    found = mapped(posed.sources[0].derive(counts, Moment()), encoder)
    X = encoder.encode(there).matrix
    wanted = Market.of(X)
    assert (found.together.toarray() == wanted.together.toarray()).all()
    assert found.count.tolist() == wanted.count.tolist() == [0.0, 2.0, 3.0]
    known = evidence(posed, 3)
    assert (known.taken.rows.toarray() == encoder.encode(here).matrix.toarray()).all()
    assert known.sources[0].count.tolist() == [0.0, 2.0, 3.0]
    assert known.earlier == () and known.now is None


def test_by_the_clock_a_source_says_what_it_knew_at_each_origin() -> None:
    day = np.arange(32.0)
    here = replace(taken(np.eye(32, 8, -3) + np.eye(32, 8), NAMES[:8]), time=None)
    timed = day[: here.n]
    here = replace(here, time=timed)
    there = replace(taken(np.ones((4, 8)), NAMES[:8]), time=day)
    found = evidence(problem(here, {"s": there}), 2)
    assert found.now == here.n - 1
    for market, (origin, _) in zip(found.earlier, origins(timed, 2), strict=True):
        before = there.item[day < origin]
        assert market[0].count.tolist() == np.bincount(before, minlength=8).tolist()
    assert found.of([False]).earlier == ((), ())


def test_a_source_that_harms_is_refused_and_what_was_found_is_told() -> None:
    fitted = Arm(MarketStack(), Stack()).fit(given(), KEY)
    assert isinstance(fitted.model, Across) and fitted.model.known is not None
    assert len(fitted.facts) == 3
    assert fitted.facts[2].startswith("nothing that was learned beats the best single score")
    assert fitted.facts[0].startswith("'alike' orders held-out items with nDCG@10 0.")
    assert fitted.facts[0].endswith(": kept")
    assert fitted.facts[1].startswith("'mixed' orders held-out items")
    assert fitted.facts[1].endswith(": refused")
    # The target's own, the one that stays, and both as one.
    assert len(fitted.model.known.markets) == 3


def test_sources_are_judged_on_what_no_count_has_seen() -> None:
    posed = given()
    alike, mixed = standings(evidence(posed, 1), posed.sources, KEY)
    assert alike.own == mixed.own and alike.alone > 0.6 > 0.3 > mixed.alone
    # With every item in a group of its own user, only the hidden pair could tell: it may not.
    lonely = taken(np.eye(20), [f"i{n}" for n in range(20)])
    posed = problem(lonely, {"s": taken(np.eye(20), [f"i{n}" for n in range(20)])})
    (found,) = standings(evidence(posed, 1), posed.sources, KEY)
    assert (found.own, found.both) == (0.0, 0.0)


@pytest.mark.parametrize(("both", "harms"), [(0.49, True), (0.495, False), (0.6, False)])
def test_harm_is_more_than_a_standard_error(both: float, harms: bool) -> None:
    assert Standing("s", 0.3, 0.5, both, 0.008).harms is harms


def test_sources_are_told_the_best_first() -> None:
    ranked = [Standing("a", 0.2, 0.5, 0.4, 0.01), Standing("b", 0.3, 0.5, 0.52, 0.01)]
    assert said(ranked) == [
        "'b' orders held-out items with nDCG@10 0.300 alone, and 0.520 together with the "
        "target's own 0.500: kept",
        "'a' orders held-out items with nDCG@10 0.200 alone, and 0.400 together with the "
        "target's own 0.500: refused",
    ]


def test_it_says_which_models_it_has_nothing_for() -> None:
    why = MarketStack().why_not(given(), Ease())
    assert why == "ease ranks nothing anew that markets could say more about"


def ndcg(arm: Arm) -> float:
    """On users who took three of a group: where the other three stand in the list of six."""
    posed = given()
    X: Array = np.zeros((GROUPS, GROUPS * EACH))
    for group in range(GROUPS):
        X[group, EACH * group : EACH * group + 3] = 1.0
    fitted = arm.fit(posed, KEY)
    case = taken(X, NAMES).ask(taken(np.roll(X, 3, axis=1), NAMES))
    answer = fitted.answer(case)
    assert isinstance(answer, Ranking)
    found = answer.items[:, :3]
    return float((found // EACH == np.arange(GROUPS)[:, None]).mean())


def test_it_serves_the_whole_catalogue_and_users_without_a_history() -> None:
    assert ndcg(Arm(MarketStack(), Stack())) > 0.9


def test_who_has_no_history_is_told_what_is_popular_among_candidates_too() -> None:
    posed = given()
    fitted = Arm(MarketStack(), Stack()).fit(posed, KEY)
    assert isinstance(fitted.model, Across) and fitted.model.known is not None
    lists = np.array([[0, 7, 13, 50], [0, 7, 13, 50]])
    histories: Array = np.zeros((2, GROUPS * EACH))
    histories[1, [1, 2]] = 1.0
    users = np.array(["u0", "u1"], dtype=object)
    answer = fitted.predict(RankQuery(users, lists), taken(histories, NAMES))
    assert isinstance(answer, Ranking) and isinstance(posed.fit, Interactions)
    count = np.bincount(posed.fit.item, minlength=GROUPS * EACH)
    own = np.floor(answer.scores[0])  # the rest, below one user, is everyone's
    assert own.tolist() == count[lists[0]].tolist()
    assert answer.scores[1, 0] == answer.scores[1].max()

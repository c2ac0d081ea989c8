"""MultiSourceTrAdaBoost: the algorithm written out, the source it follows, and refusals."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, spread
from acclimate.domains.source import Source
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views, take_rows
from acclimate.models.ensemble import Ensemble, calibrate, mixed, recalibrated
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.strategies.instance.multisource import MultiSourceTrAdaBoost, begun
from tests.strategies.shapes import (
    RNG,
    chances,
    log_loss,
    market,
    problem,
    rows,
    table,
    views_of,
)

ROUNDS = 5


def given() -> Problem:
    """One source follows x0 alone, the other x1 alone; the target follows both."""
    return problem(market(60, 1), one_sided(50, 2, 0), one_sided(70, 3, 1))


def one_sided(n: int, seed: int, column: int) -> Rows:
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2))
    score = (3 * x[:, 0], -3 * x[:, 1])[column]
    label = (g.random(n) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return table(x, label, group=g.integers(0, 3, n))


# ── the algorithm, written out ──────────────────────────────────────────────


def learnt(target: RowView, source: RowView, w: list[float], v: list[float]) -> Linear:
    both, weight = stack_views([target, source]), np.array(w + v)
    whole = weight * len(weight) / weight.sum()
    return Linear().fit(Linear().prepare(both), weight=whole, rng=RNG)


def signed(h: Linear, view: RowView) -> list[float]:
    """h(x) between −1 and 1."""
    return [2 * float(p) - 1 for p in chances(h.predict(replace(view, label=None)))[:, 1]]


def signs(view: RowView) -> list[int]:
    assert view.label is not None
    return [2 * int(each) - 1 for each in view.label]


def written_out(
    target: RowView, sources: list[RowView], fold: Ints | None, asked: RowView
) -> tuple[list[int], list[Array], list[float], Array]:
    """Algorithm 1, row by row: the sources followed, h_t on `asked`, α_t, h_t on the target."""
    m, n_S = target.n, sum(view.n for view in sources)
    alpha_S = 0.5 * math.log(1 + math.sqrt(2 * math.log(n_S) / ROUNDS))
    w = [1 / m] * m
    v = [[1 / view.n] * view.n for view in sources]
    followed, said, alphas, own = [], [], [], []
    for _ in range(ROUNDS):
        candidates = []
        for k, source in enumerate(sources):
            h = learnt(target, source, w, v[k])
            on_target = signed(h, target)
            for each in range(0 if fold is None else int(fold.max()) + 1):
                assert fold is not None
                seen = [i for i in range(m) if fold[i] != each]
                held = [i for i in range(m) if fold[i] == each]
                part = take_rows(target, np.array(seen))
                blind = learnt(part, source, [w[i] for i in seen], v[k])
                found = signed(blind, take_rows(target, np.array(held)))
                for i, value in zip(held, found, strict=True):
                    on_target[i] = value
            away = [abs(a - y) for a, y in zip(on_target, signs(target), strict=True)]
            # Half of |h − y| is 1 where h is wrong, as [h ≠ y] is.
            error = sum(a * b / 2 for a, b in zip(w, away, strict=True)) / sum(w)
            candidates.append((error, k, h, away, on_target))
        error, k, h, away, on_target = min(candidates, key=lambda each: each[:2])
        if error >= 0.5:
            break
        alpha = 0.5 * math.log((1 - error) / error)
        followed.append(k)
        alphas.append(alpha)
        said.append(chances(h.predict(replace(asked, label=None))))
        own.append([(1 + value) / 2 for value in on_target])
        for j, source in enumerate(sources):
            misses = [abs(a - y) for a, y in zip(signed(h, source), signs(source), strict=True)]
            v[j] = [a * math.exp(-alpha_S * b) for a, b in zip(v[j], misses, strict=True)]
        w = [a * math.exp(alpha * b) for a, b in zip(w, away, strict=True)]
        total = sum(w) + sum(sum(each) for each in v)
        w, v = [each / total for each in w], [[a / total for a in each] for each in v]
    return followed, said, alphas, np.array(own)


@pytest.mark.parametrize("folds", [0, 2])
def test_it_is_the_papers_algorithm_written_out(folds: int) -> None:
    case = given()
    target, sources = rows(case.view(case.fit)), views_of(case)
    asked = rows(case.view(market(40, 9).unlabelled()))
    assert isinstance(case.fit, Rows) and case.fit.label is not None
    fold = spread(case.fit.units(), case.fit.label, 2, RNG.child("folds")) if folds else None
    followed, said, alphas, own = written_out(target, sources, fold, asked)
    assert len(set(followed)) == 2, "both sources are followed, in turn"
    strategy = MultiSourceTrAdaBoost(ROUNDS, folds)
    found = strategy.taught(Linear(), target, sources, None, fold, RNG)
    assert [each.source for each in found] == followed
    votes = [0.5 * math.log(1 / each.beta) for each in found]
    np.testing.assert_allclose(votes, alphas, rtol=1e-5)
    share = np.array(alphas) / sum(alphas)
    mean = mixed(said, share.tolist())
    if fold is not None:
        before = np.column_stack([1 - share @ own, share @ own])
        mean = recalibrated(calibrate(before, case.fit.label), mean)
    ours = strategy.adapt(case, Linear(), RNG)
    np.testing.assert_allclose(chances(ours.predict(asked)), mean, atol=1e-5)


def test_every_source_begins_with_as_much_as_the_target() -> None:
    of = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(begun(2, of, None), [1 / 6, 1 / 6, *[1 / 9] * 3, 1 / 3])
    # Rows that weigh 3 and 1, of mean 2 over all four: ½ and ½ a source more or less.
    w = begun(2, of, np.array([1.0, 1.0, 1.0, 5.0]))
    np.testing.assert_allclose(w * 4, [0.5, 0.5, *[1 / 6] * 3, 2.5])


# ── the strategy ────────────────────────────────────────────────────────────


def test_it_does_better_than_one_boosting_of_all_where_a_source_contradicts() -> None:
    case = problem(
        market(80, 1), market(300, 2), *(market(300, seed, flip=-1.0) for seed in (3, 4, 5))
    )
    held = market(1000, 6)

    def loss(kind: str) -> float:
        return log_loss(chances(Arm(named(kind), Linear()).fit(case, RNG).predict(held)), held)

    assert loss("multisource-tradaboost") < loss("tradaboost") - 0.02
    assert loss("multisource-tradaboost") < loss("pooled") - 0.1


def test_whose_rows_taught_and_what_is_left_of_them_is_told() -> None:
    case = problem(market(80, 1), market(200, 2), market(200, 3, flip=-1.0))
    facts = Arm(MultiSourceTrAdaBoost(4), Linear()).fit(case, RNG).facts
    assert facts[:2] == (
        "s0: 4 of 4 learners were fitted on its rows",
        "s1: 0 of 4 learners were fitted on its rows",
    )
    left = [re.search(r"its 200 rows are worth (\d+) equal ones", fact) for fact in facts[2:]]
    kept = [int(match[1]) for match in left if match is not None]
    assert len(kept) == 2 and kept[1] < 0.9 * kept[0]


def test_a_source_that_came_with_no_weight_says_nothing() -> None:
    """Rows that mislead and weigh nothing leave as much as if they were of the target."""
    wrong = market(200, 3, flip=-1.0)
    muted = Source("s1", wrong, weight=np.full(200, 1e-12))
    case = problem(market(80, 1), market(200, 2, flip=-1.0), muted)
    facts = Arm(MultiSourceTrAdaBoost(3), Linear()).fit(case, RNG).facts
    assert facts[1] == "s1: 3 of 3 learners were fitted on its rows"


def test_a_first_learner_that_is_wrong_on_half_is_kept_alone() -> None:
    """Each fold has one label and learns from the other fold, whose label is the other."""
    case = problem(market(40, 1), market(40, 2), market(40, 3))
    target, fold = rows(case.view(case.fit)), np.arange(40) % 2
    torn = replace(target, label=fold)
    found = MultiSourceTrAdaBoost(4).taught(Linear(), torn, views_of(case), None, fold, RNG)
    assert len(found) == 1 and found[0].beta == 0.5


def test_trees_vote_too_and_the_same_seed_answers_alike() -> None:
    case = given()
    asked = rows(case.view(market(20, 9).unlabelled()))
    found, again = (
        MultiSourceTrAdaBoost(3).adapt(case, Trees(rounds=5), RNG) for _ in range(2)
    )
    assert isinstance(found, Ensemble) and len(found.members) == 3
    np.testing.assert_array_equal(chances(found.predict(asked)), chances(again.predict(asked)))


# ── refusals ────────────────────────────────────────────────────────────────


def test_refusals_say_why() -> None:
    strategy, case = MultiSourceTrAdaBoost(), problem(market(30, 1), market(40, 2), on=None)
    assert strategy.why_not(case, Linear()) == (
        "it chooses among several sources: use tradaboost for a single one"
    )
    two = problem(market(30, 1), market(40, 2), market(40, 3), on=None)
    assert strategy.why_not(two, Linear()) is None
    if MixedNetwork().why_not() is None:
        assert strategy.why_not(two, MixedNetwork()) == "network would be trained 50 times"
        plain = replace(strategy, folds=0)
        assert plain.why_not(two, MixedNetwork()) == "network would be trained 20 times"
    few = problem(market(9, 1), market(40, 2), market(40, 3), on=None)
    assert strategy.why_not(few, Linear()) == (
        "the target has fewer than 10 labelled rows to take errors from"
    )


@pytest.mark.parametrize(("rounds", "folds"), [(1, 2), (2, 1)])
def test_settings_out_of_range_are_refused(rounds: int, folds: int) -> None:
    with pytest.raises(StrategyError, match="Expected at least 2 rounds"):
        MultiSourceTrAdaBoost(rounds, folds)

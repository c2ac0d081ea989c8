"""Two-stage TrAdaBoost.R2: the algorithm written out row by row, its fading and its median."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, spread
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views, take_rows
from acclimate.models.ease import Ease
from acclimate.models.ensemble import Ensemble, weighted_median
from acclimate.models.linear import Linear
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.strategies.instance.tradaboostr2 import LOSSES, TrAdaBoostR2, faded
from tests.strategies.shapes import RNG, market, problem, rows, table

DEFAULT = TrAdaBoostR2(steps=3, rounds=3, folds=2)


def prices(n: int, seed: int, *, turned: float = 0.0) -> Rows:
    """y = 3·x0 + x1² + noise; `turned` of the rows have −3·x0 instead."""
    g = np.random.default_rng(seed)
    x = g.standard_normal((n, 2))
    sign = np.where(g.random(n) < turned, -1.0, 1.0)
    y = 3 * sign * x[:, 0] + x[:, 1] ** 2 + 0.3 * g.standard_normal(n)
    return replace(table(x, None, classes=()), label=y)


def given(turned: float = 0.5) -> Problem:
    return problem(prices(40, 1), prices(60, 2, turned=turned))


def numbers(answer: object) -> Array:
    assert isinstance(answer, Numbers)
    return answer.y


# ── the algorithm, written out ──────────────────────────────────────────────


def learnt(view: RowView, w: list[float]) -> Linear:
    weight = np.array(w) * (len(w) / sum(w))
    return Linear().fit(Linear().prepare(view), weight=weight, rng=RNG)


def answered(h: Linear, view: RowView) -> list[float]:
    return [float(each) for each in numbers(h.predict(replace(view, label=None)))]


def adjusted(h: Linear, view: RowView, loss: str) -> list[float]:
    assert view.label is not None
    away = [abs(a - y) for a, y in zip(answered(h, view), view.label, strict=True)]
    shares = [each / max(away) for each in away]
    return {
        "linear": shares,
        "square": [each * each for each in shares],
        "exponential": [1 - math.exp(-each) for each in shares],
    }[loss]


def adaboost(
    view: RowView, m: int, w: list[float], rounds: int, loss: str
) -> list[tuple[Linear, float]]:
    """AdaBoost.R2′: the first m rows are the target's, the others keep their weights."""
    w, found = list(w), []
    for _ in range(rounds):
        h = learnt(view, w)
        e = adjusted(h, view, loss)
        epsilon = sum(a * b for a, b in zip(w, e, strict=True)) / sum(w)
        if epsilon >= 0.5:
            break
        beta = epsilon / (1 - epsilon)
        found.append((h, math.log(1 / beta)))
        before = sum(w[:m])
        moved = [w[i] * beta ** (1 - e[i]) for i in range(m)]
        w[:m] = [each * before / sum(moved) for each in moved]
    return found or [(h, 1.0)]


def median(members: list[tuple[Linear, float]], view: RowView) -> list[float]:
    table_ = [answered(h, view) for h, _ in members]
    half = sum(vote for _, vote in members) / 2
    out = []
    for row in range(view.n):
        ranked = sorted((table_[k][row], vote) for k, (_, vote) in enumerate(members))
        total = 0.0
        for value, vote in ranked:
            total += vote
            if total >= half - 1e-9:
                out.append(value)
                break
    return out


def rest(w: list[float], e: list[float], m: int, log: float) -> float:
    """What is left of the source after it has faded by β = exp(log)."""
    return sum(w[i] * math.exp(log * e[i]) for i in range(m, len(w)))


def two_stages(case: Problem, strategy: TrAdaBoostR2, asked: RowView) -> list[float]:
    target, source = rows(case.view(case.fit)), rows(case.source_view(case.sources[0]))
    both, m, n, S = stack_views([target, source]), target.n, source.n, strategy.steps
    assert both.label is not None and isinstance(case.fit, Rows) and case.fit.label is not None
    fold = spread(case.fit.units(), case.fit.label, strategy.folds, RNG)
    w, best = [1 / (n + m)] * (n + m), (math.inf, [0.0])
    for t in range(1, S + 1):
        squares = 0.0
        for k in range(strategy.folds):
            seen = [i for i in range(n + m) if i >= m or fold[i] != k]
            held = [i for i in range(m) if fold[i] == k]
            part = take_rows(both, np.array(seen))
            own = len(seen) - n
            model = adaboost(part, own, [w[i] for i in seen], strategy.rounds, strategy.loss)
            got = median(model, take_rows(both, np.array(held)))
            squares += sum(
                float(a - both.label[i]) ** 2 for a, i in zip(got, held, strict=True)
            )
        model = adaboost(both, m, w, strategy.rounds, strategy.loss)
        if squares / m < best[0]:
            best = (squares / m, median(model, asked))
        e = adjusted(learnt(both, w), both, strategy.loss)
        share = m / (n + m) + t / (S - 1) * (1 - m / (n + m))
        if share >= 1:
            w = [each / sum(w[:m]) for each in w[:m]] + [0.0] * n
            continue
        # β itself may be too small for a float: ln β is looked for, ever further down.
        low, high = -1.0, 0.0
        while (kept := math.fsum(w[:m])) / (kept + rest(w, e, m, low)) < share:
            low *= 2
        for _ in range(200):
            log = (low + high) / 2
            reached = kept / (kept + rest(w, e, m, log)) >= share
            low, high = (log, high) if reached else (low, log)
        w = w[:m] + [w[i] * math.exp(log * e[i]) for i in range(m, n + m)]
        w = [each / sum(w) for each in w]
    return best[1]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("turned", [0.0, 0.5])
def test_it_is_the_papers_algorithm_written_out(loss: str, turned: float) -> None:
    case, strategy = given(turned), TrAdaBoostR2(4, 3, 2, loss)
    asked = rows(case.view(prices(30, 9).unlabelled()))
    found = strategy.adapt(case, Linear(), RNG)
    np.testing.assert_allclose(
        numbers(found.predict(asked)), two_stages(case, strategy, asked), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("share", [0.45, 0.6, 0.9, 0.999])
def test_fading_gives_the_target_the_share_asked_for(share: float) -> None:
    g = np.random.default_rng(0)
    w, e = np.full(50, 0.02), g.random(50)
    after = faded(w, 20, e, share)
    assert after.sum() == pytest.approx(1) and after[:20].sum() == pytest.approx(share)
    # ln(w′/w) of source rows falls with e on one line, whose slope is ln β.
    slope = np.log(after[20:] / after[0]) / e[20:]
    np.testing.assert_allclose(slope, slope[0], rtol=1e-6)
    np.testing.assert_allclose(after[:20], share / 20)


def test_at_the_last_step_nothing_is_left_of_the_source() -> None:
    after = faded(np.full(4, 0.25), 2, np.array([0.1, 0.2, 0.0, 1.0]), 1.0)
    np.testing.assert_allclose(after, [0.5, 0.5, 0.0, 0.0])


def test_the_weighted_median_by_hand() -> None:
    answers = [np.array([1.0, 5.0]), np.array([3.0, 1.0]), np.array([2.0, 9.0])]
    np.testing.assert_array_equal(weighted_median(answers, (0.2, 0.2, 0.6)), [2.0, 9.0])
    np.testing.assert_array_equal(weighted_median(answers, (0.5, 0.25, 0.25)), [1.0, 5.0])
    np.testing.assert_array_equal(weighted_median(answers, (0.4, 0.3, 0.3)), [2.0, 5.0])


def test_the_median_comes_back_from_its_state() -> None:
    case = given()
    found = DEFAULT.adapt(case, Linear(), RNG)
    assert isinstance(found, Ensemble) and found.median
    state = found.state()
    parts: dict[str, Any] = {key: Linear.restore(each) for key, each in state.children.items()}
    asked = rows(case.view(prices(20, 9).unlabelled()))
    again = Ensemble.restore_with(state, parts).predict(asked)
    np.testing.assert_array_equal(numbers(again), numbers(found.predict(asked)))


# ── the strategy ────────────────────────────────────────────────────────────


def test_it_does_better_than_pooling_with_a_source_of_which_half_contradicts() -> None:
    case, held = problem(prices(60, 1), prices(300, 2, turned=0.5)), prices(500, 3)
    asked = rows(case.view(held.unlabelled()))

    def error(kind: str, model: Any) -> float:
        found = Arm(named(kind), model).fit(case, RNG).model.predict(asked)
        assert held.label is not None
        return float(np.sqrt(np.mean((numbers(found) - held.label) ** 2)))

    assert error("tradaboost-r2", Linear()) < error("pooled", Linear()) - 0.5


def test_trees_are_boosted_too_and_the_same_seed_answers_alike() -> None:
    case = given()
    asked = rows(case.view(prices(20, 9).unlabelled()))
    ours, again = (
        numbers(DEFAULT.adapt(case, Trees(rounds=5), RNG).predict(asked)) for _ in range(2)
    )
    np.testing.assert_array_equal(ours, again)


def test_what_is_left_of_a_source_is_told() -> None:
    facts = Arm(DEFAULT, Linear()).fit(given(0.0), RNG).facts
    assert len(facts) <= 1 and all(
        fact.startswith("s0: weighted, its 60 rows") for fact in facts
    )


def test_refusals_say_why() -> None:
    case = problem(prices(40, 1), prices(60, 2), on=None)
    assert DEFAULT.why_not(case, Linear()) is None
    assert DEFAULT.refuses(case, Ease()) == "ease takes no row weights"
    classes = problem(market(30, 1), market(40, 2), on=None)
    assert DEFAULT.why_not(classes, Linear()) == (
        "it weighs rows by how far a number is off: use tradaboost for classes"
    )
    few = problem(prices(9, 1), prices(60, 2), on=None)
    assert DEFAULT.why_not(few, Linear()) == (
        "the target has fewer than 10 labelled rows to take errors from"
    )
    one = replace(prices(30, 1), entity=np.array(["c1"] * 30, dtype=object))
    assert DEFAULT.why_not(problem(one, prices(40, 2), on=None), Linear()) == (
        "the target's rows are of fewer than 10 entities to take errors from"
    )


@pytest.mark.parametrize(
    "settings", [(1, 3, 2, "linear"), (3, 0, 2, "linear"), (3, 3, 1, "linear"), (3, 3, 2, "l1")]
)
def test_settings_out_of_range_are_refused(settings: Any) -> None:
    with pytest.raises(StrategyError, match="Expected at least 2 steps, 1 round and 2 folds"):
        TrAdaBoostR2(*settings)

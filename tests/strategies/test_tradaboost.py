"""TrAdaBoost: Dai's updates by hand, errors on target rows no learner saw, and its vote."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities
from acclimate.domains.sample import Rows
from acclimate.domains.source import Source
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views
from acclimate.models.ease import Ease
from acclimate.models.ensemble import Ensemble, calibrate, mixed, recalibrated
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled
from acclimate.strategies.instance.tradaboost import (
    Learner,
    Round,
    TrAdaBoost,
    reweighed,
    source_beta,
    target_error,
    vote_from,
)
from tests.strategies.shapes import RNG, chances, log_loss, market, problem, rows, table, view

# ── the formulas ────────────────────────────────────────────────────────────


def test_beta_of_the_sources_is_dais() -> None:
    # √(2 ln 100 / 20) = 0.678614…
    assert source_beta(100, 20) == pytest.approx(1 / 1.6786140424, abs=1e-9)
    assert source_beta(1, 10) == 1.0  # ln 1 = 0: a single row never loses


def test_the_error_is_weighted_and_kept_off_0_by_half_a_row() -> None:
    assert target_error(np.array([3.0, 1.0]), np.array([0.2, 1.0])) == pytest.approx(0.4)
    assert target_error(np.ones(4), np.zeros(4)) == pytest.approx(0.5 / 4)


def test_wrong_source_rows_lose_and_wrong_target_rows_gain() -> None:
    w = np.full(4, 0.25)
    after = reweighed(w, np.array([0.0, 1.0, 0.0, 1.0]), 2, beta=0.5, beta_t=0.25)
    # Target rows × β_t^−|h−c| = 1, 4; source rows × β^|h−c| = 1, ½: of 6.5 in all.
    np.testing.assert_allclose(after, np.array([1.0, 4.0, 1.0, 0.5]) / 6.5)


@pytest.mark.parametrize(("rounds", "first"), [(1, 1), (2, 1), (3, 2), (10, 5), (11, 6)])
def test_the_vote_begins_with_learner_half_of_n_rounded_up(rounds: int, first: int) -> None:
    assert vote_from(rounds) == first - 1


# ── rounds by hand ──────────────────────────────────────────────────────────


@dataclass
class Script:
    """What learners answer (the chance of class 1, by a row's number), and what they saw."""

    answers: Sequence[dict[int, float]]
    blind: Sequence[dict[int, float]] | None = None
    seen: list[tuple[Ints, Array]] = field(default_factory=list)
    whole: int = 0


@dataclass(frozen=True)
class Scripted:
    """A model that answers what the script says; rows are known by their only number."""

    script: Script = field(compare=False)
    n: int = 0
    says: dict[int, float] = field(default_factory=dict, compare=False)

    kind: ClassVar[str] = "scripted"
    form: ClassVar[str] = "rows"
    takes_weights: ClassVar[bool] = True

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Scripted, ...]:
        return (self,)

    def prepare(self, view: RowView) -> RowView:
        return view

    def fit(self, prepared: RowView, *, weight: Any = None, rng: Any, **rest: Any) -> Scripted:
        script = self.script
        script.seen.append((prepared.numeric[:, 0].astype(int), np.asarray(weight)))
        whole = len(prepared.numeric) == self.n
        script.whole += whole
        says = script.answers if whole or script.blind is None else script.blind
        return replace(self, says=says[script.whole - 1])

    def predict(self, query: RowView, context: Any = None) -> Probabilities:
        assert query.label is None, "a learner was shown labels"
        p = np.array([self.says[int(row)] for row in query.numeric[:, 0]])
        return Probabilities(np.column_stack([1 - p, p]))

    def state(self) -> Any:
        raise AssertionError


def numbered(label: list[int], first: int = 0) -> RowView:
    """Rows whose only number is their position, from `first` on."""
    return view(np.arange(first, first + len(label))[:, None], label)


def boosted(script: Script, rounds: int, weight: Array | None = None) -> Any:
    """Two target rows (0: class 1, 1: class 0) and one source row (2: class 1)."""
    target, source = numbered([1, 0]), numbered([1], first=2)
    return TrAdaBoost(rounds).boost(
        Scripted(script, 3), target, source, weight, np.array([0, 1]), RNG
    )


def weights_of(script: Script, n: int = 3) -> list[Array]:
    """What each learner of all rows was given, with sum 1."""
    return [weight / weight.sum() for rows, weight in script.seen if len(rows) == n]


def test_three_rows_through_three_rounds_are_as_computed_by_hand() -> None:
    says = {0: 0.6, 1: 0.2, 2: 0.5}  # |h − c| is 0.4, 0.2 and, for the source row, 0.5
    script = Script([says] * 3)
    # With one source row β is 1; two give 1 / (1 + √(2 ln 2 / 3)) = 0.595317…
    target, source = numbered([1, 0]), numbered([1, 0], first=2)
    says |= {3: 0.3}
    rounds = TrAdaBoost(3).boost(
        Scripted(script, 4), target, source, None, np.array([0, 1]), RNG
    )
    beta = 1 / (1 + math.sqrt(2 * math.log(2) / 3))
    assert beta == pytest.approx(0.5953168, abs=1e-6)
    w = np.array([0.25, 0.25, 0.25, 0.25])
    for found, each in zip(weights_of(script, 4), rounds, strict=True):
        np.testing.assert_allclose(found, w, atol=1e-12)
        error = (w[0] * 0.4 + w[1] * 0.2) / (w[0] + w[1])
        assert error < 0.5 and each.beta == pytest.approx(error / (1 - error))
        b = error / (1 - error)
        w = w * np.array([b**-0.4, b**-0.2, beta**0.5, beta**0.3])
        w = w / w.sum()
    # The first round in figures: ε = 0.3, β₁ = 3/7.
    assert rounds[0].beta == pytest.approx(3 / 7)
    np.testing.assert_allclose(
        weights_of(script, 4)[1],
        np.array([1.4034, 1.1847, 0.7716, 0.8559]) / 4.2156,
        atol=1e-4,
    )


def test_wrong_source_rows_fall_from_round_to_round_and_right_ones_take_their_share() -> None:
    script = Script([{0: 0.8, 1: 0.2, 2: 0.9, 3: 0.9}] * 4)
    target, source = numbered([1, 0]), numbered([1, 0], first=2)  # row 3 contradicts
    TrAdaBoost(4).boost(Scripted(script, 4), target, source, None, np.array([0, 1]), RNG)
    ratio = [each[3] / each[2] for each in weights_of(script, 4)]
    beta = source_beta(2, 4)
    np.testing.assert_allclose(ratio, [beta ** (0.8 * t) for t in range(4)])


def test_errors_come_from_folds_and_from_target_rows_alone() -> None:
    # Right on what it was fitted on; ¼ wrong by folds; always wrong on the source row.
    right, blind = {0: 1.0, 1: 0.0, 2: 0.0}, {0: 0.75, 1: 0.25, 2: 0.0}
    script = Script([right] * 2, [blind] * 2)
    rounds = boosted(script, 2)
    assert [each.beta for each in rounds] == pytest.approx([0.25 / 0.75] * 2)
    np.testing.assert_allclose(rounds[0].p[:, 1], [0.75, 0.25])
    # A fold's learner never sees the fold's rows, and always sees the source's.
    parts = [set(rows) for rows, _ in script.seen if len(rows) == 2]
    assert parts == [{1, 2}, {0, 2}] * 2


def test_it_ends_when_a_learner_is_wrong_on_half_of_the_target() -> None:
    good, bad = {0: 0.9, 1: 0.1, 2: 0.9}, {0: 0.5, 1: 0.5, 2: 0.9}
    rounds = boosted(Script([good, good, bad, good]), 4)
    assert len(rounds) == 2
    assert all(0 < each.beta < 1 for each in rounds)


def test_a_first_learner_that_is_wrong_on_half_is_kept_alone() -> None:
    rounds = boosted(Script([{0: 0.4, 1: 0.6, 2: 0.9}]), 4)
    assert len(rounds) == 1 and 0 < rounds[0].beta < 1


def test_both_sides_begin_with_half_and_sources_by_their_weights() -> None:
    script = Script([{0: 0.9, 1: 0.1, 2: 0.9, 3: 0.9}] * 2)
    target, source = numbered([1, 0]), numbered([1, 1], first=2)
    TrAdaBoost(2).boost(
        Scripted(script, 4), target, source, np.array([3.0, 1.0]), np.array([0, 1]), RNG
    )
    np.testing.assert_allclose(weights_of(script, 4)[0], [0.25, 0.25, 0.375, 0.125])
    # Learners count rows: the weights they get have as many as their sum.
    assert all(weight.sum() == pytest.approx(len(rows)) for rows, weight in script.seen)


def test_without_folds_it_is_the_papers_algorithm_written_out() -> None:
    """Algorithm 1 line by line, every learner fitted from nothing, one row at a time."""
    given = problem(market(40, 1), market(60, 2, half=True))
    target, source = rows(given.view(given.fit)), rows(given.source_view(given.sources[0]))
    found = TrAdaBoost(6, 0).boost(Linear(), target, source, None, None, RNG)
    both, n, m = stack_views([target, source]), 60, 40
    assert both.label is not None
    w = [0.5 / m] * m + [0.5 / n] * n
    for each in found:
        total = sum(w)
        weight = np.array([(n + m) * x / total for x in w])
        h = Linear().fit(Linear().prepare(both), weight=weight, rng=RNG)
        p = chances(h.predict(replace(both, label=None)))[:, 1]
        np.testing.assert_allclose(
            p, chances(each.learner.predict(replace(both, label=None)))[:, 1], atol=1e-6
        )
        miss = [abs(p[i] - both.label[i]) for i in range(m + n)]
        error = sum(w[i] * miss[i] for i in range(m)) / sum(w[:m])
        beta_t, beta = error / (1 - error), 1 / (1 + math.sqrt(2 * math.log(n) / 6))
        assert each.beta == pytest.approx(beta_t, abs=1e-6)
        w = [w[i] * beta_t ** -miss[i] for i in range(m)] + [
            w[i] * beta ** miss[i] for i in range(m, m + n)
        ]
    assert len(found) == 6


def test_what_does_not_depend_on_weights_is_done_once_a_learner() -> None:
    prepared: list[int] = []

    @dataclass(frozen=True)
    class Counted(Scripted):
        def prepare(self, view: RowView) -> RowView:
            prepared.append(view.n)
            return view

    script = Script([{0: 0.9, 1: 0.1, 2: 0.9}] * 5)
    target, source = numbered([1, 0]), numbered([1], first=2)
    TrAdaBoost(5).boost(Counted(script, 3), target, source, None, np.array([0, 1]), RNG)
    assert prepared == [3, 2, 2] and len(script.seen) == 15


def test_trees_are_prepared_for_many_fits() -> None:
    view = rows(problem(market(60, 1)).view(market(60, 1)))
    learner = Learner(Trees(rounds=2), view)
    assert learner.prepared.often and not Trees().prepare(view).often


# ── the strategy ────────────────────────────────────────────────────────────


def fitted(given: Any, model: Any, rounds: int = 4) -> Ensemble:
    found = TrAdaBoost(rounds).adapt(given, model, RNG)
    assert isinstance(found, Ensemble)
    return found


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Round]:
    """The rounds of what is boosted from here on."""
    kept: list[Round] = []
    boost = TrAdaBoost.boost

    def keeping(self: TrAdaBoost, *args: Any) -> list[Round]:
        rounds = boost(self, *args)
        kept.extend(rounds)
        return rounds

    monkeypatch.setattr(TrAdaBoost, "boost", keeping)
    return kept


def test_the_vote_is_of_the_later_half_by_the_logarithms_of_beta(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = watched(monkeypatch)
    given = problem(market(60, 1), market(120, 2))
    found = fitted(given, Linear(), rounds=5)
    assert len(kept) == 5 and len(found.members) == 3
    votes = np.array([math.log(1 / each.beta) for each in kept[2:]])
    np.testing.assert_allclose(found.weights, votes / votes.sum())
    # Calibrated on what folds answered, and not on what learners say of their own rows.
    p = mixed([each.p for each in kept[2:]], found.weights)
    assert isinstance(given.fit, Rows) and given.fit.label is not None
    ours = recalibrated(calibrate(p, given.fit.label), p)
    assert found.calibration is not None
    np.testing.assert_allclose(recalibrated(found.calibration, p), ours)


def test_a_vote_of_errors_on_fitted_rows_is_not_calibrated() -> None:
    given = problem(market(60, 1), market(120, 2))
    found = TrAdaBoost(4, 0).adapt(given, Linear(), RNG)
    assert isinstance(found, Ensemble) and found.calibration is None


def test_a_strong_learner_has_errors_above_0(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = watched(monkeypatch)
    fitted(problem(market(60, 1), market(100, 2)), Trees(rounds=30), rounds=3)
    # On rows it was fitted on, half a row in 60 would be all: β = 0.0084.
    assert len(kept) == 3 and min(each.beta for each in kept) > 0.1


def test_a_source_of_which_half_contradicts_is_survived_better_than_by_pooling() -> None:
    given, held = problem(market(150, 1), market(600, 2, half=True)), market(1000, 3)
    view = rows(given.view(held.unlabelled()))
    ours = log_loss(chances(fitted(given, Linear(), rounds=10).predict(view)), held)
    pooled = log_loss(chances(Pooled().adapt(given, Linear(), RNG).predict(view)), held)
    assert ours < pooled - 0.05, (ours, pooled)


def test_what_the_last_learner_left_of_each_source_is_told() -> None:
    """Two sources, of which one contradicts: it is worth less in the end, row for row."""
    given = problem(market(80, 1), market(200, 2), market(200, 3, half=True))
    facts = Arm(TrAdaBoost(6), Linear()).fit(given, RNG).facts
    found = [
        re.fullmatch(r"s(\d): weighted, its 200 rows are worth (\d+) equal ones", fact)
        for fact in facts
    ]
    assert [match is not None and match[1] for match in found] == ["0", "1"]
    kept = [int(match[2]) for match in found if match is not None]
    assert kept[1] < 0.9 * kept[0] <= 0.9 * 200


def test_weights_that_a_source_came_with_are_where_its_rows_begin() -> None:
    target, mixed = market(60, 1), market(600, 2, half=True)
    told = Source("s0", mixed, weight=np.where(np.arange(600) < 300, 1.0, 1e-9))
    held = market(500, 3)
    losses = []
    for source in (mixed, told):
        given = problem(target, source)
        p = chances(fitted(given, Linear(), rounds=2).predict(rows(given.view(held))))
        losses.append(log_loss(p, held))
    assert losses[1] < losses[0] - 0.02, losses


def test_several_classes_are_told_apart() -> None:
    def three(n: int, seed: int) -> Rows:
        g = np.random.default_rng(seed)
        x = g.standard_normal((n, 2))
        label = np.argmax(
            np.column_stack([x, -x.sum(axis=1)]) + 0.3 * g.standard_normal((n, 3)), 1
        )
        return table(x, label.astype(np.int64), classes=("a", "b", "c"))

    given, held = problem(three(60, 1), three(200, 2)), three(300, 3)
    found = fitted(given, Linear())
    p = chances(found.predict(rows(given.view(held.unlabelled()))))
    assert p.shape == (300, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.mean(p.argmax(axis=1) == held.label) > 0.75 and len(found.members) > 1


def test_all_target_rows_of_one_user_fall_into_one_fold() -> None:
    lone = replace(market(20, 1), entity=np.array(["one user"] * 20, dtype=object))
    p = chances(
        Arm(TrAdaBoost(2), Linear()).fit(problem(lone, market(50, 2)), RNG).predict(lone)
    )
    assert np.isfinite(p).all()


def test_the_same_seed_gives_the_same_answers() -> None:
    given = problem(market(40, 1), market(80, 2))
    view = rows(given.view(market(20, 3).unlabelled()))
    ours, again = (chances(fitted(given, Trees(rounds=5)).predict(view)) for _ in range(2))
    np.testing.assert_array_equal(ours, again)


# ── refusals ────────────────────────────────────────────────────────────────


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    boost = TrAdaBoost()
    assert boost.why_not(given, Linear()) is None
    assert boost.why_not(given, Ease()) == "ease takes no row weights"
    assert boost.why_not(given, Popularity()) == "popularity takes no row weights"
    if MixedNetwork().why_not() is None:
        assert boost.why_not(given, MixedNetwork()) == "network would be trained 30 times"
    few = problem(market(9, 1), market(40, 2), on=None)
    assert boost.why_not(few, Linear()) == (
        "the target has fewer than 10 labelled rows to take errors from"
    )
    one = replace(market(30, 1), entity=np.array(["c1"] * 30, dtype=object))
    assert boost.why_not(problem(one, market(40, 2), on=None), Linear()) == (
        "the target's rows are of fewer than 10 entities to take errors from"
    )
    blind = problem(market(30, 1), market(40, 2).unlabelled(), on=None)
    assert boost.why_not(blind, Linear()) == "source 's0' has no labelled rows to learn from"


def test_a_model_of_items_that_takes_weights_is_refused_for_its_form() -> None:
    class Weighted(Ease):
        takes_weights = True

    given = problem(market(30, 1), market(40, 2), on=None)
    why = TrAdaBoost().why_not(given, Weighted())
    assert why == "ease reads no rows whose errors could weigh them"


@pytest.mark.parametrize(("rounds", "folds"), [(1, 2), (2, 1), (2, -1)])
def test_settings_out_of_range_are_refused(rounds: int, folds: int) -> None:
    with pytest.raises(
        StrategyError, match="Expected at least 2 rounds, and 0 or at least 2 folds"
    ):
        TrAdaBoost(rounds, folds)


def test_three_settings_of_a_model_are_tried_and_more_rounds() -> None:
    tried = TrAdaBoost().models(Linear())
    assert len(tried) == 3 and set(tried) <= set(Linear().grid())
    grid = TrAdaBoost().grid(problem(market(30, 1), market(40, 2)))
    assert grid == (TrAdaBoost(), TrAdaBoost(rounds=20))

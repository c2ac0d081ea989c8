"""TrAdaBoost's rounds: Dai's updates by hand, and errors on target rows no learner saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities
from acclimate.domains.view import RowView
from acclimate.models.design import stack_views
from acclimate.models.linear import Linear
from acclimate.strategies.instance.tradaboost import (
    TrAdaBoost,
    reweighed,
    source_beta,
    target_error,
    vote_from,
)
from tests.strategies.shapes import RNG, chances, market, problem, rows, view

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

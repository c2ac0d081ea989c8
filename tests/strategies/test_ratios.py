"""What every weight by a ratio of densities does: density-ratio, KMM and uLSIF."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.sample import Rows
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.popularity import Popularity
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.instance.kmm import Kmm
from acclimate.strategies.instance.ulsif import Ulsif
from acclimate.strategies.instance.weighting import DensityRatio, effective_rows
from tests.strategies.shapes import RNG, chances, log_loss, market, problem, rows, table

STEPS = (DensityRatio(), Kmm(), Ulsif())
every_step = pytest.mark.parametrize("step", STEPS, ids=lambda each: each.kind)
Step = DensityRatio | Kmm | Ulsif


@every_step
def test_each_source_is_weighed_by_itself_and_clipped(step: Step) -> None:
    given = problem(market(60, 1, shift=1.0), market(80, 2), market(70, 3, shift=1.0))
    strict = replace(step, at_most=3.0)
    found = strict.weigh(given, RNG)
    for source in found.sources:
        weight = np.asarray(source.weight)
        assert weight.mean() == pytest.approx(1) and weight.min() > 0
        assert weight.max() <= 3 + 1e-9
    again = strict.weigh(given.with_sources(given.sources[1:]), RNG)
    np.testing.assert_array_equal(np.asarray(again.sources[0].weight), found.sources[1].weight)
    assert found.fit is given.fit and found.encoder is given.encoder


@every_step
def test_what_the_rows_are_worth_is_told(step: Step) -> None:
    found = step.weigh(problem(market(60, 1, shift=1.0), market(80, 2)), RNG)
    worth = effective_rows(np.asarray(found.sources[0].weight))
    assert found.facts == (f"s0: weighted, its 80 rows are worth {worth:.0f} equal ones",)


@every_step
def test_unlabelled_rows_of_the_target_are_what_sources_are_weighed_by(step: Step) -> None:
    none = market(5, 1).take(np.empty(0, np.int64))
    given = problem(none, market(100, 2), unlabelled=market(80, 3, shift=1.5).unlabelled())
    source = step.weigh(given, RNG).sources[0]
    x, weight = rows(given.source_view(source)).numeric, np.asarray(source.weight)
    assert (weight @ x / weight.sum())[0] > x[:, 0].mean() + 0.3


@every_step
def test_under_covariate_shift_a_model_that_is_too_simple_does_better_with_weights(
    step: Step,
) -> None:
    g = np.random.default_rng(5)

    def drawn(n: int, shift: float) -> Rows:
        # A bend that no straight line follows: falling on the left, rising on the right.
        x = g.standard_normal((n, 1)) * 0.7 + shift
        label = (g.random(n) < 1 / (1 + np.exp(-3 * (np.abs(x[:, 0]) - 1)))).astype(np.int64)
        return table(x, label)

    given, held = problem(drawn(200, 1.0), drawn(1000, -0.5), on=None), drawn(1000, 1.0)
    weighed, plain = (
        log_loss(chances(Arm(each, Linear()).fit(given, RNG).predict(held.unlabelled())), held)
        for each in (Chain((step, SourceOnly())), SourceOnly())
    )
    assert weighed < plain - 0.1, (weighed, plain)


# ── refusals ────────────────────────────────────────────────────────────────


@every_step
def test_refusals_say_why(step: Step) -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    assert step.why_not(given, Linear()) is None
    assert step.why_not(given, Ease()) == "ease takes no row weights"
    assert step.why_not(given, Popularity()) == "popularity takes no row weights"
    few = "a side has fewer than 10 rows to tell the domains apart by"
    for one in ((market(9, 1), market(40, 2)), (market(30, 1), market(9, 2))):
        assert step.why_not(problem(*one, on=None), Linear()) == few


@every_step
def test_a_model_of_items_that_takes_weights_is_refused_for_its_form(step: Step) -> None:
    class Weighted(Ease):
        takes_weights = True

    given = problem(market(30, 1), market(40, 2), on=None)
    why = step.why_not(given, Weighted())
    assert why == "ease reads no rows whose domains could be told apart"

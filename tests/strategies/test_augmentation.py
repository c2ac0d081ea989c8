"""Feature augmentation: the paper's map for each market, for numbers, codes and text."""

from __future__ import annotations

import numpy as np
import pytest

from acclimate.domains.sample import Rows
from acclimate.models.linear import Linear
from acclimate.models.model import Model
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.catalogue import named
from acclimate.strategies.feature.augmentation import Augment, FeatureAugmentation, augmented
from tests.strategies.shapes import (
    RNG,
    chances,
    log_loss,
    market,
    problem,
    rows,
    table,
    text,
    view,
    views_of,
)


def test_a_row_is_shared_and_stands_in_its_own_markets_place() -> None:
    x = view([[2.0, 3.0]], sparse=[[0.0, 5.0]], codes=[4])
    source = augmented(x, 1, 3)
    np.testing.assert_array_equal(source.numeric, [[2, 3, 0, 0, 0, 2, 3, 1, 0, 0, 0]])
    np.testing.assert_array_equal(source.codes, [[4, 0, 4, 0]])
    assert source.levels == (5, 5, 5, 5)
    np.testing.assert_array_equal(text(source).toarray(), [[0, 5, 0, 0, 0, 5, 0, 0]])
    target = Augment(3)(x)
    np.testing.assert_array_equal(target.numeric, [[2, 3, 2, 3, 1, 0, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(target.codes, [[4, 4, 0, 0]])
    np.testing.assert_array_equal(text(target).toarray(), [[0, 5, 0, 5, 0, 0, 0, 0]])


def test_the_product_of_two_rows_doubles_within_a_market() -> None:
    # Section 3.2: K̆(x, x′) = 2 K(x, x′) within a market, K(x, x′) between two.
    g = np.random.default_rng(0)
    a, b = view(g.standard_normal((3, 2))), view(g.standard_normal((4, 2)))
    plain = a.numeric @ b.numeric.T
    one, other = augmented(a, 0, 2).numeric, augmented(b, 1, 2).numeric
    np.testing.assert_allclose(one @ other.T, plain, atol=1e-12)
    np.testing.assert_allclose(one @ augmented(b, 0, 2).numeric.T, 2 * plain + 1, atol=1e-12)


def test_each_source_has_a_copy_and_the_target_the_first() -> None:
    given = problem(market(30, 1), market(40, 2), market(50, 3))
    after = FeatureAugmentation().reshape(given, RNG)
    raw, moved = views_of(given), views_of(after)
    for own, (before, now) in enumerate(zip(raw, moved, strict=True), start=1):
        np.testing.assert_array_equal(now.numeric, augmented(before, own, 3).numeric)
        np.testing.assert_array_equal(np.asarray(now.label), np.asarray(before.label))
    mine = rows(after.view(market(9, 5)))
    np.testing.assert_array_equal(
        mine.numeric, augmented(rows(given.view(market(9, 5))), 0, 3).numeric
    )
    assert Augment.restore(Augment(3).state()) == Augment(3)


def test_it_learns_what_differs_where_pooling_cannot() -> None:
    g = np.random.default_rng(4)

    def drawn(n: int, last: float) -> Rows:
        x = g.standard_normal((n, 10))
        score = x @ np.r_[np.full(9, 0.8), last]
        return table(x, (g.random(n) < 1 / (1 + np.exp(-score))).astype(np.int64))

    # Nine columns mean the same in both markets, and the last the opposite.
    given = problem(drawn(100, 2.0), drawn(1500, -2.0), on=None)
    held = drawn(800, 2.0)

    def loss(kind: str) -> float:
        fitted = Arm(named(kind), Linear()).fit(given, RNG)
        return log_loss(chances(fitted.predict(held.unlabelled())), held)

    assert loss("augmentation + pooled") < loss("pooled") - 0.05


@pytest.mark.parametrize("model", [Linear(), Trees(rounds=8)], ids=lambda each: each.kind)
def test_every_model_of_rows_reads_the_copies(model: Model) -> None:
    given = problem(market(60, 1), market(80, 2), on=None)
    fitted = Arm(named("augmentation + pooled"), model).fit(given, RNG)
    np.testing.assert_allclose(
        chances(fitted.predict(market(9, 4).unlabelled())).sum(axis=1), 1
    )


def test_refusals_say_why() -> None:
    given = problem(market(30, 1), market(40, 2), on=None)
    step = FeatureAugmentation()
    assert step.why_not(given, Linear()) is None
    assert step.why_not(given, Popularity()) == (
        "popularity reads no features that could be copied for each market"
    )
    none = given.with_fit(market(30, 1).take(np.empty(0, np.int64)))
    assert step.why_not(none, Linear()) == "the target has no labelled rows to fit on"

"""DAN, JAN and Deep CORAL: the discrepancies against slow ones, and what training does."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.source import ALL, Source
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.baselines import Pooled, SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.adversarial import ramp
from acclimate.strategies.feature.aligning import Align, Shape
from acclimate.strategies.feature.conditional import Cdan
from acclimate.strategies.feature.deepcoral import DeepCoral, coral_loss, covariance
from acclimate.strategies.feature.discrepancy import (
    Dan,
    Jan,
    discrepancy,
    gaussians,
    pairs_of,
)
from acclimate.strategies.feature.several import Mdan
from acclimate.strategies.parameter.finetune import FineTune
from tests.strategies.nets import MODEL, NONE, arange, changed, market, rows_view, tensors
from tests.strategies.test_adversarial import LONG, asked, bare, far, told_apart, unlabelled

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
PLAIN: tuple[Align, ...] = (Dan(), Jan(), DeepCoral(), Cdan(), Cdan(entropy=True))
EVERY: tuple[Align, ...] = (*PLAIN, Mdan())
each_of = pytest.mark.parametrize("strategy", EVERY, ids=lambda each: each.kind)


# ── the formulas ────────────────────────────────────────────────────────────────


def slow_kernel(x: Array, y: Array, mean: float) -> float:
    """The mean of Gaussians at ¼ … 4 of the mean squared distance, written out."""
    squared = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    return float(sum(np.exp(-squared / (mean * f)) for f in (0.25, 0.5, 1, 2, 4)) / 5)


def slow_mean_distance(z: Array, w: Array) -> float:
    pairs = [(i, j) for i, j in product(range(len(z)), repeat=2) if i != j]
    total = sum(w[i] * w[j] * ((z[i] - z[j]) ** 2).sum() for i, j in pairs)
    return float(total / sum(w[i] * w[j] for i, j in pairs))


def slow_mmd(blocks: list[Array], w: Array, m: int) -> float:
    """Double loops over the product of the kernels of each block of columns."""
    n = len(w)
    means = [slow_mean_distance(block, w) for block in blocks]

    def k(i: int, j: int) -> float:
        return float(
            np.prod(
                [slow_kernel(b[i], b[j], mean) for b, mean in zip(blocks, means, strict=True)]
            )
        )

    def mean(rows: range, columns: range) -> float:
        pairs = [(i, j) for i, j in product(rows, columns) if i != j]
        weight = [w[i] * w[j] for i, j in pairs]
        return float(np.average([k(i, j) for i, j in pairs], weights=weight))

    theirs, ours = range(m), range(m, n)
    return mean(theirs, theirs) + mean(ours, ours) - 2 * mean(theirs, ours)


def fast_mmd(blocks: list[Array], w: Array, m: int) -> float:
    weight = torch.tensor(w)
    pairs = pairs_of(weight)
    kernel = torch.ones(1, dtype=torch.float64)
    for block in blocks:
        kernel = kernel * gaussians(torch.tensor(block), pairs)
    return float(discrepancy(kernel, weight[:m], weight[m:]))


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_discrepancy_is_that_of_double_loops(parts: int, weighed: bool) -> None:
    g = np.random.default_rng(0)
    blocks = [g.normal(size=(13, width)) + 0.3 for width in (3, 2)[:parts]]
    blocks[0][:6] += 0.7
    w = g.integers(0, 4, 13).astype(float) if weighed else np.ones(13)
    assert fast_mmd(blocks, w, 6) == pytest.approx(slow_mmd(blocks, w, 6), rel=1e-9)


def test_the_discrepancy_by_hand() -> None:
    # Sources at 0 and 1, the target at 0 and 1: k within and across are k(1) and (1 + k(1))/2.
    kernel = gaussians(
        torch.tensor([[0.0], [1.0], [0.0], [1.0]]).double(), torch.ones(4, 4) - torch.eye(4)
    )
    # The mean squared distance of the twelve pairs is 8/12.
    k = sum(np.exp(-1.5 / f) for f in (0.25, 0.5, 1, 2, 4)) / 5
    value = float(discrepancy(kernel, torch.ones(2).double(), torch.ones(2).double()))
    assert value == pytest.approx(2 * k - 2 * (2 + 2 * k) / 4, rel=1e-6)
    assert value < 0, "unbiased: below 0 where the sides are alike, and never clamped"


def test_it_is_0_on_average_where_sides_are_alike_and_more_where_they_are_not() -> None:
    g = np.random.default_rng(1)
    ones = np.ones(20)

    def drawn(away: float) -> float:
        z = g.normal(size=(20, 2))
        z[:10] += away
        return fast_mmd([z], ones, 10)

    alike = np.array([drawn(0.0) for _ in range(300)])
    assert abs(alike.mean()) < 3 * alike.std() / np.sqrt(300) and (alike < 0).any()
    assert drawn(3.0) > alike.max()


def test_a_side_without_two_rows_aligns_nothing() -> None:
    x, y = torch.randn(4, 3), torch.randn(5, 3)
    kernel = gaussians(torch.cat([x, y]), torch.ones(9, 9))
    for weight in (torch.zeros(4), torch.tensor([0.0, 2.0, 0.0, 0.0])):
        assert float(discrepancy(kernel, weight, torch.ones(5))) == 0.0
        assert float(coral_loss(x, y, weight, torch.ones(5))) == 0.0
    alike = torch.ones(6, 3, requires_grad=True)
    value = discrepancy(gaussians(alike, torch.ones(6, 6)), torch.ones(3), torch.ones(3))
    (gradient,) = torch.autograd.grad(value, alike)
    assert float(value.detach()) == 0.0 and bool(torch.isfinite(gradient).all())


def test_deep_coral_by_hand() -> None:
    # C_s = [[2, 0], [0, 0]] and C_t = [[0, 0], [0, 8]]: ‖·‖² = 4 + 64, d = 2.
    theirs, ours = (
        torch.tensor([[0.0, 3.0], [2.0, 3.0]]),
        torch.tensor([[1.0, 0.0], [1.0, 4.0]]),
    )
    loss = coral_loss(theirs, ours, torch.ones(2), torch.ones(2))
    assert float(loss) == pytest.approx(68 / 16)
    assert float(coral_loss(theirs, theirs + 5, torch.ones(2), torch.ones(2))) == 0.0


def test_covariance_counts_rows_by_their_weights() -> None:
    x = np.random.default_rng(2).normal(size=(30, 4))
    plain = covariance(torch.tensor(x), torch.ones(30).double()).numpy()
    np.testing.assert_allclose(plain, np.cov(x, rowvar=False))
    w = np.random.default_rng(3).random(30) * (np.arange(30) > 4)
    weighed = covariance(torch.tensor(x), torch.tensor(w)).numpy()
    np.testing.assert_allclose(weighed, np.cov(x, rowvar=False, aweights=w))


def losses(strategy: Align, progress: float, classes: int = 2) -> Any:
    """A step's losses on fixed batches, and its network's parameters."""
    model = MixedNetwork(width=6, dropout=0.0, hide=0.0)
    given = asked()
    fit = model.prepare(rows_view(given.view(given.fit)))
    theirs = model.prepare(rows_view(given.source_view(given.sources[0])))
    rows = {name: value[:40] for name, value in theirs.tensors.items()}
    rows |= {"market": torch.arange(40) % 3}
    params = model.begin(fit, None, RNG)
    step = strategy.against(model, Shape(6, classes, 2), RNG)
    batches = {"rows": rows, "target": dict(fit.tensors)}
    return dict(step(params, batches, progress)), model, params, batches


@pytest.mark.parametrize("strategy", [Dan(2.0), Jan(2.0)], ids=lambda each: each.kind)
def test_a_step_adds_strength_times_the_discrepancy_of_what_the_method_sees(
    strategy: Dan,
) -> None:
    told, model, params, batches = losses(strategy, 0.1)
    rows, target = batches["rows"], batches["target"]
    features = np.concatenate(
        [model.features(params, each).numpy() for each in (rows, target)]
    ).astype(float)
    said = torch.softmax(model.head(params, torch.tensor(features).float()), -1).numpy()
    blocks = [features] if strategy.kind == "dan" else [features, said.astype(float)]
    w = np.r_[(np.arange(40) % 3 > 0).astype(float), np.ones(len(features) - 40)]
    factor = 2.0 if strategy.kind == "dan" else 2.0 * ramp(0.1)
    assert float(told["apart"]) == pytest.approx(factor * slow_mmd(blocks, w, 40), rel=1e-3)
    assert float(told["label"]) == pytest.approx(float(model.loss(params, rows)))


def test_the_kernel_of_numbers_is_of_the_answers_themselves() -> None:
    told, model, params, batches = losses(Jan(1.0), 0.5, classes=0)
    rows, target = batches["rows"], batches["target"]
    features = torch.cat([model.features(params, each) for each in (rows, target)])
    blocks = [
        features.numpy().astype(float),
        model.head(params, features).numpy().astype(float),
    ]
    w = np.r_[(np.arange(40) % 3 > 0).astype(float), np.ones(len(features) - 40)]
    assert float(told["apart"]) == pytest.approx(ramp(0.5) * slow_mmd(blocks, w, 40), rel=1e-3)


def test_a_step_of_deep_coral_leaves_the_targets_own_labelled_rows_out() -> None:
    told, model, params, batches = losses(DeepCoral(7.0), 0.5)
    theirs, ours = (
        model.features(params, batches[name]).numpy() for name in ("rows", "target")
    )
    theirs = theirs[np.arange(40) % 3 > 0]
    apart = np.cov(theirs, rowvar=False) - np.cov(ours, rowvar=False)
    expected = 7.0 * (apart**2).sum() / (4 * 36)
    assert float(told["apart"]) == pytest.approx(expected, rel=1e-4)


# ── the whole training ──────────────────────────────────────────────────────────


@pytest.mark.parametrize("strategy", PLAIN, ids=lambda each: each.kind)
def test_strength_zero_is_pooling_or_source_only_bit_for_bit(strategy: Any) -> None:
    off = replace(strategy, strength=0.0)
    given = asked(unlabelled=unlabelled()).weighed({"us": arange(300) % 3})
    pooled = Pooled().adapt(given, MODEL, RNG)
    assert not changed(pooled, off.adapt(given, MODEL, RNG))
    assert changed(pooled, strategy.adapt(given, MODEL, RNG)) == set(tensors(pooled))
    alone = SourceOnly().adapt(bare(), MODEL, RNG)
    assert not changed(alone, off.adapt(bare(), MODEL, RNG))


@each_of
def test_labelled_partly_labelled_and_unlabelled_targets_give_a_plain_network(
    strategy: Align,
) -> None:
    nothing = asked(unlabelled=unlabelled()).with_fit(market(9, 1).take(NONE))
    once = replace(MODEL, epochs=1)
    plain = [*tensors(Pooled().adapt(asked(), once, RNG))]
    for given in (asked(), asked(unlabelled=unlabelled()), nothing):
        fitted = strategy.adapt(given, once, RNG)
        assert isinstance(fitted, MixedNetwork) and fitted == once
        assert [*tensors(fitted)] == plain
        assert not changed(fitted, strategy.adapt(given, once, RNG))


@pytest.mark.parametrize(
    ("strategy", "share"), [(Dan(), 0.4), (DeepCoral(), 0.9), (Cdan(), 0.6)], ids=str
)
def test_features_tell_markets_apart_less_than_without(strategy: Align, share: float) -> None:
    given = far()
    alone, aligned = (each.adapt(given, LONG, RNG) for each in (SourceOnly(), strategy))
    before, after = told_apart(alone, given), told_apart(aligned, given)
    assert before > 0.7 and abs(after - 0.5) < share * abs(before - 0.5), (before, after)


@each_of
def test_in_a_chain_it_goes_on_from_what_was_handed_on(strategy: Any) -> None:
    given = asked()
    start = Pooled().adapt(given, MODEL, RNG)
    still = replace(strategy, epochs=0)
    assert not changed(start, still.adapt(given, start, RNG.child("another")))
    _, fitted = Chain((still, FineTune("head"))).step(given, MODEL, RNG)
    assert changed(still.adapt(given, MODEL, RNG.child("0")), fitted) == {
        "head.weight",
        "head.bias",
    }


@each_of
def test_labels_of_the_target_are_not_read_where_there_are_rows_without(
    strategy: Align,
) -> None:
    given = asked(unlabelled=market(120, 4, away=1.0))  # with labels, by mistake
    clean = replace(given, unlabelled=unlabelled())
    assert not changed(strategy.adapt(given, MODEL, RNG), strategy.adapt(clean, MODEL, RNG))


# ── settings and refusals ───────────────────────────────────────────────────────


@each_of
def test_grids_are_short_and_begin_with_the_default(strategy: Align) -> None:
    grid = strategy.grid(asked())
    assert grid[0] == strategy and len(set(grid)) == len(grid) == 3
    assert {each.kind for each in grid} == {strategy.kind}
    assert not strategy.unasked


@each_of
@pytest.mark.parametrize("strength", [-0.1, float("inf")])
def test_a_strength_out_of_range_is_a_mistake(strategy: Any, strength: float) -> None:
    with pytest.raises(StrategyError, match="Expected a finite strength of at least 0"):
        replace(strategy, strength=strength)


@each_of
def test_what_cannot_be_aligned_is_refused(strategy: Align) -> None:
    given = asked()
    assert strategy.why_not(given, MODEL) is None
    assert strategy.why_not(bare().with_sources(given.sources), MODEL) is None
    assert strategy.why_not(given, Linear()) == (
        "linear has no features that training could align: not a network"
    )
    assert strategy.why_not(given.with_sources([]), MODEL) == "there is no source"
    shy = given.with_sources([Source("us", market(50, 2), ALL - {"rows"})])
    assert strategy.why_not(shy, MODEL) == "source 'us' does not share its rows"
    blank = given.with_sources([Source("us", market(50, 2).unlabelled())])
    assert strategy.why_not(blank, MODEL) == "source 'us' has no labelled rows to learn from"
    nobody = given.with_fit(market(9, 1).take(NONE))
    assert strategy.why_not(nobody, MODEL) == (
        "the target has no rows that the sources' could be aligned with"
    )

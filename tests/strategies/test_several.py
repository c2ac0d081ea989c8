"""MDAN: how much each source counts, and which gradient goes where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from acclimate.errors import StrategyError
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import HIDDEN, domain_loss, ramp
from acclimate.strategies.feature.aligning import Shape
from acclimate.strategies.feature.several import Mdan, named, shares, weighed_cost
from tests.strategies.nets import MODEL, rows_view
from tests.strategies.test_adversarial import asked, double, slope

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
NAMES = ("domain.hidden.weight", "domain.hidden.bias", "domain.out.weight", "domain.out.bias")


def test_sources_count_by_a_softmax_of_those_that_are_there() -> None:
    loss = torch.tensor([1.0, 2.0, 5.0])
    counts = shares(loss, torch.tensor([True, True, False]), 2.0)
    expected = np.exp([2.0, 4.0]) / np.exp([2.0, 4.0]).sum()
    assert counts.tolist() == pytest.approx([*expected, 0.0])
    assert shares(loss, torch.tensor([False] * 3), 2.0).tolist() == [0.0] * 3


def scene(market: Any) -> tuple[Any, Any, Any, Any]:
    """Parameters, a step's losses as a function of them and progress, network, batches."""
    g = torch.Generator().manual_seed(0)
    model = MixedNetwork(width=5, dropout=0.0, hide=0.0)
    given = asked()
    fit = model.prepare(rows_view(given.view(given.fit)))
    theirs = model.prepare(rows_view(given.source_view(given.sources[0])))
    rows = {name: value[:30] for name, value in theirs.tensors.items()}
    rows |= {"market": market, "weight": 0.5 + torch.rand(30, generator=g)}
    strategy = Mdan(strength=0.4, gamma=3.0)
    shape = Shape(5, 2, 2)
    params = double(model.begin(fit, None, RNG) | strategy.beside(shape, RNG))
    batches = {"rows": double(rows), "target": double(dict(fit.tensors))}
    step = strategy.against(model, shape, RNG)

    def each(p: Any, progress: float) -> dict[str, Any]:
        return dict(step(p, batches, progress))

    return params, each, model, batches


def parts(p: Any, model: Any, batches: Any) -> tuple[list[Any], list[Any]]:
    """ε of target and sources, and L of each source's discriminator, row by row."""
    rows, target = batches["rows"], batches["target"]
    theirs, ours = model.features(p, rows), model.features(p, target)
    each = torch.nn.functional.cross_entropy(
        model.head(p, theirs), rows["label"], reduction="none"
    )
    errors, told = [], []
    for number in range(3):
        mask = rows["weight"] * (rows["market"] == number)
        errors.append((mask * each).sum() / mask.sum())
        if number:
            held = {name: p[named(number, name)] for name in NAMES}
            told.append(domain_loss(held, theirs, ours, mask))
    return errors, told


def test_gradients_are_those_of_the_soft_maximum_and_of_each_discriminator() -> None:
    params, each, model, batches = scene(torch.arange(30) % 3)
    factor = 0.4 * ramp(0.1)
    rows = batches["rows"]
    mine = float(rows["weight"][rows["market"] == 0].sum() / rows["weight"].sum())
    gradient = torch.func.grad(lambda p: sum(each(p, 0.1).values()))(params)

    def bound(p: Any) -> Any:
        (own, *errors), told = parts(p, model, batches)
        worst = torch.stack([3.0 * (e - factor * d) for e, d in zip(errors, told, strict=True)])
        return mine * own + (1 - mine) * torch.logsumexp(worst, 0) / 3.0

    for name, at in (("hidden1.weight", (2, 1)), ("codes.4", (2, 1)), ("head.weight", (1, 4))):
        expected = slope(bound, params, name, at)
        assert float(gradient[name][at]) == pytest.approx(expected, rel=1e-5, abs=1e-9)
    for number in (1, 2):
        name = named(number, f"{HIDDEN}.weight")

        def own_loss(p: Any, number: int = number) -> Any:
            return parts(p, model, batches)[1][number - 1]

        told = slope(own_loss, params, name, (1, 2))
        assert told != 0.0
        assert float(gradient[name][1, 2]) == pytest.approx(told, rel=1e-5)


def test_a_source_that_a_batch_lacks_counts_nothing_and_its_discriminator_rests() -> None:
    params, each, model, batches = scene(torch.arange(30) % 2)
    gradient = torch.func.grad(lambda p: sum(each(p, 0.5).values()))(params)
    assert all(float(gradient[named(2, name)].abs().sum()) == 0.0 for name in NAMES)
    assert all(float(gradient[named(1, name)].abs().sum()) > 0.0 for name in NAMES)
    errors, _ = parts(params, model, batches)
    rows = batches["rows"]
    mine = rows["weight"][rows["market"] == 0].sum() / rows["weight"].sum()
    expected = mine * errors[0] + (1 - mine) * errors[1]
    assert float(each(params, 0.5)["label"]) == pytest.approx(float(expected))


def test_the_cost_of_masked_rows_is_their_weighted_mean() -> None:
    params, _, model, batches = scene(torch.arange(30) % 3)
    rows = batches["rows"]
    features = model.features(params, rows)
    mask = rows["weight"] * (rows["market"] == 2)
    found = weighed_cost(model, params, features, rows, mask)
    assert float(found) == pytest.approx(float(parts(params, model, batches)[0][2]))
    assert float(weighed_cost(model, params, features, rows, 0 * mask)) == 0.0


def test_one_source_is_refused_and_told_what_aligns_it() -> None:
    given = asked()
    assert Mdan().why_not(given, MODEL) is None
    assert Mdan().why_not(given.with_sources(given.sources[:1]), MODEL) == (
        "there is one source, which dann and deep-coral align; mdan aligns several"
    )


@pytest.mark.parametrize("gamma", [0.0, float("inf")])
def test_a_gamma_out_of_range_is_a_mistake(gamma: float) -> None:
    with pytest.raises(StrategyError, match="Expected a finite gamma above 0"):
        Mdan(gamma=gamma)

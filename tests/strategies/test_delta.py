"""DELTA: which units are attended to, what is held, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.parameter.delta import Delta, attention, drawn
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import MODEL, changed, market, problem, rows_view, tensors

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(5)
CALM = replace(MODEL, dropout=0.0, hide=0.0)


def asked() -> Problem:
    return problem(market(80, 1, away=1.0), market(300, 2), on=Statistics.SOURCES)


def prepared(given: Problem) -> Any:
    return MODEL.prepare(rows_view(given.view(given.fit)))


def test_attention_is_the_softmax_of_standardised_rises_of_the_loss() -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)
    rows = prepared(given)
    params = start.parameters()
    features = start.features(params, rows.tensors).double().numpy()
    weight, bias = (params[f"head.{part}"].double().numpy() for part in ("weight", "bias"))
    label = rows.tensors["label"].numpy()

    def loss(seen: Any) -> float:
        total = 0.0
        for x, y in zip(seen, label, strict=True):
            scores = weight @ x + bias
            total += float(np.log(np.exp(scores).sum()) - scores[y])
        return total / len(label)

    rises = []
    for unit in range(16):
        without = features.copy()
        without[:, unit] = 0.0
        rises.append(loss(without) - loss(features))
    z = (np.array(rises) - np.mean(rises)) / np.std(rises)
    expected = np.exp(z) / np.exp(z).sum()
    found = attention(start, params, rows.tensors).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert found.max() > 3 * found.min()


def test_units_that_no_answer_rests_on_count_alike() -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)
    blind = start.parameters() | {"head.weight": torch.zeros(2, 16)}
    found = attention(start, blind, prepared(given).tensors).numpy()
    np.testing.assert_allclose(found, np.full(16, 1 / 16), rtol=1e-5)


def test_the_loss_is_alpha_times_the_weighted_squared_way_and_its_gradient_follows() -> None:
    given = asked()
    start = pretrained(given, CALM, RNG)
    anchor, batch = start.parameters(), prepared(given).tensors
    g = torch.Generator().manual_seed(0)
    at = {k: v + 0.1 * torch.randn(v.shape, generator=g) for k, v in anchor.items()}
    weight = torch.rand(16, generator=g)
    step = Delta(alpha=0.7).held_to(start, anchor, weight)
    told = step(at, {"rows": batch}, 0.0)
    after, before = (start.features(p, batch).numpy() for p in (at, anchor))
    expected = 0.7 * np.mean(
        [(weight.numpy() * (a - b) ** 2).sum() for a, b in zip(after, before, strict=True)]
    )
    assert float(told["behaviour"]) == pytest.approx(float(expected), rel=1e-5)
    assert float(told["rows"]) == pytest.approx(float(start.loss(at, batch)), rel=1e-6)
    still = step(anchor, {"rows": batch}, 0.0)
    assert float(still["behaviour"]) == 0.0
    gradient = torch.func.grad(lambda p: step(p, {"rows": batch}, 0.0)["behaviour"])(at)
    assert all(float(gradient[name].abs().sum()) == 0.0 for name in start.heads())
    assert float(gradient["hidden2.bias"].abs().sum()) > 0.0


def test_the_same_units_are_silenced_on_both_sides_of_a_difference() -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)
    wild = replace(MODEL, dropout=0.5)
    batch = next(wild.stream(prepared(given)).draw(RNG))
    step = Delta().held_to(start, start.parameters(), torch.ones(16))
    assert "keep.hidden2" in batch
    assert float(step(start.parameters(), {"rows": batch}, 0.0)["behaviour"]) == 0.0


def away(strategy: Delta, given: Problem) -> float:
    """How far the features of the target's rows went, by the mean square."""
    start = pretrained(given, CALM, RNG)
    view = rows_view(given.view(given.fit))
    fitted: Any = strategy.adapt(given, CALM, RNG)
    return float(np.square(fitted.embed(view) - start.embed(view)).mean())


def test_features_stay_as_alpha_grows_while_the_head_learns() -> None:
    given = asked()
    far, near, at = (away(Delta(alpha=alpha), given) for alpha in (0.0, 1.0, 1000.0))
    assert far > near > at and at < 0.05 * far
    start = pretrained(given, CALM, RNG)
    held = Delta(alpha=1000.0).adapt(given, CALM, RNG)
    assert changed(start, held) >= {"head.weight", "head.bias"}


def test_without_alpha_it_is_l2_sp_without_alpha_bit_for_bit() -> None:
    given = asked()
    plain = L2SP(alpha=0.0, beta=0.3).adapt(given, CALM, RNG)
    assert not changed(plain, Delta(alpha=0.0, beta=0.3).adapt(given, CALM, RNG))


def test_zero_epochs_give_the_source_network_and_same_key_same_answer() -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)
    assert not changed(start, Delta(epochs=0).adapt(given, MODEL, RNG))
    first = Delta().adapt(given, MODEL, RNG)
    assert isinstance(first, MixedNetwork) and changed(start, first) == set(tensors(start))
    assert not changed(first, Delta().adapt(given, MODEL, RNG))


def test_attention_asks_some_rows_of_a_large_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acclimate.strategies.parameter.delta.MOST_ROWS", 30)
    given = asked()
    batch = drawn(MODEL.stream(prepared(given)), RNG)
    assert len(batch["label"]) == 30 and "keep.hidden2" not in batch
    whole = prepared(given).tensors["numeric"].numpy()
    assert all((row == whole).all(1).any() for row in batch["numeric"].numpy())


def test_grid_is_short_and_begins_with_the_default() -> None:
    grid = Delta().grid(asked())
    assert grid[0] == Delta() and len(set(grid)) == len(grid) == 3
    assert not Delta.unasked


def test_what_cannot_be_gone_on_from_is_refused() -> None:
    given = asked()
    assert Delta().why_not(given, MODEL) is None
    why = Delta().why_not(given, Linear())
    assert why is not None and "linear has no layers" in why
    bare = given.with_sources([Source("us", market(9, 2).unlabelled())])
    assert Delta().why_not(bare, MODEL) == "source 'us' has no labelled rows to pretrain on"


@pytest.mark.parametrize("settings", [{"alpha": -1.0}, {"beta": float("nan")}, {"rate": 0.0}])
def test_settings_out_of_range_are_mistakes(settings: dict[str, float]) -> None:
    with pytest.raises(StrategyError, match="Expected a finite alpha and beta of at least 0"):
        Delta(**settings)  # type: ignore[arg-type]

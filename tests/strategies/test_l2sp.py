"""L2-SP: what the leash pulls on, how hard, and that nothing else pulls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem, Statistics
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Derived, Source
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.rng import Rng
from acclimate.strategies.parameter import pretrain
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.pretrain import pretrained

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(5)
MODEL = MixedNetwork(width=16, epochs=5, penalty=0.0)


def market(n: int, seed: int, sign: float = 1.0) -> Rows:
    g = np.random.default_rng(seed)
    x = g.normal(size=(n, 2))
    brand = g.integers(0, 6, n)
    logit = sign * (2 * x[:, 0] * x[:, 1] + 3 * np.sin(brand))
    return Rows(
        pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "brand": [f"brand {k}" for k in brand]}),
        {"a": ColumnType.NUMERIC, "b": ColumnType.NUMERIC, "brand": ColumnType.CATEGORY},
        ("no", "yes"),
        (logit + g.logistic(size=n) > 0).astype(np.int64),
    )


def problem() -> Problem:
    source = Source("us", market(600, 2))
    bare = Problem("jp", market(80, 1, sign=-1.0), (source,), Claim.LATER, RowRecipe())
    return bare.encoded(Statistics.SOURCES)


def tensors(model: Any) -> dict[str, Any]:
    return dict(model.state().tensors)


def body_distance(strategy: L2SP, asked: Problem) -> float:
    """The farthest that any parameter of the body went from the source's."""
    start = pretrained(asked, MODEL, RNG)
    before, after = tensors(start), tensors(strategy.adapt(asked, MODEL, RNG))
    return max(float(np.abs(after[name] - before[name]).max()) for name in start.body())


def view_of(asked: Problem, rows: Rows) -> RowView:
    view = asked.view(rows)
    assert isinstance(view, RowView)
    return view


def scores(model: Model, view: RowView) -> Array:
    answer = model.predict(view)
    assert isinstance(answer, Probabilities)
    return answer.p


def fitted_on(asked: Problem) -> RowView:
    assert isinstance(asked.fit, Rows)
    return view_of(asked, asked.fit)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "_PRETRAINED", Derived())


def test_no_penalty_is_plain_fine_tuning_exactly() -> None:
    asked = problem()
    plain = tensors(FineTune("all", rate=0.3).adapt(asked, MODEL, RNG))
    leashed = tensors(L2SP(alpha=0.0, beta=0.0, rate=0.3).adapt(asked, MODEL, RNG))
    assert all(np.array_equal(leashed[name], plain[name]) for name in plain)


def test_gradient_of_the_penalty_is_alpha_away_for_the_body_and_beta_w_for_the_head() -> None:
    asked = problem()
    start = pretrained(asked, MODEL, RNG)
    penalties = L2SP(alpha=0.7, beta=0.3).penalties(start)
    generator = torch.Generator().manual_seed(0)
    anchor = start.parameters()
    at = {name: v + torch.randn(v.shape, generator=generator) for name, v in anchor.items()}

    def both(params: Any) -> Any:
        return torch.stack([penalty(params) for penalty in penalties.values()]).sum()

    gradient = torch.func.grad(both)(at)
    for name in start.body():
        assert torch.allclose(gradient[name], 0.7 * (at[name] - anchor[name]), atol=1e-6), name
    for name in start.heads():
        assert torch.allclose(gradient[name], 0.3 * at[name], atol=1e-6), name


def test_body_stays_at_the_anchor_as_alpha_grows() -> None:
    asked = problem()
    far, nearer, near, at = (
        body_distance(L2SP(alpha=alpha), asked) for alpha in (0.0, 1.0, 100.0, 1e8)
    )
    assert far > nearer > near > at
    # Adam turns round within a step of the anchor, and its steps shrink to nothing.
    assert at < 0.3 * MODEL.rate < far / 3


def test_head_shrinks_as_beta_grows_and_ignores_alpha() -> None:
    asked = problem()

    def size(strategy: L2SP) -> float:
        return float(np.abs(tensors(strategy.adapt(asked, MODEL, RNG))["head.weight"]).sum())

    assert size(L2SP(beta=10.0, rate=1.0)) < 0.5 * size(L2SP(beta=0.0, rate=1.0))
    start = tensors(pretrained(asked, MODEL, RNG))
    held = tensors(L2SP(alpha=1e6, beta=0.0).adapt(asked, MODEL, RNG))
    assert np.abs(held["head.weight"] - start["head.weight"]).max() > MODEL.rate


def test_optimiser_adds_no_penalty_of_its_own() -> None:
    asked = problem()
    start = pretrained(asked, MODEL, RNG)
    prepared = MODEL.prepare(fitted_on(asked))

    def tuned(strategy: Any, penalty: float) -> dict[str, Any]:
        model = replace(MODEL, penalty=penalty)
        return tensors(model.tune(prepared, strategy.tuning(start), start=start, rng=RNG))

    none, much = tuned(L2SP(), 0.0), tuned(L2SP(), 50.0)
    assert all(np.array_equal(none[name], much[name]) for name in none)
    plain, held = tuned(FineTune(), 0.0), tuned(FineTune(), 50.0)
    assert not np.array_equal(plain["hidden1.weight"], held["hidden1.weight"])


def test_zero_epochs_give_the_source_network_exactly() -> None:
    asked = problem()
    view = fitted_on(asked)
    still = L2SP(epochs=0).adapt(asked, MODEL, RNG)
    assert np.array_equal(scores(still, view), scores(pretrained(asked, MODEL, RNG), view))


def test_same_key_same_scores() -> None:
    asked = problem()
    first = tensors(L2SP().adapt(asked, MODEL, RNG))
    pretrain._PRETRAINED = Derived()
    again = tensors(L2SP().adapt(asked, MODEL, RNG))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_tick_that_raises_ends_the_adaptation() -> None:
    asked, calls = problem(), []
    pretrained(asked, MODEL, RNG)

    def tick() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        L2SP().adapt(asked, MODEL, RNG, tick)


def test_grid_is_short_and_begins_with_the_default() -> None:
    grid = L2SP().grid(problem())
    assert grid[0] == L2SP() and len(set(grid)) == len(grid) <= 4


def test_models_without_layers_are_refused() -> None:
    why = L2SP().why_not(problem(), Linear())
    assert why is not None and "linear has no layers" in why


def test_source_without_labels_is_refused() -> None:
    asked = problem().with_sources([Source("us", market(9, 2).unlabelled())])
    assert L2SP().why_not(asked, MODEL) == "source 'us' has no labelled rows to pretrain on"


@pytest.mark.parametrize("settings", [{"alpha": -1.0}, {"beta": float("nan")}])
def test_negative_pulls_are_mistakes(settings: dict[str, float]) -> None:
    with pytest.raises(StrategyError, match="Expected alpha and beta of at least 0"):
        L2SP(**settings)  # type: ignore[arg-type]

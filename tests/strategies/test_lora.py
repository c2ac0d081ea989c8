"""LoRA: what moves, by which rank, and that the merged network answers as the two parts do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.linear import Linear
from acclimate.models.lowrank import DOWN, UP, factors, merged, scaled
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.lora import Lora, matrices
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import MODEL, changed, market, problem, rows_view, scores, tensors

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(5)


def asked() -> Problem:
    return problem(market(80, 1, away=1.0), market(300, 2), on=Statistics.SOURCES)


def learned(given: Problem, strategy: Lora, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The served network, and the parameters of the loop before they were merged."""
    kept: list[Any] = []
    learn = MixedNetwork.learn

    def heard(self: MixedNetwork, *args: Any, **options: Any) -> Any:
        fitted = learn(self, *args, **options)
        kept.append(fitted.parameters())
        return fitted

    pretrained(given, MODEL, RNG)
    monkeypatch.setattr(MixedNetwork, "learn", heard)
    fitted = strategy.adapt(given, MODEL, RNG)
    monkeypatch.setattr(MixedNetwork, "learn", learn)
    return fitted, kept[-1]


def test_the_merged_network_answers_as_the_held_one_and_its_low_rank_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = asked()
    fitted, params = learned(given, Lora(rank=3, alpha=6.0), monkeypatch)
    view = rows_view(given.view(given.fit))
    batch = MODEL.prepare(view).tensors

    def linear(name: str, x: Any) -> Any:
        whole = x @ params[f"{name}.weight"].T + params[f"{name}.bias"]
        low = x @ params[f"{DOWN}{name}.weight"].T @ params[f"{UP}{name}.weight"].T
        return whole + 6.0 / 3 * low

    tables = [batch[name] for name in sorted(batch) if name.startswith("codes.")]
    names = [name for name in sorted(params) if name.startswith("codes.")]
    looked = [params[n][at].flatten(-2) for n, at in zip(names, tables, strict=True)]
    x = torch.cat([batch["numeric"], *looked], -1)
    for name in ("hidden1", "hidden2"):
        x = torch.nn.functional.gelu(linear(name, x))
    apart = torch.softmax(x @ params["head.weight"].T + params["head.bias"], 1).numpy()
    np.testing.assert_allclose(fitted.predict(view).p, apart, atol=1e-6)
    assert float(params[f"{UP}hidden1.weight"].abs().max()) > 0.01


def test_only_the_low_rank_parts_and_the_head_move(monkeypatch: pytest.MonkeyPatch) -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)
    fitted, params = learned(given, Lora(rank=2), monkeypatch)
    before, after = tensors(start), tensors(fitted)
    head = {"head.weight", "head.bias"}
    assert changed(start, fitted) == {"hidden1.weight", "hidden2.weight"} | head
    still = set(before) - head
    assert all(np.array_equal(params[name].numpy(), before[name]) for name in still)
    assert set(params) - set(before) == {
        part + name for name in ("hidden1.weight", "hidden2.weight") for part in (DOWN, UP)
    }
    for name in ("hidden1.weight", "hidden2.weight"):
        sizes = np.linalg.svd(after[name].astype(float) - before[name], compute_uv=False)
        assert sizes[1] > 1e-4 and sizes[2] < 1e-5 * max(sizes[0], 1.0)


def test_the_product_is_0_at_first_and_zero_epochs_give_the_source_network() -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)
    fresh = factors(start.parameters(), matrices(start), 4, RNG)
    assert all(float(value.abs().max()) == 0 for k, value in fresh.items() if k.startswith(UP))
    assert all(float(value.std()) > 0 for k, value in fresh.items() if k.startswith(DOWN))
    assert not changed(start, Lora(epochs=0).adapt(given, MODEL, RNG))


def test_merging_adds_alpha_over_rank_times_the_product() -> None:
    w, a, b = torch.eye(2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]])
    params = {"x.weight": w, "x.bias": a, f"{DOWN}x.weight": a, f"{UP}x.weight": b}
    found = merged(params, Lora(rank=4, alpha=2.0).scale)
    assert set(found) == {"x.weight", "x.bias"}
    assert found["x.weight"].tolist() == [[2.5, 3.0], [2.0, 5.0]]


def test_what_is_scaled_beside_its_matrix_is_what_is_merged_at_that_scale() -> None:
    w, a, b = torch.eye(2), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]])
    params = {"x.weight": w, f"{DOWN}x.weight": a, f"{UP}x.weight": b}
    beside = scaled(params, 0.5)
    assert torch.equal(beside[f"{UP}x.weight"], b / 2) and beside["x.weight"] is w
    assert torch.equal(merged(beside, 1.0)["x.weight"], merged(params, 0.5)["x.weight"])


def test_a_held_body_sees_no_dropout() -> None:
    given = asked()
    start = pretrained(given, MODEL, RNG)

    def tuned(silenced: float) -> Any:
        wild = replace(start, dropout=silenced, hide=silenced)
        return Lora().adapt(given, wild, RNG)

    assert not changed(tuned(0.0), tuned(0.5))


def test_same_key_same_answer_and_chains_go_on() -> None:
    given = asked()
    first = Lora().adapt(given, MODEL, RNG)
    assert isinstance(first, MixedNetwork) and first == MODEL
    assert not changed(first, Lora().adapt(given, MODEL, RNG))
    assert changed(first, FineTune("head").adapt(given, first, RNG)) == first.heads()
    before = scores(pretrained(given, MODEL, RNG), given, market(50, 9))
    assert not np.array_equal(scores(first, given, market(50, 9)), before)


def test_grid_is_short_and_begins_with_the_default() -> None:
    grid = Lora().grid(asked())
    assert grid[0] == Lora() and len(set(grid)) == len(grid) == 3 and not Lora.unasked


def test_what_cannot_be_gone_on_from_is_refused() -> None:
    given = asked()
    assert Lora().why_not(given, MODEL) is None
    why = Lora().why_not(given, Linear())
    assert why is not None and "linear has no layers" in why
    bare = given.with_sources([Source("us", market(9, 2).unlabelled())])
    assert Lora().why_not(bare, MODEL) == "source 'us' has no labelled rows to pretrain on"


@pytest.mark.parametrize("settings", [{"rank": 0}, {"alpha": 0.0}, {"rate": float("inf")}])
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected a rank of at least 1"):
        Lora(**settings)

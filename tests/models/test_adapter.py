"""An adapter on a network's body: where it stands, and that it changes nothing at first."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import State
from acclimate.models.network import TakesAdapter, Trainable, Tuning
from acclimate.rng import Rng

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(7)
PLAIN = MixedNetwork(width=16, epochs=2)
GROWN = replace(PLAIN, adapter=4)
NAMES = {f"adapter.{x}.{y}" for x in ("down", "up") for y in ("weight", "bias")}


def rows(n: int = 60) -> RowView:
    g = np.random.default_rng(n)
    codes = g.integers(0, 5, (n, 1))
    return RowView(g.normal(size=(n, 3)), codes, (5,), None, codes[:, 0] % 2, 2)


def fit(model: MixedNetwork, start: MixedNetwork | None = None) -> MixedNetwork:
    return model.fit(model.prepare(rows()), start=start, rng=RNG)


def test_a_fresh_adapter_changes_no_feature_and_no_other_parameter() -> None:
    prepared = PLAIN.prepare(rows())
    ours, theirs = GROWN.begin(prepared, None, RNG), PLAIN.begin(prepared, None, RNG)
    assert set(ours) - set(theirs) == NAMES == GROWN.adapters()
    assert PLAIN.adapters() == frozenset()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert torch.equal(
        GROWN.features(ours, prepared.tensors), PLAIN.features(theirs, prepared.tensors)
    )
    assert bool(ours["adapter.down.weight"].any())  # or no gradient would reach it


def test_features_are_the_bodys_plus_up_gelu_down() -> None:
    prepared = GROWN.prepare(rows())
    params = GROWN.begin(prepared, None, RNG)
    params["adapter.up.weight"] = torch.randn(16, 4)
    params["adapter.up.bias"] = torch.randn(16)
    params["adapter.down.bias"] = torch.randn(4)
    bare = {name: value for name, value in params.items() if name not in NAMES}
    x = PLAIN.features(bare, prepared.tensors)
    z = x @ params["adapter.down.weight"].T + params["adapter.down.bias"]
    z = z * 0.5 * (1 + torch.erf(z / 2**0.5))
    by_hand = x + z @ params["adapter.up.weight"].T + params["adapter.up.bias"]
    assert torch.allclose(GROWN.features(params, prepared.tensors), by_hand, atol=1e-5)


def test_a_start_without_an_adapter_gets_a_fresh_one_and_answers_as_before() -> None:
    start = fit(PLAIN)
    still = fit(replace(GROWN, epochs=0), start)
    assert np.array_equal(still.predict(rows()).p, start.predict(rows()).p)
    assert still.body() - start.body() == NAMES


def test_a_start_with_an_adapter_hands_it_on() -> None:
    start = fit(GROWN)
    assert start.state().tensors["adapter.up.weight"].any()
    still = fit(replace(GROWN, epochs=0), start)
    assert np.array_equal(still.predict(rows()).p, start.predict(rows()).p)


@pytest.mark.parametrize("units", [0, 8])
def test_a_start_with_another_adapter_is_refused(units: int) -> None:
    with pytest.raises(StrategyError, match=r"body of shape .* same width and adapter"):
        fit(replace(GROWN, adapter=units), fit(GROWN))


def test_the_adapter_is_a_layer_of_its_own_at_the_top_of_the_body() -> None:
    fitted = fit(GROWN)
    layers = fitted.layers()
    assert layers[-2] == NAMES <= fitted.body() and layers[-1] == fitted.heads()
    names = [name for layer in layers for name in layer]
    assert len(names) == len(set(names)) and set(names) == set(fitted.parameters())
    assert len(fit(PLAIN).layers()) == len(layers) - 1


def test_the_adapter_alone_can_be_trained() -> None:
    start = fit(PLAIN)
    prepared = GROWN.prepare(rows())
    tuned = GROWN.tune(prepared, Tuning(GROWN.adapters(), epochs=3), start=start, rng=RNG)
    before, after = start.state().tensors, tuned.state().tensors
    assert all(np.array_equal(after[name], before[name]) for name in before)
    assert all(after[name].any() for name in NAMES)


def test_gradients_reach_the_adapter_under_torch_func() -> None:
    prepared = GROWN.prepare(rows())
    params = GROWN.begin(prepared, None, RNG)
    params["adapter.up.weight"] = torch.ones(16, 4)
    grads = torch.func.grad(GROWN.loss)(params, prepared.tensors)
    assert all(bool(grads[name].any()) for name in NAMES)


def test_parameters_beside_the_networks_learn_and_are_not_kept() -> None:
    prepared = PLAIN.prepare(rows())
    stream, begun = PLAIN.stream(prepared), PLAIN.begin(prepared, None, RNG)
    seen: list[float] = []

    def step(params, batches, progress):  # type: ignore[no-untyped-def]
        seen.append(float(params["beside"].detach()))
        return {"rows": PLAIN.loss(params, batches["rows"]), "own": params["beside"].square()}

    def learn(trainable: frozenset[str] | None) -> MixedNetwork:
        seen.clear()
        return PLAIN.learn(
            prepared,
            step,
            {"rows": stream},
            Tuning(trainable),
            begun=begun,
            beside={"beside": torch.tensor(1.0)},
            steps=20,
            rng=RNG,
        )

    assert set(learn(None).state().tensors) == set(begun)
    assert seen[0] == 1.0 and seen[-1] < 0.99
    held = learn(frozenset())
    assert seen[-1] < 0.99
    assert all(np.array_equal(held.state().tensors[k], v.numpy()) for k, v in begun.items())


def test_state_round_trip_keeps_the_adapter_and_older_states_have_none() -> None:
    model = fit(GROWN)
    state = model.state()
    meta = json.loads(json.dumps(state.meta))
    back = MixedNetwork.restore(State(state.kind, meta, state.tensors))
    assert back == model and np.array_equal(back.predict(rows()).p, model.predict(rows()).p)
    older = fit(PLAIN).state()
    del older.meta["settings"]["adapter"]
    assert MixedNetwork.restore(older) == PLAIN


def test_the_network_says_that_it_takes_an_adapter() -> None:
    assert isinstance(PLAIN, TakesAdapter) and isinstance(PLAIN, Trainable)

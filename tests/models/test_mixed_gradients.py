"""The network's body under torch.func: second order, and many tasks side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Params
from acclimate.rng import Rng
from tests.models.rings import rings

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(7)


def double(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.double() if v.is_floating_point() else v for k, v in values.items()}


def test_second_order_gradient_through_an_inner_step_matches_finite_differences() -> None:
    model = MixedNetwork(width=8)
    support = model.prepare(rings(12, 1, text=True))
    query = double(model.prepare(rings(12, 2, text=True)).tensors)
    params = double(model.begin(support, None, RNG))
    inner = double(support.tensors)

    def outer(params: Params) -> Any:
        grads = torch.func.grad(model.loss)(params, inner)
        adapted = {name: params[name] - 0.5 * grads[name] for name in params}
        return model.loss(adapted, query)

    exact = torch.func.grad(outer)(params)
    used = int(inner["codes.16"][0, 0])
    for name, at in (
        ("hidden1.weight", (2, 1)),
        ("hidden2.bias", (3,)),
        ("codes.16", (used, 5)),
        ("text", (100, 7)),
        ("head.weight", (1, 4)),
    ):
        nudge = torch.zeros_like(params[name])
        nudge[at] = 1e-5
        up = outer(params | {name: params[name] + nudge})
        down = outer(params | {name: params[name] - nudge})
        slope = float(up - down) / 2e-5
        assert float(exact[name][at]) == pytest.approx(slope, rel=1e-5, abs=1e-9), name
        assert slope != 0.0


def test_gradients_of_tasks_side_by_side_equal_gradients_one_by_one() -> None:
    model = MixedNetwork(width=8)
    tasks = [dict(model.prepare(rings(10, seed, text=True)).tensors) for seed in (1, 2, 3)]
    params = model.begin(model.prepare(rings(10, 1, text=True)), None, RNG)
    stacked = {name: torch.stack([task[name] for task in tasks]) for name in tasks[0]}
    together_ = torch.func.vmap(torch.func.grad(model.loss), in_dims=(None, 0))(params, stacked)
    for number, task in enumerate(tasks):
        alone = torch.func.grad(model.loss)(params, task)
        for name in params:
            assert torch.allclose(together_[name][number], alone[name], atol=1e-6)

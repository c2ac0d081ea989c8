"""The compiled outer loop: the numbers of the plain one, and the plain one where it must."""

from __future__ import annotations

from typing import Any

import pytest

from acclimate.models.network import Params, train
from acclimate.rng import Rng
from acclimate.strategies.meta import compiled as module
from acclimate.strategies.meta.compiled import compiled, compiler, quickest
from acclimate.strategies.meta.inner import EPISODES, Inner, across
from acclimate.strategies.meta.maml import Maml
from tests.strategies.nets import MODEL, market, problem, rows_view

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
HEADS = MODEL.heads()


@pytest.fixture(scope="module")
def made() -> tuple[Params, Params, Params]:
    given = problem(market(60, 1), market(60, 2))
    prepared = MODEL.prepare(rows_view(given.view(given.fit)))
    rows = dict(prepared.tensors)
    g = torch.Generator().manual_seed(0)
    at = torch.stack([torch.randperm(60, generator=g)[:12] for _ in range(4)])
    weight = torch.rand(2, 4, 6, generator=g) + 0.5
    drawn = {
        "support": at[:, :6],
        "query": at[:, 6:],
        "support_weight": weight[0],
        "query_weight": weight[1],
    }
    return MODEL.begin(prepared, None, RNG), rows, drawn


def gradient(
    step: Any, params: Params, drawn: Params, free: Any = None
) -> tuple[float, Params]:
    leaves = {k: v.clone().requires_grad_(free is None or k in free) for k, v in params.items()}
    loss = step(leaves, {EPISODES: drawn}, 0.0)["query"]
    moving = {k: v for k, v in leaves.items() if v.requires_grad}
    grads = torch.autograd.grad(loss, list(moving.values()))
    return float(loss.detach()), dict(zip(moving, grads, strict=True))


def same(one: tuple[float, Params], other: tuple[float, Params]) -> None:
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    assert set(one[1]) == set(other[1])
    for name, value in other[1].items():
        torch.testing.assert_close(one[1][name], value, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("head", [False, True], ids=["all", "head"])
def test_the_traced_step_of_a_network_equals_tasks_side_by_side(
    made: Any, order: int, head: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph itself, run operation by operation: twice, and at other parameters."""
    monkeypatch.setattr(torch, "compile", lambda graph, **options: graph)
    params, rows, drawn = made
    moving = HEADS if head else frozenset(params)
    ours, plain = (
        make(MODEL.loss, Inner(0.3, 3, order), moving, rows) for make in (compiled, across)
    )
    same(gradient(ours, params, drawn), gradient(plain, params, drawn))
    more = {name: 1.5 * value for name, value in params.items()}
    same(gradient(ours, more, drawn), gradient(plain, more, drawn))


def test_what_is_held_gets_no_gradient_and_another_shape_goes_the_plain_way(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def once(graph: Any, **options: Any) -> Any:
        calls.append(options)
        return graph

    monkeypatch.setattr(torch, "compile", once)
    params, rows, drawn = made
    inner = Inner(0.3, 2)
    ours, plain = (make(MODEL.loss, inner, HEADS, rows) for make in (compiled, across))
    same(gradient(ours, params, drawn, HEADS), gradient(plain, params, drawn, HEADS))
    fewer = {name: value[:3] for name, value in drawn.items()}
    same(gradient(ours, params, fewer, HEADS), gradient(plain, params, fewer, HEADS))
    same(gradient(ours, params, drawn), gradient(plain, params, drawn))
    assert calls == [
        {"dynamic": False, "options": {"fx_graph_cache": False, "cpp_wrapper": True}}
    ]


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")
def test_compiled_it_trains_as_the_plain_loop_does() -> None:
    """A tiny regression, compiled in earnest: four steps of the one loop."""

    def loss(params: Params, batch: Any) -> Any:
        hidden = torch.relu(batch["x"] @ params["a"])
        return ((hidden @ params["b"] - batch["y"]).square() * batch["weight"]).mean()

    g = torch.Generator().manual_seed(0)
    params = {"a": torch.randn(1, 5, generator=g), "b": torch.randn(5, generator=g)}
    rows = {"x": torch.randn(30, 1, generator=g), "y": torch.randn(30, generator=g)}
    at = torch.arange(30).reshape(3, 10)
    drawn = {"support": at[:, :5], "query": at[:, 5:]}
    drawn |= {f"{name}_weight": torch.ones(3, 5) for name in ("support", "query")}
    ends = [
        train(
            make(loss, Inner(0.1, 2), list(params), rows),
            params,
            batches=[{EPISODES: drawn}] * 4,
            steps=4,
        )
        for make in (compiled, across)
    ]
    for name, value in ends[1].items():
        torch.testing.assert_close(ends[0][name], value, atol=1e-5, rtol=1e-5)
        assert not torch.equal(value, params[name])


def test_long_outer_loops_alone_are_compiled_and_only_with_a_compiler(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(module, "compiled", lambda *args: asked.append(args))
    monkeypatch.setattr(module, "compiler", lambda: "/usr/bin/g++")
    rows = made[1]
    inner = Inner(0.3, 2)
    quickest(MODEL.loss, inner, HEADS, rows, module.WORTH - 1)
    assert not asked
    quickest(MODEL.loss, inner, HEADS, rows, module.WORTH)
    assert asked == [(MODEL.loss, inner, HEADS, rows)]
    monkeypatch.setattr(module, "compiler", lambda: None)
    assert quickest(MODEL.loss, inner, HEADS, rows, module.WORTH) is not None
    assert len(asked) == 1 and Maml().rounds < module.WORTH

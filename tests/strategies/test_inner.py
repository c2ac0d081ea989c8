"""The inner loop and the gradients through it, against finite differences and plain loops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array
from acclimate.domains.episodes import Drawn
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Batch, Params
from acclimate.rng import Rng
from acclimate.strategies.meta.inner import (
    EPISODES,
    STOPS,
    Descent,
    Inner,
    Learner,
    across,
    episode_stream,
    side,
)
from acclimate.strategies.meta.reptile import toward
from tests.strategies.held import most_bytes
from tests.strategies.nets import market, problem, rows_view

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
MODEL = MixedNetwork(width=3)
HEADS = MODEL.heads()


@pytest.fixture(scope="module")
def made() -> tuple[Params, Params, Params]:
    """A tiny network in double precision, its rows, and four episodes over them."""
    given = problem(market(60, 1), market(60, 2))
    prepared = MODEL.prepare(rows_view(given.view(given.fit)))
    params = {k: 2 * v.double() for k, v in MODEL.begin(prepared, None, RNG).items()}
    rows = {k: v.double() if v.is_floating_point() else v for k, v in prepared.tensors.items()}
    g = np.random.default_rng(7)
    at = np.stack([g.permutation(60)[:12] for _ in range(4)])
    weight = g.uniform(0.5, 1.5, (2, 4, 6))
    drawn = Drawn(np.arange(4), at[:, :6], at[:, 6:], weight[0], weight[1])
    tensors = dict(episode_stream(drawn, 4).tensors)
    return params, rows, {k: v.double() if "weight" in k else v for k, v in tensors.items()}


def meta_gradient(made: Any, inner: Inner, moving: Any = None) -> Params:
    params, rows, drawn = made
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    step = across(MODEL.loss, inner, frozenset(params) if moving is None else moving, rows)
    loss = step(leaves, {EPISODES: drawn}, 0.0)["query"]
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def by_hand(made: Any, inner: Inner, params: Params, moving: Any = None) -> Any:
    """The meta-loss task by task and step by step, each gradient by autograd."""
    _, rows, drawn = made
    names = sorted(params if moving is None else moving)
    losses = []
    for task in range(4):
        support, query = (
            {k: v[drawn[name][task]] for k, v in rows.items()}
            | {"weight": drawn[f"{name}_weight"][task]}
            for name in ("support", "query")
        )
        now = dict(params)
        for _ in range(inner.steps):
            with torch.enable_grad():
                loss = MODEL.loss(now, support)
                values = [now[name] for name in names]
                grads = torch.autograd.grad(loss, values, create_graph=inner.order == 2)
            now |= {n: v - inner.rate * g for n, v, g in zip(names, values, grads, strict=True)}
        losses.append(MODEL.loss(now, query))
    return torch.stack(losses).mean()


def slopes(loss: Callable[[Params], float], params: Params, h: float = 1e-6) -> Array:
    """Central differences of a loss along each of `directions`."""
    found = []
    for name, along in directions(params):
        ends = [loss(params | {name: params[name] + way * along}) for way in (h, -h)]
        found.append((ends[0] - ends[1]) / (2 * h))
    return np.array(found)


def directions(params: Params) -> list[tuple[str, Any]]:
    """Three random ones for each parameter."""
    g = np.random.default_rng(5)
    return [
        (name, torch.from_numpy(g.normal(size=tuple(value.shape))))
        for name, value in sorted(params.items())
        for _ in range(3)
    ]


def flat(params: Params) -> Any:
    return torch.cat([params[name].flatten() for name in sorted(params)])


def apart(one: Params, other: Params) -> float:
    """The distance of two gradients in lengths of the first."""
    return float((flat(one) - flat(other)).norm() / flat(one).norm())


@pytest.mark.parametrize("moving", [None, HEADS], ids=["maml", "anil"])
def test_the_meta_gradient_of_second_order_is_that_of_finite_differences(
    made: Any, moving: Any
) -> None:
    inner = Inner(0.5, 3)

    def loss(params: Params) -> float:
        step = across(MODEL.loss, inner, moving or frozenset(params), made[1])
        return float(step(params, {EPISODES: made[2]}, 0.0)["query"])

    ours = meta_gradient(made, inner, moving)
    first = meta_gradient(made, Inner(0.5, 3, order=1), moving)
    along = directions(made[0])
    found, wrong = (
        np.array([float((gradient[name] * way).sum()) for name, way in along])
        for gradient in (ours, first)
    )
    expected = slopes(loss, made[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
    # What first order leaves out is no rounding.
    assert np.abs(wrong - expected).max() > 0.01 and apart(ours, first) > 0.05


def test_the_meta_gradient_of_first_order_is_the_query_gradient_where_descents_end(
    made: Any,
) -> None:
    params, rows, drawn = made
    inner = Inner(0.5, 3, order=1)
    support, query = side(rows, drawn, "support"), side(rows, drawn, "query")
    total = {name: torch.zeros_like(value) for name, value in params.items()}
    for task in range(4):
        ends = inner.adapted(
            MODEL.loss, params, params.keys(), {k: v[task] for k, v in support.items()}
        )
        leaves = {name: value.detach().requires_grad_() for name, value in ends.items()}
        loss = MODEL.loss(leaves, {k: v[task] for k, v in query.items()})
        for name, gradient in zip(
            leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True
        ):
            total[name] += gradient / 4
    assert apart(total, meta_gradient(made, inner)) < 1e-12


@pytest.mark.parametrize("order", [1, 2])
def test_without_a_rate_the_meta_gradient_is_the_pooled_query_gradient(
    made: Any, order: int
) -> None:
    params, rows, drawn = made
    query = {k: v.flatten(0, 1) for k, v in side(rows, drawn, "query").items()}
    pooled = torch.func.grad(MODEL.loss)(params, query)
    assert apart(pooled, meta_gradient(made, Inner(0.0, 3, order))) < 1e-12
    assert apart(pooled, meta_gradient(made, Inner(0.5, 3, order))) > 0.05


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("moving", [None, HEADS], ids=["all", "head"])
def test_tasks_side_by_side_equal_a_plain_loop_over_them(
    made: Any, order: int, moving: Any
) -> None:
    inner = Inner(0.3, 2, order)
    leaves = {k: v.clone().requires_grad_() for k, v in made[0].items()}
    loss = by_hand(made, inner, leaves, moving)
    ours = across(MODEL.loss, inner, moving or leaves.keys(), made[1])
    assert float(ours(made[0], {EPISODES: made[2]}, 0.0)["query"]) == pytest.approx(
        float(loss.detach()), rel=1e-12
    )
    if order == 2:
        grads = torch.autograd.grad(loss, list(leaves.values()))
        plain = dict(zip(leaves, grads, strict=True))
        assert apart(plain, meta_gradient(made, inner, moving)) < 1e-10


def test_a_descent_of_the_head_leaves_the_body_bit_for_bit(made: Any) -> None:
    params, rows, drawn = made
    support = {k: v[0] for k, v in side(rows, drawn, "support").items()}
    ends = Inner(0.5, 3).adapted(MODEL.loss, params, HEADS, support)
    assert {k for k in params if not torch.equal(ends[k], params[k])} == HEADS
    ends = Inner(0.5, 3).adapted(MODEL.loss, params, params.keys(), support)
    assert {k for k in params if not torch.equal(ends[k], params[k])} == set(params)


def test_the_descent_that_serves_is_the_one_that_was_learned_for(made: Any) -> None:
    params, rows, _ = made
    ends = Inner(0.3, 5).adapted(MODEL.loss, params, params.keys(), rows)
    learner = Learner(MODEL.loss, frozenset(params), 0.3)
    served = learner.descend(params, rows, 5, RNG)
    assert apart(ends, served) < 1e-12
    # It can be taken up again where it was left.
    parts = learner.descend(learner.descend(params, rows, 2, RNG), rows, 3, RNG)
    assert apart(served, parts) == 0


def quadratic(far: float) -> Callable[[Params, Batch], Any]:
    """A mean loss whose best point on all rows is their mean, `far` away from 0."""

    def loss(params: Params, batch: Batch) -> Any:
        return (params["w"] - far - batch["x"]).square().mean()

    return loss


@pytest.mark.parametrize(
    ("far", "rate", "found"), [(0.0, 0.5, 0), (1.0, 0.5, 1), (1.0, 0.02, 64), (1.0, 1.5, 0)]
)
def test_as_many_steps_are_taken_as_held_out_rows_bear(
    far: float, rate: float, found: int
) -> None:
    """(1 − 2α)^k of the way is left after k steps: at α = ½ one is all, at 1.5 it runs away."""
    params = {"w": torch.zeros((), dtype=torch.float64)}
    rows = {"x": torch.tensor([-0.1, 0.1] * 10, dtype=torch.float64)}
    learner = Learner(quadratic(far), frozenset({"w"}), rate)
    assert learner.best_stop(params, rows, np.arange(20) % 4, RNG) == found


def test_no_more_steps_are_taken_than_allowed() -> None:
    params = {"w": torch.zeros((), dtype=torch.float64)}
    rows = {"x": torch.tensor([-0.1, 0.1] * 10, dtype=torch.float64)}
    for most, found in ((64, 64), (63, 32), (5, 4), (0, 0)):
        learner = Learner(quadratic(1.0), frozenset({"w"}), 0.02, most)
        assert learner.best_stop(params, rows, np.arange(20) % 4, RNG) == found
        alone = learner.best_stop(params, rows, np.zeros(20, np.int64), RNG)
        assert alone == min(1, most)


def test_a_descent_that_runs_away_on_the_way_is_not_followed(made: Any) -> None:
    params = {"w": torch.ones((), dtype=torch.float32)}
    rows = {"x": torch.tensor([-1e30, 1e30] * 4)}

    def loss(params: Params, batch: Batch) -> Any:
        return (params["w"] * batch["x"]).square().square().mean()

    learner = Learner(loss, frozenset({"w"}), 1.0)
    assert learner.best_stop(params, rows, np.arange(8) % 2, RNG) == STOPS[0]


def test_rows_that_cannot_be_left_out_take_one_step() -> None:
    learner = Learner(quadratic(1.0), frozenset({"w"}), 0.5)
    params, rows = {"w": torch.zeros(())}, {"x": torch.zeros(3)}
    assert learner.best_stop(params, rows, np.zeros(3, np.int64), RNG) == 1


def test_first_order_is_second_order_without_what_passes_through_the_descent(
    made: Any,
) -> None:
    """∇L_Q(θ′) (I − α H) is MAML's gradient after one step; FOMAML's lacks − α H ∇L_Q(θ′)."""
    params, rows, drawn = made
    rate = 0.5
    whole, first = (meta_gradient(made, Inner(rate, 1, order)) for order in (2, 1))
    names = sorted(params)
    sizes = [params[name].numel() for name in names]
    shapes = [params[name].shape for name in names]

    def unflat(vector: Any) -> Params:
        parts = zip(names, vector.split(sizes), shapes, strict=True)
        return {name: part.reshape(shape) for name, part, shape in parts}

    support, query = side(rows, drawn, "support"), side(rows, drawn, "query")
    lost = torch.zeros(sum(sizes), dtype=torch.float64)
    for task in range(4):
        mine = {k: v[task] for k, v in support.items()}
        theirs = {k: v[task] for k, v in query.items()}
        at = flat(params)
        hessian = torch.func.hessian(lambda v, rows=mine: MODEL.loss(unflat(v), rows))(at)
        gradient = torch.func.grad(lambda v, rows=mine: MODEL.loss(unflat(v), rows))(at)
        end = torch.func.grad(lambda v, rows=theirs: MODEL.loss(unflat(v), rows))(
            at - rate * gradient
        )
        lost += rate * hessian @ end / 4
    assert apart(first, unflat(flat(whole) + lost)) < 1e-12
    assert float(lost.norm() / flat(first).norm()) > 0.05


def grown(made: Any, order: int, steps: int, tasks: int) -> int:
    """Bytes that live at once in one gradient of the outer loop."""
    params, rows, drawn = made
    many = {name: value.repeat(tasks // 4, 1) for name, value in drawn.items()}
    return most_bytes(lambda: meta_gradient((params, rows, many), Inner(0.1, steps, order)))


def test_memory_of_first_order_does_not_grow_with_the_steps(made: Any) -> None:
    one, *more = (grown(made, 1, steps, 4) for steps in (2, 4, 16))
    assert more[0] <= 1.02 * one and more[1] <= 1.02 * one


def test_memory_of_second_order_grows_by_the_same_for_each_step_and_task(made: Any) -> None:
    """What a step keeps is kept once: twice as many tasks or steps cost no more than twice."""
    by_steps = [grown(made, 2, steps, 8) for steps in (2, 4, 6)]
    first, second = np.diff(by_steps)
    assert second == pytest.approx(first, rel=0.05)
    by_tasks = [grown(made, 2, 4, tasks) for tasks in (8, 16, 24)]
    first, second = np.diff(by_tasks)
    assert second == pytest.approx(first, rel=0.05)


def test_memory_of_reptile_does_not_grow_with_the_steps(made: Any) -> None:
    params, rows, drawn = made

    def gradient(steps: int) -> None:
        leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
        step = toward(MODEL.loss, Descent(0.1), steps, rows)
        loss = step(leaves, {EPISODES: drawn}, 0.0)["apart"]
        torch.autograd.grad(loss, list(leaves.values()))

    two, four, many = (most_bytes(partial(gradient, n)) for n in (2, 4, 16))
    assert four <= 1.02 * two and many <= 1.02 * two

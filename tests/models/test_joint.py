"""Joint networks beside slow transcriptions of their equations, one task at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.view import RowView
from acclimate.models.attention import Mtan
from acclimate.models.experts import Mmoe, Ple
from acclimate.models.joint import JointNetwork, of_task, own, task_names
from acclimate.models.layers import embeds, inputs
from acclimate.models.network import Params, Trainable
from acclimate.models.stitch import CrossStitch
from acclimate.rng import Rng
from acclimate.strategies.catalogue import MADE

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(5)
TASKS = 3
SMALL: dict[str, Any] = {"width": 6, "tasks": TASKS, "tower": 4, "dropout": 0.0, "hide": 0.0}
NETWORKS: list[JointNetwork] = [
    Mmoe(experts=4, hidden=5, **SMALL),
    Ple(mine=2, common=3, levels=1, hidden=5, **SMALL),
    Ple(mine=2, common=3, levels=2, hidden=5, **SMALL),
    Mtan(units=3, **SMALL),
    CrossStitch(mine=0.7, **SMALL),
]
each_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda n: f"{n.kind}")


def rows(n: int = 9, seed: int = 0) -> RowView:
    g = np.random.default_rng(seed)
    codes = g.integers(0, 7, (n, 2))
    return RowView(g.normal(size=(n, 3)), codes, (7, 7), None, g.integers(0, 3, n), 3)


def begun(network: JointNetwork) -> Params:
    """Fresh parameters with each task's own beside them; embeddings that say something."""
    prepared = network.prepare(rows())
    params = network.begin(prepared, None, RNG)
    for name in task_names(TASKS)[1:]:
        other = network.begin(prepared, None, RNG.child(name))
        params |= {own(name, each): other[each] for each in network.heads()}
    generator = torch.Generator().manual_seed(1)
    noise = {k: torch.randn(v.shape, generator=generator) for k, v in params.items()}
    return {k: noise[k] if embeds(k) else v + 0.1 * noise[k] for k, v in params.items()}


def bodies(network: JointNetwork, params: Params) -> list[Any]:
    """What the body makes of the rows for each task, all in one pass."""
    views = [of_task(params, name, network.heads()) for name in task_names(TASKS)]
    batch = network.prepare(rows()).tensors
    return network.features_of(views, batch, range(TASKS))


def seen(network: JointNetwork, params: Params) -> Any:
    """(n, inputs) in float64."""
    return inputs(params, network.prepare(rows()).tensors).double().numpy()


def array(params: Params, name: str) -> Any:
    return params[name].double().numpy()


def relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


def gelu(x: Any) -> Any:
    return torch.nn.functional.gelu(torch.from_numpy(x)).numpy()


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def expert(params: Params, name: str, at: int, x: Any, hidden: int, width: int) -> Any:
    """One expert, from its slice of the packed tensors."""
    first = array(params, f"{name}.first")
    mine = slice(at * hidden, (at + 1) * hidden)
    first = first[mine].T if first.ndim == 2 else first[at]
    b1 = array(params, f"{name}.first.bias")[mine]
    b2 = array(params, f"{name}.second.bias")[at * width : (at + 1) * width]
    return relu(relu(x @ first + b1) @ array(params, f"{name}.second")[at] + b2)


def test_mmoe_is_that_of_the_paper() -> None:
    """Ma et al., eq. 5–6: f^k = Σ_i softmax(W_k x)_i f_i(x)."""
    network = NETWORKS[0]
    assert isinstance(network, Mmoe)
    params = begun(network)
    x = seen(network, params)
    for task, ours in zip(task_names(TASKS), bodies(network, params), strict=True):
        gate = softmax(x @ array(params, own(task, "gate")).T)
        expected = np.zeros((len(x), network.width))
        for at in range(network.experts):
            answer = expert(params, "experts", at, x, network.hidden, network.width)
            expected += gate[:, [at]] * answer
        assert np.allclose(ours.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS[1:3], ids=["one level", "two levels"])
def test_ple_is_that_of_the_paper(network: Ple) -> None:
    """Tang et al.: tasks choose from their own and shared experts, the shared gate from all."""
    params = begun(network)
    x = seen(network, params)
    mine, common, names = network.mine, network.common, task_names(TASKS)
    count = TASKS * mine + common
    shared = [*range(TASKS * mine, count)]
    reads = [x] * TASKS  # what each task's experts and gate read
    pool = x  # what the shared experts and the shared gate read
    for level in range(1, network.levels + 1):
        name = f"level{level}"
        answers = []
        for at in range(count):
            given = reads[at // mine] if at < TASKS * mine else pool
            answers.append(expert(params, name, at, given, network.hidden, network.width))
        after = []
        for task in range(TASKS):
            chosen = [*range(task * mine, (task + 1) * mine), *shared]
            gate = softmax(reads[task] @ array(params, own(names[task], f"gate{level}")).T)
            after.append(sum(gate[:, [k]] * answers[at] for k, at in enumerate(chosen)))
        if level < network.levels:
            gate = softmax(pool @ array(params, f"pool{level}").T)
            assert gate.shape[1] == count  # over all experts
            pool = sum(gate[:, [at]] * answers[at] for at in range(count))
        reads = after
    for ours, expected in zip(bodies(network, params), reads, strict=True):
        assert np.allclose(ours.numpy(), expected, atol=1e-5)


def test_task_attention_is_that_of_the_paper() -> None:
    network = NETWORKS[3]
    params = begun(network)
    x = seen(network, params)

    def dense(name: str, given: Any) -> Any:
        return given @ array(params, f"{name}.weight").T + array(params, f"{name}.bias")

    u1 = dense("hidden1", x)
    p1 = gelu(u1)
    u2 = dense("hidden2", p1)
    p2 = gelu(u2)
    for task, ours in zip(task_names(TASKS), bodies(network, params), strict=True):
        mask1 = sigmoid(dense(own(task, "mask1.up"), relu(dense(own(task, "mask1.down"), u1))))
        joined = np.concatenate([u2, relu(dense(own(task, "join"), mask1 * p1))], 1)
        inner = relu(dense(own(task, "mask2.down"), joined))
        mask2 = sigmoid(dense(own(task, "mask2.up"), inner))
        assert np.allclose(ours.numpy(), mask2 * p2, atol=1e-5)


def test_cross_stitch_is_that_of_the_paper() -> None:
    """Misra et al., eq. 1, a unit at a time: x̃_k = Σ_j α_kj x_j."""
    network = NETWORKS[4]
    params = begun(network)
    x, width = seen(network, params), network.width
    first, second = array(params, "towers.first"), array(params, "towers.second")

    def stitched(name: str, layers: list[Any]) -> list[Any]:
        alpha = array(params, name).reshape(TASKS, TASKS, width)
        return [sum(alpha[k, j] * layers[j] for j in range(TASKS)) for k in range(TASKS)]

    def bias(name: str, k: int) -> Any:
        return array(params, name)[k * width : (k + 1) * width]

    lower = [
        gelu(x @ first[k * width : (k + 1) * width].T + bias("towers.first.bias", k))
        for k in range(TASKS)
    ]
    lower = stitched("stitch.first", lower)
    upper = [gelu(lower[k] @ second[k] + bias("towers.second.bias", k)) for k in range(TASKS)]
    for ours, expected in zip(
        bodies(network, params), stitched("stitch.second", upper), strict=True
    ):
        assert np.allclose(ours.numpy(), expected, atol=1e-5)


def test_stitches_begin_mostly_on_the_task_itself_and_sum_to_one() -> None:
    params = CrossStitch(mine=0.7, **SMALL).parts(5, torch.Generator())
    alpha = params["stitch.first"].view(TASKS, TASKS, 6)
    assert torch.allclose(alpha.sum(1), torch.ones(TASKS, 6))
    assert torch.allclose(alpha.diagonal(dim1=0, dim2=1), torch.full((6, TASKS), 0.7))


@each_network
def test_a_task_is_served_what_it_learned_beside_the_others(network: JointNetwork) -> None:
    params = begun(network)
    prepared, batch = network.prepare(rows()), network.prepare(rows()).tensors
    for task, (name, body) in enumerate(
        zip(task_names(TASKS), bodies(network, params), strict=True)
    ):
        view = of_task(params, name, network.heads())
        served = network.at(task).holding(prepared, view)
        assert np.allclose(served.embed(rows()), body.numpy(), atol=1e-6)
        assert not [name for name in served.parameters() if "/" in name]
        scores = torch.softmax(network.head(view, body), 1).numpy()
        assert np.allclose(served.predict(rows()).p, scores, atol=1e-6)
    assert batch["label"].max() == 2


@each_network
def test_gates_and_heads_of_one_task_move_no_other(network: JointNetwork) -> None:
    params = begun(network)
    batch = network.prepare(rows()).tensors

    def loss(params: Params, task: int) -> Any:
        views = [of_task(params, name, network.heads()) for name in task_names(TASKS)]
        return network.cost(
            views[task], network.features_of(views, batch, range(TASKS))[task], batch
        )

    found = torch.func.grad(lambda p: loss(p, 1))(params)
    moved = {name for name, grad in found.items() if bool(grad.any())}
    assert {own("task 1", name) for name in network.heads()} - moved <= {"task 1/join.bias"}
    foreign = {own("task 2", name) for name in network.heads()}
    assert not moved & foreign


@each_network
def test_a_fitted_one_is_trainable_restored_exactly_and_listed(network: JointNetwork) -> None:
    fitted = replace(network, epochs=1, served=1).fit(network.prepare(rows(40)), rng=RNG)
    assert isinstance(fitted, Trainable)
    again = type(network).restore(fitted.state())
    assert isinstance(again, JointNetwork) and again == fitted and again.served == 1
    assert np.array_equal(again.predict(rows()).p, fitted.predict(rows()).p)
    assert type(network) in [type(model) for model in MADE]
    held = frozenset().union(*fitted.layers())
    assert held == set(fitted.parameters()) == fitted.body() | fitted.heads()
    on = fitted.fit(network.prepare(rows(40)), start=fitted, rng=RNG)
    assert isinstance(on, type(network))


@each_network
def test_an_adapter_changes_nothing_at_first(network: JointNetwork) -> None:
    plain = network.begin(network.prepare(rows()), None, RNG)
    with_one = replace(network, adapter=2)
    begun = with_one.begin(network.prepare(rows()), None, RNG)
    batch = network.prepare(rows()).tensors
    assert set(begun) - set(plain) == with_one.adapters()
    assert torch.equal(network.features(plain, batch), with_one.features(begun, batch))
    held = with_one.holding(network.prepare(rows()), begun)
    assert isinstance(held, JointNetwork) and held.layers()[-2] == with_one.adapters()


@each_network
def test_dropout_silences_units_of_every_task(network: JointNetwork) -> None:
    params = begun(network)
    views = [of_task(params, name, network.heads()) for name in task_names(TASKS)]
    keep = torch.ones(9, network.width)
    keep[:, 0] = 0.0
    batch = {**network.prepare(rows()).tensors, "keep.hidden2": keep}
    if not isinstance(network, CrossStitch):
        for body in network.features_of(views, batch, range(TASKS)):
            assert not body[:, 0].any() and body[:, 1:].any()
    whole = {**batch, "keep.hidden2": torch.zeros(9, network.width)}
    for body in network.features_of(views, whole, range(TASKS)):
        assert not body.any()

"""AML's attention: three tasks by hand, MAML as a special case, gradients in θ and φ."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Batch, Params
from acclimate.rng import Rng
from acclimate.strategies.meta.attention import (
    KEY,
    QUERY,
    Attention,
    attending,
    attention,
    moved,
)
from acclimate.strategies.meta.boards import BOARD, NAMES, one
from acclimate.strategies.meta.inner import EPISODES, Inner, across, side
from tests.strategies.nets import (
    market,
    problem,
    rows_view,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
TINY = MixedNetwork(width=3)
HEADS = TINY.heads()


def asked(fit: int = 1) -> Problem:
    return problem(market(60, fit), market(120, 2), market(90, 3), on=Statistics.SOURCES)


# ── the formula ─────────────────────────────────────────────────────────────


def test_three_tasks_attend_to_each_other_as_by_hand() -> None:
    """Task j has mean x of m = (0, 1, ln 3), which is its query and its key: s_ij = m_i m_j.

    a_1 = (·, ½, ½): both scores are 0.  a_2 = (¼, ·, ¾): e⁰ to e^ln 3.  a_3 = (¼, ¾, ·): e⁰
    to e^ln 3.  The gradient of task j at w = 2 is 2 − m_j, and α is ½.
    """
    mean = torch.tensor([0.0, 1.0, math.log(3)], dtype=torch.float64)
    gradients = {"w": 2 - mean}
    a = attention(mean[:, None], mean[:, None], masked=True)
    wanted = torch.tensor([[0, 0.5, 0.5], [0.25, 0, 0.75], [0.25, 0.75, 0]]).double()
    torch.testing.assert_close(a, wanted, atol=1e-12, rtol=0)
    theta = {"w": torch.tensor(2.0, dtype=torch.float64)}
    found = moved(theta, gradients, a, 0.5)["w"]
    log3 = math.log(3)
    by_hand = [
        2 - 0.5 * (0.5 * (2 - 1) + 0.5 * (2 - log3)),
        2 - 0.5 * (0.25 * (2 - 0) + 0.75 * (2 - log3)),
        2 - 0.5 * (0.25 * (2 - 0) + 0.75 * (2 - 1)),
    ]
    np.testing.assert_allclose(found.numpy(), by_hand, rtol=1e-12)
    # Unmasked, task 1 attends to all alike, and task 3 to itself by e^(ln 3)².
    free = attention(mean[:, None], mean[:, None], masked=False)
    third = np.exp([0.0, log3, log3**2])
    np.testing.assert_allclose(free[0].numpy(), np.full(3, 1 / 3), rtol=1e-12)
    np.testing.assert_allclose(free[2].numpy(), third / third.sum(), rtol=1e-12)


def test_scores_are_scaled_by_the_root_of_the_width() -> None:
    query, key = torch.ones(1, 4).double(), torch.tensor([[1.0] * 4, [0.0] * 4]).double()
    a = attention(query, key, masked=False)
    assert float(a[0, 0]) == pytest.approx(math.exp(2) / (math.exp(2) + 1), rel=1e-12)


@pytest.mark.parametrize("masked", [True, False])
def test_attention_of_a_task_sums_to_one_and_masked_is_none_on_itself(masked: bool) -> None:
    g = torch.Generator().manual_seed(0)
    query, key = torch.randn(5, 3, generator=g), 4 * torch.randn(5, 3, generator=g)
    a = attention(query, key, masked)
    torch.testing.assert_close(a.sum(1), torch.ones(5))
    assert bool((a.diagonal() == 0).all()) == masked and bool((a >= 0).all())


def test_a_task_alone_attends_to_nobody_when_masked() -> None:
    x = torch.ones(1, 2)
    assert attention(x, x, masked=True).tolist() == [[0.0]]
    assert attention(x, x, masked=False).tolist() == [[1.0]]


# ── a network ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def made() -> tuple[Params, Params, Batch]:
    """A tiny network in double precision, its rows, and a board of four tasks."""
    given = asked()
    prepared = TINY.prepare(rows_view(given.view(given.fit)))
    params = {k: 2 * v.double() for k, v in TINY.begin(prepared, None, RNG).items()}
    rows = {k: v.double() if v.is_floating_point() else v for k, v in prepared.tensors.items()}
    g = np.random.default_rng(7)
    at = np.stack([g.permutation(60)[:12] for _ in range(4)])
    weight = g.uniform(0.5, 1.5, (2, 4, 6))
    parts = (at[:, :6], at[:, 6:], weight[0], weight[1])
    board = {n: torch.from_numpy(p)[None, None] for n, p in zip(NAMES, parts, strict=True)}
    return params, rows, board


def how(params: Params, masked: bool) -> Attention:
    return Attention(TINY.loss, TINY.features, HEADS, params.keys(), 0.5, masked)


def fresh_phi(told: Attention, made: Any, scale: float = 1.0) -> Params:
    params, rows, board = made
    size = told.all_told(params, side(rows, one(board), "support")).summary.shape[1]
    g = torch.Generator().manual_seed(1)
    return {name: scale * torch.randn(3, size, generator=g).double() for name in (QUERY, KEY)}


@pytest.mark.parametrize("masked", [True, False])
def test_each_task_is_adapted_by_a_plain_loop_s_gradients(made: Any, masked: bool) -> None:
    params, rows, board = made
    told = how(params, masked)
    phi = fresh_phi(told, made)
    support = side(rows, one(board), "support")
    ends, a = told.adapted(params, phi, support)
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    gradients, summaries = [], []
    for task in range(4):
        shown = {k: v[task] for k, v in support.items()}
        grads = torch.autograd.grad(TINY.loss(leaves, shown), list(leaves.values()))
        gradients.append(dict(zip(leaves, grads, strict=True)))
        body = (TINY.features(params, shown) * shown["weight"][:, None]).mean(0)
        head = torch.cat([gradients[-1][name].flatten() for name in sorted(HEADS)])
        summaries.append(torch.cat([body / body.norm(), head / head.norm()]))
    e = torch.stack(summaries)
    expected = attention(e @ phi[QUERY].T, e @ phi[KEY].T, masked)
    torch.testing.assert_close(a, expected, atol=1e-9, rtol=0)
    for task in range(4):
        for name, value in params.items():
            step = sum(a[task, j] * gradients[j][name] for j in range(4))
            torch.testing.assert_close(ends[name][task], value - 0.5 * step)


def test_a_masked_task_does_not_move_with_its_own_labels(made: Any) -> None:
    """Only through whom it attends to; with that held, its own gradient is nowhere in θ_i."""
    params, rows, board = made
    told = how(params, masked=True)
    support = side(rows, one(board), "support")
    gradients = told.all_told(params, support).gradients
    _, a = told.adapted(params, fresh_phi(told, made), support)
    other = {k: torch.cat([v[:1] + 7.0, v[1:]]) for k, v in gradients.items()}
    for name, ends in moved(params, gradients, a, 0.5).items():
        apart = (ends - moved(params, other, a, 0.5)[name]).abs().flatten(1).amax(1)
        assert float(apart[0]) == 0.0 and bool((apart[1:] > 1e-6).all())


def test_with_all_attention_on_itself_it_is_a_step_of_maml(made: Any) -> None:
    """Loss and meta-gradient to 1e-6: scores far enough apart that softmax is exactly one."""
    params, rows, board = made
    told = how(params, masked=False)
    summary = told.all_told(params, side(rows, one(board), "support")).summary
    # Rows of a left inverse: the query of task i meets its own key alone.
    phi = {QUERY: 200 * torch.linalg.pinv(summary.T), KEY: 200 * torch.linalg.pinv(summary.T)}
    names = sorted(params)
    leaves = {k: params[k].clone().requires_grad_() for k in names}
    ours = attending(told, names, rows)(leaves | phi, {BOARD: board}, 0.0)["query"]
    episodes = {EPISODES: one(board)}
    theirs = across(TINY.loss, Inner(0.5, 1), names, rows)(leaves, episodes, 0.0)["query"]
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)
    pairs = [torch.autograd.grad(each, list(leaves.values())) for each in (ours, theirs)]
    for one_, other in zip(*pairs, strict=True):
        torch.testing.assert_close(one_, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("masked", [True, False])
def test_the_gradient_of_theta_and_phi_is_that_of_finite_differences(
    made: Any, masked: bool
) -> None:
    params, rows, board = made
    told = how(params, masked)
    phi = fresh_phi(told, made)
    step = attending(told, params.keys(), rows)
    whole = params | phi
    leaves = {k: v.clone().requires_grad_() for k, v in whole.items()}
    loss = step(leaves, {BOARD: board}, 0.0)["query"]
    grads = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    g = np.random.default_rng(5)
    for name, value in whole.items():
        along = torch.from_numpy(g.normal(size=tuple(value.shape)))
        ends = [
            float(step(whole | {name: value + h * along}, {BOARD: board}, 0.0)["query"])
            for h in (1e-6, -1e-6)
        ]
        found = float((grads[name] * along).sum())
        assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-9)
        assert float(grads[name].abs().max()) > 1e-5, name


def test_gradients_pass_through_the_other_tasks_gradients(made: Any) -> None:
    """Held as constants, the others' gradients would give θ another gradient."""
    params, rows, board = made
    told = how(params, masked=True)
    phi = fresh_phi(told, made)
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    support, query = (side(rows, one(board), name) for name in ("support", "query"))
    ends, a = told.adapted(leaves, phi, support)
    constant = {k: v.detach() for k, v in told.all_told(params, support).gradients.items()}
    held = moved(leaves, constant, a.detach(), 0.5)
    found = []
    for each in (ends, held):
        loss = torch.func.vmap(TINY.loss)(each, query).mean()
        found.append(
            torch.cat(
                [
                    x.flatten()
                    for x in torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
                ]
            )
        )
    assert float((found[0] - found[1]).norm() / found[1].norm()) > 0.01

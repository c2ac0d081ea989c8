"""AML: three tasks by hand, MAML as a special case, gradients in θ and φ, no rows kept."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.artifacts.states import pack, unpack
from acclimate.domains.episodes import Group
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Derived, Source
from acclimate.errors import StrategyError
from acclimate.models.attentive import Attentive
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import idle
from acclimate.models.network import Batch, Params
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.meta import aml, episodic
from acclimate.strategies.meta.aml import Aml, of_task
from acclimate.strategies.meta.attention import (
    KEY,
    QUERY,
    Attention,
    attending,
    attention,
    moved,
    unit,
)
from acclimate.strategies.meta.boards import BOARD, NAMES, boards, one
from acclimate.strategies.meta.inner import EPISODES, Inner, across, side
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import (
    MODEL,
    changed,
    market,
    problem,
    rows_view,
    scores,
    tensors,
)

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
TINY = MixedNetwork(width=3)
HEADS = TINY.heads()
QUICK: dict[str, Any] = {"rounds": 6, "shots": 8, "queries": 8, "width": 4}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodic, "_META", Derived())


def asked(fit: int = 1) -> Problem:
    return problem(market(60, fit), market(120, 2), market(90, 3), on=Statistics.SOURCES)


def half(params: Params, batch: Batch) -> Any:
    """½ mean (w − x)²: its gradient is w − mean x."""
    return 0.5 * (params["w"] - batch["x"]).square().mean()


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


# ── boards ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("groups", "tasks", "rounds"), [(3, 8, 5), (7, 3, 9), (4, 4, 4)])
def test_a_board_shows_each_task_once_and_all_its_sets_the_same_tasks(
    groups: int, tasks: int, rounds: int
) -> None:
    found = asked().episodes("domain", 4, 4, RNG)
    many = tuple(
        Group(f"g{k}", np.arange(10) + 10 * k, np.arange(10) % 2) for k in range(groups)
    )
    stream = boards(replace(found, groups=many), rounds, tasks, sets=2)
    task = stream.tensors["task"].numpy()
    assert task.shape == (rounds, min(tasks, groups))
    assert all(len(set(row)) == len(row) for row in task.tolist())
    counts = np.bincount(task.ravel(), minlength=groups)
    assert groups % min(tasks, groups) or counts.max() - counts.min() <= 1
    support = stream.tensors["support"].numpy()
    assert support.shape == (rounds, 2, task.shape[1], 4)
    assert np.array_equal(support // 10, np.broadcast_to(task[:, None, :, None], support.shape))
    assert not np.array_equal(support[:, 0], support[:, 1])


# ── the strategy ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("masked", [True, False])
def test_a_target_is_served_by_the_kept_gradients_alone(masked: bool) -> None:
    given, strategy = asked(), Aml(masked=masked, **QUICK)
    fitted = strategy.adapt(given, MODEL, RNG)
    assert isinstance(fitted, Attentive) and fitted.keys is not None
    theta = fitted.start.parameters()
    prepared = fitted.start.prepare(rows_view(given.view(given.fit)))
    support = dict(fitted.start.stream(prepared).tensors)
    leaves = {k: v.clone().requires_grad_() for k, v in theta.items()}

    def told(rows: Batch) -> tuple[Any, Params]:
        grads = torch.autograd.grad(MODEL.loss(leaves, rows), list(leaves.values()))
        named = dict(zip(leaves, grads, strict=True))
        head = torch.cat([named[name].flatten() for name in sorted(HEADS)])
        return torch.cat([unit(MODEL.features(theta, rows).mean(0)), unit(head)]), named

    sources = []
    for source in given.sources:
        view = rows_view(given.source_view(source))
        sources.append(told(dict(fitted.start.stream(fitted.start.prepare(view)).tensors)))
    for number, (summary, named) in enumerate(sources):
        for name, value in named.items():
            np.testing.assert_allclose(fitted.gradients[name][number], value.numpy(), atol=1e-6)
        np.testing.assert_allclose(
            fitted.keys[number], (torch.from_numpy(fitted.key) @ summary).numpy(), atol=1e-5
        )
    mine = told(support)
    parts = [*sources] if masked else [*sources, mine]
    keys = torch.stack([torch.from_numpy(fitted.key) @ summary for summary, _ in parts])
    a = attention((torch.from_numpy(fitted.query) @ mine[0])[None], keys, masked=False)[0]
    served = tensors(fitted.served)
    for name, value in theta.items():
        step = sum(float(w) * named[name] for w, (_, named) in zip(a, parts, strict=True))
        np.testing.assert_allclose(
            served[name], (value - strategy.alpha * step).numpy(), atol=1e-6
        )
    assert changed(fitted.start, fitted.served) == set(theta)


def test_what_is_kept_adapts_to_another_target_without_any_row() -> None:
    """An artifact as the only source: the same answer as where the sources' rows are."""
    one_, other = asked(), asked(fit=9)
    for masked in (True, False):
        strategy = Aml(masked=masked, **QUICK)
        fitted = Fitted(one_.encoder, strategy.adapt(one_, MODEL, RNG))  # type: ignore[arg-type]
        given = Source("jp artifact", None, frozenset({"fitted"}), unpack(*pack(fitted)))
        alone = replace(other, sources=(given,)).encoded(Statistics.SOURCES)
        assert strategy.why_not(alone, MODEL) is None
        with_rows = strategy.adapt(other, MODEL, RNG)
        without = strategy.adapt(alone, MODEL, RNG)
        assert isinstance(with_rows, Attentive) and isinstance(without, Attentive)
        assert not changed(with_rows.served, without.served)
        assert changed(without.served, fitted.model.served)  # type: ignore[attr-defined]
        test = market(40, 5)
        assert np.array_equal(scores(with_rows, other, test), scores(without, alone, test))


def test_saved_and_restored_it_is_the_same_to_the_bit() -> None:
    given = asked()
    fitted = Fitted(given.encoder, Aml(**QUICK).adapt(given, MODEL, RNG))  # type: ignore[arg-type]
    tree, kept = pack(fitted)
    again, same = pack(unpack(tree, kept))
    assert tree == again
    assert set(kept) == set(same)
    assert all(np.array_equal(kept[name], same[name]) for name in kept)
    tasks = {len(v) for k, v in kept.items() if "gradient." in k}
    assert tasks == {2}


def test_meta_learning_moves_theta_and_attention() -> None:
    given = asked()
    still = Aml(**QUICK | {"rounds": 0}).start(given, MODEL, RNG, idle)
    assert not changed(pretrained(given, MODEL, RNG), still.start)
    learned = Aml(**QUICK).start(given, MODEL, RNG, idle)
    assert changed(still.start, learned.start) == set(tensors(still.start))
    three = [*given.sources, replace(given.sources[0], name="fr", held=market(80, 6))]
    more = given.with_sources(three)
    still, learned = (
        Aml(**QUICK | {"rounds": n}).start(more, MODEL, RNG, idle) for n in (0, 6)
    )
    for before, after in ((still.query, learned.query), (still.key, learned.key)):
        assert before is not None and after is not None and np.abs(before - after).max() > 0.001


def test_unmasked_learns_from_a_task_its_own_gradient_too() -> None:
    given = asked()
    masked, free = (
        Aml(masked=masked, **QUICK).start(given, MODEL, RNG, idle) for masked in (True, False)
    )
    assert changed(masked.start, free.start) == set(tensors(free.start))
    assert masked.masked and not free.masked


def test_rows_are_read_some_at_a_time_and_tell_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = asked()
    whole = Aml(**QUICK).start(given, MODEL, RNG, idle)
    monkeypatch.setattr(aml, "AT_ONCE", 50)
    episodic._META = Derived()
    parts = Aml(**QUICK).start(given, MODEL, RNG, idle)
    for name, value in whole.gradients.items():
        np.testing.assert_allclose(parts.gradients[name], value, atol=1e-6)


def test_of_many_tasks_the_gradients_of_some_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aml, "KEPT", 3)
    kept = Aml(by="category", **QUICK).start(asked(), MODEL, RNG, idle)
    assert len(kept.keys) == 3  # type: ignore[arg-type]


def test_rows_of_a_task_weigh_as_its_source_says() -> None:
    group = Group("us", np.array([1, 3]), np.array([0, 1]), np.array([1.0, 3.0]))
    found = of_task(group, {"label": torch.arange(5)})
    assert found["label"].tolist() == [1, 3] and found["weight"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize("settings", [{"own": True}, {"width": 0}, {"tasks": 1}])
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected at least 2 tasks a step, a width"):
        Aml(**settings)


def test_an_artifact_of_another_kind_is_refused() -> None:
    given = asked()
    for model in (pretrained(given, MODEL, RNG), Linear()):
        fitted = Fitted(given.encoder, model)  # type: ignore[arg-type]
        source = Source("jp", None, frozenset({"fitted"}), fitted)
        alone = replace(given, sources=(source,)).encoded(Statistics.SOURCES)
        why = Aml().why_not(alone, MODEL)
        assert why == f"source 'jp' is a fitted {model.kind}, not attentive"
        both = replace(given, sources=(source, given.sources[0]))
        assert Aml().why_not(both, MODEL) == (
            "'jp' is a fitted model, which is used alone or not at all"
        )


def test_a_model_that_is_no_network_is_refused_with_an_artifact_too() -> None:
    given = asked()
    fitted = Fitted(given.encoder, Attentive())  # type: ignore[arg-type]
    source = Source("jp", None, frozenset({"fitted"}), fitted)
    alone = replace(given, sources=(source,))
    why = Aml().why_not(alone, Linear())
    assert why == "linear has no loss that could be differentiated twice: not a network"


def test_kinds_are_of_the_catalogue() -> None:
    assert Aml().kind == "aml" and Aml(masked=False).kind == "aml-unmasked"
    assert not Aml.unasked and not Aml.hands_on
    assert isinstance(Maml(), episodic.Episodic)

"""Joint strategies and soft sharing: who shares what, who is served, and what holds tasks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.joint import JointNetwork, of_task, own
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Params
from acclimate.rng import Rng
from acclimate.strategies.baselines import Pooled, TargetOnly
from acclimate.strategies.multitask.balance import Balance
from acclimate.strategies.multitask.joint import (
    JointSharing,
    MmoeSharing,
    MtanSharing,
    PleSharing,
    StitchSharing,
    same_rows,
)
from acclimate.strategies.multitask.lessons import label_lessons
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.multitask.soft import (
    SoftSharing,
    TraceNorm,
    distance,
    trace_norm,
)
from tests.strategies.nets import MODEL, changed, market, problem, rows_view, scores

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
JOINT: list[JointSharing] = [MmoeSharing(), PleSharing(), MtanSharing(), StitchSharing()]
SOFT: list[SoftSharing] = [SoftSharing(), TraceNorm()]
by_kind = pytest.mark.parametrize("strategy", [*JOINT, *SOFT], ids=lambda s: str(s.kind))
joint = pytest.mark.parametrize("strategy", JOINT, ids=lambda s: str(s.kind))
soft = pytest.mark.parametrize("strategy", SOFT, ids=lambda s: str(s.kind))


def asked() -> Problem:
    return problem(market(80, 1), market(300, 2), market(200, 3))


def flipped() -> Problem:
    """The source says the opposite: one head for both cannot serve both."""
    other = market(600, 2)
    assert other.label is not None
    return problem(market(300, 1), replace(other, label=1 - other.label))


# ── all of them ─────────────────────────────────────────────────────────────────


WIDE, TEST = MixedNetwork(width=16, epochs=15), market(1000, 9)


@cache
def pooled_accuracy() -> float:
    """One head for both, which cannot serve both."""
    given = flipped()
    pooled = scores(Pooled().adapt(given, WIDE, RNG), given, TEST).argmax(1)
    return float((pooled == TEST.label).mean())


@by_kind
def test_the_target_is_served_its_own_task(strategy: HardSharing) -> None:
    given = flipped()
    ours = scores(strategy.adapt(given, WIDE, RNG), given, TEST).argmax(1)
    assert (ours == TEST.label).mean() > 0.6 > 0.5 > pooled_accuracy()


@by_kind
def test_each_task_can_be_served_from_one_training(strategy: HardSharing) -> None:
    given = flipped()
    taught = strategy.taught(strategy.lessons(given), WIDE, RNG)
    first, second = (scores(taught.serve(k), given, TEST).argmax(1) for k in (0, 1))
    assert (first == TEST.label).mean() > 0.6
    assert (second != TEST.label).mean() > 0.6


@by_kind
def test_same_key_same_answer_and_another_key_another(strategy: HardSharing) -> None:
    given = asked()
    first = strategy.adapt(given, MODEL, RNG)
    assert not changed(first, strategy.adapt(given, MODEL, RNG))
    assert changed(first, strategy.adapt(given, MODEL, Rng.of(4)))


@by_kind
def test_balances_reach_what_the_tasks_share(strategy: HardSharing) -> None:
    given = asked()
    plain = strategy.adapt(given, MODEL, RNG)
    soft = isinstance(strategy, SoftSharing)
    balances: tuple[Balance, ...] = ("uncertainty", "gradnorm", "pcgrad")
    for balance in balances[:1] if soft else balances:
        fitted = replace(strategy, balance=balance).adapt(given, MODEL, RNG)
        assert np.isfinite(scores(fitted, given, market(20, 9))).all()
        assert changed(plain, fitted)


@by_kind
def test_tasks_are_labels_where_there_are_others(strategy: HardSharing) -> None:
    given = problem(market(80, 1, also=True), market(300, 2, also=True))
    assert [lesson.name for lesson in strategy.lessons(given)] == ["label", "size", "gift"]
    fitted = strategy.adapt(given, MODEL, RNG)
    assert scores(fitted, given, market(20, 9)).shape == (20, 2)
    assert [lesson.name for lesson in strategy.lessons(asked())] == ["jp", "us", "de"]


# ── joint networks ──────────────────────────────────────────────────────────────


def every_row() -> Problem:
    """A problem without rows that only other labels have."""
    return problem(market(80, 1, also=True), market(300, 2, also=True))


@joint
def test_tasks_over_the_same_rows_read_each_batch_once(strategy: JointSharing) -> None:
    lessons = strategy.lessons(every_row())
    model = replace(MODEL, dropout=0.0, hide=0.0)
    network = strategy.network(model, lessons)
    assert isinstance(network, JointNetwork)
    prepared = [network.prepare(lesson.view) for lesson in lessons]
    names = ("rows", "task 1", "task 2")
    streams = strategy.streams(network, names, prepared, lessons)
    assert [*streams] == ["rows", "task 2"]  # half of task 2's labels are unknown
    shares = dict(zip(names, (1.0, 0.5, 2.0), strict=True))
    params = network.begin(prepared[0], None, RNG)
    for name, rows in zip(names[1:], prepared[1:], strict=True):
        fresh = network.begin(rows, None, RNG.child(name))
        params |= {own(name, each): fresh[each] for each in network.heads()}
    step = strategy.losses(network, shares, network.heads())
    together = step(params, {name: each.tensors for name, each in streams.items()}, 0.0)
    assert [*together] == [*names]
    for task, (name, rows) in enumerate(zip(names, prepared, strict=True)):
        view = of_task(params, name, network.heads())
        alone = network.at(task).loss(view, rows.tensors)
        assert float(together[name]) == pytest.approx(shares[name] * float(alone), rel=1e-5)


def test_rows_of_another_market_are_not_the_same_rows() -> None:
    model = MODEL
    first, size, gift = (
        model.stream(model.prepare(each.view)) for each in label_lessons(every_row())
    )
    assert same_rows(first, size) and not same_rows(first, gift)
    views = [rows_view(asked().view(market(80, seed))) for seed in (1, 2)]
    one, other = (model.stream(model.prepare(view)) for view in views)
    assert not same_rows(one, other)
    weighed = model.stream(model.prepare(views[0]), np.arange(80.0) + 1)
    assert not same_rows(one, weighed)


@joint
def test_a_model_without_layers_over_columns_is_refused(strategy: JointSharing) -> None:
    plain = MixedNetwork()
    names = [name for name in dir(plain) if not name.startswith("__")]
    other: Any = SimpleNamespace(**{name: getattr(plain, name) for name in names})
    other.kind = "other"
    why = "other has no layers over columns that tasks could share parts of"
    assert strategy.why_not(asked(), other) == why
    assert strategy.why_not(asked(), plain) is None


@joint
def test_in_a_chain_it_begins_anew(strategy: JointSharing) -> None:
    given = asked()
    start = Pooled().adapt(given, MODEL, RNG)
    assert isinstance(start, MixedNetwork)
    ours = strategy.adapt(given, start, RNG)
    assert not changed(ours, strategy.adapt(given, MODEL, RNG))


# ── soft sharing ────────────────────────────────────────────────────────────────


@soft
def test_without_strength_the_target_learns_alone(strategy: SoftSharing) -> None:
    given = problem(market(200, 1), market(200, 2))
    apart = replace(strategy, strength=0.0).adapt(given, MODEL, RNG)
    assert not changed(TargetOnly().adapt(given, MODEL, RNG), apart)
    held = strategy.adapt(given, MODEL, RNG)
    assert changed(apart, held)
    assert type(held) is MixedNetwork


def bodies_apart(strategy: SoftSharing, given: Problem) -> float:
    taught = strategy.taught(strategy.lessons(given), MODEL, RNG)
    one, other = (taught.serve(k) for k in (0, 1))
    assert isinstance(one, MixedNetwork) and isinstance(other, MixedNetwork)
    ours, theirs = one.parameters(), other.parameters()
    return float(
        sum((ours[k] - theirs[k]).square().sum() for k in ours if not k.startswith("head"))
    )


def test_the_stronger_it_is_the_nearer_the_networks() -> None:
    given = flipped()
    far, near, together = (
        bodies_apart(SoftSharing(strength=strength), given) for strength in (0.0, 0.1, 10.0)
    )
    assert together < 0.1 * near < 0.1 * far


def test_distances_are_summed_over_pairs_and_halved() -> None:
    """Of 0, 1 and 3: ½ (1 + 9 + 4) = 7; of (1,0) and (0,2): ½ · 5."""
    three = [torch.tensor([[0.0]]), torch.tensor([[1.0]]), torch.tensor([[3.0]])]
    two = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])]
    assert float(distance([three])) == pytest.approx(7.0)
    assert float(distance([three, two])) == pytest.approx(9.5)


def test_the_trace_norm_is_the_sum_of_singular_values() -> None:
    """(3,4) twice is one direction of length √2·5; (3,0) and (0,4) are two: 3 + 4."""
    same = [torch.tensor([[3.0], [4.0]])] * 2
    other = [torch.tensor([[3.0], [0.0]]), torch.tensor([[0.0], [4.0]])]
    assert float(trace_norm([same])) == pytest.approx(5 * np.sqrt(2))
    assert float(trace_norm([other])) == pytest.approx(7.0)
    assert float(trace_norm([same, other])) == pytest.approx(7 + 5 * np.sqrt(2))


def test_the_trace_norm_descends_along_its_directions() -> None:
    """∂‖W‖_* = U Vᵀ; of orthogonal rows each row at length 1."""
    rows = torch.tensor([[3.0, 0.0], [0.0, 4.0]], requires_grad=True)
    found = torch.autograd.grad(trace_norm([[rows[0], rows[1]]]), rows)[0]
    assert torch.allclose(found, torch.eye(2), atol=1e-6)


@soft
def test_heads_are_held_by_nothing(strategy: SoftSharing) -> None:
    params: Params = {
        name: torch.ones(2, 2) for name in ("hidden1.weight", "head.weight", "codes.4")
    }
    params |= {f"task 1/{name}": 3 * value for name, value in params.items()}
    private = frozenset(name for name in params if "/" not in name)
    (leash,) = strategy.penalties(("rows", "task 1"), params, private).values()
    moving = {name: value.clone().requires_grad_() for name, value in params.items()}
    found = torch.autograd.grad(leash(moving), [*moving.values()], allow_unused=True)
    held = {name for name, grad in zip(moving, found, strict=True) if grad is not None}
    assert held == {name for name in params if "head" not in name}
    weights = [moving["hidden1.weight"], moving["task 1/hidden1.weight"]]
    expected = strategy.strength * float(strategy.apart([weights, weights]).detach())
    assert float(leash(moving).detach()) == pytest.approx(expected)


def test_a_strength_below_zero_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"strength of at least 0, found -1"):
        SoftSharing(strength=-1.0)


@soft
def test_gradients_of_nothing_in_common_are_not_mended(strategy: SoftSharing) -> None:
    with pytest.raises(StrategyError, match=r"no parameter in common.*found 'pcgrad'"):
        replace(strategy, balance="pcgrad")

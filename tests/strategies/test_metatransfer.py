"""Meta-transfer: a frozen body that is scaled and shifted, a head that descends, hard tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Derived
from acclimate.errors import StrategyError
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import idle
from acclimate.models.network import Batch, Params
from acclimate.rng import Rng
from acclimate.strategies.meta import episodic
from acclimate.strategies.meta.boards import BOARD, NAMES, boards, one
from acclimate.strategies.meta.inner import Inner, Learner, side
from acclimate.strategies.meta.metatransfer import (
    MetaTransfer,
    alternating,
    hardest,
    scaled,
    transferring,
    unmoved,
)
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import MODEL, changed, market, problem, rows_view, tensors

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
TINY = MixedNetwork(width=3, adapter=2)
HEADS = TINY.heads()
LAYERS = ("adapter.down", "adapter.up", "hidden1", "hidden2")
QUICK: dict[str, Any] = {"rounds": 8, "shots": 8, "queries": 8}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodic, "_META", Derived())


def asked() -> Problem:
    return problem(market(60, 1), market(120, 2), market(90, 3), on=Statistics.SOURCES)


@pytest.fixture(scope="module")
def made() -> tuple[Params, Params, Batch]:
    """A tiny network in double precision that was scaled and shifted, rows, and two sets."""
    given = asked()
    prepared = TINY.prepare(rows_view(given.view(given.fit)))
    params = {k: 2 * v.double() for k, v in TINY.begin(prepared, None, RNG).items()}
    rows = {k: v.double() if v.is_floating_point() else v for k, v in prepared.tensors.items()}
    g = np.random.default_rng(7)
    at = np.stack([[g.permutation(60)[:12] for _ in range(4)] for _ in range(2)])
    weight = g.uniform(0.5, 1.5, (2, 2, 4, 6))
    parts = (at[..., :6], at[..., 6:], weight[0], weight[1])
    board = {n: torch.from_numpy(p)[None] for n, p in zip(NAMES, parts, strict=True)}
    more = {
        k: v + torch.from_numpy(g.normal(0, 0.3, tuple(v.shape)))
        for k, v in unmoved(params, HEADS).items()
    }
    params["adapter.up.weight"] = params["adapter.up.weight"] + 0.5
    return params | more, rows, board


def by_hand(made: Any, leaves: Params, number: int) -> list[Any]:
    """The query loss of each task of a set: the formula, task by task."""
    _, rows, board = made
    drawn = one(board, number)
    whole = {k: v for k, v in leaves.items() if not k.startswith(("scale.", "shift."))}
    for layer in LAYERS:
        whole[f"{layer}.weight"] = (
            torch.diag(leaves[f"scale.{layer}"]) @ leaves[f"{layer}.weight"]
        )
        whole[f"{layer}.bias"] = leaves[f"{layer}.bias"] + leaves[f"shift.{layer}"]
    losses = []
    for task in range(4):
        support, query = (
            {k: v[task] for k, v in side(rows, drawn, name).items()}
            for name in ("support", "query")
        )
        now = dict(whole)
        for _ in range(2):
            values = [now[name] for name in sorted(HEADS)]
            grads = torch.autograd.grad(TINY.loss(now, support), values, create_graph=True)
            now |= {
                n: v - 0.3 * g for n, v, g in zip(sorted(HEADS), values, grads, strict=True)
            }
        losses.append(TINY.loss(now, query))
    return losses


@pytest.mark.parametrize("hard", [False, True])
def test_a_step_is_that_of_a_plain_loop(made: Any, hard: bool) -> None:
    """Loss and gradient; of hard tasks, of all four of the second set."""
    params, rows, board = made
    step = transferring(TINY, Inner(0.3, 2), rows, 1.0)
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    ours = step(leaves, {BOARD: board | {"hard": torch.tensor([hard])}}, 0.0)["query"]
    theirs = torch.stack(by_hand(made, leaves, int(hard))).mean()
    assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-10)
    values = list(leaves.values())
    found, wanted = (torch.autograd.grad(x, values) for x in (ours, theirs))
    for name, mine, other in zip(leaves, found, wanted, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-9, rtol=1e-7)
        assert not name.startswith(("scale", "shift")) or float(mine.abs().max()) > 1e-6


def test_a_step_of_hard_tasks_draws_those_of_the_highest_loss_anew(made: Any) -> None:
    params, rows, board = made
    step = transferring(TINY, Inner(0.3, 2), rows, 0.5)
    leaves = {k: v.clone().requires_grad_() for k, v in params.items()}
    found = step(leaves, {BOARD: board | {"hard": torch.tensor([True])}}, 0.0)["query"]
    first, again = ([float(x.detach()) for x in by_hand(made, leaves, n)] for n in (0, 1))
    worst = np.argsort(first)[-2:]
    assert float(found.detach()) == pytest.approx(np.mean([again[k] for k in worst]), rel=1e-10)
    assert np.argsort(again)[-2:].tolist() != worst.tolist()  # the first set decides


def test_the_hardest_are_a_share_and_one_at_least() -> None:
    losses = torch.tensor([0.2, 0.9, 0.1, 0.5])
    assert hardest(losses, 0.5).tolist() == [1, 3]
    assert hardest(losses, 0.1).tolist() == [1] and len(hardest(losses, 1.0)) == 4


def test_every_other_board_is_one_of_hard_tasks() -> None:
    stream = alternating(boards(asked().episodes("domain", 4, 4, RNG), 5, 2, sets=2))
    assert stream.tensors["hard"].tolist() == [False, True, False, True, False]


def test_scales_of_one_and_shifts_of_nothing_leave_features_bit_for_bit() -> None:
    given = asked()
    network = pretrained(given, MixedNetwork(width=8, adapter=2), RNG)
    params = network.parameters()
    more = unmoved(params, network.heads())
    assert {name.partition(".")[2] for name in more} == set(LAYERS)
    batch = dict(network.prepare(rows_view(given.view(given.fit))).tensors)
    same = network.features(scaled(params | more), batch)
    assert torch.equal(same, network.features(params, batch))
    more["scale.hidden1"] = more["scale.hidden1"] * 1.5
    assert not torch.equal(same, network.features(scaled(params | more), batch))


def test_only_scales_shifts_and_the_head_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Learner, "best_stop", lambda *args: 3)
    given = asked()
    begin = tensors(pretrained(given, MODEL, RNG))
    learned = MetaTransfer(**QUICK).start(given, MODEL, RNG, idle)
    after = tensors(learned)
    held = {name for name in begin if np.array_equal(begin[name], after[name])}
    assert held == {name for name in begin if name.startswith("codes.")} != set()
    for layer in ("hidden1", "hidden2"):
        old, new = begin[f"{layer}.weight"], after[f"{layer}.weight"]
        scale = (new * old).sum(1) / (old * old).sum(1)
        np.testing.assert_allclose(new, scale[:, None] * old, atol=1e-6)
        assert np.abs(scale - 1).max() > 1e-3
        assert not np.array_equal(begin[f"{layer}.bias"], after[f"{layer}.bias"])
    served = MetaTransfer(**QUICK).adapt(given, MODEL, RNG)
    assert changed(learned, served) == set(HEADS)


def test_without_rounds_it_begins_at_what_the_sources_taught_together() -> None:
    given = asked()
    still = MetaTransfer(**QUICK | {"rounds": 0}).start(given, MODEL, RNG, idle)
    assert not changed(pretrained(given, MODEL, RNG), still)


@pytest.mark.parametrize("settings", [{"fresh": True}, {"hard": 0.0}, {"hard": 1.5}])
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected a share of hard tasks above 0"):
        MetaTransfer(**settings)

"""Looking a step ahead: affinity and weights of tasks by hand, and what they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.errors import StrategyError
from acclimate.models.mixed import MixedNetwork
from acclimate.models.network import Params
from acclimate.rng import Rng
from acclimate.strategies.multitask.affinity import Affinity, AffinitySharing
from acclimate.strategies.multitask.autolambda import AutoLambda, Lambda
from acclimate.strategies.multitask.lookahead import dot, gradient, stepped, summed
from acclimate.strategies.multitask.sharing import HardSharing
from tests.strategies.nets import MODEL, changed, market, problem

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def bowl(params: Params, batch: Mapping[str, Any]) -> Any:
    """‖w − at‖² + the head, which no step ahead moves."""
    return (params["w"] - batch["at"]).square().sum() + params["head"].sum()


FAKE: Any = SimpleNamespace(loss=bowl, rate=0.1)


def at(*values: float) -> dict[str, Any]:
    return {"at": torch.tensor(values)}


def parameters(*values: float) -> Params:
    return {
        "w": torch.tensor(values, requires_grad=True),
        "head": torch.tensor([0.0], requires_grad=True),
    }


def test_a_step_moves_the_shared_parameters_alone() -> None:
    params = parameters(1.0)
    found = gradient(bowl(params, at(0.0)), params, ["w"])
    assert found["w"].tolist() == [2.0]
    ahead = stepped(params, found, 0.1)
    assert ahead["w"].tolist() == pytest.approx([0.8]) and ahead["head"].tolist() == [0.0]
    assert not ahead["w"].requires_grad


def test_gradients_add_up_by_their_weights() -> None:
    parts = {"a": {"w": torch.tensor([1.0, 2.0])}, "b": {"w": torch.tensor([3.0, -1.0])}}
    assert summed(parts, {"a": 2.0, "b": 0.5})["w"].tolist() == [3.5, 3.5]
    assert dot(parts["a"], parts["b"]) == 1.0


# ── affinity ────────────────────────────────────────────────────────────────────


def test_affinity_is_the_share_of_the_loss_that_a_step_takes_away() -> None:
    """At w = 1 with the served at 0: a step on (w + 1)² leads to 0.6, on (w − 3)² to 1.4."""
    params, seen = parameters(1.0), Affinity(("rows", "near", "far"), FAKE)
    batches = {"rows": at(0.0)}
    near = seen.affinity(bowl(params, at(-1.0)), params, batches, frozenset({"head"}))
    far = seen.affinity(bowl(params, at(3.0)), params, batches, frozenset({"head"}))
    assert near == pytest.approx(1 - 0.36) and far == pytest.approx(1 - 1.96)


def test_affinity_is_of_the_mean_loss_whatever_the_share() -> None:
    seen = Affinity(("rows", "task 1"), FAKE)
    shares = {"rows": 1.0, "task 1": 0.25}
    params, places = parameters(1.0), {"rows": at(0.0), "task 1": at(3.0)}
    step = seen.watching(
        lambda params, batches, progress: {
            name: shares[name] * bowl(params, batch) for name, batch in batches.items()
        },
        shares,
        frozenset({"head"}),
    )
    losses = step(params, places, 0.0)
    assert float(losses["task 1"].detach()) == 1.0  # untouched
    assert seen.measured["task 1"] == [pytest.approx(1 - 1.96)]
    for _ in range(10):
        step(params, places, 0.0)
    assert len(seen.measured["task 1"]) == 2
    seen.measured["task 1"] = [0.1, 0.3]
    assert seen.of("task 1") == pytest.approx((0.2, 0.1))


def with_noise(n: int, seed: int) -> Rows:
    """A market with a label that follows what the label follows, and one that does not."""
    rows = market(n, seed, also=True)
    assert rows.also is not None and rows.label is not None
    against = pl.Series("against", rows.columns["b"] + 0.0 > 0).cast(pl.String)
    return replace(rows, also=rows.also.select("size").with_columns(against))


def asked() -> Problem:
    return problem(with_noise(80, 1), with_noise(300, 2))


def test_related_tasks_have_more_affinity_than_unrelated_ones() -> None:
    strategy = AffinitySharing()
    lessons = strategy.lessons(asked())
    seen = Affinity(("rows", "task 1", "task 2"), MODEL)
    model = MixedNetwork(width=16, epochs=8)
    from acclimate.strategies.multitask.affinity import _Measured

    _Measured(1.0, None, "equal", seen).taught(lessons, model, RNG)
    itself, size, against = (seen.of(name)[0] for name in seen.names)
    assert itself > 0 and itself > size > against


def test_a_task_left_out_is_as_good_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    given = asked()
    found = {"task 1": (0.5, 0.1), "task 2": (-0.5, 0.1)}
    monkeypatch.setattr(Affinity, "of", lambda self, name: found[name])
    known, model = AffinitySharing().step(given, MODEL, RNG)
    assert known.facts == (
        "size: affinity +0.5 ± 0.1, kept",
        "against: affinity -0.5 ± 0.1, left out",
    )
    lessons = AffinitySharing().lessons(given)[:2]
    assert not changed(model, HardSharing().taught(lessons, MODEL, RNG).serve())
    kept, _ = AffinitySharing(sure=6.0).step(given, MODEL, RNG)
    assert kept.facts[1].endswith(", kept")


def test_how_sure_one_must_be_is_checked() -> None:
    with pytest.raises(StrategyError, match=r"at least 0 standard errors.*found -1"):
        AffinitySharing(sure=-1.0)


# ── Auto-λ ──────────────────────────────────────────────────────────────────────


def learner(held: Any) -> Lambda:
    return Lambda(("rows", "near", "far"), FAKE, held, AutoLambda(rate=0.05))


def test_weights_follow_the_held_out_loss_one_step_ahead() -> None:
    """By hand: θ′ = θ − 0.1 Σ g_k, the held gradient 2(θ′ − at); λ moves by the cosine."""
    params = parameters(1.0, 1.0)
    places = {"rows": at(0.0, 0.0), "near": at(0.0, 1.0), "far": at(1.0, 3.0)}
    losses = {name: bowl(params, batch) for name, batch in places.items()}
    found = learner(at(0.0, 0.5))
    found.move(losses, params, frozenset({"head"}))
    gradients = {k: 2 * (np.ones(2) - v["at"].numpy()) for k, v in places.items()}
    ahead = np.ones(2) - 0.1 * sum(gradients.values())
    held = 2 * (ahead - np.array([0.0, 0.5]))

    def cosine(g: Any) -> float:
        return float(g @ held / np.linalg.norm(g) / np.linalg.norm(held))

    assert found.now["rows"] == 1.0
    for name in ("near", "far"):
        assert found.now[name] == pytest.approx(1 + 0.05 * cosine(gradients[name]), abs=1e-6)
    assert found.now["far"] < 1 < found.now["near"]


def test_the_cosine_is_the_gradient_of_the_held_loss_by_the_weight() -> None:
    """∂L_held(θ − α Σ λ g)/∂λ_k by finite differences is −α g_k·v."""
    theta, held = np.array([1.0, 1.0]), np.array([0.0, 0.5])
    gradients = 2 * (theta - np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 3.0]]))

    def after(weights: Any) -> float:
        return float(np.sum((theta - 0.1 * weights @ gradients - held) ** 2))

    for k in range(3):
        bump = 1e-6 * np.eye(3)[k]
        slope = (after(np.ones(3) + bump) - after(np.ones(3) - bump)) / 2e-6
        v = 2 * (theta - 0.1 * gradients.sum(0) - held)
        assert slope == pytest.approx(-0.1 * gradients[k] @ v, rel=1e-4)


def test_weights_stay_at_least_zero_and_the_late_half_is_averaged() -> None:
    found = learner(at(0.0))
    mine, held = {"w": torch.tensor([1.0])}, {"w": torch.tensor([-1.0])}
    assert found.after(0.02, mine, held) == 0.0
    assert found.after(0.5, {"w": torch.tensor([0.0])}, held) == 0.5
    found.past = [[1.0, 9.0, 9.0], [1.0, 9.0, 9.0], [1.0, 2.0, 0.0], [1.0, 4.0, 1.0]]
    assert found.mean() == [1.0, 3.0, 0.5]


def test_losses_are_weighed_by_what_was_learned() -> None:
    found = learner(at(0.0))
    found.now = {"rows": 1.0, "near": 0.5, "far": 0.0}
    found.move = lambda *_: None  # type: ignore[method-assign]
    step = found.watching(
        lambda *_: {name: torch.tensor(2.0) for name in found.now}, frozenset()
    )
    assert {k: float(v) for k, v in step({}, {}, 0.0).items()} == {
        "rows": 2.0,
        "near": 1.0,
        "far": 0.0,
    }


def test_the_learned_weights_multiply_the_shares_and_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = asked()
    monkeypatch.setattr(AutoLambda, "weights", lambda self, *_: [1.0, 0.5, 0.0])
    known, model = AutoLambda().step(given, MODEL, RNG)
    assert known.facts == (
        "size: its rows count 0.50 times as much as the label's own",
        "against: its rows count 0.00 times as much as the label's own",
    )
    lessons = AutoLambda().lessons(given)
    shares = [1.0, 0.5 * lessons[1].share, 0.0]
    weighed = [replace(each, share=share) for each, share in zip(lessons, shares, strict=True)]
    assert not changed(model, HardSharing().taught(weighed, MODEL, RNG).serve())


def test_weights_are_learned_on_folds_of_the_target_and_the_same_again() -> None:
    given = asked()
    first = AutoLambda().weights(given, MODEL, RNG)
    assert first[0] == 1.0 and len(first) == 3 and min(first) >= 0
    assert first == AutoLambda().weights(given, MODEL, RNG)
    one = given.with_fit(given.fit.take(np.array([0])))
    assert AutoLambda().weights(one, MODEL, RNG) == [1.0, 1.0, 1.0]

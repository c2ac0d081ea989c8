"""Reptile: its update against numbers worked out by hand, its descents against plain loops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Derived
from acclimate.errors import StrategyError
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import idle
from acclimate.models.network import Batch, Params, train
from acclimate.rng import Rng
from acclimate.strategies.meta import episodic
from acclimate.strategies.meta.inner import EPISODES, Adam, Descent, Learner
from acclimate.strategies.meta.reptile import Reptile, Towards, toward
from acclimate.strategies.parameter.pretrain import pretrained
from tests.strategies.nets import MODEL, changed, market, problem, rows_view, tensors

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)
QUICK: dict[str, Any] = {"rounds": 6, "shots": 8, "queries": 8, "most": 4}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodic, "_META", Derived())


def asked() -> Problem:
    return problem(market(60, 1), market(120, 2), market(90, 3), on=Statistics.SOURCES)


def half(params: Params, batch: Batch) -> Any:
    """½ mean (w − x)²: its gradient is w − mean x."""
    return 0.5 * (params["w"] - batch["x"]).square().mean()


def episode(*tasks: tuple[list[int], list[int]]) -> Batch:
    """One batch: the rows each task shows first and second."""
    drawn = {
        "support": torch.tensor([first for first, _ in tasks]),
        "query": torch.tensor([second for _, second in tasks]),
    }
    ones = {f"{name}_weight": torch.ones(value.shape) for name, value in drawn.items()}
    return drawn | ones


ROWS = {"x": [0.0, 2.0, 4.0, 4.0, 10.0, 30.0, -8.0, -12.0]}
TASKS = (([0, 1], [2, 3]), ([4, 5], [6, 7]))


def test_an_update_is_the_one_worked_out_by_hand() -> None:
    """θ = 2, α = ½, k = 3, halves in turn; then ε = 0.8, and 0.4 at the second of two steps.

    Task 1, means 1 and 4:    2 → 1.5 → 2.75 → 1.875
    Task 2, means 20 and −10: 2 → 11 → 0.5 → 10.25
    mean 6.0625; θ = 2 + 0.8 · 4.0625 = 5.25.
    Then, from 5.25, θ̃ = 2.28125 and 10.65625, mean 6.46875; θ = 5.25 + 0.4 · 1.21875.
    """
    rows = {name: torch.tensor(value, dtype=torch.float64) for name, value in ROWS.items()}
    step = toward(half, Descent(0.5), 3, rows)
    begun = {"w": torch.tensor(2.0, dtype=torch.float64)}

    def after(steps: int, of: int) -> float:
        batch: Mapping[str, Batch] = {EPISODES: episode(*TASKS)}
        found = []

        def seen(params: Params, batches: Mapping[str, Batch], progress: float) -> Any:
            found.append(float(params["w"].detach()))
            return step(params, batches, progress)

        ends = train(seen, begun, batches=[batch] * of, steps=of, update=Towards(0.8))
        return [*found, float(ends["w"])][steps]

    assert after(1, 2) == pytest.approx(5.25, abs=1e-12)
    assert after(2, 2) == pytest.approx(5.7375, abs=1e-12)


def test_the_gradient_is_the_way_from_where_descents_of_a_plain_loop_end() -> None:
    """With torch.optim inside, task by task, SGD and Adam."""
    given = asked()
    model = MixedNetwork(width=3)
    prepared = model.prepare(rows_view(given.view(given.fit)))
    begun = {k: 2 * v.double() for k, v in model.begin(prepared, None, RNG).items()}
    rows = {k: v.double() if v.is_floating_point() else v for k, v in prepared.tensors.items()}
    g = np.random.default_rng(7)
    at = np.stack([g.permutation(60)[:12] for _ in range(3)])
    batch = {
        "support": torch.from_numpy(at[:, :6]),
        "query": torch.from_numpy(at[:, 6:]),
        "support_weight": torch.from_numpy(g.uniform(0.5, 1.5, (3, 6))),
        "query_weight": torch.from_numpy(g.uniform(0.5, 1.5, (3, 6))),
    }
    makers: list[tuple[Any, Any]] = [
        (Descent(0.3), lambda p: torch.optim.SGD(p, 0.3)),
        (Adam(0.02), lambda p: torch.optim.Adam(p, 0.02, betas=(0.0, 0.999))),
    ]
    for inside, maker in makers:
        ends = {name: torch.zeros_like(value) for name, value in begun.items()}
        for task in range(3):
            own = {name: value.clone().requires_grad_() for name, value in begun.items()}
            descent = maker(list(own.values()))
            for number in range(4):
                half = "query" if number % 2 else "support"
                shown = {k: v[batch[half][task]] for k, v in rows.items()}
                loss = model.loss(own, shown | {"weight": batch[f"{half}_weight"][task]})
                descent.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                descent.step()
            for name, value in own.items():
                ends[name] += value.detach() / 3
        leaves = {name: value.clone().requires_grad_() for name, value in begun.items()}
        loss = toward(model.loss, inside, 4, rows)(leaves, {EPISODES: batch}, 0.0)["apart"]
        grads = torch.autograd.grad(loss, list(leaves.values()))
        for (name, value), gradient in zip(begun.items(), grads, strict=True):
            torch.testing.assert_close(gradient, value - ends[name], atol=1e-12, rtol=1e-9)
            assert gradient.abs().max() > 1e-4


def test_a_descent_by_adam_is_judged_from_its_beginning() -> None:
    """Adam remembers, so that each stop's own steps begin where the descent does.

    From w = 0 every step is about α = 1 towards the mean 3: after 1, 2, 4 … steps 1, 2 and,
    past it, 4 off; taken up again at 2 its moments would begin anew, and 4 be reached.
    """
    params = {"w": torch.zeros((), dtype=torch.float64)}
    rows = {"x": torch.tensor([2.9, 3.1] * 6, dtype=torch.float64)}
    learner = Learner(half, frozenset({"w"}), 1.0, 4, Adam(1.0))
    stop = learner.best_stop(params, rows, np.arange(12) % 3, RNG)
    losses = []
    for steps in (0, 1, 2, 4):
        ends = learner.descend(params, rows, steps, RNG)
        losses.append(float(half(ends, rows)))
    assert stop == (0, 1, 2, 4)[int(np.argmin(losses))]
    again = learner.descend(learner.descend(params, rows, 2, RNG), rows, 2, RNG)
    assert float(again["w"]) != pytest.approx(
        float(learner.descend(params, rows, 4, RNG)["w"]), abs=0.01
    )


def test_without_rounds_it_begins_at_what_the_sources_taught_together() -> None:
    given = asked()
    begin = pretrained(given, MODEL, RNG)
    assert not changed(begin, Reptile(rounds=0).start(given, MODEL, RNG, idle))
    moved = Reptile(**QUICK).start(given, MODEL, RNG, idle)
    assert changed(begin, moved) == set(tensors(begin))


def test_every_setting_counts() -> None:
    given, base = asked(), Reptile(**QUICK)
    first = base.start(given, MODEL, RNG, idle)
    for other in (
        replace(base, epsilon=0.5),
        replace(base, descent=2),
        replace(base, optimiser="adam", alpha=0.01),
        replace(base, alpha=0.5),
        replace(base, tasks=2),
    ):
        assert changed(first, other.start(given, MODEL, RNG, idle))


def test_the_target_is_descended_on_by_the_same_optimiser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Learner, "best_stop", lambda *args: 1)
    given = asked()
    for name, kind in (("sgd", Descent), ("adam", Adam)):
        strategy = Reptile(optimiser=name, alpha=0.05, **QUICK)  # type: ignore[arg-type]
        start = strategy.start(given, MODEL, RNG, idle)
        served = tensors(strategy.adapt(given, MODEL, RNG))
        moved = max(float(np.abs(served[k] - v).max()) for k, v in tensors(start).items())
        assert isinstance(strategy.inside(), kind)
        # The first step of Adam is α long for every parameter that has a gradient.
        assert (moved == pytest.approx(0.05, rel=1e-3)) == (name == "adam")


@pytest.mark.parametrize(
    "settings", [{"epsilon": 0.0}, {"epsilon": 1.5}, {"optimiser": "lion"}]
)
def test_settings_out_of_range_are_mistakes(settings: dict[str, Any]) -> None:
    with pytest.raises(StrategyError, match="Expected an epsilon above 0 and at most 1"):
        Reptile(**settings)

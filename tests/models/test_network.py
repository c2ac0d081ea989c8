"""The training loop: what strategies may rely on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any

import numpy as np
import pytest

from acclimate.errors import StrategyError
from acclimate.models import network as network_module
from acclimate.models.network import MANY_ROWS, Adam, Batch, Params, Stream, together, train
from acclimate.rng import Rng
from acclimate.settings import Settings

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(7)


def least_squares(seed: int = 0) -> tuple[Any, Any]:
    g = np.random.default_rng(seed)
    return torch.from_numpy(g.normal(size=(50, 4))), torch.from_numpy(g.normal(size=50))


def squared(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
    x, y = batches["rows"]["x"], batches["rows"]["y"]
    return {"rows": (x @ params["w"] + params["b"] - y).square().mean()}


def start() -> Params:
    return {"w": torch.zeros(4, dtype=torch.float64), "b": torch.ones((), dtype=torch.float64)}


def test_loop_reaches_the_closed_form_of_least_squares() -> None:
    x, y = least_squares()
    stream = Stream({"x": x, "y": y}, size=50)
    trained = train(
        squared,
        start(),
        batches=together({"rows": stream}, RNG),
        steps=1500,
        update=Adam(rate=0.05),
    )
    design = np.column_stack([x.numpy(), np.ones(50)])
    best = np.linalg.lstsq(design, y.numpy(), rcond=None)[0]
    assert np.allclose(np.r_[trained["w"], trained["b"]], best, atol=1e-6)


def test_loop_leaves_its_arguments_alone_and_gives_them_back_at_zero_steps() -> None:
    x, y = least_squares()
    given = start()
    batches = repeat({"rows": {"x": x, "y": y}})
    moved = train(squared, given, batches=batches, steps=3)
    same = train(squared, given, batches=batches, steps=0)
    assert not torch.equal(moved["w"], given["w"])
    assert torch.equal(given["w"], torch.zeros(4)) and not given["w"].requires_grad
    assert all(torch.equal(same[name], given[name]) for name in given)


def test_frozen_parameters_come_back_bit_for_bit() -> None:
    x, y = least_squares()
    given = start() | {"w": torch.full((4,), 0.1, dtype=torch.float64)}
    trained = train(
        squared,
        given,
        batches=repeat({"rows": {"x": x, "y": y}}),
        steps=20,
        trainable={"b"},
        update=Adam(penalty=1.0),
    )
    assert torch.equal(trained["w"], given["w"])
    assert not torch.equal(trained["b"], given["b"])


def test_progress_runs_from_zero_towards_one() -> None:
    x, y = least_squares()
    seen = []

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        seen.append(progress)
        return squared(params, batches, progress)

    train(step, start(), batches=repeat({"rows": {"x": x, "y": y}}), steps=4)
    assert seen == [0.0, 0.25, 0.5, 0.75]


def test_combine_receives_one_gradient_for_each_named_loss() -> None:
    x, y = least_squares()
    received: list[Mapping[str, Params]] = []

    def two(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        return squared(params, batches, progress) | {"size": params["w"].square().sum()}

    def only_rows(gradients: Mapping[str, Params]) -> Params:
        received.append(gradients)
        return gradients["rows"]

    given = start() | {"w": torch.ones(4, dtype=torch.float64)}
    batches = repeat({"rows": {"x": x, "y": y}})
    combined = train(two, given, batches=batches, steps=1, combine=only_rows)
    plain = train(squared, given, batches=batches, steps=1)
    assert set(received[0]) == {"rows", "size"}
    assert torch.equal(received[0]["size"]["w"], 2 * given["w"])
    assert torch.equal(received[0]["size"]["b"], torch.zeros((), dtype=torch.float64))
    residual = x @ given["w"] + given["b"] - y
    assert torch.allclose(received[0]["rows"]["w"], 2 * x.T @ residual / 50)
    assert all(torch.equal(combined[name], plain[name]) for name in given)


def test_one_backward_of_the_sum_equals_the_sum_of_gradients() -> None:
    x, y = least_squares()

    def two(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        residual = x @ params["w"] + params["b"] - y  # shared by both losses
        return {"rows": residual.square().mean(), "size": residual.exp().mean()}

    def summed(gradients: Mapping[str, Params]) -> Params:
        return {name: gradients["rows"][name] + gradients["size"][name] for name in start()}

    batches = repeat({"rows": {"x": x, "y": y}})
    fast = train(two, start(), batches=batches, steps=20)
    slow = train(two, start(), batches=batches, steps=20, combine=summed)
    assert all(torch.allclose(fast[name], slow[name], rtol=0, atol=1e-12) for name in fast)


def test_update_is_the_strategys_to_choose() -> None:
    class Descend:
        def begin(self, params: Params) -> None: ...

        def __call__(
            self, params: Params, grads: Params, memory: Any, progress: float
        ) -> Params:
            return {name: params[name] - 0.1 * grads[name] for name in params}

    x, y = least_squares()
    batches = repeat({"rows": {"x": x, "y": y}})
    trained = train(squared, start(), batches=batches, steps=2, update=Descend())
    w, b = torch.zeros(4, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    for _ in range(2):
        residual = x @ w + b - y
        w, b = w - 0.1 * 2 * x.T @ residual / 50, b - 0.1 * 2 * residual.mean()
    assert torch.allclose(trained["w"], w) and torch.allclose(trained["b"], b)


def test_first_step_of_adam_is_the_rate_times_its_multiplier() -> None:
    x, _ = least_squares()
    given = {"w": torch.full((4, 1), 2.0, dtype=torch.float64), "b": start()["b"]}

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        return {"rows": 100 * params["w"].sum() + 100 * params["b"]}

    update = Adam(rate=0.01, multipliers={"w": 0.1})
    moved = train(step, given, batches=repeat({"rows": {"x": x}}), steps=1, update=update)
    assert torch.allclose(moved["w"], given["w"] - 0.001)
    assert torch.allclose(moved["b"], given["b"] - 0.01)


def test_penalty_of_adam_rests_where_the_penalised_loss_does() -> None:
    given = {"w": torch.zeros(1, 1, dtype=torch.float64), "b": torch.zeros(1).double()}

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        return {"rows": ((params["w"] - 3) ** 2).sum() / 2 + ((params["b"] - 3) ** 2).sum() / 2}

    def rest(**settings: Any) -> Params:
        update = Adam(rate=0.05, penalty=2.0, **settings)
        return train(step, given, batches=repeat({"rows": {}}), steps=1500, update=update)

    # (w − 3) + 2w = 0; biases and what is anchored stay where the loss alone wants them.
    assert float(rest()["w"]) == pytest.approx(1.0, abs=1e-3)
    assert float(rest()["b"]) == pytest.approx(3.0, abs=1e-3)
    assert float(rest(anchored={"w"})["w"]) == pytest.approx(3.0, abs=1e-3)


def test_streams_of_unequal_length_each_give_a_batch_a_step() -> None:
    streams = {
        "target": Stream({"row": torch.arange(7)}, size=3),
        "source": Stream({"row": torch.arange(100)}, size=40),
    }
    drawn = [next_ for next_, _ in zip(together(streams, RNG), range(6), strict=False)]
    target = torch.cat([batch["target"]["row"] for batch in drawn])
    source = torch.cat([batch["source"]["row"] for batch in drawn])
    assert sorted(target[:7].tolist()) == sorted(target[7:14].tolist()) == list(range(7))
    assert sorted(source[:100].tolist()) == list(range(100))
    assert [len(batch["source"]["row"]) for batch in drawn[:3]] == [34, 34, 32]


def test_another_stream_changes_no_others_order() -> None:
    target = Stream({"row": torch.arange(50)}, size=10)
    source = Stream({"row": torch.arange(9)}, size=4)

    def rows(streams: dict[str, Stream]) -> list[int]:
        batches: Iterator[Any] = together(streams, RNG)
        return [row for _ in range(8) for row in next(batches)["target"]["row"].tolist()]

    assert rows({"target": target}) == rows({"source": source, "target": target})


def test_training_that_diverges_is_refused_with_what_to_do() -> None:
    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        return {"rows": (params["w"] * float("inf")).sum()}

    with pytest.raises(StrategyError, match=r"not finite\. Lower the rate"):
        train(step, start(), batches=repeat({}), steps=2)


def test_training_leaves_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    seen = []

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        seen.append(torch.get_num_threads())
        return {"rows": params["w"].sum()}

    train(step, start(), batches=repeat({}), steps=1)
    assert seen == [1] and torch.get_num_threads() == before


@pytest.mark.parametrize(("rows", "threads"), [(MANY_ROWS - 1, 1), (MANY_ROWS, 2)])
def test_large_batches_are_shared_among_the_threads_that_are_set(
    rows: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "settings", lambda: Settings(threads=2))
    before = torch.get_num_threads()
    seen = []

    def step(params: Params, batches: Mapping[str, Batch], progress: float) -> Params:
        seen.append(torch.get_num_threads())
        return {"rows": params["w"].sum()}

    train(step, start(), batches=repeat({"rows": {"x": torch.zeros(rows)}}), steps=2)
    assert seen == [threads, threads] and torch.get_num_threads() == before

"""The chain for a category left out: what is held, what moves, and classes of any number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from acclimate.domains.view import RowView
from acclimate.models.mixed import MixedNetwork
from acclimate.rng import Rng
from acclimate.strategies.feature.adversarial import AdapterDann, domain_scores
from acclimate.strategies.feature.aligning import Shape
from acclimate.strategies.meta.metahead import MetaHead
from benchmarks import categories_chain as chain
from benchmarks.multitask_data import Task
from benchmarks.multitask_fits import singles

torch = pytest.importorskip("torch")
COLUMNS = 4


def view_of(n: int, places: int, key: str, noise: float = 0.3) -> RowView:
    """The label is the place, of the first so many columns, whose number is largest."""
    g = Rng.of(0).child(key).generator()
    x = g.normal(size=(n, COLUMNS))
    label = (x[:, :places] + noise * g.normal(size=(n, places))).argmax(axis=1)
    return RowView(x, np.zeros((n, 0), np.int64), (), None, label.astype(np.int64), places)


def task_of(name: str, places: int) -> Task:
    return Task(name, view_of(120, places, name), view_of(50, places, f"{name}/judge"))


@pytest.fixture(scope="module")
def shared() -> tuple[list[Task], list[MixedNetwork]]:
    """Two tasks, and one body under a head of each."""
    tasks = [task_of("a", 3), task_of("b", 2)]
    first, second = singles(tasks, 8, 1.0, Rng.of(0))
    own = second.parameters()
    body = first.parameters()
    params = {name: own[name] if name in second.heads() else body[name] for name in body}
    return tasks, [first, second.holding(second.prepare(tasks[1].fit), params)]


def test_rows_of_all_tasks_are_rows_of_one_label(
    shared: tuple[list[Task], list[MixedNetwork]],
) -> None:
    rows, groups = chain.stacked(shared[0])
    assert rows.n == 240 and rows.n_classes == 3 and rows.label is not None
    for group, task in zip(groups, shared[0], strict=True):
        np.testing.assert_array_equal(rows.label[group.rows], task.fit.label)
        np.testing.assert_array_equal(rows.numeric[group.rows], task.fit.numeric)


def test_a_head_is_cut_filled_or_goes_on_as_its_last_place() -> None:
    head = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert chain.padded(head, 1).tolist() == [[1, 2]]
    assert chain.padded(head, 3).tolist() == [[1, 2], [3, 4], [3, 4]]
    assert chain.padded(head, 3, -30.0).tolist() == [[1, 2], [3, 4], [-30, -30]]


def test_the_adapter_alone_moves_and_draws_the_two_sides_together(
    shared: tuple[list[Task], list[MixedNetwork]],
) -> None:
    tasks, models = shared
    rows, groups = chain.stacked(tasks)
    target = view_of(80, 3, "target")
    target = replace(target, numeric=target.numeric + np.eye(COLUMNS)[0] * 2)
    found = chain.aligned(target, rows, groups, models, Rng.of(1))
    after, before = found.parameters(), models[0].parameters()
    for name in models[0].body():
        assert torch.equal(after[name], before[name])
    mean = (
        before["head.weight"]
        + torch.cat([models[1].parameters()["head.weight"], torch.zeros(1, 8)])
    ) / 2
    torch.testing.assert_close(after["head.weight"], mean)
    theirs = torch.cat([models[1].parameters()["head.bias"], torch.tensor([-30.0])])
    torch.testing.assert_close(after["head.bias"], (before["head.bias"] + theirs) / 2)

    def apart(model: MixedNetwork) -> float:
        theirs, ours = (model.embed(each) for each in (rows, target))
        return float(np.square(theirs.mean(0) - ours.mean(0)).sum() / theirs.var(0).sum())

    assert apart(found) < 0.95 * apart(models[0])  # 1.14 times as far where none is reversed
    # It never reads the target's labels.
    assert target.label is not None
    other = replace(target, label=1 - np.minimum(target.label, 1))
    again = chain.aligned(other, rows, groups, models, Rng.of(1)).parameters()
    assert all(torch.equal(again[name], after[name]) for name in after)


def test_each_row_is_told_by_the_head_of_its_own_task(
    shared: tuple[list[Task], list[MixedNetwork]],
) -> None:
    _, models = shared
    network = models[0]
    heads = [torch.randn(2, 3, 8), torch.randn(2, 3)]
    x = torch.randn(4, COLUMNS)
    task, label = torch.tensor([0, 1, 1, 0]), torch.tensor([2, 0, 1, 1])
    params = network.parameters() | AdapterDann().beside(Shape(8, 3, 2), Rng.of(2))
    batches = {"rows": {"numeric": x, "task": task, "label": label}, "target": {"numeric": x}}
    losses = chain.against(network, heads, 0.3)(params, batches, 0.0)
    made = network.features(params, batches["rows"]).numpy()
    wanted = []
    for row, k, y in zip(made, task.tolist(), label.tolist(), strict=True):
        scores = heads[0][k].numpy() @ row + heads[1][k].numpy()
        wanted.append(np.log(np.exp(scores).sum()) - scores[y])
    assert float(losses["label"]) == pytest.approx(np.mean(wanted), rel=1e-5)
    # The same rows on both sides: log σ(s) + log σ(−s), once a row.
    score = domain_scores(params, torch.from_numpy(made))
    told = torch.nn.functional.softplus(score) + torch.nn.functional.softplus(-score)
    assert float(losses["domain"]) == pytest.approx(float(told.mean()), rel=1e-5)


def test_the_head_is_meta_learned_on_what_is_held(
    shared: tuple[list[Task], list[MixedNetwork]],
) -> None:
    tasks, models = shared
    rows, groups = chain.stacked(tasks)
    body = chain.aligned(view_of(30, 3, "target"), rows, groups, models, Rng.of(1))
    start = chain.meta_learned(MetaHead(rounds=20), body, rows, groups, Rng.of(1))
    before, after = body.parameters(), start.parameters()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == (name not in body.heads())


@pytest.mark.parametrize("places", [2, 4])
def test_the_chain_tells_targets_of_fewer_and_more_classes(
    shared: tuple[list[Task], list[MixedNetwork]], places: int
) -> None:
    tasks, models = shared
    target = view_of(60, places, f"target {places}")
    found = chain.chained(target, tasks, models, Rng.of(3))
    judged = view_of(300, places, "judged", noise=0.0)
    p = found.predict(judged).p
    assert p.shape == (300, places)
    assert judged.label is not None
    right = (p.argmax(axis=1) == judged.label).mean()
    assert right > np.bincount(judged.label).max() / 300 + 0.15

"""How many rows a loss over several tasks is worth, parameter by parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from acclimate.arrays import Array, Ints
from acclimate.domains.view import RowView
from acclimate.models.mixed import MixedNetwork
from acclimate.models.updates import Adam
from acclimate.rng import Rng
from acclimate.strategies.multitask.lessons import Lesson, label_lessons
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.multitask.worth import overlaps, rows_worth
from tests.strategies.nets import labelled

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

RNG = Rng.of(3)


def lesson(rows: Ints | None, n: int = 40, weight: Array | None = None) -> Lesson:
    g = np.random.default_rng(0)
    x = g.normal(size=(n, 2))
    label = (x[:, 0] > 0).astype(np.int64)
    view = RowView(x, np.zeros((n, 0), np.int64), (), None, label, 2)
    return Lesson("made", view, weight, rows=rows)


def test_tasks_on_rows_of_their_own_are_worth_the_fewest_most() -> None:
    common = overlaps([lesson(None), lesson(None, 1000)])
    assert common.tolist() == [[40, 0], [0, 1000]]
    assert rows_worth([1.0, 0.0], common) == pytest.approx(40)
    assert rows_worth([1.0, 1.0], common) == pytest.approx(2 / (1 / 40 + 1 / 1000))
    assert rows_worth([0.3], common[:1, :1]) == pytest.approx(40 / 0.3)
    # Every row counting alike, the sum of all losses is in units of the first task's rows.
    assert rows_worth([1.0, 25.0], common) == pytest.approx(40)
    assert rows_worth([0.0, 0.0], common) == np.inf


def test_labels_of_the_same_rows_are_no_further_rows() -> None:
    """Three times the loss of 40 rows, held as one task of these rows alone is."""
    common = overlaps([lesson(np.arange(40))] * 3)
    assert rows_worth([1.0, 1.0, 1.0], common) == pytest.approx(40 / 3)


def test_it_is_kish_s_sample_size_of_the_weights_that_rows_have() -> None:
    tasks = [np.arange(40), np.arange(30, 60), np.r_[0:10, 50:80]]
    common = overlaps([lesson(rows, len(rows)) for rows in tasks])
    shares, w = [1.0, 0.5, 2.0], np.zeros(80)
    for share, rows in zip(shares, tasks, strict=True):
        w[rows] += share / len(rows)
    assert rows_worth(shares, common) == pytest.approx(w.sum() / (w**2).sum())


def test_a_row_of_weight_two_is_common_twice_and_no_more_than_both_weigh_it() -> None:
    weight = np.array([1.0, 2.0, 0.5])
    one, other = lesson(np.arange(3), 3, weight), lesson(np.array([2, 1]), 2)
    assert overlaps([one, other]).tolist() == [[3.5, 1.5], [1.5, 2.0]]


def test_the_body_is_held_against_all_tasks_and_each_head_against_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, float] = {}
    kept = Adam.begin

    def begin(self: Adam, params: Any) -> Any:
        seen.update(self.penalties)
        return kept(self, params)

    monkeypatch.setattr(Adam, "begin", begin)
    model = MixedNetwork(width=4, epochs=0, penalty=5.0)
    strategy, rows = HardSharing(epochs=1, others=0.5), np.arange(40)
    taught = strategy.shared([lesson(rows), lesson(rows), lesson(None, 80)])
    assert [each.share for each in taught] == [1.0, 0.5, 1.0]
    strategy.taught(taught, model, RNG)
    # w: 1/40 + 0.5/40 on forty rows and 1/80 on eighty.
    body = 5.0 * (40 * (1.5 / 40) ** 2 + 80 / 80**2) / 2.5
    assert seen["hidden1.weight"] == pytest.approx(body)
    assert seen["head.weight"] == pytest.approx(5.0 / 40)
    assert seen["task 1/head.weight"] == pytest.approx(5.0 * 0.5 / 40)
    assert seen["task 2/head.weight"] == pytest.approx(5.0 / 80)


def test_copies_of_a_task_are_held_as_the_task_alone_is() -> None:
    """Labels at random, a level a row: how sure it gets of them is up to the penalty."""
    n, label = 200, np.random.default_rng(1).integers(0, 2, 200)
    levels = np.arange(1, n + 1)[:, None]
    view = RowView(np.zeros((n, 0)), levels, (n + 1,), None, label, 2)
    model = MixedNetwork(width=8, dropout=0, hide=0, embedding_rate=1, penalty=3)

    def surest(model: Any) -> float:
        return float(np.abs(model.predict(view).p - 0.5).max())

    def shared(rows: Ints | None) -> float:
        lessons = HardSharing().shared([Lesson(f"{k}", view, rows=rows) for k in range(4)])
        return surest(HardSharing().taught(lessons, model, RNG).serve())

    alone = surest(model.fit(model.prepare(view), rng=RNG))
    assert shared(np.arange(n)) == pytest.approx(alone, abs=0.004)
    assert shared(None) > alone + 0.01  # as though they were other rows


def test_a_parameter_shrinks_by_its_own_penalty() -> None:
    params = {name: torch.ones(2, 2) for name in "abc"}
    update = Adam(rate=0.1, penalty=1.0, penalties={"b": 0.0}, anchored={"c"})
    grads = {name: torch.zeros(2, 2) for name in "abc"}
    for name in params:
        params[name].requires_grad_()
    memory = update.begin(params)
    with torch.no_grad():
        after = update(params, grads, memory, 0.0)
    assert [bool((after[name] < 1).all()) for name in "abc"] == [True, False, False]


def test_labels_know_which_rows_they_have_in_common() -> None:
    """Wherever two labels name one row, its amounts are the same."""
    given = labelled()
    lessons = label_lessons(given)
    amounts: dict[int, Any] = {}
    for each in lessons:
        assert each.rows is not None and len(each.rows) == each.view.n
        for at, row in zip(each.rows, each.view.numeric, strict=True):
            assert np.array_equal(amounts.setdefault(int(at), row), row)
    assert len(amounts) == 80 + 90 + 300 + 200
    common = overlaps(lessons)
    # The label is unknown on the target's ninety unlabelled rows.
    assert common[0, 0] == common[0, 1] == 80 + 300 + 200
    assert common[0, 2] < common[2, 2] < common[1, 1]

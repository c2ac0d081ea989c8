"""The benchmark of several tasks: what is chosen on folds, and the lines of a little run."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.errors import UsageError
from acclimate.rng import Rng
from benchmarks import multitask, multitask_choice, multitask_fits
from benchmarks.multitask_choice import Choice, between_tasks, chosen, shrunk
from benchmarks.multitask_data import Task
from benchmarks.multitask_fits import Measured

ROWS, METHODS, TASKS = 500, 12, 3


def losses(gain: list[float], seed: int) -> tuple[dict[str, list[Array]], list[Array]]:
    """Losses of one row each under a method of these gains, and alone."""
    g = np.random.default_rng(seed)
    alone = [g.exponential(1.0, ROWS) for _ in gain]
    with_it = [
        (1 - each) * a + g.normal(0, 0.1, ROWS) for each, a in zip(gain, alone, strict=True)
    ]
    return {"shared": with_it}, alone


# ── the choice ──────────────────────────────────────────────────────────────────


def test_a_method_that_helps_every_task_is_chosen_for_all() -> None:
    assert chosen(*losses([0.1, 0.1, 0.1], 0), 5) == Choice("shared", (True, True, True))


def test_a_harmed_task_is_learned_alone_and_the_others_share() -> None:
    assert chosen(*losses([0.3, 0.2, -0.1], 0), 5) == Choice("shared", (True, True, False))


def test_nothing_is_chosen_where_nothing_helps() -> None:
    assert chosen(*losses([0.0, 0.0, 0.0], 0), 5) == Choice(None, (False, False, False))


def test_the_method_counts_by_the_tasks_that_share_it() -> None:
    great, alone = losses([0.3, -0.3, -0.3], 0)
    small, _ = losses([0.05, 0.05, 0.05], 0)
    found = chosen({"small": small["shared"], "great": great["shared"]}, alone, 5)
    assert found == Choice("great", (True, False, False))


def test_many_tasks_of_few_rows_lend_each_other_evidence() -> None:
    """A gain of 10 % with an error of 10 %: alone none is sure, together most are."""
    g = np.random.default_rng(0)
    gain, error = 0.1 + g.normal(0, 0.1, 100), np.full(100, 0.1)
    mean, spread = shrunk(gain, error)
    assert (gain - 1.64 * error > 0).mean() < 0.4
    assert (mean - 1.64 * spread > 0).mean() > 0.7


def test_a_posterior_is_that_of_the_formulas() -> None:
    gain, error = np.array([0.3, 0.0, -0.2]), np.array([0.1, 0.05, 0.2])
    # Weights 100, 400, 25, their centre 25/525, Q = 10 − 625/525, 525 − 170,625/525 = 200.
    assert between_tasks(gain, error) == pytest.approx((8 - 625 / 525) / 200)
    assert between_tasks(gain, np.full(3, 1.0)) == 0.0
    mean, spread = shrunk(gain[:1], error[:1])
    assert (mean[0], spread[0]) == pytest.approx((0.3, 0.1))
    # τ at its least, .05, errors .1: own share .2, the centre's variance .0125 / 2.
    mean, spread = shrunk(np.array([0.1, 0.2]), np.full(2, 0.1))
    assert mean == pytest.approx([0.14, 0.16])
    assert spread == pytest.approx(np.full(2, np.sqrt(0.2 * 0.01 + 0.64 * 0.00625)))


def harmful(sure: float, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """Of 300 made sets, how often a task shares that loses more than 2 %; the mean gain.

    Methods have gains around 4 %, around 6, 0 and −6 %, or around −4 %.
    """
    monkeypatch.setattr(multitask_choice, "SURE", sure)
    g = np.random.default_rng(0)
    found, gained = 0, 0.0
    for _ in range(300):
        middle = np.array([[0.04] * TASKS, [0.06, 0.0, -0.06], [-0.04] * TASKS])[g.integers(3)]
        true = middle + g.normal(0, 0.02, (METHODS, TASKS))
        alone = [1 + 0.25 * g.normal(size=ROWS) for _ in range(TASKS)]
        shared = {
            f"{at}": [
                a - gain + 0.5 * g.normal(size=ROWS)
                for a, gain in zip(alone, true[at], strict=True)
            ]
            for at in range(METHODS)
        }
        pick = chosen(shared, alone, 5)
        if pick.method is not None:
            mine = true[int(pick.method)][list(pick.sharing)]
            found += bool((mine < -0.02).any())
            gained += float(mine.sum()) / TASKS
    return found / 300, gained / 300


def test_a_task_that_is_sure_to_gain_is_rarely_harmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One method for all or none, by its worst task, gained .017 where this gains .027."""
    harm, gain = harmful(multitask_choice.SURE, monkeypatch)
    assert harm <= 0.02 and gain > 0.022
    assert harmful(0.0, monkeypatch)[0] > 0.1


# ── what was measured ───────────────────────────────────────────────────────────


def test_the_single_network_of_least_loss_out_of_fold_is_preferred() -> None:
    two, one = np.full(4, 2.0), np.full(4, 1.0)
    found = Measured([], Rng.of(0))
    found.alone = {(32, 5.0): [two, one], (64, 5.0): [one, two], (64, 9.0): [two, 0.5 * one]}
    assert [found.best(at) for at in (0, 1)] == [(64, 5.0), (64, 9.0)]
    assert [found.best(at, 32) for at in (0, 1)] == [(32, 5.0), (32, 5.0)]


def test_what_a_setting_is_worth_is_told_by_rows_that_did_not_prefer_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two networks that are as good: the least loss of each would be 1, either's is 1.5."""
    monkeypatch.setattr(multitask_fits, "FOLDS", 2)
    view = RowView(np.zeros((4, 1)), np.zeros((4, 0), np.int64), (), None, np.zeros(4), 0)
    found = Measured([Task("a", view, view)], Rng.of(0))
    first, second = np.array([1.0, 3.0, 1.0, 3.0]), np.array([2.0, 1.0, 2.0, 1.0])
    found.alone = {(32, 5.0): [first], (32, 15.0): [second]}
    # Odd rows prefer the second, whose even rows count; even rows the first.
    assert found.apart(0).tolist() == [2.0, 3.0, 2.0, 3.0]
    # Of a method the tasks prefer one setting together: here the second task does for both.
    other = {"a": [first, np.full(4, 1.0)], "b": [second, np.full(4, 9.0)]}
    assert multitask_fits.told_by_others(other)[0].tolist() == first.tolist()


def test_folds_leave_the_luck_of_training_in_what_is_sure() -> None:
    """Four hundredths with an error of two by rows alone, of three with what luck adds."""
    alone = [np.ones(400)]
    gain = {"shared": [1 - 0.04 + 0.4 * np.tile([1.0, -1.0], 200)]}
    assert chosen(gain, alone, 10**9).sharing == chosen(gain, alone, 5).sharing == (False,)
    better = {"shared": [1 - 0.05 + 0.4 * np.tile([1.0, -1.0], 200)]}
    assert chosen(better, alone, 10**9).sharing == (True,)
    assert chosen(better, alone, 2).sharing == (False,)


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    multitask.add_arguments(parser)
    return parser.parse_args([*words])


def cells(folder: Path, n: int) -> Path:
    """Tasks of one law and twenty rows each, in units of their own."""
    g = np.random.default_rng(0)
    x, y = (np.empty((1, n), object) for _ in range(2))
    for k in range(n):
        x[0, k] = g.normal(size=(20, 4))
        law = x[0, k] @ np.array([[1.0], [2.0], [-1.0], [0.0]]) + g.normal(size=(20, 1))
        y[0, k] = 100 * k + (1 + k) * law
    savemat(folder / "cells.mat", {"X": x, "Y": y})
    return folder / "cells.mat"


@pytest.mark.parametrize("arm", ["hard-sharing, equal", "pooled"])
def test_related_tasks_of_few_rows_gain_and_the_chosen_one_with_them(
    tmp_path: Path, arm: str
) -> None:
    words = ("--cells", str(cells(tmp_path, 12)), "--arm", arm, "--penalty", "5")
    lines = list(multitask.run(asked(*words)))
    means = {str(line.arm): line for line in lines if line.metric == "mean"}
    assert next(iter(means)) == arm and len(means) == 3
    assert means[arm].value < -0.05 and means[arm].n == 12  # type: ignore[operator]
    (said,) = (name for name in means if name.endswith("beside the preferred single"))
    assert f"chosen ({arm}, 1" in said and means[said].value < -0.05  # type: ignore[operator]
    worse = [line for line in lines if line.metric == "tasks worse"]
    assert [line.value for line in worse] == [0.0, 0.0, 0.0]


def test_labels_of_one_table_are_tasks_over_the_same_rows(tmp_path: Path) -> None:
    g = np.random.default_rng(0)
    file = tmp_path / "t.csv"
    rows = [f"{k % 3},{g.normal():.3f},{g.integers(2)},{g.integers(2)}" for k in range(90)]
    file.write_text("a,b,c,d\n" + "\n".join(rows), encoding="utf-8")
    words = ("--table", str(file), "--task", "c=c:1", "--task", "d=d:1", "--rows", "60")
    args = asked(*words)
    tasks, data = multitask.read(args, Rng.of(0))
    assert data == tmp_path.name and [task.name for task in tasks] == ["c", "d"]
    (refused, *_) = multitask.run(asked(*words, "--arm", "pooled", "--penalty", "5"))
    assert refused.why == "its tasks are no numbers in units of their own, on rows of their own"
    half = [task.taking(np.arange(0, 60, 2)) for task in tasks]
    assert all(task.rows is not None and task.fit.n == 30 for task in half)
    assert np.array_equal(half[0].rows, half[1].rows)  # type: ignore[arg-type]
    assert [task.judge.n for task in tasks] == [30, 30]


def test_an_arm_that_takes_too_long_or_trains_all_anew_for_each_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multitask_fits, "MANY", 2)
    words = ("--cells", str(cells(tmp_path, 3)), "--penalty", "5", "--minutes", "-1")
    arms = ("--arm", "auto-lambda", "--arm", "soft-sharing")
    lines = list(multitask.run(asked(*words, *arms)))
    assert [line.why for line in lines[:2]] == [
        "it trains 3 tasks anew for each of them",
        "it took longer than -1 minutes",
    ]
    assert str(lines[2].arm).startswith("chosen (alone, 0 of 3 tasks)")


def test_without_a_name_every_set_that_is_there_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "school").mkdir()
    cells(tmp_path, 3).rename(tmp_path / "school" / "school.mat")
    found, few = multitask.given(asked("--data", str(tmp_path)))
    assert few.cells == found.cells and few.most == 12 and few.arm is None
    assert found.cells == tmp_path / "school/school.mat" and found.penalty == [5.0, 15.0]
    assert capsys.readouterr().err.count("not there: ") == 2
    with pytest.raises(UsageError, match=r"^Expected one of --table, --pairs and --cells"):
        list(multitask.run(asked("--data", str(tmp_path / "none"))))

"""The few-label benchmark, in little: its lines, its made tasks and what it reads."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from scipy.io import savemat

from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Claim, Problem
from acclimate.domains.rowview import RowRecipe
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.domains.view import RowView
from acclimate.models.mixed import MixedNetwork
from acclimate.models.updates import Update
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.meta.attention import KEY, QUERY
from acclimate.strategies.meta.inner import Adam, Descent
from acclimate.strategies.meta.maml import Maml
from acclimate.strategies.parameter.pretrain import begun
from acclimate.strategies.strategy import Strategy
from benchmarks import fewshot, fewshot_rows, fewshot_sinusoids, stopped

torch = pytest.importorskip("torch", reason="networks need the extra: acclimate[deep]")

from benchmarks import sinusoid  # noqa: E402


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    fewshot.add_arguments(parser)
    return parser.parse_args([*words, "--quick"])


def test_sinusoids_give_a_line_for_each_learner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinusoid, "compiler", lambda: None)
    lines = list(fewshot.run(asked("--part", "sinusoid")))
    arms = [str(line.arm).partition(",")[0] for line in lines]
    assert arms == ["maml", "maml", "reptile", "aml-unmasked", "aml"]
    assert all(line.n == 40 and line.low < line.value < line.high for line in lines)  # type: ignore[operator]


def test_tasks_are_sinusoids_and_a_longer_descent_fits_them_better() -> None:
    support, query = sinusoid.tasks(50, 10, 20, 3)
    assert support["x"].shape == (50, 10, 1) and query["y"].shape == (50, 20, 1)
    assert float(support["x"].abs().max()) <= 5 and float(query["y"].abs().max()) <= 5
    params = sinusoid.fresh(0)
    means = [
        float(sinusoid.errors(sinusoid.descended(params, support, 0.01, n), support).mean())
        for n in (0, 5, 50)
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize("masked", [True, False])
def test_a_task_is_served_by_what_was_kept_as_the_formula_says(masked: bool) -> None:
    """A board of the kept tasks and the new one behind them gives it the same parameters."""
    params = sinusoid.fresh(0)
    how = sinusoid.attentive(params, 0.05, masked)
    g = torch.Generator().manual_seed(1)
    phi = {n: torch.randn(16, 81, generator=g) for n in (QUERY, KEY)}
    support, _ = sinusoid.tasks(3, 10, 0, 5)
    kept, _ = sinusoid.tasks(32, 10, 0, 10_000)
    own = sinusoid.attended(params | phi, how, support)
    for task in range(3):
        board = {k: torch.cat([kept[k], v[task : task + 1]]) for k, v in support.items()}
        ends, _ = how.adapted(params, phi, board)
        for name, value in ends.items():
            torch.testing.assert_close(own[name][task], value[-1], atol=1e-5, rtol=1e-4)


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One choice of passes: the others are what takes long."""

    def strategy(name: str) -> Strategy:
        found = stopped.strategy(name)
        if isinstance(found, stopped.Stopped):
            return replace(found, choices=((1, 0.3),))
        return found

    monkeypatch.setattr(fewshot_rows, "strategy", strategy)


def test_schools_are_read_and_compared_with_fine_tuning(tmp_path: Path, once: None) -> None:
    g = np.random.default_rng(0)
    x, y = (np.empty((1, 110), object) for _ in range(2))
    for k in range(110):
        values = np.hstack([g.normal(size=(24, 3)), np.ones((24, 1))])
        x[0, k], y[0, k] = values, values[:, :1] * 2 + g.normal(size=(24, 1))
    file = tmp_path / "s.mat"
    savemat(file, {"X": x, "Y": y})
    cells = fewshot_rows.read_schools(file)
    assert len(cells) == 110 and list(cells[0].columns.columns) == ["x0", "x1", "x2"]
    words = ("--part", "schools", "--schools", str(file), "--arm", "target-only")
    lines = list(fewshot.run(asked(*words)))
    assert [line.arm for line in lines] == ["finetune-stopped", "target-only"]
    assert lines[0].low is None and lines[1].low < lines[1].high  # type: ignore[operator]
    apart = lines[1].value - lines[0].value  # type: ignore[operator]
    assert (lines[1].low + lines[1].high) / 2 == pytest.approx(apart)  # type: ignore[operator]
    assert all(line.n == 2 for line in lines)


def test_reptile_is_tuned_on_tasks_that_are_neither_taught_nor_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds: list[int] = []
    kept = sinusoid.tasks

    def seen(n: int, shots: int, queries: int, seed: int) -> Any:
        seeds.append(seed)
        return kept(n, shots, queries, seed)

    monkeypatch.setattr(sinusoid, "tasks", seen)
    (line,) = fewshot.run(asked("--part", "sinusoid", "--learner", "reptile"))
    told = capsys.readouterr().err.strip().splitlines()
    errors = [float(each.rpartition(" ")[2]) for each in told]
    assert len(errors) == len(fewshot_sinusoids.REPTILES)
    best = fewshot_sinusoids.REPTILES[int(np.argmin(errors))]
    assert str(line.arm).endswith(fewshot_sinusoids.told(best))
    # Asked, held for validation, and taught from there on.
    assert seeds[:2] == [1, 5_000] and set(seeds[2:]) == set(range(10_000, 10_020))


def test_a_setting_of_reptile_that_runs_away_gives_its_place_to_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, third, second = fewshot_sinusoids.REPTILES[:3]
    monkeypatch.setattr(fewshot_sinusoids, "REPTILES", (first, third, second))
    kept = sinusoid.reptile

    def running(params: Any, drawn: Any, update: Any, *rest: Any) -> Any:
        rounds = rest[-1]
        away = (update, *rest[:2]) == first or ((update, *rest[:2]) == second and rounds == 20)
        return kept(params, drawn, Descent(1e9) if away else update, *rest)

    monkeypatch.setattr(sinusoid, "reptile", running)
    (line,) = fewshot.run(asked("--part", "sinusoid", "--learner", "reptile"))
    told = capsys.readouterr().err
    assert f"validation: {first} runs away" in told
    assert line.value is not None and np.isfinite(line.value)
    assert f"{fewshot_sinusoids.told(second)} runs away after more rounds" in told
    assert str(line.arm).endswith(fewshot_sinusoids.told(third))


@pytest.mark.parametrize("update", [Descent(0.1), Adam(0.1)])
def test_a_task_descends_as_it_would_alone(update: Update) -> None:
    params = sinusoid.fresh(0)
    support, _ = sinusoid.tasks(3, 10, 1, 4)
    ends = sinusoid.descended_by(update, params, support, 3)
    rows = {name: value[1] for name, value in support.items()}
    fast, memory = params, update.begin(params)
    for _ in range(3):
        fast = update(fast, torch.func.grad(sinusoid.loss)(fast, rows), memory, 0.0)
    for name, value in fast.items():
        torch.testing.assert_close(ends[name][1], value, atol=1e-5, rtol=1e-4)


TEXTS = {"good": "很好很喜欢", "bad": "很差不要买"}


def opinions(tmp_path: Path, own: str = "丙") -> Path:
    g = np.random.default_rng(0)
    rows = ["cat,label,review"]
    for cat in "甲乙丙":
        for k in range(60):
            label = k % 2
            said = TEXTS["good" if label else "bad"] + "".join(g.choice([*"书衣果机"], 4))
            rows.append(f"{cat},{label},{said}{k}{own if cat == '丙' else cat}")
    file = tmp_path / "reviews.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    return file


def test_reviews_are_compared_with_fine_tuning_that_stops(tmp_path: Path, once: None) -> None:
    words = ("--part", "reviews", "--reviews", str(opinions(tmp_path)), "--draws", "2")
    lines = list(fewshot.run(asked(*words, "--arm", "source-only")))
    arms = [(line.arm, line.metric) for line in lines]
    assert arms[:2] == [("finetune-stopped", "log-loss"), ("finetune-stopped", "accuracy")]
    assert {arm for arm, _ in arms} == {"finetune-stopped", "source-only"}
    # Two targets of three, each the mean of its two draws.
    assert all(line.n == 2 for line in lines)


def test_texts_of_the_target_teach_nothing_and_its_labels_are_balanced(tmp_path: Path) -> None:
    found = []
    for own in ("丙", "书书书书"):
        table = fewshot_rows.drawn(pl.read_csv(opinions(tmp_path, own)), 40, 0)
        assert table.group_by("cat").len()["len"].to_list() == [40, 40, 40]
        found.append(fewshot_rows.as_numbers(table, "丙"))
    assert found[0]["甲"].columns.equals(found[1]["甲"].columns)
    assert not found[0]["丙"].columns.equals(found[1]["丙"].columns)
    taught, rest = fewshot_rows.balanced(found[0]["丙"], 5, np.random.default_rng(1))
    label = found[0]["丙"].label
    assert label is not None and np.bincount(label[taught]).tolist() == [5, 5]
    assert sorted([*taught, *rest]) == list(range(40))


def test_intervals_are_of_the_difference_over_targets() -> None:
    told = {("finetune-stopped", "mse"): [1.0, 2.0, 4.0], ("maml", "mse"): [0.5, 2.5, 1.0]}
    seconds = {"finetune-stopped": 1.0, "maml": 2.0}
    first, second = fewshot_rows.mean_lines("made", told, seconds, 0)
    assert first.low is None and second.value == pytest.approx(4 / 3)
    # Differences −.5, .5, −3: mean −1, deviation 1.8028; t of 2 degrees 4.3027.
    assert (second.low, second.high) == pytest.approx((-5.4784, 3.4784), abs=1e-3)


@pytest.mark.parametrize("flipped", [False, True])
def test_fine_tuning_stops_where_held_out_rows_say(flipped: bool) -> None:
    """Labels that sources know already need no passes; flipped ones need all of them."""
    g = np.random.default_rng(3)

    def rows(n: int, flip: bool) -> Rows:
        x = g.normal(size=(n, 2))
        label = ((x[:, 0] > 0) != flip).astype(np.int64)
        frame = pl.DataFrame(x, schema=["a", "b"])
        return Rows(frame, dict.fromkeys("ab", ColumnType.NUMERIC), ("0", "1"), label)

    sources = (Source("s", rows(300, False)),)
    bare = Problem("t", rows(40, flipped), sources, Claim.NEW, RowRecipe())
    strategy = stopped.Stopped(choices=((0, 0.3), (2, 1.0)))
    arm = Arm(strategy, MixedNetwork())
    problem = arm.encoded(bare)
    start = begun(problem, MixedNetwork(), Rng.of(0))
    passes, _ = strategy.best(problem, start, Rng.of(1))
    assert passes == (2 if flipped else 0)
    fitted = arm.fit(bare, Rng.of(0))
    answer = fitted.predict(bare.fit)
    before = start.predict(cast(RowView, problem.view(bare.fit)))
    assert isinstance(answer, Probabilities) and isinstance(before, Probabilities)
    assert bool((answer.p == before.p).all()) is not flipped


def test_joint_descent_is_maml_without_its_rounds() -> None:
    found = stopped.strategy("joint-descent")
    assert isinstance(found, Maml) and found == replace(Maml(), rounds=0)
    assert stopped.strategy("pooled").kind == "pooled"


def test_without_a_name_the_files_of_the_folder_are_asked_and_missing_ones_told(
    tmp_path: Path, once: None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / fewshot.REVIEWS
    file.parent.mkdir()
    file.write_text(opinions(tmp_path).read_text("utf-8"), "utf-8")
    words = ("--data", str(tmp_path), "--part", "reviews", "--part", "schools")
    lines = list(fewshot.run(asked(*words, "--arm", "source-only")))
    assert {line.data for line in lines} == {"reviews, 5 labels a class"}
    told = capsys.readouterr().err
    assert f"left out: {tmp_path / fewshot.SCHOOLS} is not there" in told
    assert "reviews, 5 labels a class: 乙, 2 of 2" in told

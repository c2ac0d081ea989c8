"""The few-label benchmark, in little: its lines, its made tasks and what it reads."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from acclimate.strategies.meta.attention import KEY, QUERY
from benchmarks import fewshot

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


def test_schools_are_read_and_compared_with_fine_tuning(tmp_path: Path) -> None:
    g = np.random.default_rng(0)
    x, y = (np.empty((1, 110), object) for _ in range(2))
    for k in range(110):
        values = np.hstack([g.normal(size=(24, 3)), np.ones((24, 1))])
        x[0, k], y[0, k] = values, values[:, :1] * 2 + g.normal(size=(24, 1))
    file = tmp_path / "s.mat"
    savemat(file, {"X": x, "Y": y})
    cells = fewshot.read_schools(file)
    assert len(cells) == 110 and list(cells[0].columns.columns) == ["x0", "x1", "x2"]
    words = ("--part", "schools", "--schools", str(file), "--arm", "target-only")
    lines = list(fewshot.run(asked(*words)))
    assert [line.arm for line in lines] == ["finetune", "target-only"]
    assert lines[0].low is None and lines[1].low < lines[1].high  # type: ignore[operator]
    apart = lines[1].value - lines[0].value  # type: ignore[operator]
    assert (lines[1].low + lines[1].high) / 2 == pytest.approx(apart)  # type: ignore[operator]
    assert all(line.n == 2 for line in lines)

"""Claims about the guard benchmark: its truth is true, its control fails, the verdict holds."""

from __future__ import annotations

import argparse
import json
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from acclimate.rng import Rng
from benchmarks import guard, pools
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.line import Line

KEYS = ["benchmark", "data", "source", "target", "arm", "metric", "value", "low", "high"]
KEYS += ["n", "seed", "seconds", "peak_mb", "reference"]


@pytest.fixture(scope="module")
def lines() -> dict[tuple[str, str], Line]:
    parser = argparse.ArgumentParser()
    guard.add_arguments(parser)
    found = guard.run(parser.parse_args(["--problems", "60", "--seed", "100"]))
    return {(str(line.arm), str(line.metric)): line for line in found}


def value(lines: dict[tuple[str, str], Line], arm: str, metric: str) -> float:
    found = lines[arm, metric].value
    assert found is not None
    return found


def test_control_that_adopts_the_best_score_fails(lines: dict[tuple[str, str], Line]) -> None:
    # Two to five of three to eight exchangeable arms are transfer: about 65 % wrong.
    assert value(lines, "argmax", "false-adopt") > 0.4
    assert value(lines, "argmax", "harm") > 0.03


def test_verdict_neither_harms_nor_adopts_by_luck(lines: dict[tuple[str, str], Line]) -> None:
    assert value(lines, "verdict", "harm") == 0
    # Seven of 60 or more at a rate of 2.5 % has a probability of 0.1 %.
    assert value(lines, "verdict", "false-adopt") <= 6 / 60


def test_verdict_finds_what_helps(lines: dict[tuple[str, str], Line]) -> None:
    assert value(lines, "verdict", "power@5") >= 0.95
    assert 0.2 < value(lines, "verdict", "power@2") < 0.8


@pytest.mark.parametrize("family", list(pools.FAMILIES))
@pytest.mark.parametrize("k", [-2, 3])
def test_planted_effect_is_k_standard_errors(family: str, k: int) -> None:
    g = np.random.default_rng(list(pools.FAMILIES).index(family))
    scores, label = pools.FAMILIES[family](5, 3, g)
    pool = pools.Pool(family, scores, 3, 400, label)
    rho, n = pools.planted(pool, g)[k]
    found = []
    for _ in range(600):
        held, y = pools.draw(pool, rho, n, g)
        everyone = np.ones((1, n))
        found.append(float(guard.contrast(held, y, 1, 4).statistic(everyone)[0]))
    # 600 judges: the mean is known to 0.04 se and the spread to 3 %, together to 0.1 at k = 3.
    # PR-AUC's spread is that of the first order, good to some 5 %.
    room = 0.4 if label is None else 0.55
    assert np.mean(found) / np.std(found) == pytest.approx(k, abs=room)


def test_arms_without_effect_are_exchangeable() -> None:
    g = np.random.default_rng(0)
    scores = g.normal(size=(20_000, 4)) + np.arange(4)
    means = pools.dealt(scores, None, 2, 0.0, g).mean(axis=0)
    assert means == pytest.approx(np.full(4, 1.5), abs=5 * 1.5 / math.sqrt(20_000))


def test_tilt_makes_the_mean_zero_and_keeps_the_support() -> None:
    d = np.random.default_rng(0).exponential(1.0, 5000) - 0.7
    p = pools.tilted_to_zero(d)
    assert p @ d == pytest.approx(0.0, abs=1e-9)
    assert (p > 0).all()
    assert p.sum() == pytest.approx(1.0)


def test_precision_and_its_influence_agree_with_scikit_learn() -> None:
    g = np.random.default_rng(1)
    label, prediction = g.random(200) < 0.2, g.random(200)
    weights = g.integers(1, 4, size=(2, 200)).astype(np.float64)
    expected = [average_precision_score(label, prediction, sample_weight=w) for w in weights]
    assert guard.average_precision(prediction, label)(weights) == pytest.approx(expected)
    value, influence = pools.precision_influence(prediction, label)
    assert value == pytest.approx(average_precision_score(label, prediction))
    for row in (0, 17, 150):
        step = np.ones((1, 200))
        step[0, row] += 1e-6
        moved = guard.average_precision(prediction, label)(step)[0]
        assert (moved - value) * 200 / 1e-6 == pytest.approx(influence[row], abs=1e-3)


def test_argument_seed_decides_everything() -> None:
    made = [pools.make(1, Rng.of(s).generator()) for s in (1, 1, 2)]
    assert np.array_equal(made[0].scores, made[1].scores)
    assert not np.array_equal(made[0].scores[:5, :2], made[2].scores[:5, :2])


def test_interval_of_a_rate_is_clopper_pearsons() -> None:
    hits = np.arange(500) < 13
    line = guard.rate(Line("guard"), hits, 0.025)
    # binomtest(13, 500).proportion_ci(method="exact")
    assert (line.low, line.high) == pytest.approx((0.013915, 0.044050), abs=1e-6)
    assert guard.rate(Line("guard"), hits[500:], 0.0).n == 0


def test_json_lines_have_the_keys_of_the_design(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guard", "--problems", "1", "--seed", "100", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(list(row) == KEYS for row in rows)
    assert {row["seed"] for row in rows} == {100}
    assert rows[0]["source"] is None


def test_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in BENCHMARKS)


def test_unknown_benchmark_is_answered_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["nope"])
    assert stop.value.code == 2
    assert "guard" in capsys.readouterr().err

"""Benchmarks without target labels: published features as published, one line an arm."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from acclimate.arrays import Array, Ints
from acclimate.rng import Rng
from acclimate.strategies.baselines import SourceOnly
from acclimate.strategies.chain import Chain
from acclimate.strategies.feature.coral import Coral
from benchmarks.__main__ import main
from benchmarks.blindly import Pair, tried
from benchmarks.dense import Dense, Nearest, Support
from benchmarks.shapes import read


class Named(Coral):
    kind = "named"


def features(n: int, seed: int) -> tuple[Array, Ints]:
    g = np.random.default_rng(seed)
    label = g.integers(1, 4, n)
    return g.random((n, 6)) + np.eye(6)[label] * 2, label


def test_bags_of_words_are_shares_standardised_within_their_domain(tmp_path: Path) -> None:
    for seed, name in enumerate(("amazon_SURF", "dslr_SURF")):
        x, y = features(30, seed)
        scipy.io.savemat(tmp_path / f"{name}.mat", {"fts": x, "labels": y[:, None]})
    found = read(tmp_path)
    assert [*found] == ["amazon", "dslr"]
    x, y = features(30, 1)
    shares = x / x.sum(axis=1, keepdims=True)
    wanted = (shares - shares.mean(axis=0)) / shares.std(axis=0)
    np.testing.assert_allclose(found["dslr"][0], wanted)
    np.testing.assert_array_equal(found["dslr"][1], y)


def test_pixels_have_length_one(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {}
    for seed, name in enumerate(("ours", "theirs")):
        arrays[f"X_{name}"], arrays[f"y_{name}"] = features(20, seed)
    np.savez(tmp_path / "both.npz", **arrays)
    found = read(tmp_path)
    np.testing.assert_allclose(np.linalg.norm(found["theirs"][0], axis=1), 1.0)


def test_a_folder_without_two_domains_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Expected the features of two domains"):
        read(tmp_path)


def test_the_nearest_row_decides_and_the_margin_says_how_surely() -> None:
    recipe, rows = Dense.of({"a": (np.array([[0.0], [4.0]]), np.array([7, 9]))})
    fitted = Nearest().fit(recipe.encode(rows["a"]), rng=Rng.of(0))
    asked, other = Dense.of({"b": (np.array([[0.5], [1.9], [3.0]]), np.array([7, 7, 9]))})
    p = fitted.predict(asked.encode(other["b"])).p
    assert p.argmax(axis=1).tolist() == [0, 0, 1]
    assert p[0, 0] > p[1, 0] > 0.5


def test_rows_without_weight_are_as_good_as_removed() -> None:
    x, y = features(60, 3)
    recipe, rows = Dense.of({"a": (x, (y > 1).astype(np.int64))})
    view = recipe.encode(rows["a"])
    weight = (np.arange(60) < 40).astype(float)
    some = recipe.encode(rows["a"].take(np.arange(40)))
    np.testing.assert_allclose(
        Support().fit(view, weight=weight, rng=Rng.of(0)).predict(view).p,
        Support().fit(some, rng=Rng.of(0)).predict(view).p,
        atol=1e-6,
    )


def test_every_pair_has_its_arms_what_was_chosen_and_a_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays: dict[str, Any] = {}
    for seed, name in enumerate(("ours", "theirs")):
        arrays[f"X_{name}"], arrays[f"y_{name}"] = features(40, seed)
    np.savez(tmp_path / "both.npz", **arrays)
    arm = "coral + source-only"
    assert main(["shapes", "--data", str(tmp_path), "--arm", arm, "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for target in ("ours", "theirs"):
        arms = {line["arm"]: line for line in found if line["target"] == target}
        assert {"source-only/1-nn", f"{arm}/1-nn", "chosen"} <= set(arms)
        assert arms["chosen"]["verdict"]["answer"] in ("provisional", "not-enough-data")
        assert arms["chosen"]["value"] in {
            line["value"] for name, line in arms.items() if name != "chosen"
        }
    means = {line["arm"]: line["value"] for line in found if line["metric"] == "mean accuracy"}
    each = [line["value"] for line in found if line["arm"] == "chosen" and line["target"]]
    assert means["chosen"] == pytest.approx(np.mean(each))


def test_a_pair_may_bring_a_strategy_of_its_own_and_do_without_a_vote() -> None:
    recipe, rows = Dense.of({"a": features(40, 0), "b": features(40, 1)})
    pair = Pair("made", "both", "a", "b", recipe, Nearest(), (Chain((Named(), SourceOnly())),))
    args = argparse.Namespace(arm=["named + source-only"], seed=0)
    lines = {
        voting: [*tried(pair, rows["a"], rows["b"], rows["b"], args, voting=voting)]
        for voting in (True, False)
    }
    arms = ["source-only/1-nn", "named + source-only/1-nn"]
    assert [line.arm for line in lines[False]] == arms
    assert {line.arm for line in lines[True]} == {*arms, "chosen"}
    for one, other in zip(
        lines[False], [line for line in lines[True] if line.arm != "chosen"], strict=True
    ):
        assert one.value == other.value and one.verdict is None

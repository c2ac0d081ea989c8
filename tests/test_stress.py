"""The benchmark of awkward ways to transfer, on small made markets and the linear model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from acclimate.errors import UsageError
from acclimate.plans.vote import vote as voted
from acclimate.rng import Rng
from acclimate.strategies import catalogue
from acclimate.strategies.arm import Arm
from benchmarks import stress, stress_arms, stress_cells, stress_given

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three shops of 90 rows whose label follows x the same way."""
    draw = Rng.of(3).generator()
    x = draw.normal(size=270)
    frame = pl.DataFrame(
        {
            "shop": np.repeat(["a", "b", "c"], 90),
            "x": x,
            "z": draw.normal(size=270),
            "y": np.where(x + 0.5 * draw.normal(size=270) > 0, "yes", "no"),
        }
    )
    frame.write_csv(tmp_path / "shops.csv")
    return tmp_path / "shops.csv"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the benchmark with cheap models only; its lines as rows."""
    cheap = ("linear", "ease")

    def arms(form: str, wanted: tuple[str, ...]) -> list[Arm]:
        return [arm for arm in catalogue.arms(form, wanted) if arm.model.kind in cheap]

    few = {kind: model for kind, model in catalogue.models().items() if kind in cheap}
    monkeypatch.setattr(stress_arms, "arms", arms)
    monkeypatch.setattr(stress_given, "models", lambda: few)

    def told(*words: str) -> list[dict[str, Any]]:
        parser = argparse.ArgumentParser()
        stress.add_arguments(parser)
        args = parser.parse_args([*words, "--untuned"])
        return [json.loads(line.to_json()) for line in stress.run(args)]

    return told


def of_table(table: Path, cell: str = "rows", labels: int = 40) -> list[str]:
    words = ["--only", cell, "--data", str(table), "--by", "shop", "--target", "a"]
    return [*words, "--label", "y", "--labels", str(labels)]


def test_a_gain_is_the_difference_of_the_two_scores(run: Run, table: Path) -> None:
    lines = run(*of_table(table), "--arms", "coral + pooled")
    values = {(line["arm"], line["metric"]): line["value"] for line in lines}
    alone = values["target-only/linear", "log-loss"]
    for arm in ("source-only", "pooled", "coral + pooled"):
        gain = values[f"{arm}/linear", "gain in log-loss over target-only/linear"]
        assert gain == pytest.approx(alone - values[f"{arm}/linear", "log-loss"])
    within = values["coral + pooled/linear", "gain in log-loss over pooled/linear"]
    both = [values[f"{arm}/linear", "log-loss"] for arm in ("pooled", "coral + pooled")]
    assert within == pytest.approx(both[0] - both[1])
    assert lines[-1]["arm"] == "verdict"
    assert lines[-1]["verdict"]["baseline"] == "target-only/linear"
    scored = [line for line in lines if line["metric"] == "log-loss"]
    assert all(line["low"] <= line["value"] <= line["high"] for line in scored[:-1])


def test_arms_that_do_not_apply_say_why(run: Run, table: Path) -> None:
    lines = run(*of_table(table), "--arms", "finetune", "--arms", "telepathy")
    why = {line["arm"]: line["why"] for line in lines if "why" in line}
    assert "not a network" in why["finetune/linear"]
    assert why["telepathy"] == "not in the catalogue"


def test_labels_that_were_taken_away_are_only_scored_on(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def vote(trials: Any, task: Any, problem: Any, rng: Rng) -> Any:
        seen.append(problem)
        return voted(trials, task, problem, rng)

    monkeypatch.setattr("benchmarks.stress_arms.vote", vote)
    lines = run(*of_table(table, "rows-unlabelled", 0))
    assert not seen[0].labelled and seen[0].unlabelled.label is None
    why = {line["arm"]: line["why"] for line in lines if "why" in line}
    assert "no labelled rows" in why["target-only/linear"]
    scored = [line for line in lines if line["metric"] == "log-loss"]
    assert scored[0]["n"] == 90 and scored[0]["value"] < np.log(2)
    assert lines[-1]["verdict"]["answer"] in ("provisional", "not-enough-data")


def test_an_artifact_shares_no_rows(run: Run, table: Path) -> None:
    lines = run(*of_table(table, "rows-artifact"), "--arms", "source-prior")
    why = {line["arm"]: line["why"] for line in lines if "why" in line}
    assert "does not share its rows" in why["pooled/linear"]
    scored = {line["arm"]: line["value"] for line in lines if line["metric"] == "log-loss"}
    assert scored["source-prior/linear"] < np.log(2)
    assert scored["source-only/linear"] < np.log(2)


def test_a_gram_matrix_is_all_that_an_item_prior_needs(run: Run, tmp_path: Path) -> None:
    draw = Rng.of(4).generator()
    for market in ("here", "there"):
        taken = {
            "user": [f"{market}{user}" for user in range(60) for _ in range(5)],
            "item": [
                f"i{(user % 3) * 6 + item}"
                for user in range(60)
                for item in draw.permutation(6)[:5]
            ],
        }
        pl.DataFrame(taken).write_csv(tmp_path / f"{market}.csv")
    words = ["--data", str(tmp_path), "--target", "here", "--arms", "item-prior"]
    lines = run("--only", "events-gram", "--only", "events-artifact", *words)
    for cell in ("events-gram", "events-artifact"):
        mine = [line for line in lines if line["data"].startswith(f"{cell}:")]
        why = {line["arm"]: line["why"] for line in mine if "why" in line}
        assert "does not share its rows" in why["pooled/ease"]
        scored = {line["arm"]: line["value"] for line in mine if line["metric"] == "ndcg@10"}
        assert any(
            arm.startswith("item-prior/ease") and value > 0 for arm, value in scored.items()
        )


def test_a_cell_over_its_budget_says_so(run: Run, table: Path) -> None:
    lines = run(*of_table(table), "--budget", "0.001")
    assert lines[-1]["arm"] == "cell" and "Raise --budget" in lines[-1]["why"]


def test_finished_cells_are_skipped_and_half_of_one_is_taken_out(
    run: Run, table: Path, tmp_path: Path
) -> None:
    file = tmp_path / "kept.jsonl"
    words = [*of_table(table), "--resume", str(file)]
    first = run(*words)
    assert [json.loads(line) for line in file.read_text().splitlines()] == first
    assert run(*words) == []
    half = json.dumps(first[0] | {"data": "another"})
    file.write_text(file.read_text() + half + "\n")
    again = run(*words, "--seed", "1")
    left = [json.loads(line) for line in file.read_text().splitlines()]
    assert left == first + again and {line["seed"] for line in again} == {1}


def test_a_file_of_something_else_is_not_resumed(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a line\n")
    with pytest.raises(UsageError, match=r"Expected lines of this benchmark in .*--resume"):
        stress.kept(file)
    assert file.read_text() == "not a line\n"


def test_columns_without_names_are_counted_from_one(table: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("1, left , yes\n2, right, no\n")
    (tmp_path / "copies").mkdir()
    found = pl.read_csv(stress_cells.headed(bare, tmp_path / "copies"))
    assert found.columns == ["column_1", "column_2", "column_3"]
    assert found["column_2"].to_list() == ["left", "right"]


def test_markets_that_are_not_there_are_answered_with_those_that_are(table: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected markets among a, b, c .* found d"):
        stress_cells.specs(table, "shop", "d", ())
    with pytest.raises(UsageError, match=r"Expected a column .* found 'town'.*--by"):
        stress_cells.specs(table, "town", "a", ())
    with pytest.raises(UsageError, match=r"whose values are markets; found none"):
        stress_cells.specs(table, None, "a", ())


def test_data_that_is_not_there_says_how_to_name_it(run: Run, tmp_path: Path) -> None:
    lines = run(*of_table(tmp_path / "none.csv"))
    assert len(lines) == 1 and "Set ACCLIMATE_DATA" in lines[0]["why"]

"""Categories as tasks on a made shop: rows, labels, who is left out, and how a list scores."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.domains.exam import Probabilities
from acclimate.domains.view import RowView
from acclimate.errors import UsageError
from acclimate.rng import Rng
from benchmarks import categories
from benchmarks.categories_data import read

START = datetime(2024, 1, 1)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Household h buys product h % 3 of each of three categories every week but h0: for the
    first ten weeks, and then again from week 46."""
    rows = [
        (f"h{h}", f"{c}{h % 3}", START + timedelta(weeks=week))
        for week in range(53)
        for h in range(9)
        for c in "abc"
        if h or week < 10 or week >= 46
    ]
    frame = pl.DataFrame(
        rows, ["household_id", "product_id", "transaction_timestamp"], orient="row"
    )
    frame.write_parquet(tmp_path / "transactions.parquet")
    products = pl.DataFrame(
        [(f"{c}{p}", c, f"dep {c}") for c in "abc" for p in range(3)],
        ["product_id", "product_category", "department"],
        orient="row",
    )
    products.write_parquet(tmp_path / "products.parquet")
    return tmp_path


def given(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    categories.add_arguments(parser)
    return parser.parse_args(words)


def test_a_row_is_a_household_and_its_label_what_it_buys_later(shop: Path) -> None:
    shared, targets = read(given("--data", str(shop), "--tasks", "2", "--targets", "1"))
    assert [each.task.name for each in shared] == ["a", "c"]
    assert [each.task.name for each in targets] == ["b", "dormant for 8 weeks"]
    fit, judge = shared[0].task.fit, shared[0].task.judge
    # h0 bought nothing before the second moment, and nothing soon after the first.
    assert fit.n == 8 and judge.n == 8 and fit.label is not None
    assert sorted(np.bincount(fit.label.astype(int))) == [2, 3, 3]
    # Products of the two categories that share and the departments of all three.
    assert fit.numeric.shape[1] == 6 + 3
    dormant = targets[1].task
    assert dormant.fit.n == 0 and dormant.judge.n == 0
    with pytest.raises(UsageError, match="Expected 4 categories; found 3"):
        read(given("--data", str(shop), "--tasks", "3", "--targets", "1"))


def test_who_comes_back_within_the_weeks_asked_is_dormant(shop: Path) -> None:
    frame = pl.read_parquet(shop / "transactions.parquet")
    late = pl.col("transaction_timestamp") >= START + timedelta(weeks=18)
    early = pl.col("transaction_timestamp") < START + timedelta(weeks=30)
    gone = frame.filter(~((pl.col("household_id") == "h4") & late & early))
    gone.write_parquet(shop / "transactions.parquet")
    _, targets = read(given("--data", str(shop), "--tasks", "2", "--targets", "1"))
    dormant = targets[1].task
    assert dormant.fit.n == 1 and dormant.fit.n_classes == 3


def test_a_list_scores_by_the_place_of_the_product_and_ties_are_against_it() -> None:
    class Said:
        def predict(self, view: RowView) -> Probabilities:
            return Probabilities(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2]]))

    label = np.array([0, 2, 0])
    view = RowView(np.zeros((3, 1)), np.zeros((3, 0), np.int64), (), None, label, 3)
    wanted = [1.0, 1 / np.log2(4), 1 / np.log2(3)]
    np.testing.assert_allclose(categories.gain_of(Said(), view), wanted)


def test_tasks_and_targets_are_told(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categories, "FEW", 5)
    monkeypatch.setattr(categories, "SIZES", (4,))
    monkeypatch.setattr(categories, "PENALTIES", (5.0,))
    words = ["--data", str(shop), "--tasks", "2", "--targets", "1", "--draws", "1"]
    lines = list(categories.run(given(*words, "--arm", "hard-sharing, equal")))
    assert {line.target for line in lines} == {"a", "c", "mean", "b", "dormant for 8 weeks"}
    (mean,) = (x for x in lines if x.target == "mean" and x.metric == "gain in ndcg@10")
    assert mean.n == 2 and mean.low is not None and mean.high is not None
    (dormant,) = (line for line in lines if line.target == "dormant for 8 weeks")
    assert dormant.why == "0 rows to fit on and 0 to judge by are too few"
    ways = {(line.arm or "").split(",")[0] for line in lines if line.target == "b"}
    assert set(categories.WAYS) <= ways


def test_what_was_shared_goes_on_alone(shop: Path) -> None:
    shared, _ = read(given("--data", str(shop), "--tasks", "2", "--targets", "1"))
    tasks = [each.task for each in shared]
    together = categories.shared_by(categories.HARD, tasks, 5.0, Rng.of(0))
    apart = categories.going_on(tasks, 10.0, Rng.of(0))
    first, second = (model.parameters() for model in together)
    moved = [model.parameters() for model in apart]
    for name in together[0].body():
        assert np.array_equal(first[name], second[name])
        assert not np.array_equal(moved[0][name], moved[1][name])
        # A fifth of the rate, for a hundred steps: each Adam step moves at most so far.
        assert float(abs(moved[0][name] - first[name]).max()) < 100 * 1e-3 * 1.05
    assert [model.penalty for model in apart] == [10.0, 10.0]


def test_targets_take_the_body_of_hard_sharing_alone(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(categories, "PENALTIES", (5.0,))
    words = ["--data", str(shop), "--tasks", "2", "--targets", "1"]
    lines = list(categories.run(given(*words, "--arm", categories.GOING_ON)))
    assert {line.target for line in lines} == {"a", "c", "mean"}
    # Labels to fit on: three, three and two.  Ties count against us, so that the first two
    # products are both second, and the third is third.
    task = read(given(*words))[0][0].task
    assert task.fit.label is not None and task.judge.label is not None
    count = np.bincount(task.fit.label.astype(int))
    place = np.array([2 if n == 3 else 3 for n in count])[task.judge.label.astype(int)]
    popular = [line for line in lines if line.arm == "popularity"]
    assert [line.n for line in popular] == [8, 8]
    assert popular[0].value == pytest.approx((1 / np.log2(place + 1)).mean())

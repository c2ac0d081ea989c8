"""Cross-market: validation items are fitted on only where that is asked for and told."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from acclimate.domains.sample import Interactions
from acclimate.domains.split import Cut
from acclimate.errors import UsageError
from acclimate.rng import Rng
from acclimate.tasks.recommend import Recommend
from benchmarks import cross_market

ARMS = ["--arm", "target-only/popularity", "--arm", "pooled/popularity"]
DAYS = 6


def market(path: Path, seed: int) -> None:
    """Thirty users take an item a day; the last two are all of one item each."""
    draw = np.random.default_rng(seed)
    lines = ["userId,itemId,rate,date"]
    for user in range(30):
        early = draw.choice(20, DAYS - 2, replace=False)
        for day, item in enumerate([*early, 20, 21]):
            lines.append(f"{path.stem}{user},i{item},5.0,2020-01-0{day + 1}")
    path.write_text("\n".join(lines), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("aa", "bb")):
        market(tmp_path / f"{name}.csv", seed)
    return tmp_path


def asked(folder: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cross_market.add_arguments(parser)
    return parser.parse_args(["--data", str(folder), "--target", "aa", *words])


def test_items_chosen_on_come_last_and_are_known_to_the_judged_question(folder: Path) -> None:
    target, sources = cross_market.markets(folder, "aa", None)
    task = Recommend(10, negatives=5)
    target = cross_market.whole_catalogue(target)
    posed = task.pose(target, sources, Cut(by="last"), Rng.of(0))
    problem, case = cross_market.with_validation(posed.problem, posed.exam)
    before, after = posed.problem.fit, problem.fit
    assert isinstance(before, Interactions) and isinstance(after, Interactions)
    assert (before.n, after.n) == (30 * 4, 30 * 5)
    assert (after.user[:120] == before.user).all() and (after.item[:120] == before.item).all()
    assert sorted(after.user[120:]) == list(range(30))
    assert set(after.items[after.item[120:]]) == {"i20"}
    assert case.context.n == 150
    assert case.context.users.tolist() == case.query.users.tolist()
    assert case.truth is posed.exam.judge[0].truth


def test_lines_say_what_was_fitted_on(folder: Path) -> None:
    lines = list(cross_market.run(asked(folder, *ARMS, "--fit-validation")))
    scored = [line for line in lines if line.arm != "verdict"]
    metrics = {"ndcg@10", "ndcg@10-full", "recall@10-full", "recall@20-full"}
    for fitted_on in (None, "validation-items"):
        told = [line for line in scored if line.fitted_on == fitted_on]
        assert {(line.arm, line.metric) for line in told} == {
            (arm, metric) for arm in ARMS[1::2] for metric in metrics
        }
    plain = list(cross_market.run(asked(folder, *ARMS)))
    assert {line.fitted_on for line in plain} == {None}


def test_it_says_which_arms_there_are(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected arms among .*; found a/b"):
        list(cross_market.run(asked(folder, "--arm", "a/b")))
    named = {arm.name for arm in cross_market.wanted_arms(None)}
    assert {"market-stack/stack", "item-prior/ease", "target-only/item-knn"} <= named

"""The two sides of a pair on a made folder: what is asked, and what files must be there."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import pytest

from acclimate.domains.sample import Interactions
from acclimate.errors import UsageError
from benchmarks import cross_category
from tests.golden.test_itemprior import taken


def side(folder: Path, name: str, seed: int, test: bool = True) -> None:
    """Fifty users take four of the ten items of their kind, of which the last is asked for."""
    draw, train, later = np.random.default_rng(seed), "", ""
    for user in range(50):
        items = draw.permutation(10)[:4] + 10 * (user % 2)
        train += "".join(f"{user}\t{item}\t1\n" for item in items[:3])
        later += f"{user}\t{items[3]}\t1\n"
    (folder / name).mkdir(parents=True)
    (folder / name / "train.txt.gz").write_bytes(gzip.compress(train.encode()))
    if test:
        (folder / name / "test.txt.gz").write_bytes(gzip.compress(later.encode()))


def given(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cross_category.add_arguments(parser)
    return parser.parse_args(words)


def test_items_of_two_sides_are_other_items_and_users_the_same(tmp_path: Path) -> None:
    side(tmp_path, "a_b", 0)
    side(tmp_path, "b_a", 1)
    asked = cross_category.read(tmp_path / "a_b", tmp_path / "b_a", "test.txt")
    fit, source = asked.problem.fit, asked.problem.sources[0].sample
    assert isinstance(fit, Interactions) and isinstance(source, Interactions)
    assert not set(fit.items) & set(source.items)
    assert set(fit.users) == set(source.users)
    assert fit.n == 150 and asked.taken.n == 200 and asked.case.truth.n_units == 50


def test_what_may_be_one_product_on_both_sides_is_left_out_of_the_source() -> None:
    X, S = np.zeros((12, 2)), np.zeros((12, 4))
    X[:6, 0] = X[4:8, 1] = 1.0
    S[:7, 0] = 1.0  # users of item 0, and the one whose event is held out
    S[5:12, 1] = 1.0  # three of seven are item 1's: cosine .57 of four
    S[[0, 7, 8, 9, 10], 2] = 1.0  # another
    S[9:12, 3] = 1.0  # of too few to tell
    target, source = taken(X, ["a", "b"]), taken(S, ["w", "x", "y", "z"])
    found = cross_category.without_twins(source, target)
    assert set(found.items[found.item]) == {"y"}


def test_a_draw_of_users_is_the_same_on_both_sides(tmp_path: Path) -> None:
    side(tmp_path, "a_b", 0)
    side(tmp_path, "b_a", 1)
    asked = cross_category.read(tmp_path / "a_b", tmp_path / "b_a", "test.txt", most=20)
    source = asked.problem.sources[0].sample
    assert isinstance(source, Interactions)
    assert len(source.users) == 20 and asked.case.truth.n_units == 20


def test_every_arm_is_scored_both_ways_and_judged(tmp_path: Path) -> None:
    side(tmp_path, "a_b", 0)
    side(tmp_path, "b_a", 1)
    words = ["--data", str(tmp_path), "--target", "a_b", "--negatives", "8"]
    arms = ("target-only/popularity", "shared-users/wide-ease")
    words += [word for arm in arms for word in ("--arm", arm)]
    lines = list(cross_category.run(given(*words)))
    told = {(line.arm, line.metric) for line in lines}
    metrics = ("ndcg@10", "hr@10", "ndcg@10-full", "recall@20-full")
    assert told >= {(arm, metric) for arm in arms for metric in metrics}
    verdicts = [line.verdict for line in lines if line.arm == "verdict"]
    # Who is of which kind decides, and popularity does not know it.
    assert [verdict["answer"] for verdict in verdicts if verdict] == ["adopt", "adopt"]


def test_what_is_no_pair_is_told(tmp_path: Path) -> None:
    side(tmp_path, "a_b", 0)
    with pytest.raises(UsageError, match="Expected folders A_B and B_A in"):
        list(cross_category.run(given("--data", str(tmp_path))))
    side(tmp_path, "b_a", 1, test=False)
    with pytest.raises(UsageError, match="found a_b, b_a, not c_d"):
        list(cross_category.run(given("--data", str(tmp_path), "--target", "c_d")))
    with pytest.raises(UsageError, match="Expected arms among target-only/popularity"):
        list(cross_category.run(given("--data", str(tmp_path), "--arm", "x/y")))
    with pytest.raises(UsageError, match=r"Expected a file test\.txt\* in"):
        list(cross_category.run(given("--data", str(tmp_path), "--target", "b_a")))

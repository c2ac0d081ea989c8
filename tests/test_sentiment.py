"""The benchmark of opinions across categories, on small made counts."""

from __future__ import annotations

import argparse
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from acclimate.rng import Rng
from benchmarks import sentiment
from benchmarks.counts import read

WORDS = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two categories that share two words of each mind and have two of their own."""
    for at, name in enumerate(("books", "toys")):
        for part, n in (("train", 90), ("test", 60)):
            g = np.random.default_rng([at, n])
            label = g.integers(0, 2, n)
            x = np.zeros((n, WORDS))
            x[np.arange(n), label] = g.random(n) < 0.6
            x[np.arange(n), 2 + 2 * at + label] = 1
            x[:, 6] = g.poisson(1.0, n)
            with gzip.open(tmp_path / f"{name}_{part}.svmlight.gz", "wb") as file:
                dump_svmlight_file(x, 2 * label - 1, file, zero_based=False)
    return tmp_path


def asked(folder: Path, **given: object) -> argparse.Namespace:
    return argparse.Namespace(
        **({"data": folder, "pair": None, "arm": None, "seed": 0} | given)
    )


def test_every_ordered_pair_is_asked_about_and_the_vote_chooses_one_of_its_arms(
    folder: Path,
) -> None:
    lines = list(sentiment.run(asked(folder, arm=["coral + source-only"])))
    each = [line for line in lines if line.metric == "accuracy"]
    pairs = {(line.source, line.target) for line in each}
    assert pairs == {("books", "toys"), ("toys", "books")}
    for source, _ in pairs:
        of = {line.arm: line.value for line in each if line.source == source}
        assert set(of) == {"source-only/linear", "coral + source-only/linear", "chosen"}
        assert of["chosen"] in (of["source-only/linear"], of["coral + source-only/linear"])
    assert all(line.n == 60 and line.low <= line.value <= line.high for line in each)  # type: ignore[operator]
    means = {line.arm: line.value for line in lines if line.metric == "mean accuracy"}
    alone = [line.value for line in each if line.arm == sentiment.BASE]
    assert means[sentiment.BASE] == pytest.approx(np.mean(np.array(alone, float)))


def test_labels_of_the_target_reach_nobody(folder: Path) -> None:
    recipe, categories = read(folder)
    seen, test = categories["toys"]
    assert seen.label is not None
    answers = [
        sentiment.of_pair(
            recipe,
            categories["books"][0],
            (replace(seen, label=label), test),
            ("books", "toys"),
            ("msda + source-only",),
            Rng.of(0),
        )[0]
        for label in (seen.label, 1 - seen.label)
    ]
    assert answers[0] == answers[1]


def test_a_folder_without_test_files_is_refused(folder: Path) -> None:
    (folder / "toys_test.svmlight.gz").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"found books, toys, without toys_test\.svmlight"
    ):
        read(folder)

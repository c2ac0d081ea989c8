"""The WSDM Cup protocol on a made folder: candidates ranked, scores written without truth."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.domains.exam import Case, RankQuery, Truth
from acclimate.domains.sample import Interactions
from acclimate.errors import UsageError
from acclimate.models.ranker import Stack
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.relation.marketstack import MarketStack
from benchmarks import folds, wsdm22

ARMS = ["target-only/popularity", "pooled/popularity"]
KEY = Rng.of(0)
ITEMS = [f"i{number}" for number in range(130)]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


def market(folder: Path, name: str, seed: int) -> None:
    """Users take four of a dozen liked items; what is right is the first of these."""
    draw = np.random.default_rng(seed)
    rows = [
        (f"{name}u{user}", ITEMS[item])
        for user in range(30)
        for item in draw.choice(np.arange(1, 12), 4, replace=False)
    ]
    text = "".join(f"{user}\t{item}\t5.0\n" for user, item in rows)
    write(folder / name / "train.tsv.gz", "userId\titemId\trating\n" + text)
    repeated = "".join(f"{user}\t{item}\t1.0\n" for user, item in rows[:20])
    write(folder / name / "train_5core.tsv.gz", "userId\titemId\trating\n" + repeated)
    lists = "".join(f"{name}u{user}\t{','.join(ITEMS[::-1][:100])}\n" for user in range(5))
    write(folder / name / "valid_run.tsv.gz", lists + f"{name}new\t{','.join(ITEMS[:100])}\n")
    right = "".join(f"{name}u{user}\t{ITEMS[40]}\t1\n" for user in range(5))
    rest = f"{name}new\t{ITEMS[99]}\t1\n"
    write(folder / name / "valid_qrel.tsv.gz", "userId\titemId\trating\n" + right + rest)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("aa", "bb")):
        market(tmp_path, name, seed)
    return tmp_path


def asked(folder: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    wsdm22.add_arguments(parser)
    arms = [word for arm in ARMS for word in ("--arm", arm)]
    return parser.parse_args(["--data", str(folder), "--target", "aa", *arms, *words])


def test_repeats_count_once_and_users_without_rows_are_asked(folder: Path) -> None:
    found = wsdm22.read(folder, "aa", None, 1.0)
    fit = found.problem.fit
    assert fit.n == 120
    assert [source.name for source in found.problem.sources] == ["bb"]
    assert found.case.query.users.tolist() == [*(f"aau{n}" for n in range(5)), "aanew"]
    assert isinstance(fit, Interactions)
    names = fit.items[found.case.query.candidates[5]]
    assert names.tolist() == ITEMS[:100]
    truth = found.case.truth
    assert truth.user is not None and truth.user.tolist() == [0, 1, 2, 3, 4, 5]
    wanted = fit.items[truth.item]
    assert wanted.tolist() == [ITEMS[40]] * 5 + [ITEMS[99]]


def test_a_share_of_the_rows_is_the_same_draw_every_time(folder: Path) -> None:
    once = wsdm22.read(folder, "aa", None, 0.3)
    again = wsdm22.read(folder, "aa", None, 0.3)
    assert once.problem.fit.n == 36
    assert once.problem.fit.fingerprint == again.problem.fit.fingerprint
    assert once.problem.sources[0].n == 120
    assert once.case.query.candidates.tolist() == again.case.query.candidates.tolist()


def test_every_arm_has_a_line_and_ties_count_against_us(folder: Path) -> None:
    lines = {line.arm: line for line in wsdm22.run(asked(folder))}
    assert set(lines) == {*ARMS, "verdict"}
    # Nobody ever took what is right: it ties with most candidates and comes last of them.
    assert [lines[arm].value for arm in ARMS] == [0.0, 0.0]
    assert lines["verdict"].verdict is not None


def test_every_arm_stands_beside_ease_of_the_target_and_of_all_markets(folder: Path) -> None:
    right = "".join(f"aau{user}\t{ITEMS[user + 1]}\t1\n" for user in range(5))
    write(folder / "aa" / "valid_qrel.tsv.gz", "userId\titemId\trating\n" + right)
    lists = "".join(f"aau{user}\t{','.join(ITEMS[:100])}\n" for user in range(5))
    write(folder / "aa" / "valid_run.tsv.gz", lists)
    more = ("--arm", "target-only/ease", "--arm", "pooled/ease")
    lines = {(line.arm, line.metric): line for line in wsdm22.run(asked(folder, *more))}
    every = [*ARMS, *more[1::2]]
    for reference in more[1::2]:
        metric = f"ndcg@10 over {reference}"
        assert {arm for arm, said in lines if said == metric} == {*every} - {reference}
        for arm in {*every} - {reference}:
            line = lines[arm, metric]
            values = [lines[each, "ndcg@10"].value for each in (arm, reference)]
            assert line.value is not None and line.n == 5
            assert values[0] is not None and values[1] is not None
            assert line.value == pytest.approx(values[0] - values[1])
    assert any(line.value for (_, said), line in lines.items() if said and "over" in said)


def test_scores_are_written_where_nobody_knows_what_is_right(folder: Path) -> None:
    (folder / "aa" / "valid_qrel.tsv.gz").unlink()
    out = folder / "scores.csv"
    lines = list(wsdm22.run(asked(folder, "--out", str(out))))
    assert {line.metric for line in lines} == {"ndcg@10 of choose"}
    written = pl.read_csv(out)
    assert written.columns == ["user_id", "item_id", "score"]
    assert written.height == 600
    assert written["item_id"].to_list()[-100:] == ITEMS[:100]
    assert written["score"].is_finite().all()


def test_it_says_which_markets_and_arms_there_are(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected markets among aa, bb in .*; found cc"):
        wsdm22.read(folder, "cc", None, 1.0)
    with pytest.raises(UsageError, match=r"Expected arms among .*; found a/b"):
        list(wsdm22.run(asked(folder, "--arm", "a/b")))
    with pytest.raises(UsageError, match=r"a fraction above 0 and up to 1; found 0.0"):
        list(wsdm22.run(asked(folder, "--fraction", "0")))
    (folder / "aa" / "valid_run.tsv.gz").unlink()
    with pytest.raises(UsageError, match=r"candidates are to be ranked; found neither"):
        wsdm22.read(folder, "aa", None, 1.0)


def test_trees_taught_by_folds_never_see_their_own_users_answer(folder: Path) -> None:
    """With another right answer for one user, only users of other folds get other scores."""
    problem = wsdm22.read(folder, "aa", None, 1.0).problem
    fitted, fit = Arm(MarketStack(), Stack()).fit(problem, KEY), problem.fit
    assert isinstance(fit, Interactions)
    users = np.unique(fit.user)
    lists = np.tile(np.unique(fit.item), (len(users), 1))
    context, fold = fit.of_users(users), folds.folds(len(users), KEY)
    right = lists[0, np.random.default_rng(0).integers(0, 6, len(users))]
    other = np.where(users == users[0], lists[0, 9], right)
    before, after = (
        folds.stacked(fitted, Case(context, RankQuery(fit.users[users], lists), truth), KEY)
        for truth in (
            Truth(np.arange(len(users)), user=np.arange(len(users)), item=item)
            for item in (right, other)
        )
    )
    same = (before.scores == after.scores).all(axis=1)
    assert same[fold == fold[0]].all()
    assert not same[fold != fold[0]].any()
    assert before.items.tolist() == lists.tolist()

"""Cold starts on made folders: who is asked what, and that nothing asked was taught."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from acclimate.errors import StrategyError, UsageError
from acclimate.models.popularity import Popularity
from acclimate.rng import Rng
from benchmarks import cold_arms, cold_data, cold_start
from benchmarks.cold_arms import Answerer

ARMS = ["popularity", "content/popularity"]


@pytest.fixture
def states(tmp_path: Path) -> Path:
    """40 new users with 24 ratings each, and new items rated by others."""
    draw = np.random.default_rng(0)
    rows = ["user,item,rating,state"]
    for state, users in (("user_cold_state", range(40)), ("item_cold_state", range(50, 80))):
        for user in users:
            for item in draw.choice(36, 24, replace=False) + (100 if "item" in state else 0):
                rows.append(f"{user},{item},{3 + int(item % 3)},{state}")
    (tmp_path / "ratings_cold_states.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "users.dat").write_text(
        "\n".join(f"{n}::{'FM'[n % 2]}::{n % 3}::{n % 5}::{n}99" for n in range(80))
    )
    films = [
        f"{n}::Film {n % 7}::{1950 + n % 40}::PG::1 Jan::{'Drama, War' if n % 2 else 'Comedy'}"
        f"::Someone {n % 4}::w::A, B {n % 3}::Plot {n % 5}::p"
        for n in range(140)
    ]
    (tmp_path / "movies_extrainfos.dat").write_text("\n".join(films))
    return tmp_path


@pytest.fixture
def implicit(tmp_path: Path) -> Path:
    """Items 0 to 19 teach, 20 to 25 are chosen on and 26 to 45 are asked."""
    folder = tmp_path / "implicit"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, low, high in (
        ("train_df", 0, 20),
        ("cold_vali_df", 20, 26),
        ("cold_test_df", 26, 46),
    ):
        pairs = [(u, i) for u in range(30) for i in range(low, high) if draw.random() < 0.4]
        user, item = np.array(pairs, np.int32).T
        pl.DataFrame({"uid": user, "iid": item}).write_parquet(folder / f"{name}.parquet")
    titles = [
        f"{n},Film {n % 7} ({1950 + n % 40}),{'Drama|War' if n % 2 else 'Comedy'}"
        for n in range(46)
    ]
    (folder / "item_df.csv").write_text("iid,title,genres\n" + "\n".join(titles) + "\n")
    return folder


def asked(folder: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cold_start.add_arguments(parser)
    arms = [part for arm in ARMS for part in ("--arm", arm)]
    return parser.parse_args(["--data", str(folder), *arms, *words])


def test_new_users_teach_nothing_and_know_as_many_ratings_as_said(states: Path) -> None:
    users, items = cold_data.read(states, 0)
    lesson = users.judge
    assert [q.view.matrix.sum(axis=1).tolist() for q in lesson.questions] == [
        [float(k)] * len(lesson.questions[0].truth.units) for k in cold_data.KNOWN
    ]
    assert lesson.view.matrix.shape[0] == 20  # the other half are asked
    for question in lesson.questions:
        known = set(zip(*question.view.matrix.nonzero(), strict=True))
        user, item = question.truth.user, question.truth.item
        assert user is not None and item is not None
        right = set(zip(user, item, strict=True))
        assert right and not known & right
    assert sum(lesson.view.matrix.shape[0] for lesson in users.choose) == 2 * 20
    assert items.judge.view.matrix.shape[1] == 36


def test_new_items_were_taken_by_nobody_who_teaches(states: Path, implicit: Path) -> None:
    colds = [cold_data.read(states, 0)[1], cold_data.read(implicit, 0)[0]]
    for cold in colds:
        for lesson in (*cold.choose, cold.judge):
            taken = np.asarray(lesson.view.matrix.sum(axis=0)).ravel() > 0
            among, every = lesson.questions
            assert among.candidates is not None and every.candidates is None
            assert not taken[among.candidates].any()
            assert among.truth.item is not None
            assert np.isin(among.truth.item, among.candidates).all()


def test_lines_tell_every_arm_and_what_was_chosen(implicit: Path) -> None:
    lines = list(cold_start.run(asked(implicit)))
    metrics = {(line.arm, line.target, line.metric) for line in lines}
    for arm in ARMS:
        for target in ("new items among each other", "new items among all"):
            assert {(arm, target, "ndcg@10"), (arm, target, "recall@20")} <= metrics
    assert any((line.arm or "").startswith("chosen: ") for line in lines)
    # What nobody took is all alike to popularity, and ties count against it.
    found = {x.arm: x.value or 0.0 for x in lines if x.metric == "ndcg@10"}
    assert found["popularity"] < 0.1 < found["content/popularity"]


class RunsAway:
    """Popularity, whose training runs away at some rates."""

    def __init__(self, *rates: int) -> None:
        self.rates = rates

    def why_not(self, cold: cold_data.Cold) -> str | None:
        return None

    def grid(self, cold: cold_data.Cold) -> Sequence[int]:
        return self.rates

    def fit(self, settings: int, lesson: cold_data.Lesson, rng: Rng) -> Answerer:
        if settings > 1:
            raise StrategyError(f"Training ran into numbers that are not finite at {settings}.")
        popular = cold_arms.ARMS["popularity"]
        return popular.fit(Popularity(), lesson, rng)


def test_settings_whose_training_runs_away_are_out(implicit: Path) -> None:
    cold = cold_data.read(implicit, 0)[0]
    best, scores = cold_start.chosen_of(RunsAway(2, 1, 3), cold, Rng.of(0))
    assert best == 1 and len(scores) == len(cold.judge.questions)
    with pytest.raises(StrategyError, match="not finite at 3"):
        cold_start.chosen_of(RunsAway(2, 3), cold, Rng.of(0))


def test_an_arm_that_always_runs_away_has_a_line_that_says_so(
    implicit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = {**cold_arms.ARMS, "two-tower": RunsAway(2)}
    monkeypatch.setattr(cold_start, "ARMS", arms)
    lines = list(cold_start.run(asked(implicit, "--arm", "two-tower")))
    assert {line.why for line in lines if line.arm == "two-tower"} == {
        "Training ran into numbers that are not finite at 2."
    }
    assert any((line.arm or "").startswith("chosen: ") for line in lines)


def test_an_arm_that_needs_ratings_says_so(implicit: Path) -> None:
    lines = list(cold_start.run(asked(implicit, "--arm", "melu")))
    assert [line.why for line in lines if line.arm == "melu"] == [
        "there are events and no ratings to predict"
    ]


def test_a_folder_or_arm_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected ratings_cold_states\* .* found nothing"):
        cold_data.read(tmp_path, 0)
    with pytest.raises(UsageError, match=r"Expected arms among popularity, .* found never"):
        list(cold_start.run(asked(tmp_path, "--arm", "never")))

"""A run says what it was asked, so that a later command can ask it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acclimate.domains.split import Cut
from acclimate.domains.synthetic import make_rows
from acclimate.errors import UsageError
from acclimate.options import Options
from acclimate.repeating import asked_again, record
from acclimate.rng import Rng
from acclimate.tasks.classify import Classify

OPTIONS = Options(budget_seconds=7.0, seed=3, models=("linear",), cut=Cut(labels=80))
TASK = Classify(label="fraud", also=("late",))


def written(value: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(value))
    return found


def test_a_call_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    target = tmp_path / "orders.csv"
    said = record(TASK, [f"{target}::to=a/b", "sqlite:///shop.db"], target, OPTIONS, tmp_path)
    moved = tmp_path / "elsewhere"
    asked = asked_again({"again": written(said)}, moved)
    assert asked.task == TASK
    assert asked.options == OPTIONS
    assert asked.sources == (f"{moved / 'orders.csv'}::to=a/b", "sqlite:///shop.db")
    assert asked.target == str(moved / "orders.csv")


@pytest.mark.parametrize(
    "target", ["postgresql://me:secret@host/shop", make_rows(Rng.of(0), 20).domain]
)
def test_a_market_that_no_file_can_name_is_asked_for(target: str, tmp_path: Path) -> None:
    said = written(record(TASK, ["us"], target, OPTIONS, tmp_path))
    assert "secret" not in json.dumps(said)
    with pytest.raises(UsageError, match=r"where its target of the run .* with --source and"):
        asked_again({"again": said}, tmp_path)
    asked = asked_again({"again": said}, tmp_path, ["uk"], "jp")
    assert (asked.sources, asked.target) == (("uk",), "jp")


def test_a_run_of_before_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"made before runs said so.*adapt` again"):
        asked_again({}, tmp_path)

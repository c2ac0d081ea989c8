"""Finished trials outlive their run, whole or not at all, and are taken up as they were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import acclimate as ac
from acclimate.domains.exam import Numbers, Prediction, Probabilities, Ranking, Spans, Truth
from acclimate.domains.ragged import Ragged
from acclimate.domains.synthetic import make_rows
from acclimate.errors import UsageError
from acclimate.models.linear import Linear
from acclimate.plans.answers import packed, unpacked
from acclimate.plans.budget import Budget
from acclimate.plans.plan import Plan, Step
from acclimate.plans.runner import attempt, run
from acclimate.plans.store import FILE, Store
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.tasks.task import Posed

ARMS = [Arm(kind(), Linear()) for kind in (TargetOnly, SourceOnly, Pooled)]
PLAN = Plan(tuple(Step(arm, "a reason") for arm in ARMS), ())
SPANS = Ragged.of([[[0, 1, 0]], [], [[2, 3, 1], [4, 6, 0]]], 3)
ANSWERS: list[tuple[Prediction, Truth]] = [
    (Probabilities(np.array([[0.1, 0.9]])), Truth(np.array([0]), label=np.array([1]))),
    (
        Numbers(np.array([1.5, np.pi]), np.array([[0.0, 1.0], [2.0, 3.0]]), (0.1, 0.9)),
        Truth(np.array([0, 1]), label=np.array([0.1, 0.2])),
    ),
    (
        Ranking(np.array([[3, -1]]), np.array([[0.3, -np.inf]]), 9, pool=True),
        Truth(np.array([0]), user=np.array([0]), item=np.array([3]), missed=np.array([2])),
    ),
    (Spans(SPANS, np.array([0.5, 0.25, 1.0])), Truth(np.array([0, 1, 2]), ragged=SPANS)),
    (Ranking(np.zeros((0, 2), int), np.zeros((0, 2)), 4), Truth(np.zeros(0, int))),
]


def same(one: Any, other: Any) -> bool:
    """Bit for bit, in every field of a value of arrays."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True))
    if hasattr(one, "__dataclass_fields__"):
        names = [each.name for each in fields(one)]
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in names
        )
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)


def opened(folder: Path, *, taken: bool = True, identity: Any = "this") -> Store:
    return Store.at(folder, None, [identity], taken)


def tried(posed: Posed, store: Store | None, budget: Budget | None = None) -> list[Trial]:
    budget = budget or Budget(60)
    given = (PLAN, posed.task, posed.problem, posed.exam, budget, Rng.of(3))
    return run(*given, store=store)


def told(trials: list[Trial]) -> list[dict[str, object]]:
    return [{k: v for k, v in trial.as_row().items() if k != "seconds"} for trial in trials]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda each: type(each[0]).__name__)
def test_an_answer_comes_back_bit_for_bit(answer: tuple[Prediction, Truth]) -> None:
    assert same(unpacked(*packed(*answer)), answer)


def test_a_finished_trial_comes_back_as_it_ended(small_rows: Posed, tmp_path: Path) -> None:
    trials = tried(small_rows, opened(tmp_path))
    store = opened(tmp_path)
    for arm, trial in zip(ARMS, trials, strict=True):
        found = store.found(arm, small_rows.problem)
        assert found is not None and trial.answer is not None and trial.fit_seconds > 0
        assert found.arm.settings == trial.arm.settings
        assert same(replace(found, arm=arm), replace(trial, arm=arm))
    assert store.count() == 3


def test_what_was_finished_is_not_tried_again_and_its_seconds_are_spent(
    small_rows: Posed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = tried(small_rows, opened(tmp_path))

    def never(*_: object) -> None:
        raise AssertionError("tried again")

    monkeypatch.setattr("acclimate.plans.runner._tried", never)
    budget = Budget(60, clock=lambda: 0.0)
    assert told(tried(small_rows, opened(tmp_path), budget)) == told(trials)
    assert budget.spent == pytest.approx(sum(trial.seconds for trial in trials))
    # Judging fits all three and the chosen one again, and then the slower of two ships.
    alone, *others = (trial.fit_seconds for trial in trials)
    again = alone + sum(others) + max(others) + max(alone, *others)
    assert budget.reserve == pytest.approx(6 + again, rel=1e-9)


@pytest.mark.parametrize("why", ["other data", "not taken", "other settings"])
def test_a_trial_is_taken_up_for_nothing_but_the_same(
    why: str, small_rows: Posed, tmp_path: Path
) -> None:
    tried(small_rows, opened(tmp_path))
    arm = ARMS[0]
    if why == "other data":
        store = opened(tmp_path, identity="other")
    elif why == "not taken":
        store = opened(tmp_path, taken=False)
    else:
        store, arm = opened(tmp_path), arm.with_model(Linear(77.0))
    assert store.found(arm, small_rows.problem) is None
    assert opened(tmp_path).found(ARMS[0], small_rows.problem) is not None


def test_a_failed_trial_is_finished_and_an_abandoned_one_is_not(
    small_rows: Posed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, step = opened(tmp_path), PLAN.steps[0]
    given = (step, small_rows.task, small_rows.problem, small_rows.exam)
    now = iter([0.0, *[100.0] * 50])
    over = Budget(1, clock=lambda: next(now))
    assert attempt(*given, over, Rng.of(3), store).status == "abandoned"
    assert store.count() == 0

    def fails(*_: object, **__: object) -> None:
        raise ac.AcclimateError("no such luck")

    monkeypatch.setattr(Arm, "fit", fails)
    first = attempt(*given, Budget(60), Rng.of(3), store)
    assert first.status == "failed"
    monkeypatch.undo()
    again = attempt(*given, Budget(60), Rng.of(3), opened(tmp_path))
    assert (again.status, again.why) == ("failed", "no such luck")


def test_looking_for_trials_makes_no_file(small_rows: Posed, tmp_path: Path) -> None:
    store = opened(tmp_path / "run")
    assert store.found(ARMS[0], small_rows.problem) is None and store.count() == 0
    store.finish()
    assert [*tmp_path.iterdir()] == []


def test_what_is_done_with_an_unfinished_run_is_said(small_rows: Posed, tmp_path: Path) -> None:
    where = repr(str(tmp_path / FILE))
    assert opened(tmp_path, taken=False).sentence == ""
    assert opened(tmp_path).sentence == (
        f"nothing to resume in {where}: no finished trial of the same data and task"
    )
    tried(small_rows, opened(tmp_path))
    assert opened(tmp_path, taken=False).sentence == (
        f"an unfinished run of the same lies in {where}, with 3 finished trials; it is begun "
        "anew: --resume would go on with it"
    )
    assert opened(tmp_path).sentence == (
        f"3 finished trials taken from {where}; what they took counts in the budget"
    )


def test_a_store_that_is_none_is_refused_in_words(small_rows: Posed, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database" * 100)
    with pytest.raises(UsageError, match=r"Expected to keep finished trials at .*not a data"):
        opened(tmp_path).found(ARMS[0], small_rows.problem)


# ── killed and resumed ──────────────────────────────────────────────────────

ROOT = Path(__file__).parents[2]
PARTS = ("leaderboard", "verdict", "settings", "shipped", "judged", "plan", "facts")


def adapted(out: Path, *, resume: bool = False) -> dict[str, Any]:
    key = Rng.of(11)
    target = make_rows(key.child("t"), 120, name="target").domain
    source = make_rows(key.child("s"), 90, name="near").domain
    found = ac.adapt(
        ac.Classify(),
        [source],
        target,
        out=out,
        resume=resume,
        models=("linear",),
        strategies=("coral", "source-prior"),
    )
    parts: dict[str, Any] = {name: found.summary[name] for name in PARTS}
    for row in parts["leaderboard"]:
        row.pop("seconds")
    return parts


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return adapted(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize(("instant", "kept"), [("within", 1), ("after", 2)])
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_run_killed_at_its_second_trial_ends_as_if_undisturbed(
    instant: str, kept: int, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    code = f"from tests.plans.test_store import killed; killed({str(tmp_path)!r}, {instant!r})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    asked: list[bool] = []
    found = Store.found

    def counted(self: Store, *what: Any) -> Trial | None:
        trial = found(self, *what)
        asked.append(trial is not None)
        return trial

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "found", counted)
        assert adapted(tmp_path, resume=True) == undisturbed
    assert sum(asked) == kept and len(asked) == len(undisturbed["leaderboard"])
    assert not [*tmp_path.glob("trials*")]


def killed(out: str, instant: str) -> None:
    """A run that kills itself within or after keeping its second trial."""
    keep, number = Store.keep, [0]

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def kept(self: Store, arm: Arm, trial: Trial, how: str = "tuned") -> None:
        number[0] += 1
        if number[0] == 2 and instant == "within":
            from sqlalchemy import event

            event.listen(self._engine, "commit", lambda connection: die())
        keep(self, arm, trial, how)
        if number[0] == 2:
            die()

    Store.keep = kept  # type: ignore[method-assign]
    adapted(Path(out))


def test_resuming_needs_a_folder() -> None:
    with pytest.raises(UsageError, match="Expected the folder of the run to go on with"):
        ac.adapt(ac.Classify(), ["nowhere"], "nowhere", resume=True)


def test_finished_trials_are_kept_in_postgresql_by_url(
    small_rows: Posed, tmp_path: Path
) -> None:
    from tests.domains.servers import QUOTED, postgres

    with postgres() as server:

        def there(identity: str = "this") -> Store:
            return Store.at(tmp_path, server.url(), [identity], True)

        trials = tried(small_rows, there())
        other = tried(small_rows, there("other"))
        assert told(other) == told(trials) and [*tmp_path.iterdir()] == []
        found = there().found(ARMS[2], small_rows.problem)
        assert found is not None and same(found.answer, trials[2].answer)
        there().finish()
        assert (there().count(), there("other").count()) == (0, 3)
        away = Store.at(tmp_path, server.url(password="no"), ["this"], True)
        with pytest.raises(UsageError, match="Expected to keep finished trials at") as refused:
            away.count()
        assert QUOTED not in str(refused.value) and ":no@" not in str(refused.value)


def test_what_is_no_url_of_postgresql_is_refused(tmp_path: Path) -> None:
    for url in ("mysql://a:b@c/d", "sqlite:///elsewhere"):
        with pytest.raises(UsageError, match="to be a URL of PostgreSQL; found"):
            Store.at(tmp_path, url, [], True).count()
    with pytest.raises(UsageError, match="Expected to keep finished trials at"):
        Store.at(tmp_path, "nonsense", [], True).count()

"""Every fitted entry of the catalogue: saved and loaded, it answers as before; no pickle."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from acclimate.artifacts.artifact import Contents, load, save
from acclimate.errors import IntegrityError
from acclimate.strategies.arm import Arm
from acclimate.verdicts.verdict import provisional
from tests.contract import checks
from tests.contract.cases import (
    answers,
    applicable,
    cases,
    fitted,
    named,
    of_form,
    posed,
    scene,
)
from tests.contract.content import content

every_arm = pytest.mark.parametrize("arm", applicable(), ids=named)


def contents(arm: Arm) -> Contents:
    """What `adapt` would write had it chosen this arm."""
    form = arm.model.form
    return Contents.of(
        posed(form),
        fitted(arm),
        scene(form).target,
        scene(form).sources,
        arm=arm.name,
        settings=arm.settings,
        verdict=provisional(arm=arm.name, metric=posed(form).task.metric.name),
        plan=[{"arm": arm.name, "reason": "contract"}],
        seed=0,
        threads=1,
    )


class Unpickled(BaseException):
    """Not an Exception, so that nothing that handles mistakes can hide it."""


@pytest.fixture
def no_pickle(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Everything that reads a pickle raises; calling the fixture's value shows it."""

    joblib = import_module("joblib")  # it has no types, and builds on what is replaced here
    buffer = BytesIO()
    np.save(buffer, np.array([None]), allow_pickle=True)
    pickled = buffer.getvalue()

    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise Unpickled("something was unpickled")

    for name in ("load", "loads", "_load", "_loads"):
        monkeypatch.setattr(pickle, name, refuse)
    for name in ("Unpickler", "_Unpickler"):
        # A class still, as other libraries derive theirs from it when they are imported.
        closed = type(name, (getattr(pickle, name),), {"load": refuse})
        monkeypatch.setattr(pickle, name, closed)
    monkeypatch.setattr(joblib, "load", refuse)
    if find_spec("torch") is not None:
        import torch

        monkeypatch.setattr(torch, "load", refuse)

    def shows() -> None:
        with pytest.raises(Unpickled):
            pickle.loads(b"")  # noqa: S301
        with pytest.raises(Unpickled):
            joblib.load("nowhere")
        with pytest.raises(Unpickled):
            np.load(BytesIO(pickled), allow_pickle=True)

    return shows


@every_arm
def test_saved_and_loaded_answers_agree_and_nothing_is_unpickled(
    arm: Arm, tmp_path: Path, no_pickle: Callable[[], None]
) -> None:
    asked = cases(posed(arm.model.form))
    save(tmp_path / "artifact", contents(arm))
    no_pickle()
    loaded = load(tmp_path / "artifact")
    checks.same(answers(fitted(arm), asked), answers(loaded.fitted, asked), atol=1e-6)
    for ours, theirs in zip(
        answers(fitted(arm), asked), answers(loaded.fitted, asked), strict=True
    ):
        if arm.model.form == "items":
            assert np.array_equal(ours[0], theirs[0]), "a list came back in another order"
    assert content(loaded.contents.settings) == content(contents(arm).settings)
    assert loaded.contents.arm == arm.name


@every_arm
def test_saving_twice_writes_the_same_digest(arm: Arm, tmp_path: Path) -> None:
    for name in "ab":
        save(tmp_path / name, contents(arm))
    assert load(tmp_path / "a").digest == load(tmp_path / "b").digest


@pytest.mark.parametrize("form", ["items", "rows"])
def test_a_flipped_byte_in_any_file_is_refused_with_exit_code_7(
    form: str, tmp_path: Path
) -> None:
    save(tmp_path / "artifact", contents(of_form(form)[0]))
    files = sorted(path for path in (tmp_path / "artifact").iterdir() if path.is_file())
    assert len(files) >= 4
    for path in files:
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(IntegrityError) as error:
            load(tmp_path / "artifact")
        assert error.value.exit_code == 7, path.name
        path.write_bytes(whole)
    load(tmp_path / "artifact")

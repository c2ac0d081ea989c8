"""A changed byte is refused, a kill loses nothing, and a user can be erased."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from acclimate.artifacts import store
from acclimate.artifacts.artifact import Contents, erase_user, load, save
from acclimate.artifacts.predictor import NEW, predict
from acclimate.errors import DataError, IntegrityError, UsageError
from tests.artifacts.conftest import Make


def _refused(folder: Path) -> str:
    with pytest.raises(IntegrityError) as refusal:
        load(folder)
    assert refusal.value.exit_code == 7
    assert "Run adapt again or restore it from a copy." in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize("name", store.NAMES)
def test_any_flipped_byte_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    step = max(1, len(whole) // 40)
    for at in sorted({*range(0, len(whole), step), len(whole) // 2, len(whole) - 1, 64, 65}):
        for mask in (0x01, 0x20, 0xFF):
            changed = bytearray(whole)
            changed[min(at, len(whole) - 1)] ^= mask
            path.write_bytes(bytes(changed))
            said = _refused(folder)
            assert f"Expected {name} of the artifact" in said and "found" in said
    path.write_bytes(whole)
    load(folder)


@pytest.mark.parametrize("name", store.NAMES)
def test_a_cut_or_longer_file_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    whole = path.read_bytes()
    for part in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1], whole + b"\n"):
        path.write_bytes(part)
        assert name in _refused(folder)


@pytest.mark.parametrize("name", store.NAMES)
def test_a_lost_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"found no {name}" in _refused(folder)
    (folder / name).mkdir()
    assert f"found no {name}" in _refused(folder)


def test_losing_the_histories_with_their_checksum_is_refused(folder: Path) -> None:
    for name in (store.HISTORIES, store.CHECKSUM):
        (folder / name).unlink()
    assert "with histories.parquet" in _refused(folder)


def test_histories_of_another_artifact_do_not_slip_in(
    folder: Path, linear: Contents, tmp_path: Path
) -> None:
    save(tmp_path / "rows", linear)
    for name in (store.HISTORIES, store.CHECKSUM):
        shutil.copy(folder / name, tmp_path / "rows" / name)
    assert "without histories.parquet" in _refused(tmp_path / "rows")


def test_a_file_that_does_not_belong_is_refused_by_name(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"x")
    with pytest.raises(IntegrityError, match=r"and nothing else; found model\.pkl\. Move"):
        load(folder)


def test_too_large_a_file_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = type("Limit", (), {"max_bytes": 10})
    monkeypatch.setattr("acclimate.artifacts.store.settings", lambda: limit)
    with pytest.raises(DataError, match=r"at most 10 bytes .* Raise ACCLIMATE_MAX_BYTES"):
        load(folder)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_digests_can_be_checked_without_acclimate(folder: Path) -> None:
    command = (
        "for f in DIGEST histories.sha256; do tail -n +2 $f | sha256sum -c || exit 1; done"
    )
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)


# ── replacing ───────────────────────────────────────────────────────────────


class Killed(BaseException):
    """The machine stopped."""


_STEPS = ("replace", "fsync", "mkdir", "unlink", "rmdir")


class _Failing:
    """Calls of `os` that change the disk; the n-th fails, and later ones as told."""

    def __init__(
        self, patch: pytest.MonkeyPatch, n: int, error: type[BaseException], ever: bool
    ):
        self.calls, self.n, self.error, self.ever = 0, n, error, ever
        for name in _STEPS:
            patch.setattr(os, name, self._failing(getattr(os, name)))

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.n or (self.ever and self.calls > self.n):
                raise self.error("stopped")
            return real(*arguments, **named)

        return call


def _steps(folder: Path, contents: Contents) -> int:
    """How many calls a save makes."""
    with pytest.MonkeyPatch.context() as patch:
        failing = _Failing(patch, 0, OSError, False)
        save(folder, contents)
    return failing.calls


def _beside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.parent.iterdir() if path != folder)


def test_a_kill_at_any_instant_leaves_the_old_or_the_new(folder: Path, ease: Contents) -> None:
    new = replace(ease, seed=1)
    seen = set()
    save(folder, new)
    for n in range(1, _steps(folder, new) + 1):
        save(folder, ease)
        with pytest.MonkeyPatch.context() as patch:
            _Failing(patch, n, Killed, ever=True)
            with pytest.raises(Killed):
                save(folder, new)
        seen.add(load(folder).contents.seed)
        if n % 3 == 0:  # erasing recovers as well
            erase_user(folder, "100")
        else:
            save(folder, new)
            assert load(folder).contents.seed == 1
        assert _beside(folder) == []
    assert seen == {0, 1}


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_at_any_step_leaves_nothing_half_written(
    folder: Path, ease: Contents, error: type[BaseException]
) -> None:
    new = replace(ease, seed=1)
    expected = UsageError if error is OSError else error
    for n in range(1, _steps(folder, new) + 1):
        save(folder, ease)
        with pytest.MonkeyPatch.context() as patch:
            _Failing(patch, n, error, ever=False)
            try:
                save(folder, new)
            except expected:
                assert load(folder).contents.seed in (0, 1)
            else:  # what failed did not matter: the parent was there already
                assert load(folder).contents.seed == 1
        save(folder, new)
        assert load(folder).contents.seed == 1 and _beside(folder) == []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_first_save_that_fails_leaves_no_artifact_and_no_traces(
    ease: Contents, tmp_path: Path, error: type[BaseException]
) -> None:
    for n in range(1, 9):
        place = tmp_path / str(n) / "a"
        place.parent.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            _Failing(patch, n, error, ever=False)
            try:
                save(place, ease)
            except (UsageError, KeyboardInterrupt):
                assert list(place.parent.iterdir()) == []
            else:
                assert n == 1  # the parent was there already


def test_leftovers_of_others_are_left_alone(folder: Path, ease: Contents) -> None:
    kept = [
        ".artifact.new",
        ".artifact2.0123abcd.old",
        ".artifact.0123abcd.older",
        "artifact.old",
    ]
    for name in kept:
        (folder.parent / name).mkdir()
    save(folder, ease)
    assert _beside(folder) == sorted(kept)


def test_a_save_through_a_link_replaces_what_it_points_to(
    folder: Path, ease: Contents, tmp_path: Path
) -> None:
    link = tmp_path / "latest"
    link.symlink_to(folder)
    save(link, replace(ease, seed=1))
    assert link.is_symlink() and load(folder).contents.seed == load(link).contents.seed == 1


def test_only_an_artifact_may_be_replaced(ease: Contents, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match=r"also holds thesis\.txt\. Name another folder"):
        save(precious, ease)
    assert (precious / "thesis.txt").read_text() == "x"
    with pytest.raises(UsageError, match="found the file"):
        save(precious / "thesis.txt", ease)
    with pytest.raises(UsageError, match="a folder of its own"):
        save("/", ease)
    with pytest.raises(UsageError, match="Expected the path of a folder"):
        save("a\0b", ease)


def test_a_damaged_artifact_may_be_replaced(folder: Path, ease: Contents) -> None:
    (folder / store.MANIFEST).unlink()
    save(folder, ease)
    load(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_a_usage_error(
    ease: Contents, tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="Name a folder you may write to"):
        save(tmp_path / "a", ease)
    tmp_path.chmod(0o700)


def test_a_path_below_a_file_is_a_usage_error(ease: Contents, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"Expected to write an artifact|Name another"):
        save(tmp_path / "file" / "a", ease)


# ── erasing ─────────────────────────────────────────────────────────────────


def test_an_erased_user_is_gone_from_every_byte_and_is_new_again(folder: Path) -> None:
    before = load(folder)
    assert before.contents.histories is not None
    mine = before.contents.histories.filter(pl.col("user") == "100").height
    assert mine > 0
    assert erase_user(folder, "100") == mine
    after = load(folder)
    assert after.digest == before.digest
    assert after.contents.histories is not None
    others = before.contents.histories.filter(pl.col("user") != "100")
    assert after.contents.histories.equals(others)
    notes = predict(after, pl.DataFrame({"user_id": ["100", "101"]}))["note"]
    assert set(notes) == {NEW, ""}
    assert _beside(folder) == []


def test_no_user_is_in_the_files_that_erasing_leaves(folder: Path, ease: Contents) -> None:
    named = pl.DataFrame({"user": ["gertrude", "gertrude", "108"], "item": ["i1", "i2", "i1"]})
    save(folder, replace(ease, histories=named))
    assert erase_user(folder, " gertrude ") == 2
    assert not any(b"gertrude" in path.read_bytes() for path in folder.iterdir())


def test_erasing_knows_an_id_in_other_spellings_and_ignores_strangers(folder: Path) -> None:
    assert erase_user(folder, "nobody") == 0
    assert erase_user(folder, "") == 0
    assert erase_user(folder, "101.0") > 0
    assert erase_user(folder, "101") == 0


def test_a_user_is_not_erased_where_the_model_holds_rows_of_users(
    contents_of: Make, tmp_path: Path
) -> None:
    save(tmp_path / "artifact", contents_of("wide-ease"))
    with pytest.raises(UsageError, match="Expected an artifact whose model holds no user"):
        erase_user(tmp_path / "artifact", "100")


def test_the_last_user_can_be_erased(folder: Path) -> None:
    held = load(folder).contents.histories
    assert held is not None
    for user in held["user"].unique():
        assert erase_user(folder, user) > 0
    assert predict(load(folder), pl.DataFrame({"user_id": ["100"]}), 3)["note"].to_list() == (
        [NEW] * 3
    )


def test_nothing_is_erased_from_rows(linear: Contents, tmp_path: Path) -> None:
    save(tmp_path / "a", linear)
    assert erase_user(tmp_path / "a", "100") == 0


def test_erasing_does_not_make_a_damaged_artifact_look_whole(folder: Path) -> None:
    path = folder / store.HISTORIES
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError):
        erase_user(folder, "100")
    _refused(folder)


def test_a_kill_while_erasing_keeps_the_artifact_whole(folder: Path, ease: Contents) -> None:
    for n in range(1, _steps(folder, ease) + 1):
        save(folder, ease)
        with pytest.MonkeyPatch.context() as patch:
            _Failing(patch, n, Killed, ever=True)
            with pytest.raises(Killed):
                erase_user(folder, "100")
        load(folder)
        erase_user(folder, "100")
        held = load(folder).contents.histories
        assert held is not None and "100" not in held["user"]
        assert _beside(folder) == []

"""The reliability benchmark, in small: nothing is found here, and what it seeks elsewhere."""

from __future__ import annotations

import argparse
import itertools
import shutil
from pathlib import Path

import pytest

from acclimate.artifacts.artifact import load
from acclimate.errors import UsageError
from acclimate.registry.doctor import examine
from acclimate.registry.registry import Registry
from benchmarks import reliability_bytes, reliability_kills
from benchmarks.reliability_kills import Naive, Real, variant
from benchmarks.reliability_made import made
from tests.registry.conftest import Run

SMALL = argparse.Namespace(seed=0, kills=4, naive_kills=0, registry=None)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("made"))


def test_poisoned_artifacts_are_refused_and_nothing_is_unpickled(
    artifact: Path, tmp_path: Path
) -> None:
    refused, costly = reliability_bytes.poison(artifact, tmp_path / "poison", SMALL)
    assert refused[2] == 0, refused[4]
    assert costly[2] == 0, costly[4]
    assert refused[3] >= 60


def test_a_kill_leaves_the_old_state_or_the_new_one(artifact: Path, tmp_path: Path) -> None:
    corrupt, lost, *_ = reliability_kills.kills(artifact, tmp_path / "kills", SMALL)
    assert (corrupt[2], lost[2]) == (0, 0)


@pytest.mark.parametrize("kind", [Real, Naive])
def test_a_copy_that_stops_half_way_shows_with_the_naive_publisher_alone(
    kind: type[Real] | type[Naive],
    artifact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a kill does, at a moment that is chosen."""

    def stops(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    publisher = kind(tmp_path / "place")
    publisher.release(artifact)
    assert publisher.wrong() == []
    other = variant(artifact, tmp_path / "run", 7)
    monkeypatch.setattr(shutil, "copytree", stops)
    monkeypatch.setattr("acclimate.registry.vault.Path.replace", stops)
    with pytest.raises(KeyboardInterrupt):
        publisher.release(other)
    monkeypatch.undo()
    assert bool(publisher.wrong()) is (kind is Naive)
    publisher.close()


@pytest.mark.parametrize("name", ["mkdir", "open", "replace"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_full_disk_ends_in_an_error_and_leaves_the_old_state(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: int
) -> None:
    """The benchmark lets every call fail, those of SQLite too; here those of one kind do."""
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}", tmp_path / "vault")
    registry.release(run(), "jp")
    real, calls = getattr(Path, name), 0

    def full(path: Path, *words: object, **more: object) -> object:
        nonlocal calls
        writes = name != "open" or "x" in str(words)
        if writes and str(path).startswith(str(tmp_path / "vault")):
            calls += 1
            if calls > after:
                raise OSError(28, "No space left on device", str(path))
        return real(path, *words, **more)

    monkeypatch.setattr(Path, name, full)
    said, expected = "", 2
    try:
        registry.release(run(seed=9), "jp")
    except UsageError as error:
        said, expected = str(error), 1
    assert (calls > after) is bool(said)
    if said:
        assert "No space left on device" in said and "The registry is as it was" in said
    monkeypatch.undo()
    assert len(registry.releases()) == expected and examine(registry).well
    assert registry.vault.leftovers() == []
    assert registry.release(run(seed=9), "jp").number == expected + 1
    registry.close()


def test_a_full_database_leaves_the_old_state(run: Run, tmp_path: Path) -> None:
    """As SQLite says it of a disk without room: at whatever page that is."""
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}", tmp_path / "vault")
    registry.release(run(), "jp")
    with registry.database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    numbers = itertools.count(2)

    def fill() -> None:
        while True:
            assert registry.release(run(), "jp").number == next(numbers) < 50

    with pytest.raises(UsageError, match="database or disk is full"):
        fill()
    done = next(numbers) - 1
    assert [each.number for each in registry.releases()] == list(range(done, 0, -1))
    assert examine(registry).well
    registry.close()


def test_variants_differ_in_their_digest_alone(artifact: Path, tmp_path: Path) -> None:
    first, second = (load(variant(artifact, tmp_path / str(n), n)) for n in (1, 2))
    assert first.digest != second.digest and first.contents.arm == second.contents.arm

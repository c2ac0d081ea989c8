"""Versions are consecutive and never change, one stands in front, and all of it is told."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.artifacts import store
from acclimate.artifacts.artifact import load
from acclimate.errors import DataError, IntegrityError, UsageError
from acclimate.registry import audit
from acclimate.registry.compare import diff
from acclimate.registry.database import REVISION, Database
from acclimate.registry.doctor import examine
from acclimate.registry.registry import Registry
from tests.registry.conftest import Run


def test_releases_count_from_one_and_each_is_the_challenger(
    registry: Registry, run: Run
) -> None:
    numbers = [registry.release(run(seed=seed), "jp").number for seed in (0, 1, 0)]
    other = registry.release(run() / "artifact", "us-recommend")
    assert (numbers, other.number) == ([1, 2, 3], 1)
    listed = {str(each): each.aliases for each in registry.releases()}
    assert listed == {
        "jp@3": ("challenger",),
        "jp@2": (),
        "jp@1": (),
        "us-recommend@1": ("challenger",),
    }
    assert registry.show("jp@1").digest == registry.show("jp@3").digest
    assert len(registry.vault.digests()) == 2


def test_a_version_keeps_where_it_comes_from(registry: Registry, run: Run) -> None:
    version = registry.release(run(), "jp")
    held = load(run() / "artifact").contents
    assert version.lineage["fingerprints"] == dict(held.fingerprints)
    assert version.lineage["sources"] == ["us"] and version.lineage["target"] == "jp"
    assert version.lineage["verdict"]["answer"] == version.verdict == "adopt"
    assert (version.released_by, version.override) == ("ana", None)
    shown, artifact = registry.open("jp@1")
    assert shown == version and artifact.digest == version.digest


def test_promotions_go_back_one_by_one(registry: Registry, run: Run) -> None:
    for seed in (0, 1, 2):
        registry.release(run(seed=seed), "jp")
    with pytest.raises(UsageError, match=r"Expected a champion of 'jp' .*, found none"):
        registry.rollback("jp")
    for which in ("1", "3", "2"):
        assert registry.promote("jp", which).aliases == ("champion",)
    assert registry.show("jp").number == 2
    assert registry.rollback("jp").number == 3
    registry.promote("jp", "2")
    assert [registry.rollback("jp").number for _ in range(2)] == [3, 1]
    with pytest.raises(UsageError, match=r"found jp@1, the first\. Put another in front"):
        registry.rollback("jp")
    with pytest.raises(UsageError, match="found it the champion already"):
        registry.promote("jp", "1")


def test_a_promoted_challenger_is_challenger_no_more(registry: Registry, run: Run) -> None:
    registry.release(run(), "jp")
    assert registry.promote("jp", "challenger").aliases == ("champion",)
    with pytest.raises(UsageError, match="Expected a challenger of 'jp', found none"):
        registry.show("jp@challenger")
    assert registry.show("jp@latest").number == 1


@pytest.mark.parametrize("answer", ["not-enough-data", "provisional"])
def test_an_unproven_version_needs_a_reason_that_the_log_keeps(
    registry: Registry, run: Run, answer: str
) -> None:
    for blank in (None, "  "):
        with pytest.raises(UsageError, match=f"found {answer}. Release it all the same"):
            registry.release(run(answer), "jp", blank)
    assert registry.releases() == [] and registry.vault.digests() == []
    version = registry.release(run(answer), "jp", "the shop opens on Monday")
    assert version.override == "the shop opens on Monday"
    details = json.loads(registry.log("jp")[0].details)
    assert details["override"] == "the shop opens on Monday"
    assert details["verdict"] == answer


def test_a_proven_version_takes_no_override(registry: Registry, run: Run) -> None:
    for answer in ("adopt", "keep-target-only"):
        with pytest.raises(UsageError, match=f"speaks against it, found {answer}"):
            registry.release(run(answer), "jp", "because")
    assert registry.release(run("keep-target-only"), "jp").number == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda r: r.show("jp"), "Expected a name that was released, found 'jp'"),
        (lambda r: r.show("us@9"), "Expected a version of 'us' from 1 to 1, found 9"),
        (lambda r: r.show("us@champion"), "Expected a champion of 'us', found none. Put one"),
        (lambda r: r.show("us@"), "behind the '@' of 'us@', found nothing"),
        (lambda r: r.show("us@0"), "Expected a version as a number from 1"),
        (lambda r: r.show("us@99999999999"), "Expected a version as a number from 1"),
        (lambda r: r.show("us@²"), "Expected a version as a number from 1"),
        (lambda r: r.promote("us", "fastest"), "found 'fastest'"),
        (lambda r: r.rollback("jp"), "found 'jp'; there are: us."),
        (lambda r: r.releases("../us"), "Expected a name of at most 64 small letters"),
        (lambda r: r.release("nowhere", "A"), "Expected a name of at most 64 small letters"),
    ],
)
def test_what_is_not_there_is_said(
    registry: Registry, run: Run, call: Callable[[Registry], object], said: str
) -> None:
    registry.release(run(), "us")
    with pytest.raises(UsageError) as refused:
        call(registry)
    assert said in str(refused.value)
    assert len(registry.log()) == 1


def test_what_is_no_artifact_is_not_released(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Expected an artifact at"):
        registry.release(tmp_path / "nothing", "jp")
    assert registry.releases() == []


def _flip(registry: Registry, name: str = store.STATE) -> None:
    path = registry.vault.place(registry.show("jp@1").digest) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_a_changed_artifact_is_neither_opened_nor_put_in_front(
    registry: Registry, run: Run
) -> None:
    for seed in (0, 1):
        registry.release(run(seed=seed), "jp")
        registry.promote("jp", str(seed + 1))
    _flip(registry)
    for call in (
        lambda: registry.open("jp@1"),
        lambda: registry.promote("jp", "1"),
        lambda: registry.rollback("jp"),
    ):
        with pytest.raises(IntegrityError) as refused:
            call()
        assert refused.value.exit_code == 7
    assert registry.show("jp").number == 2
    health = examine(registry)
    assert not health.well and health.findings[0].what.startswith("jp@1: Expected state.json")
    # The same artifact released again mends what it finds damaged.
    registry.release(run(), "jp")
    assert examine(registry).well and registry.rollback("jp").number == 1


def test_another_artifact_in_the_place_of_one_is_refused(registry: Registry, run: Run) -> None:
    first, second = (registry.release(run(seed=seed), "jp") for seed in (0, 1))
    place = registry.vault.place(first.digest)
    place.rename(place.with_name("aside"))
    registry.vault.place(second.digest).rename(place)
    with pytest.raises(IntegrityError, match=f"Expected the artifact {first.digest[:12]}"):
        registry.open("jp@1")
    with pytest.raises(IntegrityError, match="of the registry at"):
        registry.open("jp@2")


def test_the_doctor_removes_only_what_no_version_names(registry: Registry, run: Run) -> None:
    import os

    registry.release(run(), "jp")
    artifact = run(seed=7) / "artifact"
    registry.vault.put(store.read_folder(artifact))
    beside = registry.vault.folder / f".{'a' * 64}.01234567.new"
    young = registry.vault.folder / f".{'b' * 64}.01234567.new"
    for each in (beside, young):
        each.mkdir()
    os.utime(beside, (0, 0))
    found = examine(registry)
    assert found.well and [each.level for each in found.findings] == ["note", "note"]
    assert "--repair removes it" in found.findings[0].what
    mended = examine(registry, repair=True)
    assert [each.mended for each in mended.findings] == [True, True]
    assert examine(registry).findings == ()
    assert young.is_dir() and len(registry.vault.digests()) == 1


def test_a_changed_log_is_found(registry: Registry, run: Run) -> None:
    for seed in range(3):
        registry.release(run(seed=seed), "jp")
    log = registry.log()
    assert audit.broken(log) is None and log[0].previous == audit.FIRST
    assert examine(registry).head == log[-1].hash
    assert audit.broken([log[0], log[2]]) == "entry 2 is missing"
    with registry.database.writing() as connection:
        connection.exec_driver_sql("update audit set who = 'eve' where number = 2")
    assert audit.broken(registry.log()) == "entry 2 was changed after it was written"
    forged = registry.log()[1]
    with registry.database.writing() as connection:
        connection.exec_driver_sql(
            f"update audit set hash = '{forged.expected}' where number = 2"
        )
    assert audit.broken(registry.log()) == "entry 3 does not follow the one before it"
    assert not examine(registry).well


def test_what_differs_between_versions_is_told(registry: Registry, run: Run) -> None:
    registry.release(run(), "jp")
    registry.release(run("provisional", seed=3), "jp", "a trial")
    rows = {
        row["what"]: (row["a"], row["b"]) for row in diff(*map(registry.show, ("jp@1", "jp@2")))
    }
    assert rows["seed"] == (0, 3)
    assert rows["verdict.answer"] == ("adopt", "provisional")
    assert set(rows) == {"digest", "seed", "verdict.answer"}
    assert diff(registry.show("jp@1"), registry.show("jp@1")) == []


def test_a_user_is_erased_from_every_artifact(registry: Registry, run: Run) -> None:
    for seed in (0, 1):
        registry.release(run(seed=seed), "jp")
    before = registry.open("jp@1")[1].contents.histories
    assert before is not None
    user = before["user"][0]
    taken = before.filter(before["user"] == user).height
    assert registry.erase(user) == 2 * taken > 0
    for ref in ("jp@1", "jp@2"):
        version, artifact = registry.open(ref)
        held = artifact.contents.histories
        assert held is not None and user not in held["user"]
        assert artifact.digest == version.digest
    assert registry.log()[-1].action == "erase-user" and user not in registry.log()[-1].details
    assert examine(registry).well


def _release(url: str, vault: Path, folder: Path, times: int) -> list[int]:
    registry = Registry(url, vault)
    try:
        return [registry.release(folder, "jp").number for _ in range(times)]
    finally:
        registry.close()


def test_releases_at_once_get_versions_of_their_own(url: str, tmp_path: Path, run: Run) -> None:
    """None of them had made the registry before."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        given = [(url, tmp_path / "vault", run(), 4)] * 3
        numbers = pool.starmap(_release, given)
    assert sorted(each for part in numbers for each in part) == list(range(1, 13))
    registry = Registry(url, tmp_path / "vault")
    assert [each.number for each in registry.releases("jp")] == list(range(12, 0, -1))
    assert examine(registry).well
    registry.close()


def test_a_failure_in_a_transaction_leaves_nothing(
    registry: Registry, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.release(run(), "jp")

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("acclimate.registry.registry.audit.enter", fails)
    with pytest.raises(KeyboardInterrupt):
        registry.release(run(seed=1), "jp")
    with pytest.raises(KeyboardInterrupt):
        registry.promote("jp", "1")
    monkeypatch.undo()
    assert [str(each) for each in registry.releases()] == ["jp@1"]
    assert registry.show("jp").aliases == ("challenger",)
    assert registry.release(run(seed=1), "jp").number == 2


def test_the_tables_are_those_that_migrations_make(url: str, registry: Registry) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from acclimate.registry.tables import metadata

    with registry.database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_registry_of_a_newer_acclimate_is_left_alone(url: str, registry: Registry) -> None:
    with registry.database.writing() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    with pytest.raises(UsageError, match=f"revision {REVISION} or before .* found 9999"):
        Database(url)


def test_what_is_no_registry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.db"
    path.write_text("no database at all, just some words that are long enough to be read")
    with pytest.raises(IntegrityError, match="Expected a registry at"):
        Registry(f"sqlite:///{path}")
    with pytest.raises(UsageError, match=r"can be read and written at .* found: "):
        Registry(f"sqlite:///{tmp_path}")
    with pytest.raises(UsageError, match="SQLite or PostgreSQL, found duckdb"):
        Registry(f"duckdb:///{path}")
    with pytest.raises(UsageError, match="Leave \\?schema= out"):
        Registry("postgresql://a:b@localhost/x?schema=y")


def test_a_server_that_is_not_there_is_said_without_its_password() -> None:
    with pytest.raises(UsageError) as refused:
        Registry("postgresql://ana:sesame@127.0.0.1:9/registry")
    assert "sesame" not in str(refused.value)
    assert "Expected a registry that can be read and written at postgresql://" in str(
        refused.value
    )

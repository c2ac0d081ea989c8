"""Release, promote, go back, look, compare and check, as a shell does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from acclimate.artifacts.artifact import save
from acclimate.strategies.catalogue import models
from tests.artifacts import made
from tests.cli.calls import Answer, Call

Registered = Callable[..., Answer]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of runs by their verdicts."""
    folder = tmp_path_factory.mktemp("runs")
    held = made.contents(folder / "made", models()["popularity"])
    for answer in ("adopt", "keep-target-only", "not-enough-data"):
        verdict = replace(held.verdict, answer=answer)
        save(folder / answer / "artifact", replace(held, verdict=verdict))
    return folder


@pytest.fixture
def shell(call: Call, tmp_path: Path) -> Registered:
    """A command on an empty registry of the test's own."""
    where = ("--registry", f"sqlite:///{tmp_path / 'r' / 'registry.db'}")
    return lambda *words: call(*words, *where)


def test_a_version_goes_in_front_and_back(shell: Registered, runs: Path) -> None:
    first = shell("release", runs / "adopt", "--name", "jp", "--json")
    assert first.code == 0 and first.json["version"] == 1
    shell("release", runs / "keep-target-only", "--name", "jp")
    for which in ("1", "challenger"):
        assert shell("promote", "jp", which).code == 0
    assert shell("rollback", "jp", "--json").json["version"] == 1
    listed = shell("releases", "--json").json["versions"]
    assert [(each["version"], each["aliases"]) for each in listed] == [
        (2, []),
        (1, ["champion"]),
    ]
    shown = shell("show", "jp", "--json").json
    assert shown["lineage"]["verdict"]["answer"] == "adopt"
    assert [each["action"] for each in shown["log"]] == [
        "release",
        "release",
        "promote",
        "promote",
        "rollback",
    ]
    differs = shell("diff", "jp@1", "jp@2", "--json").json["differs"]
    assert {"what": "verdict.answer", "a": "adopt", "b": "keep-target-only"} in differs
    assert shell("doctor", "--json").json["well"] is True


def test_a_person_reads_the_same(shell: Registered, runs: Path) -> None:
    assert "nothing released yet" in shell("releases").out
    assert (
        "put it in front: acclimate promote jp 1"
        in shell(
            "release", runs / "not-enough-data", "--name", "jp", "--override", "a trial"
        ).out
    )
    assert "jp@1 (challenger): recommend for jp with us" in shell("show", "jp").out
    assert "released against its verdict: a trial" in shell("show", "jp").out
    assert "jp@1" in shell("releases").out
    assert "the same artifact" in shell("diff", "jp@1", "jp").out
    assert "1 version, 1 artifact, 1 entry in the audit log" in shell("doctor").out


def test_mistakes_end_with_their_exit_codes(
    shell: Registered, runs: Path, tmp_path: Path
) -> None:
    shell("release", runs / "not-enough-data", "--name", "jp").refuses(
        2, "found not-enough-data", "--override"
    )
    shell("release", tmp_path / "no", "--name", "jp").refuses(3, "Expected an artifact at")
    shell("promote", "jp", "1").refuses(2, "found 'jp'; there are: none")
    assert shell("release", runs / "adopt", "--name", "jp").code == 0
    shell("promote", "jp", "2").refuses(2, "from 1 to 1, found 2")
    shell("rollback", "jp").refuses(2, "Expected a champion of 'jp'")
    [state] = tmp_path.glob("r/artifacts/*/state.json")
    state.write_bytes(state.read_bytes() + b" ")
    shell("promote", "jp", "1").refuses(7, "state.json of the artifact")
    ill = shell("doctor", "--json")
    assert ill.code == 7 and ill.json["well"] is False
    assert ill.json["findings"][0]["level"] == "error"


def test_a_key_is_shown_once_and_revoked(shell: Registered) -> None:
    made = shell("key", "--role", "predict", "--market", "jp", "--json").json
    assert made["key"].startswith(f"ak_{made['id']}_")
    listed = shell("key", "--json").json["keys"]
    assert [(each["id"], each["role"], each["market"]) for each in listed] == [
        (made["id"], "predict", "jp")
    ]
    assert "key" not in listed[0] and "hash" not in listed[0]
    assert "shown this once" in shell("key", "--role", "read").out
    assert shell("key", "--revoke", made["id"]).code == 0
    shell("key", "--revoke", made["id"]).refuses(2, "Expected the id of a key in force")
    shell("key", "--role", "king").refuses(2, "Expected a role among read, predict")
    shell("key", "--role", "read", "--revoke", "x").refuses(2, "one of --role and --revoke")


def test_a_service_that_others_reach_needs_a_key_first(shell: Registered) -> None:
    pytest.importorskip("fastapi", reason="FastAPI is absent; install .[serve]")
    answer = shell("serve", "--host", "0.0.0.0")
    assert answer.code == 2 and "acclimate key --role admin" in answer.err
    unknown = shell("serve", "jp")
    assert unknown.code == 2 and "Expected a name that was released, found 'jp'" in unknown.err

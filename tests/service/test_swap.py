"""A promotion swaps whole versions under load; what cannot be loaded leaves the old one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from acclimate.artifacts import store
from acclimate.errors import UsageError
from acclimate.registry.registry import Registry
from acclimate.service.gate import Gate
from acclimate.service.run import gate_of
from tests.service.asking import ask, asked


def test_a_promotion_is_served_at_once_and_goes_back(registry: Registry, runs: Any) -> None:
    gate = gate_of(registry)
    _, key = gate.keys.make("admin")
    registry.release(runs("ease", 7), "jp")
    path = "/v1/models/jp"
    told = ask(gate, "POST", f"{path}/promote", {"version": "challenger"}, key=key).json
    assert (told["version"], told["failed"]) == (2, None)
    assert ask(gate, "POST", f"{path}/recommend", {}, key=key).json["version"] == 2
    assert ask(gate, "POST", f"{path}/rollback", {}, key=key).json["version"] == 1
    assert ask(gate, "GET", path, key=key).json["version"] == 1
    again = ask(gate, "POST", f"{path}/rollback", {}, key=key)
    assert again.status == 422 and "the first" in again.json["error"]


def test_replies_under_swaps_are_whole_and_none_fails(registry: Registry, runs: Any) -> None:
    gate = gate_of(registry)
    registry.release(runs("popularity", 3), "jp")
    digests = {each.number: each.digest for each in registry.releases("jp")}
    body = {"user": "104", "k": 3}
    wanted = {}
    for number in (2, 1):
        registry.promote("jp", str(number)) if number == 2 else registry.rollback("jp")
        gate.shelf.refresh()
        wanted[number] = ask(gate, "POST", "/v1/models/jp/recommend", body).json["scores"]
    assert wanted[1] != wanted[2]

    async def load() -> list[Any]:
        replies: list[Any] = []
        swapping = True

        async def keep_asking() -> None:
            while swapping:
                replies.append(await asked(gate, "POST", "/v1/models/jp/recommend", body))
                await asyncio.sleep(0)

        asking = [asyncio.create_task(keep_asking()) for _ in range(4)]
        for turn in range(10):
            which = "2" if turn % 2 == 0 else "1"
            await asyncio.to_thread(registry.promote, "jp", which)
            await asyncio.to_thread(gate.shelf.refresh)
        swapping = False
        await asyncio.gather(*asking)
        return replies

    replies = asyncio.run(load())
    assert {each.status for each in replies} == {200}
    for each in (reply.json for reply in replies):
        assert each["digest"] == digests[each["version"]]
        assert each["scores"] == wanted[each["version"]]
    assert {each.json["version"] for each in replies} == {1, 2}


def _damage(registry: Registry, ref: str) -> bytes:
    path = registry.vault.place(registry.show(ref).digest) / store.TENSORS
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    return whole


def test_a_version_that_fails_to_load_leaves_the_old_one(
    registry: Registry, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = gate_of(registry)
    registry.release(runs("ease", 5), "jp")
    registry.promote("jp", "2")
    whole = _damage(registry, "jp@2")
    gate.shelf.refresh()
    assert ask(gate, "POST", "/v1/models/jp/recommend", {}).json["version"] == 1
    failed = ask(gate, "GET", "/v1/models").json["failed"]
    assert "tensors.safetensors of the artifact" in failed["jp"]
    text = ask(gate, "GET", "/metrics").body.decode()
    assert 'acclimate_champion_not_served{model="jp"} 1.0' in text
    assert ask(gate, "GET", "/ready").status == 200
    (registry.vault.place(registry.show("jp@2").digest) / store.TENSORS).write_bytes(whole)
    gate.shelf.refresh()
    assert gate.shelf.served["jp"].version.number == 1  # not tried again at every look
    monkeypatch.setattr("acclimate.service.shelf._AGAIN_SECONDS", 0.0)
    gate.shelf.refresh()
    assert gate.shelf.served["jp"].version.number == 2 and gate.shelf.failed == {}


def test_a_model_that_breaks_when_it_is_asked_is_not_served(
    registry: Registry, runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = gate_of(registry)
    registry.release(runs("ease", 6), "jp")
    registry.promote("jp", "2")

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("in the model")

    monkeypatch.setattr("acclimate.artifacts.recommender.Recommender.answer", breaks)
    gate.shelf.refresh()
    assert gate.shelf.served["jp"].version.number == 1
    assert gate.shelf.failed["jp"] == "jp@2: ZeroDivisionError: in the model"


def test_a_champion_damaged_before_the_start_is_told(registry: Registry) -> None:
    _damage(registry, "jp@1")
    gate = gate_of(registry)
    refused = ask(gate, "POST", "/v1/models/jp/recommend", {})
    assert refused.status == 503 and refused.headers["retry-after"] == "30"
    assert [each["model"] for each in ask(gate, "GET", "/v1/models").json["models"]] == [
        "fraud"
    ]
    with pytest.raises(UsageError, match="Expected a champion of 'jp' that can be served"):
        gate_of(registry, ["jp"])
    with pytest.raises(UsageError, match="Expected a name that was released, found 'us'"):
        gate_of(registry, ["us"])


def test_only_what_was_named_is_served(registry: Registry) -> None:
    gate = gate_of(registry, ["jp"])
    assert [each["model"] for each in ask(gate, "GET", "/v1/models").json["models"]] == ["jp"]


def test_a_registry_that_is_away_stops_nothing(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The look that failed is followed by one that finds it again."""
    looks = 0
    monkeypatch.setattr(gate, "_poll_seconds", 0.0)

    async def live() -> None:
        enough = asyncio.Event()

        def away(*_: object) -> None:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise UsageError("the registry is away")
            loop.call_soon_threadsafe(enough.set)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(gate.shelf, "refresh", away)
        told: list[str] = []

        async def receive() -> dict[str, Any]:
            if told:
                await asyncio.wait_for(enough.wait(), 10)
            return {}

        async def send(message: Any) -> None:
            told.append(message["type"])

        await gate({"type": "lifespan"}, receive, send)
        assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    asyncio.run(live())
    assert looks >= 2 and "the registry does not answer" in caplog.text

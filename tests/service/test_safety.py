"""Every route has its decision, and what is not allowed is refused before anything is read."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from acclimate.errors import UsageError
from acclimate.registry.registry import Registry
from acclimate.service.gate import Gate
from acclimate.service.keys import GRANTS, OPEN, Keys
from acclimate.service.limits import Bucket, Limits
from acclimate.service.routes import ANYBODY, ROUTES, Route
from acclimate.service.run import gate_of
from acclimate.service.slow import slow_app
from acclimate.service.tally import Tally
from tests.service.asking import ask

REFUSED = {401, 403}
BODIES: dict[str, Any] = {
    "/v1/models/{model}/promote": {"version": "9"},
    "/v1/keys": {"role": "nobody"},
    "/v1/erase-user": {"user": "nobody-at-all"},
}
# What a role may do, written out a second time.
ALLOWED = {
    "read": {"read"},
    "predict": {"read", "predict"},
    "feedback": {"feedback"},
    "release": {"read", "release"},
    "admin": {"read", "predict", "feedback", "release", "admin"},
}


def _asked(gate: Gate, route: Route, key: str | None) -> int:
    path = route.path.replace("{model}", "jp").replace("{key}", "0" * 12)
    body = BODIES.get(route.path, {}) if route.method == "POST" else None
    return ask(gate, route.method, path, body, key=key).status


@pytest.mark.parametrize("role", GRANTS)
def test_a_role_opens_its_routes_and_no_other(registry: Registry, role: str) -> None:
    gate = gate_of(registry)
    _, secret = gate.keys.make(role)
    for route in ROUTES:
        opened = _asked(gate, route, secret) not in REFUSED
        may = route.permission == ANYBODY or route.permission in ALLOWED[role]
        assert opened is may, (role, route)


def test_without_a_key_only_this_machine_asks_and_changes_nothing(registry: Registry) -> None:
    gate = gate_of(registry)
    for route in ROUTES:
        opened = _asked(gate, route, None) not in REFUSED
        assert opened is (route.permission == ANYBODY or route.permission in OPEN), route
    assert "release" not in OPEN and "admin" not in OPEN
    gate.keys.make("read")
    for route in ROUTES:
        opened = _asked(gate, route, None) not in REFUSED
        assert opened is (route.permission == ANYBODY), route


def test_every_route_that_is_answered_has_a_decision(gate: Gate) -> None:
    from acclimate.service.hot import HANDLERS

    app = slow_app(gate.shelf, gate.keys, Tally())
    answered = {
        (method.upper(), path)
        for path, each in app.openapi()["paths"].items()
        for method in each
    } | {("POST", path) for path in HANDLERS}
    assert answered == {(route.method, route.path) for route in ROUTES}
    assert {each.path for each in ROUTES if each.hot} == set(HANDLERS)
    known = {ANYBODY, *GRANTS["admin"]}
    assert {each.permission for each in ROUTES} <= known


def test_a_key_of_one_market_opens_no_other(registry: Registry) -> None:
    gate = gate_of(registry)
    _, secret = gate.keys.make("admin", "jp")
    assert ask(gate, "POST", "/v1/models/jp/recommend", {}, key=secret).status == 200
    other = ask(gate, "POST", "/v1/models/fraud/predict", {"rows": []}, key=secret)
    assert other.status == 403 and "for 'fraud'" in other.json["error"]
    assert ask(gate, "GET", "/v1/keys", key=secret).status == 403
    assert ask(gate, "POST", "/v1/erase-user", {"user": "u"}, key=secret).status == 403
    assert ask(gate, "GET", "/health", key=secret).status == 200


@pytest.mark.parametrize("sent", ["", "ak_", "ak_000000000000_" + "a" * 43, "é", "x" * 9999])
def test_a_wrong_key_is_refused_even_on_this_machine(gate: Gate, sent: str) -> None:
    reply = ask(gate, "GET", "/v1/models", key=sent)
    assert reply.status == 401 and reply.headers["www-authenticate"] == "Bearer"


def test_a_changed_or_revoked_secret_opens_nothing(registry: Registry) -> None:
    gate = gate_of(registry)
    key, secret = gate.keys.make("read")
    other, _ = gate.keys.make("read")
    assert ask(gate, "GET", "/v1/models", key=secret).status == 200
    assert ask(gate, "GET", "/v1/models", key=secret[:-1] + "_").status == 401
    assert ask(gate, "GET", "/v1/models", key=secret.replace(key.id, other.id)).status == 401
    Keys(registry).revoke(key.id)
    gate.keys.refresh()
    assert ask(gate, "GET", "/v1/models", key=secret).status == 401
    with pytest.raises(UsageError, match="Expected the id of a key in force"):
        gate.keys.revoke(key.id)


def test_a_secret_is_nowhere_but_in_the_first_reply(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gate = gate_of(registry)
    _, admin = gate.keys.make("admin")
    made = ask(gate, "POST", "/v1/keys", {"role": "predict", "market": "jp"}, key=admin).json
    ask(gate, "POST", "/v1/models/jp/recommend", {"user": "canary-user"}, key=made["key"])
    ask(gate, "POST", "/v1/models/jp/recommend", b"{", key=made["key"])
    listed = ask(gate, "GET", "/v1/keys", key=admin)
    secret = made["key"].rpartition("_")[2]
    kept = (tmp_path / "registry.db").read_bytes()
    for text in (listed.body, caplog.text.encode(), kept):
        assert secret.encode() not in text and admin.encode() not in text
    assert "canary-user" not in caplog.text
    assert {each["role"] for each in listed.json["keys"]} == {"admin", "predict"}
    assert "hash" not in listed.json["keys"][0]


def test_others_reach_nothing_without_a_key(registry: Registry) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "shop.example", "::"):
        with pytest.raises(UsageError, match="Expected a key before others can reach"):
            gate_of(registry, host=host)
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        gate_of(registry, host=host)
    Keys(registry).make("read")
    gate_of(registry, host="0.0.0.0")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("shop.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ],
)
def test_a_host_nobody_named_is_refused(registry: Registry, host: str, status: int) -> None:
    gate = gate_of(registry, hosts=("shop.example",))
    assert ask(gate, "GET", "/v1/models", host=host).status == status


def test_bodies_are_bounded_however_they_come(registry: Registry) -> None:
    gate = gate_of(registry, limits=Limits(body_bytes=1000))
    path = "/v1/models/jp/recommend"
    assert ask(gate, "POST", path, b"{}" + b" " * 998).status == 200
    assert ask(gate, "POST", path, b"{}" + b" " * 999).status == 413
    assert ask(gate, "POST", path, parts=[b"{}", b" " * 600, b" " * 600]).status == 413
    assert ask(gate, "POST", path, parts=[b"{", b"}"]).status == 200
    assert ask(gate, "POST", "/v1/erase-user", b"{" * 1001).status == 401
    assert ask(gate, "POST", path, b"{}", kind="text/plain").status == 415


def test_a_body_that_does_not_come_is_not_waited_for(registry: Registry) -> None:
    import asyncio
    from collections.abc import MutableMapping

    gate = gate_of(registry, limits=Limits(body_seconds=0.01))
    sent: list[Any] = []

    async def never() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/models/jp/recommend"}
    asyncio.run(gate({**scope, "headers": headers, "client": None}, never, send))
    assert sent[0]["status"] == 408


def test_a_caller_who_asks_too_often_is_told_to_wait(registry: Registry) -> None:
    gate = gate_of(registry, limits=Limits(rate=3.0))
    _, secret = gate.keys.make("read")
    _, other = gate.keys.make("read")
    replies = [ask(gate, "GET", "/v1/models", key=secret) for _ in range(8)]
    assert {each.status for each in replies} == {200, 429}
    assert replies[-1].headers["retry-after"] == "1"
    assert ask(gate, "GET", "/v1/models", key=other).status == 200


def test_a_bucket_fills_as_time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("acclimate.service.limits.time.monotonic", lambda: now)
    bucket = Bucket(2.0)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now = 100.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now = 200.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_other_methods_and_paths_are_refused(gate: Gate) -> None:
    wrong = ask(gate, "DELETE", "/v1/models/jp/recommend")
    assert wrong.status == 405 and "Expected POST here" in wrong.json["error"]
    for path in ("/", "/docs", "/v1/models/", "/v1/models/../keys", "/v1/models/JP/recommend"):
        assert ask(gate, "GET", path).status == 404


def test_a_failure_of_ours_tells_nothing_of_what_was_asked(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("of canary-user")

    monkeypatch.setattr("acclimate.service.answers.recommend", fails)
    reply = ask(gate, "POST", "/v1/models/jp/recommend", {"user": "canary-user"})
    assert reply.status == 500 and "canary" not in reply.json["error"] + caplog.text
    assert "RuntimeError" in caplog.text


def test_a_user_is_forgotten_everywhere(registry: Registry) -> None:
    gate = gate_of(registry)
    _, admin = gate.keys.make("admin")
    shop: Any = gate.shelf.served["jp"].shop
    user = next(iter(shop.users))
    ask(
        gate,
        "POST",
        "/v1/models/jp/events",
        {"events": [{"user": user, "item": "i1"}]},
        key=admin,
    )
    came = {"outcomes": [{"user": user, "outcome": "order"}]}
    ask(gate, "POST", "/v1/models/jp/outcomes", came, key=admin)
    told = ask(gate, "POST", "/v1/erase-user", {"user": user}, key=admin).json
    assert told["rows"] == 2 and told["interactions"] == len(shop.history(user)) > 0
    after = ask(gate, "POST", "/v1/models/jp/recommend", {"user": user}, key=admin).json
    assert after["note"].startswith("new user")
    assert after["digest"] == gate.shelf.served["jp"].version.digest


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b'{"user": "\\ud800", "x": 1}', b'{"user": 7}', b'{"\\ud800": 1}', b"[]"],
)
def test_what_fastapi_does_not_understand_is_told_alike(
    registry: Registry, body: bytes
) -> None:
    gate = gate_of(registry)
    _, admin = gate.keys.make("admin")
    reply = ask(gate, "POST", "/v1/erase-user", body, key=admin)
    assert reply.status in (400, 422) and set(reply.json) == {"error"}
    assert "Expected" in reply.json["error"] and reply.headers["cache-control"] == "no-store"


def test_a_failure_behind_the_gate_is_answered_once(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = gate_of(registry)
    _, admin = gate.keys.make("admin")

    def fails(*_: object) -> None:
        raise RuntimeError("of canary-user")

    monkeypatch.setattr(gate.keys, "make", fails)
    reply = ask(gate, "POST", "/v1/keys", {"role": "read"}, key=admin)
    assert reply.status == 500 and set(reply.json) == {"error"}
    assert "canary" not in caplog.text and "RuntimeError" in caplog.text

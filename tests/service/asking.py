"""Ask the gate as a server does, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from acclimate.service.gate import Gate


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def asked(
    gate: Gate,
    method: str,
    path: str,
    body: Any = None,
    key: str | None = None,
    host: str = "localhost:8000",
    kind: str = "application/json",
    parts: list[bytes] | None = None,
) -> Reply:
    """One request; parts: a body in pieces, of unknown length."""
    sent: list[MutableMapping[str, Any]] = []
    data = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    pieces = parts if parts is not None else [data]
    headers = [(b"host", host.encode()), (b"content-type", kind.encode())]
    if parts is None:
        headers.append((b"content-length", str(len(data)).encode()))
    if key is not None:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 9),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }

    async def receive() -> MutableMapping[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await gate(scope, receive, send)
    start = sent[0]
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], named, b"".join(each.get("body", b"") for each in sent[1:]))


def ask(gate: Gate, method: str, path: str, body: Any = None, **more: Any) -> Reply:
    """The same from outside of a loop."""
    return asyncio.run(asked(gate, method, path, body, **more))

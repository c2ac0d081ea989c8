"""The door: every request is authorised, bounded and counted here, before anything else.

Routes that are called most are answered here, on plain ASGI; the others are FastAPI's. A
request takes one version from the shelf, and everything in its reply comes from that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

import msgspec

from acclimate.errors import AcclimateError
from acclimate.service.hot import HANDLERS, encode
from acclimate.service.keys import OPEN, Key, Keys
from acclimate.service.limits import Limits, Rates, Refused, status_of
from acclimate.service.routes import ANYBODY, ROUTES, Route, find
from acclimate.service.shelf import Served, Shelf
from acclimate.service.tally import Tally

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("acclimate.service")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


class Gate:
    """An ASGI application.

    hosts         names under which it may be asked, without ports
    poll_seconds  between looks for other champions and keys
    """

    def __init__(
        self,
        shelf: Shelf,
        keys: Keys,
        slow: App,
        tally: Tally,
        limits: Limits | None = None,
        hosts: Iterable[str] = LOOPBACK,
        poll_seconds: float = 1.0,
    ) -> None:
        self.shelf, self.keys, self.tally = shelf, keys, tally
        self.limits = limits or Limits()
        self._slow = slow
        self._hosts = frozenset(host.encode() for host in hosts)
        self._rates = Rates(self.limits.rate)
        self._poll_seconds = poll_seconds
        self._working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # a web socket: nothing here speaks it
            await send({"type": "websocket.close", "code": 1003})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, name, status = time.perf_counter(), "none", 500
        try:
            headers = dict(scope["headers"])
            self._require_host(headers)
            route, model = _found(scope["method"], scope["path"])
            name = route.path
            caller = self._authorised(route, model, headers)
            self._rates.require(caller or str((scope.get("client") or ("",))[0]))
            if self._working >= self.limits.at_once:
                raise Refused(503, "Expected fewer requests at once. Come again.", 1)
            self._working += 1
            try:
                body = await self._body(scope["method"], headers, receive)
                if route.hot:
                    assert model is not None
                    handler = HANDLERS[route.path]
                    served = self._served(model)
                    reply = encode(await handler(self.shelf, served, self.limits, body))
                    status = 200
                    await _send(send, 200, reply)
                else:
                    status = await self._pass(scope, body, send)
            finally:
                self._working -= 1
        except Refused as refused:
            status = refused.status
            await _refuse(send, status, str(refused), refused.retry_seconds)
        except msgspec.ValidationError as error:
            status = 422
            await _refuse(send, status, f"Expected the message of /openapi.json: {error}.")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            status = 400
            await _refuse(send, status, f"Expected JSON, found text that is not: {error}.")
        except AcclimateError as error:
            status = status_of(error)
            await _refuse(send, status, str(error), 5 if status == 503 else None)
        except Exception as error:
            # What was asked may hold a person's data, and messages repeat what was asked.
            LOG.error("%s failed: %s", name, type(error).__name__)
            await _refuse(send, 500, "The service failed at this request. See its log.")
        finally:
            self.tally.count(name, status, time.perf_counter() - begun)

    # ── who may ────────────────────────────────────────────────────────────

    def _require_host(self, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"")
        if host.partition(b"]:")[0] + b"]" in self._hosts or host.split(b":")[0] in self._hosts:
            return
        raise Refused(
            421, "Expected a host that this service knows. Name it with serve --allow-host."
        )

    def _authorised(
        self, route: Route, model: str | None, headers: dict[bytes, bytes]
    ) -> str | None:
        """The id of the key that opens a route; None where nobody need have one."""
        if route.permission == ANYBODY:
            return None
        sent = headers.get(b"authorization")
        if sent is None and self.keys.none and route.permission in OPEN:
            return None  # the service is bound to loopback then
        key: Key | None = None
        if sent is not None and sent[:7].lower() == b"bearer ":
            key = self.keys.find(sent[7:].decode("latin-1").strip())
        if key is None:
            raise Refused(401, "Expected a key in force as 'Authorization: Bearer ak_…'.")
        if not key.may(route.permission, model):
            raise Refused(
                403,
                f"Expected a key that may {route.permission}"
                + (f" for {model!r}" if model else "")
                + f"; found one of role {key.role} for {key.market!r}.",
            )
        return key.id

    # ── what is asked ──────────────────────────────────────────────────────

    async def _body(self, method: str, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        most = self.limits.body_bytes
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > most:
            raise Refused(413, f"Expected a body of at most {most:,} bytes; found more.")
        if method != "POST":
            return b""
        # A page elsewhere cannot send this type without asking first.
        if not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
            raise Refused(415, "Expected a body of type application/json.")
        message = await self._next(receive)
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await self._next(receive)
            body += message.get("body", b"")
            if len(body) > most:
                break
        if len(body) > most:
            raise Refused(413, f"Expected a body of at most {most:,} bytes; found more.")
        return body

    async def _next(self, receive: Receive) -> MutableMapping[str, Any]:
        try:
            # Unlike wait_for this makes no task, which costs as much as a list does.
            async with asyncio.timeout(self.limits.body_seconds):
                message = await receive()
        except TimeoutError:
            raise Refused(
                408, f"Expected the body within {self.limits.body_seconds:g} s."
            ) from None
        if message["type"] == "http.disconnect":
            raise Refused(400, "Expected a whole body; the caller went away.")
        return message

    def _served(self, model: str) -> Served:
        served = self.shelf.served.get(model)
        if served is not None:
            return served
        if model in self.shelf.failed:
            raise Refused(503, f"Expected {model!r} to be served; its champion is damaged.", 30)
        raise Refused(404, f"Expected a model that is served, found {model!r}. See /v1/models.")

    async def _pass(self, scope: Scope, body: bytes, send: Send) -> int:
        """Let FastAPI answer, and send that when it has; returns the status it gave."""
        came = [{"type": "http.request", "body": body, "more_body": False}]
        reply: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return came.pop() if came else {"type": "http.disconnect"}

        async def hold(message: MutableMapping[str, Any]) -> None:
            reply.append(message)

        await self._slow(scope, receive, hold)  # what it raises is answered by the gate
        reply[0]["headers"] = [*reply[0]["headers"], *_HEADERS[1:]]
        for message in reply:
            await send(message)
        return int(reply[0]["status"])

    # ── living ─────────────────────────────────────────────────────────────

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        looking = asyncio.create_task(self._look())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        await send({"type": "lifespan.shutdown.complete"})

    async def _look(self) -> None:
        """Look for other champions and keys until the end; a registry away stops nothing."""
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await asyncio.to_thread(self.shelf.refresh)
                await asyncio.to_thread(self.keys.refresh)
            except AcclimateError as error:
                LOG.warning("the registry does not answer: %s", error)


def _found(method: str, path: str) -> tuple[Route, str | None]:
    found = find(method, path)
    if found is not None:
        return found
    others = sorted({each.method for each in ROUTES if find(each.method, path)})
    if others:
        raise Refused(405, f"Expected {' or '.join(others)} here, found {method[:16]}.")
    raise Refused(404, "Expected a path of /openapi.json.")


async def _send(
    send: Send, status: int, body: bytes, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(send: Send, status: int, message: str, retry: int | None = None) -> None:
    more = [(b"retry-after", str(retry).encode())] if retry is not None else []
    if status == 401:
        more.append((b"www-authenticate", b"Bearer"))
    # What was sent may be no text that JSON can hold.
    body = encode({"error": message.encode("utf-8", "replace").decode()})
    await _send(send, status, body, more)

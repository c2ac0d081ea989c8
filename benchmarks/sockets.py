"""A service in a process of its own, and connections that ask it over real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """One that answers.

    seconds  from its start to its first answer
    """

    port: int
    pid: int
    seconds: float

    @property
    def peak_mb(self) -> float:
        """Largest resident memory so far of it and its children, MB of 10⁶ bytes."""
        total = 0
        for pid in self._family():
            told = _read(pid, "status")
            lines = [line for line in told.splitlines() if line.startswith("VmHWM")]
            total += int(lines[0].split()[1]) * 1024 if lines else 0
        return total / 1e6

    @property
    def processor(self) -> float:
        """Seconds of processor so far, of it and its children."""
        ticks = 0
        for pid in self._family():
            fields = _read(pid, "stat").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if fields else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def _family(self) -> list[int]:
        found = [self.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):
                    found += map(int, task.read_text().split())
        return found


def _read(pid: int, what: str) -> str:
    """What the system tells of a process; "" of one that has ended."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text(encoding="utf-8")
    except OSError:
        return ""


@contextmanager
def started(command: Sequence[str], ready: str = "/ready") -> Iterator[Service]:
    """Start `command --port N`, wait until it answers, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--port", str(port)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5):
                    break
            except (urllib.error.URLError, OSError) as error:
                if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                    raise RuntimeError(f"{command[-1]} did not start") from error
                time.sleep(0.02)
        yield Service(port, process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        # Workers of a service may outlive it; its session is its own.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Connection:
    """One that is kept open."""

    def __init__(self, port: int, key: str | None = None) -> None:
        self._port = port
        self._head = (
            f"host: localhost\r\nauthorization: Bearer {key}\r\n"
            if key
            else ("host: localhost\r\n")
        )
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def request(self, path: str, body: bytes) -> bytes:
        """The bytes of a POST."""
        head = (
            f"POST {path} HTTP/1.1\r\n{self._head}content-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the reply."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        length = int(head[at : head.index(b"\r\n", at)])
        return int(head[9:12]), await self._reader.readexactly(length)

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The same in one call."""
        return await self.send(self.request(path, body))

    def close(self) -> None:
        """Let it go."""
        if self._writer is not None:
            self._writer.close()

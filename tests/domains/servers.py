"""Private database servers for tests: in memory where that can be, on free ports, stopped
by their own pid."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PASSWORD = "Pa55-w@rd/x"
"""Has signs that mean something in a URL."""
QUOTED = "Pa55-w%40rd%2Fx"


@dataclass(frozen=True)
class Server:
    """A running server with the database `shop` and the user `shop`, who may do anything there.

    scheme  of its URLs
    """

    scheme: str
    port: int
    socket: Path

    def url(self, password: str = QUOTED, database: str = "shop", more: str = "") -> str:
        return f"{self.scheme}://shop:{password}@127.0.0.1:{self.port}/{database}{more}"

    def run(self, *statements: str) -> None:
        """Write as the tests need it, around the code that is tested."""
        from sqlalchemy import create_engine

        driver = {"postgresql": "psycopg", "mysql": "pymysql"}[self.scheme]
        engine = create_engine(self.url().replace("://", f"+{driver}://", 1))
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        engine.dispose()


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    """PostgreSQL with a password for everyone."""
    initdb, server, psql = (_program(name) for name in ("initdb", "postgres", "psql"))
    pytest.importorskip("psycopg", reason="psycopg is absent; install .[sql]")
    with _home("postgres") as (home, prefix):
        secret = home / "secret"
        secret.write_text(PASSWORD)
        data, port = home / "data", _free_port()
        _run([*prefix, initdb, "-D", str(data), "-U", "shop", "-A", "scram-sha-256",
              f"--pwfile={secret}", "--no-sync", "-E", "UTF8", "--locale=C"], home)  # fmt: skip
        command = [server, "-D", str(data), "-p", str(port), "-k", str(home), "-F",
                   "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB",
                   "-c", "timezone=Asia/Tokyo"]  # fmt: skip
        with _started([*prefix, *command], home, port):
            env = {"PGPASSWORD": PASSWORD}
            _until([psql, "-h", "127.0.0.1", "-p", str(port), "-U", "shop", "-d", "postgres",
                    "-c", "create database shop"], home, env)  # fmt: skip
            yield Server("postgresql", port, home)


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    """MariaDB, in a time zone other than UTC."""
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    client = _program("mariadb")
    pytest.importorskip("pymysql", reason="PyMySQL is absent; install .[sql]")
    with _home("mysql") as (home, prefix):
        data, port, listening = home / "data", _free_port(), home / "s"
        quick = ["--innodb-flush-method=nosync", "--innodb-log-file-size=8M",
                 "--innodb-buffer-pool-size=16M", "--innodb-doublewrite=OFF"]  # fmt: skip
        _run([*prefix, install, "--no-defaults", f"--datadir={data}", "--skip-test-db",
              "--auth-root-authentication-method=normal", "--skip-name-resolve",
              *quick], home)  # fmt: skip
        command = [server, "--no-defaults", f"--datadir={data}", f"--port={port}",
                   f"--socket={listening}", f"--pid-file={home / 'pid'}",
                   "--bind-address=127.0.0.1", "--skip-name-resolve",
                   "--default-time-zone=+09:00", *quick]  # fmt: skip
        with _started([*prefix, *command], home, port):
            _until([client, "--no-defaults", "-u", "root", f"--socket={listening}", "-e",
                    "create database shop; create database de; "
                    f"create user shop@'127.0.0.1' identified by '{PASSWORD}'; "
                    "grant all on shop.* to shop@'127.0.0.1'; "
                    "grant all on de.* to shop@'127.0.0.1'"], home, {})  # fmt: skip
            yield Server("mysql", port, listening)


def _program(name: str) -> str:
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), Path("/usr/sbin")]
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, sorted(places))])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"{name} is absent; install PostgreSQL 15 and MariaDB to run this test")
    return found


@contextlib.contextmanager
def _home(user: str) -> Iterator[tuple[Path, list[str]]]:
    """A folder of a server's own, in memory where there is such a place, and the words that
    make a command run as the server's user: servers refuse to run as root."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    home = Path(tempfile.mkdtemp(prefix="acclimate-", dir=where))
    prefix: list[str] = []
    try:
        if os.getuid() == 0:
            try:
                owner = pwd.getpwnam(user)
            except KeyError:
                pytest.skip(f"there is no user {user!r} to run the server as")
            shutil.chown(home, owner.pw_uid, owner.pw_gid)
            prefix = ["setpriv", f"--reuid={user}", f"--regid={owner.pw_gid}", "--clear-groups"]
        yield home, prefix
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _started(command: Sequence[str], home: Path, port: int) -> Iterator[None]:
    with (home / "log").open("wb") as log:
        # A quick stop: PostgreSQL's fast shutdown is on SIGINT, MariaDB's on SIGTERM.
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=home)
    try:
        yield
    finally:
        server.terminate() if "mariadbd" in " ".join(command) else server.send_signal(2)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _run(command: Sequence[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{command[0]} failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def _until(command: Sequence[str], home: Path, env: dict[str, str]) -> None:
    """Run a command again until the server answers it, for at most half a minute."""
    end = time.monotonic() + 30
    while True:
        done = subprocess.run(
            command, cwd=home, env={**os.environ, **env}, capture_output=True, check=False
        )
        if not done.returncode:
            return
        if time.monotonic() > end:
            log = (home / "log").read_text(errors="replace")
            pytest.fail(f"the server did not start: {done.stderr[-500:]!r}\n{log[-1500:]}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

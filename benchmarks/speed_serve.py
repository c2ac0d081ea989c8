"""The service beside others that make the same product of factors, asked over real sockets.

Each serves the same factors in one worker; 16 connections ask one after the other, each of
which waits for its reply; the services take turns within a round. Ours checks keys, limits and
messages and counts, and answers under its version; the others do none of that. Time of the
processor is that of the service with its children, from the system's own count, and says more
than requests a second where whoever asks has no core of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from acclimate.artifacts.artifact import load
from acclimate.artifacts.recommender import Recommender
from acclimate.domains.market import open_market
from acclimate.models.als import Als
from acclimate.registry.registry import Registry
from acclimate.service.keys import Keys
from benchmarks import peers
from benchmarks.line import Line
from benchmarks.races import Measured, NoPeer
from benchmarks.reliability_made import made_of
from benchmarks.sockets import Connection, Service, started

ITEMS, USERS, FACTORS = 20_000, 2_000, 64
CANDIDATES, TOP = 200, 20
CONNECTIONS, SECONDS = 16, 3.0
GOALS = {"ASGI with NumPy": 0.6, "LitServe": 8.0, "FastAPI with NumPy": 4.0}
LITSERVE = ("litserve==0.2.19", "numpy>=2,<3")


@dataclass(frozen=True)
class Server:
    """One that is raced."""

    name: str
    service: Service
    path: str
    key: str | None = None


@dataclass(frozen=True)
class Lap:
    """What one server did for some seconds.

    micros  of processor a request
    p99     milliseconds
    """

    rate: float
    micros: float
    p50: float
    p99: float


def serve(rounds: int, seed: int, data: Path | None) -> Iterator[Line]:
    """Requests a second, processor, percentiles, memory, and the ratios to the others."""
    del data
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        bodies, fold = _made(folder, seed)
        servers, whys = _started(folder, stack)
        common: dict[str, Any] = {"benchmark": "speed", "seed": seed, "n": rounds}
        yield Line(
            arm="serve", metric="seconds to the first answer", reference=3.0,
            value=round(servers[0].service.seconds, 2), **common
        )  # fmt: skip
        for what, asked in bodies.items():
            laps: dict[str, list[Lap]] = {}
            for _ in range(rounds):
                for each in servers:
                    laps.setdefault(each.name, []).append(asyncio.run(_lap(each, asked)))
            yield from _lines(what, laps, servers, common)
        folded = asyncio.run(_one_by_one(servers[0], fold))
        yield Line(
            arm="serve", data="basket nobody asked before", metric="median ms to fold in",
            value=round(folded, 3), reference=1.0, **common
        )  # fmt: skip
        for each in servers:
            yield Line(
                arm="serve" if each is servers[0] else f"serve by {each.name}",
                metric="resident MB at most", value=round(each.service.peak_mb),
                reference=250.0 if each is servers[0] else None, **common
            )  # fmt: skip
        for name, why in whys.items():
            yield Line(arm=f"serve by {name}", metric="requests a second", why=why, **common)


def _lines(
    what: str, laps: dict[str, list[Lap]], servers: list[Server], common: dict[str, Any]
) -> Iterator[Line]:
    ours = servers[0].name
    for name, way in laps.items():
        arm = "serve" if name == ours else f"serve by {name}"
        for metric, digits in (("rate", 0), ("micros", 1), ("p50", 2), ("p99", 2)):
            value = round(median(getattr(lap, metric) for lap in way), digits)
            yield Line(arm=arm, data=what, metric=_METRICS[metric], value=value, **common)
    for name, way in laps.items():
        if name == ours:
            continue
        for metric in ("rate", "micros"):
            one, other = (
                median(getattr(lap, metric) for lap in each) for each in (laps[ours], way)
            )
            ratio = one / other if metric == "rate" else other / one
            yield Line(
                arm="serve", data=f"{what}, by {_METRICS[metric]}", metric="ratio",
                value=round(ratio, 3), ratio=round(ratio, 3), peer=name,
                reference=GOALS[name], **common
            )  # fmt: skip


_METRICS = {
    "rate": "requests a second",
    "micros": "µs of processor a request",
    "p50": "ms, median",
    "p99": "ms, 99th percentile",
}


def _made(folder: Path, seed: int) -> tuple[dict[str, list[bytes]], list[bytes]]:
    """An artifact of factors, the same factors for the others, and what is asked."""
    rng = np.random.default_rng(seed)
    n = 4 * ITEMS
    table = pl.DataFrame(
        {
            "user_id": [f"u{at}" for at in rng.integers(0, USERS, n)],
            "item_id": [f"i{at}" for at in np.arange(n) % ITEMS],
            "time": pl.Series(np.arange(n)).cast(pl.Datetime("ms")),
        }
    )
    table.sample(fraction=1.0, shuffle=True, seed=seed).write_csv(folder / "shop.csv")
    artifact = made_of(
        open_market(folder / "shop.csv"),
        folder / "run",
        Als(factors=FACTORS, sweeps=1),
        at_most=ITEMS,
    )
    shop = Recommender.of(load(artifact))
    users = list(shop.users)
    rows = shop.taken.matrix
    np.savez(
        folder / "factors.npz",
        items=np.asarray(shop.model.items, np.float64),
        queries=shop.model.queries(rows),
        names=shop.items.astype(str),
        users=np.array(users),
    )
    known = shop.items.tolist()
    some = []
    for user in users[:256]:
        among = [known[at] for at in rng.choice(len(known), CANDIDATES, replace=False)]
        some.append(json.dumps({"user": user, "k": TOP, "among": among}).encode())
    every = [json.dumps({"user": user, "k": TOP}).encode() for user in users[:256]]
    baskets = [
        json.dumps({"basket": [known[at] for at in rng.integers(0, len(known), 5)]}).encode()
        for _ in range(300)
    ]
    said = f"top {TOP} of {len(known):,}"
    return {f"{CANDIDATES} candidates of {len(known):,}": some, said: every}, baskets


def _started(folder: Path, stack: ExitStack) -> tuple[list[Server], dict[str, str]]:
    """Ours first; who cannot be had, with why."""
    url = f"sqlite:///{folder / 'registry.db'}"
    registry = Registry(url)
    registry.release(folder / "run", "jp")
    registry.promote("jp", "1")
    _, key = Keys(registry).make("predict")
    registry.close()
    command = [sys.executable, "-m", "acclimate.cli.main", "serve", "jp", "--registry", url]
    ours = stack.enter_context(started([*command, "--rate", "100000"]))
    servers = [Server("acclimate", ours, "/v1/models/jp/recommend", key)]
    whys: dict[str, str] = {}
    factors = str(folder / "factors.npz")
    for name, program, path, ready, installs in (
        ("ASGI with NumPy", "serve_asgi.py", "/recommend", "/", None),
        ("FastAPI with NumPy", "serve_fastapi.py", "/recommend", "/ready", None),
        ("LitServe", "serve_litserve.py", "/predict", "/health", LITSERVE),
    ):
        try:
            python = peers.interpreter("litserve", installs) if installs else sys.executable
            words = [str(python), str(peers.PROGRAMS / program), factors]
            service = stack.enter_context(started(words, ready))
        except (NoPeer, RuntimeError) as error:
            whys[name] = str(error)
            continue
        servers.append(Server(name, service, path))
    return servers, whys


async def _lap(server: Server, bodies: list[bytes]) -> Lap:
    """Some seconds of one server."""
    times: list[float] = []
    for each in bodies[:32]:  # warm, and right
        connection = Connection(server.service.port, server.key)
        status, reply = await connection.post(server.path, each)
        connection.close()
        assert status == 200, reply
    begun, used = time.perf_counter(), server.service.processor
    await asyncio.gather(
        *(_asking(server, bodies, at, begun + SECONDS, times) for at in range(CONNECTIONS))
    )
    spent, used = time.perf_counter() - begun, server.service.processor - used
    p50, p99 = np.percentile(times, [50, 99]) * 1000
    return Lap(len(times) / spent, used / len(times) * 1e6, float(p50), float(p99))


async def _asking(
    server: Server, bodies: list[bytes], at: int, end: float, times: list[float]
) -> None:
    connection = Connection(server.service.port, server.key)
    requests = [connection.request(server.path, body) for body in bodies]
    while (begun := time.perf_counter()) < end:
        status, _ = await connection.send(requests[at % len(requests)])
        assert status == 200
        times.append(time.perf_counter() - begun)
        at += 1
    connection.close()


async def _one_by_one(server: Server, bodies: list[bytes]) -> float:
    """The median of one connection's milliseconds."""
    connection = Connection(server.service.port, server.key)
    times = []
    for body in bodies:
        begun = time.perf_counter()
        status, _ = await connection.post(server.path, body)
        assert status == 200
        times.append(time.perf_counter() - begun)
    connection.close()
    return median(times) * 1000


RACES = (Measured("serve", serve, "serve"),)

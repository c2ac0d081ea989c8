"""Promote and roll back under load, over real sockets, and look at every reply.

Two versions of one name answer differently.  Connections ask without a pause while the
champion changes, by the service's own routes and, every tenth time, behind its back in the
registry.  A reply is mixed if its digest or items are not those of its version.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acclimate.artifacts.recommender import Recommender
from acclimate.registry.registry import Registry
from acclimate.service.keys import Keys
from benchmarks.reliability_kills import Found
from benchmarks.reliability_made import made
from benchmarks.sockets import Connection, started

CONNECTIONS = 8
QUESTIONS = 4
ASK, BACK, FRONT = (f"/v1/models/jp/{what}" for what in ("recommend", "rollback", "promote"))


@dataclass
class Seen:
    """What came back."""

    requests: int = 0
    failed: int = 0
    mixed: int = 0
    stale: int = 0
    versions: set[int] = field(default_factory=set)
    slowest_back: float = 0.0
    over: bool = False


def swaps(artifact: Path, folder: Path, args: argparse.Namespace) -> Iterator[Found]:
    """Requests that failed, were mixed, or came from before; and the slowest way back."""
    folder.mkdir(parents=True)
    url = f"sqlite:///{folder / 'registry.db'}"
    registry = Registry(url)
    for run in (artifact, made(folder / "other", seed=1)):
        registry.release(run, "jp")
    registry.promote("jp", "1")
    _, key = Keys(registry).make("admin")
    wanted = _wanted(registry)
    command = [sys.executable, "-m", "acclimate.cli.main", "serve", "jp", "--registry", url]
    with started([*command, "--rate", "0"]) as service:
        seen = asyncio.run(_load(service.port, key, registry, wanted, args.swaps))
    registry.close()
    said = f"{seen.requests:,} requests of {CONNECTIONS} connections; versions {seen.versions}"
    n = args.swaps
    yield "acclimate", "requests that failed under promotions", seen.failed, n, said
    yield "acclimate", "replies that mixed two versions", seen.mixed, n, None
    yield (
        "acclimate",
        "replies of the version before, after the swap was told",
        seen.stale,
        n,
        None,
    )
    yield (
        "acclimate",
        "slowest rollback, seconds",
        round(seen.slowest_back, 3),
        n,
        "goal: < 1 s",
    )


Wanted = list[tuple[bytes, dict[int, tuple[str, list[str]]]]]


def _wanted(registry: Registry) -> Wanted:
    """Each question with the digest and items that each version answers."""
    opened = {number: registry.open(f"jp@{number}") for number in (1, 2)}
    shops = {number: Recommender.of(artifact) for number, (_, artifact) in opened.items()}
    known = shops[1].items.tolist()
    questions = []
    for at in range(QUESTIONS):
        basket = known[at : at + 2]
        answers = {
            number: (opened[number][0].digest, [item for item, _ in shop.basket(basket, 5)])
            for number, shop in shops.items()
        }
        questions.append((json.dumps({"basket": basket, "k": 5}).encode(), answers))
    return questions


async def _load(port: int, key: str, registry: Registry, wanted: Wanted, swaps: int) -> Seen:
    seen = Seen()
    asking = [asyncio.create_task(_ask(port, key, wanted, seen)) for _ in range(CONNECTIONS)]
    one = Connection(port, key)
    version = 1
    for turn in range(swaps):
        other = 3 - version
        if turn % 10 == 9:  # behind its back: seen at its next look
            await asyncio.to_thread(registry.promote, "jp", str(other))
            while json.loads((await one.post(ASK, b"{}"))[1])["version"] != other:
                await asyncio.sleep(0.02)
        else:
            begun = time.perf_counter()
            back = turn % 2 == 1
            path, body = (
                (BACK, b"{}") if back else (FRONT, json.dumps({"version": str(other)}).encode())
            )
            status, _ = await one.post(path, body)
            seen.failed += status != 200
            if back:
                seen.slowest_back = max(seen.slowest_back, time.perf_counter() - begun)
            reply = json.loads((await one.post(ASK, b"{}"))[1])
            seen.stale += reply["version"] != other
        version = other
    seen.over = True
    await asyncio.gather(*asking)
    one.close()
    return seen


async def _ask(port: int, key: str, wanted: Wanted, seen: Seen) -> None:
    connection = Connection(port, key)
    turn = 0
    while not seen.over:
        body, answers = wanted[turn % len(wanted)]
        turn += 1
        seen.requests += 1
        try:
            status, reply = await connection.post(ASK, body)
        except (OSError, asyncio.IncompleteReadError):
            seen.failed += 1
            connection = Connection(port, key)
            continue
        if status != 200:
            seen.failed += 1
            continue
        told: Any = json.loads(reply)
        seen.versions.add(told["version"])
        seen.mixed += (told["digest"], told["items"]) != answers[told["version"]]
    connection.close()

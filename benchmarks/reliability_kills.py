"""Kill those who publish, and let many publish at once."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from acclimate.artifacts.artifact import load
from acclimate.artifacts.store import CONTENT, MANIFEST, read_folder, sealed, write_folder
from acclimate.errors import AcclimateError
from acclimate.registry.doctor import examine
from acclimate.registry.registry import Registry

Found: TypeAlias = tuple[str, str, float, int, str | None]
LONGEST = 0.5  # seconds until a kill; a round of releases, a promotion and a rollback
PRELOAD = ["benchmarks.reliability_kills"]


class Publisher(Protocol):
    """Who gives folders names and versions."""

    def release(self, run: Path) -> int: ...

    def promote(self, number: int) -> None: ...

    def rollback(self) -> None: ...

    def wrong(self) -> list[str]:
        """What is half there or stands for nothing."""
        ...

    def latest(self) -> int: ...

    def close(self) -> None: ...


class Real:
    """The registry."""

    def __init__(self, place: Path, url: str | None = None) -> None:
        # Every part of a run has the same database by URL, and so the same vault.
        own = f"sqlite:///{place / 'registry.db'}"
        self._registry = Registry(url or own, None if url else place / "vault")

    def release(self, run: Path) -> int:
        return self._registry.release(run, "jp").number

    def promote(self, number: int) -> None:
        self._registry.promote("jp", str(number))

    def rollback(self) -> None:
        self._registry.rollback("jp")

    def wrong(self) -> list[str]:
        found = [
            each.what for each in examine(self._registry).findings if each.level == "error"
        ]
        for version in self._registry.releases():
            if version.aliases:
                self._registry.open(str(version))  # as a service would
        return found

    def latest(self) -> int:
        return max((each.number for each in self._registry.releases()), default=0)

    def close(self) -> None:
        self._registry.close()


class Naive:
    """Written in an afternoon: an index that is overwritten, files copied into place."""

    def __init__(self, place: Path, _: str | None = None) -> None:
        self._place = place
        place.mkdir(parents=True, exist_ok=True)

    def _index(self) -> dict[str, Any]:
        path = self._place / "index.json"
        return json.loads(path.read_text()) if path.exists() else {"latest": 0, "line": []}

    def _write(self, index: dict[str, Any]) -> None:
        (self._place / "index.json").write_text(json.dumps(index))

    def release(self, run: Path) -> int:
        index = self._index()
        index["latest"] += 1
        self._write(index)
        shutil.copytree(run, self._place / str(index["latest"]))
        return int(index["latest"])

    def promote(self, number: int) -> None:
        index = self._index()
        index["line"].append(number)
        self._write(index)

    def rollback(self) -> None:
        index = self._index()
        index["line"].pop()
        self._write(index)

    def wrong(self) -> list[str]:
        try:
            index = self._index()
        except ValueError as error:
            shutil.rmtree(self._place)  # so that the next round can go on
            self._place.mkdir()
            return [f"index: {error}"]
        found = []
        for number in range(1, index["latest"] + 1):
            try:
                load(self._place / str(number))
            except AcclimateError as error:
                found.append(str(error))
        if found:
            shutil.rmtree(self._place)
            self._place.mkdir()
        return found

    def latest(self) -> int:
        return int(self._index()["latest"])

    def close(self) -> None:
        pass


KINDS: dict[str, type[Real] | type[Naive]] = {"acclimate": Real, "naive": Naive}


def variant(artifact: Path, folder: Path, number: int) -> Path:
    """The same artifact with another seed, so with another digest, sealed again."""
    files = read_folder(artifact)
    manifest = json.loads(files[MANIFEST])
    manifest["seed"] = number
    files[MANIFEST] = json.dumps(manifest).encode()
    write_folder(
        folder, sealed({n: d for n, d in files.items() if n in (*CONTENT, "histories.parquet")})
    )
    return folder


def _work(kind: str, artifact: Path, place: Path, url: str | None, tell: Connection) -> None:
    """Publish until killed; each thing done is told when it is done."""
    publisher = KINDS[kind](place, url)
    number = int.from_bytes(os.urandom(5), "big")
    runs = [variant(artifact, place / f"run{at}", number + at) for at in range(2)]
    tell.send(("ready", 0))
    while True:
        for run in runs:
            tell.send(("release", publisher.release(run)))
            publisher.promote(publisher.latest())
            tell.send(("promote", 0))
        publisher.rollback()
        tell.send(("rollback", 0))
        number += 2
        for at, run in enumerate(runs):
            variant(artifact, run, number + at)  # as adapt replaces its artifact


def kills(artifact: Path, folder: Path, args: argparse.Namespace) -> Iterator[Found]:
    """Rounds with something wrong after a kill, of the registry and of the naive publisher."""
    for kind, rounds in (("acclimate", args.kills), ("naive", args.naive_kills)):
        found, lost, did = _kill(kind, artifact, folder / kind, rounds, args)
        said = f"{did:,} things done between kills"
        yield (
            kind,
            "kills that left something corrupt, half-visible or dangling",
            found,
            rounds,
            said,
        )
        yield kind, "kills that lost what was reported done", lost, rounds, None


def _kill(
    kind: str, artifact: Path, folder: Path, rounds: int, args: argparse.Namespace
) -> tuple[int, int, int]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    moments = np.random.default_rng(args.seed).uniform(0, LONGEST, rounds)
    wrong = lost = did = 0
    place, url = folder / "0", args.registry if kind == "acclimate" else None
    for at, moment in enumerate(moments):
        if url is None and at % 50 == 0:  # checking all versions stays cheap
            place = folder / str(at)
        place.mkdir(parents=True, exist_ok=True)
        hear, tell = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(kind, artifact, place, url, tell))
        child.start()
        tell.close()
        done = [hear.recv()]
        time.sleep(moment)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        try:
            while True:
                done.append(hear.recv())
        except (EOFError, OSError):
            pass
        did += len(done) - 1
        told = max((number for what, number in done if what == "release"), default=0)
        publisher = KINDS[kind](place, url)
        try:
            bad = publisher.wrong()
            lost += not bad and not told <= publisher.latest()
            for run in place.glob("run?"):
                load(run)  # what adapt had replaced, old or new
        except (AcclimateError, ValueError) as error:
            bad = [str(error)]
        finally:
            publisher.close()
        wrong += bool(bad)
    return wrong, lost, did


# ── many at once ────────────────────────────────────────────────────────────


def _release(artifact: Path, place: Path, url: str | None, times: int) -> list[int]:
    publisher = Real(place, url)
    try:
        return [publisher.release(artifact) for _ in range(times)]
    finally:
        publisher.close()


def crowd(artifact: Path, folder: Path, args: argparse.Namespace) -> Iterator[Found]:
    """Versions that are missing or given twice."""
    folder.mkdir(parents=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    before = Real(folder, args.registry)
    start = before.latest()
    before.close()
    given = [(artifact, folder, args.registry, args.releases)] * args.processes
    with context.Pool(args.processes) as pool:
        numbers = [each for part in pool.starmap(_release, given, chunksize=1) for each in part]
    wanted = args.processes * args.releases
    wrong = len(set(range(start + 1, start + wanted + 1)) ^ set(numbers))
    wrong += len(numbers) - len(set(numbers))
    after = Real(folder, args.registry)
    wrong += len(after.wrong())
    after.close()
    yield "acclimate", "versions missing or given twice", wrong, wanted, None

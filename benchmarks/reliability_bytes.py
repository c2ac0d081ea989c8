"""Change bytes of an artifact, and seal artifacts that nobody should open."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from acclimate.artifacts.artifact import load
from acclimate.artifacts.store import (
    CHECKSUM,
    DIGEST,
    HISTORIES,
    MANIFEST,
    STATE,
    TENSORS,
    read_folder,
    sealed,
)
from acclimate.errors import AcclimateError, IntegrityError
from acclimate.registry.registry import Registry
from benchmarks.line import peak_mb
from benchmarks.reliability_kills import Found

MOST_SECONDS, MOST_MB = 2.0, 500.0
Files = dict[str, bytes]


def flips(artifact: Path, folder: Path, args: argparse.Namespace) -> Iterator[Found]:
    """Changed bytes that were not seen before use."""
    folder.mkdir(parents=True)
    files = read_folder(artifact)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    headers = [(name, at) for name in files for at in range(_header(name, files[name]))]
    rng = np.random.default_rng(args.seed)
    names = [*files]
    sizes = np.array([len(files[name]) for name in names])
    drawn = rng.choice(len(names), args.flips, p=sizes / sizes.sum())
    random = [(names[file], int(rng.integers(sizes[file]))) for file in drawn]
    for what, places in (("bytes of headers", headers), ("random bytes", random)):
        masks = rng.integers(1, 256, len(places)).tolist()
        unseen = sum(
            not _seen(folder, files, name, at, mask)
            for (name, at), mask in zip(places, masks, strict=True)
        )
        yield "acclimate", f"{what} changed and not detected", unseen, len(places), None


def _header(name: str, data: bytes) -> int:
    """How many first bytes of a file say what the others are."""
    if name in (DIGEST, CHECKSUM):
        return len(data)
    if name == TENSORS:
        return min(len(data), 8 + int(struct.unpack("<Q", data[:8])[0]))
    return min(len(data), 64)


def _seen(folder: Path, files: Mapping[str, bytes], name: str, at: int, mask: int) -> bool:
    changed = bytearray(files[name])
    changed[at] ^= mask
    (folder / name).write_bytes(bytes(changed))
    try:
        read_folder(folder)
    except IntegrityError:
        return True
    finally:
        (folder / name).write_bytes(files[name])
    return False


# ── poison ──────────────────────────────────────────────────────────────────


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def poison(artifact: Path, folder: Path, args: argparse.Namespace) -> Iterator[Found]:
    """Poisoned artifacts that were taken, that ended otherwise than cleanly, or cost much."""
    del args
    folder.mkdir(parents=True)
    registry = Registry(f"sqlite:///{folder / 'registry.db'}", folder / "vault")
    fired = folder / "fired"
    whole = read_folder(artifact)
    base = {n: d for n, d in whole.items() if n not in (DIGEST, CHECKSUM)}
    wrong, slow, cases = [], [], list(_cases(base, fired))
    clean = folder / "clean"
    clean.mkdir()
    for each, content in sealed(base).items():
        (clean / each).write_bytes(content)
    load(clean)  # what refuses the others is their poison
    for number, (what, write) in enumerate(cases):
        place = folder / f"case{number}"
        place.mkdir()
        write(place)
        before, begun = peak_mb(), time.perf_counter()
        for use in (load, lambda path: registry.release(path, "jp")):
            try:
                use(place)
                wrong.append(f"{what}: taken")
            except AcclimateError:
                pass
            except Exception as error:
                wrong.append(f"{what}: {type(error).__name__}: {error}"[:200])
        spent, more = time.perf_counter() - begun, peak_mb() - before
        if spent > 2 * MOST_SECONDS or more > MOST_MB:
            slow.append(f"{what}: {spent:.1f} s, {more:.0f} MB")
        if fired.exists():
            wrong.append(f"{what}: unpickled")
            fired.rmdir()
    if registry.releases():
        wrong.append("a version was made")
    registry.close()
    n = len(cases)
    yield "acclimate", "poisoned artifacts not cleanly refused", len(wrong), n, _first(wrong)
    yield (
        "acclimate",
        "poisoned artifacts of more than 2 s or 500 MB",
        len(slow),
        n,
        _first(slow),
    )


def _first(found: list[str]) -> str | None:
    return "; ".join(found[:5]) or None


def _cases(base: Files, fired: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """What is wrong, and how it is written; sealed, so that only its content can betray it."""
    pickled = [pickle.dumps(Canary(str(fired)), protocol) for protocol in range(6)]

    def holding(name: str, data: bytes) -> Callable[[Path], None]:
        def write(place: Path) -> None:
            for each, content in sealed({**base, name: data}).items():
                (place / each).write_bytes(content)

        return write

    for name in (MANIFEST, STATE, TENSORS, HISTORIES):
        for protocol, data in enumerate(pickled):
            yield f"pickle {protocol} as {name}", holding(name, data)
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", pickled[2])
            archive.writestr("bomb", bytes(10**7))
        yield f"torch's zip as {name}", holding(name, zipped.getvalue())
    npy = io.BytesIO()
    np.save(npy, np.array([Canary(str(fired))], dtype=object), allow_pickle=True)
    yield "object array as tensors", holding(TENSORS, npy.getvalue())
    for name in (MANIFEST, STATE):
        yield f"deep {name}", holding(name, b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
        yield f"list as {name}", holding(name, b"[1]")
        yield f"long number in {name}", holding(name, b'{"format": ' + b"9" * 100_000 + b"}")
        yield f"not text as {name}", holding(name, b"\xff\xfe{}")
        yield f"empty {name}", holding(name, b"")
    yield from _states(base, holding, str(fired))
    for what, header, body in _tensors():
        data = struct.pack("<Q", len(header)) + header + body
        yield f"tensors: {what}", holding(TENSORS, data)
    yield "tensors: endless header", holding(TENSORS, struct.pack("<Q", 2**63 - 1) + b"{}")
    bomb = io.BytesIO()
    ones = pl.DataFrame({"user": pl.repeat("u", 1, eager=True)})
    ones.write_parquet(bomb)
    yield "histories of other columns", holding(HISTORIES, bomb.getvalue())
    yield from _folders(base)


def _states(
    base: Files, holding: Callable[[str, bytes], Callable[[Path], None]], fired: str
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    state, manifest = (json.loads(base[name]) for name in (STATE, MANIFEST))
    kinds = (
        "../../etc/passwd",
        "os.system",
        "__reduce__",
        "builtins.eval",
        f"mkdir {fired}",
        "",
    )
    for part in ("encoder", "model"):
        for kind in kinds:
            changed = {**state, part: {**state[part], "kind": kind}}
            yield f"{part} of kind {kind!r}", holding(STATE, json.dumps(changed).encode())
    for task in ("../x", "pickle", None):
        changed = {**manifest, "task": {"kind": task, "settings": {}}}
        yield f"task {task!r}", holding(MANIFEST, json.dumps(changed).encode())
    for key in ("format", "task", "verdict", "reading"):
        without = {each: value for each, value in manifest.items() if each != key}
        yield f"no {key}", holding(MANIFEST, json.dumps(without).encode())


def _tensors() -> Iterator[tuple[str, bytes, bytes]]:
    def one(**more: Any) -> bytes:
        return json.dumps(
            {"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **more}}
        ).encode()

    yield "too large a shape", one(shape=[2**60]), bytes(4)
    yield "negative shape", one(shape=[-1]), bytes(4)
    yield "offsets past the end", one(data_offsets=[0, 2**40]), bytes(4)
    yield "offsets backwards", one(data_offsets=[4, 0]), bytes(4)
    yield "unknown type", one(dtype="O"), bytes(4)
    yield "no JSON", b"not json", b""
    yield "a path as name", one().replace(b'"x"', b'"../../x"'), bytes(4)


def _folders(base: Files) -> Iterator[tuple[str, Callable[[Path], None]]]:
    def folder(change: Callable[[Path], None]) -> Callable[[Path], None]:
        def write(place: Path) -> None:
            for each, content in sealed(base).items():
                (place / each).write_bytes(content)
            change(place)

        return write

    def link(place: Path) -> None:
        (place / STATE).unlink()
        (place / STATE).symlink_to("/etc/passwd")

    def pipe(place: Path) -> None:
        (place / STATE).unlink()
        os.mkfifo(place / STATE)

    def endless(place: Path) -> None:
        (place / STATE).unlink()
        (place / STATE).symlink_to("/dev/zero")

    def inside(place: Path) -> None:
        (place / TENSORS).unlink()
        (place / TENSORS).mkdir()

    yield "a link to another file", folder(link)
    yield "a pipe", folder(pipe)
    yield "an endless file", folder(endless)
    yield "a folder as tensors", folder(inside)
    yield "a pickle beside", folder(lambda place: _beside(place, "model.pkl"))
    yield "a hidden file beside", folder(lambda place: _beside(place, ".env"))


def _beside(place: Path, name: str) -> None:
    (place / name).write_bytes(b"x")

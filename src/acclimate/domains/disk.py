"""Bytes that are on disk when a call returns, and that a kill leaves whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until its bytes are on disk.

    Raises FileExistsError where there is one already, OSError where it cannot be written.
    """
    with path.open("xb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def replace_files(files: Mapping[Path, bytes]) -> None:
    """Put each file in its place, in order, once all of them are on disk.

    A kill at any instant leaves the old file or the new one at every place.  Raises OSError
    where one cannot be written; then none of those after it is replaced.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for path, data in files.items():
            part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
            waiting.append((part, path))
            write_synced(part, data)
        for part, path in waiting:
            os.replace(part, path)  # noqa: PTH105 - one name for what must be atomic
    finally:
        for part, _ in waiting:
            part.unlink(missing_ok=True)
    for folder in {path.parent for path in files}:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last; systems that cannot are left as they are."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

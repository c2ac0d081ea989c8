"""Bytes that are on disk when a call returns; callers rename them into place."""

from __future__ import annotations

import os
from pathlib import Path


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until its bytes are on disk.

    Raises FileExistsError where there is one already, OSError where it cannot be written.
    """
    with path.open("xb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last; systems that cannot are left as they are."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

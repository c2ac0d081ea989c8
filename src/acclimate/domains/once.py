"""Tables that several markets are slices of are read once.

Before: an address or a path.  After: `market` cuts its slice out of what was read.  What is
kept lives as long as one opening of markets, and a file that changes meanwhile is read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar

Read = TypeVar("Read")


class Once:
    """What was read so far, by where it came from; values are shared and not to be changed."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, object] = {}

    def read(self, key: Hashable, reader: Callable[[], Read]) -> Read:
        """What `reader` gives, from the last call under the same key if there was one."""
        if key not in self._kept:
            self._kept[key] = reader()
        found: Read = self._kept[key]  # type: ignore[assignment]
        return found


def contents(path: Path) -> Hashable:
    """The file, or the files of a folder, with size and time of change.

    What cannot be looked at has its path alone: the reader says what is wrong with it.
    """
    try:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(each.name, each.stat()) for each in inside]
        seen = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        return str(path.resolve()), tuple(seen)
    except (OSError, ValueError, RuntimeError):
        return str(path)

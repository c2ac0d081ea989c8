"""Every look at a judge, on disk, so that looking again is paid for.

Before: a runner has a judge and its fingerprint.  After: `paired_effect` is
given the level that this look has left.  A second procedure tried on the same
judge is a second chance to be lucky; the ledger halves its level.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from acclimate.domains.disk import sync_folder
from acclimate.errors import IntegrityError, UsageError

_KEYS = ("fingerprint", "procedure", "when")


def level_at(look: int, level: float = 0.05) -> float:
    """The two-sided level of a judge's look: level / 2^(look − 1).

    look    ≥ 1; the first has the full level, each later one half of the last
    level   (0, 1)

    All looks together err at most 2·level (the sum of the series).
    Raises UsageError outside of the ranges.
    """
    if look < 1:
        raise UsageError(f"Looks count from 1, found {look}. Take it from Ledger.look.")
    if not 0 < level < 1:
        raise UsageError(f"Expected a level between 0 and 1, found {level}. Try 0.05.")
    return level / 2.0 ** (look - 1)


@dataclass(frozen=True)
class Entry:
    """One look: which judge, which procedure was judged, when (ISO 8601)."""

    fingerprint: str
    procedure: str
    when: str


@dataclass(frozen=True)
class Ledger:
    """A JSON-lines file of looks, shared by every process of a machine.

    path   the file; it and its folder appear with the first look.  A lock is
           held on `<path>.lock` while a look is entered, and released by the
           system if the process dies
    """

    path: Path

    def look(self, fingerprint: str, procedure: str, when: datetime | str) -> int:
        """Enter a look and return its number on this judge, from 1.

        fingerprint  of the judge's rows
        procedure    of all that decides the outcome: arms, settings, seed
        when         the time, a datetime or ISO text; kept, never compared

        The same pair again is the same look and writes nothing: a rerun is free.
        Raises UsageError for empty names, IntegrityError for a damaged ledger.
        """
        if not fingerprint or not procedure:
            raise UsageError(
                "A look needs the judge's fingerprint and the procedure's name, found "
                f"{fingerprint!r} and {procedure!r}."
            )
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + ".lock")):
            seen = self._procedures(fingerprint)
            if procedure in seen:
                return seen.index(procedure) + 1
            stamp = when if isinstance(when, str) else when.isoformat()
            _append(path, dict(zip(_KEYS, (fingerprint, procedure, stamp), strict=True)))
        return len(seen) + 1

    def looks(self, fingerprint: str) -> int:
        """How many different procedures have looked at this judge."""
        return len(self._procedures(fingerprint))

    def entries(self) -> tuple[Entry, ...]:
        """Every look, oldest first.

        Raises IntegrityError at the first line that is not a look: a ledger that
        skipped it would hand out level twice.
        """
        path = Path(self.path)
        if not path.exists():
            return ()
        lines = path.read_bytes().split(b"\n")
        if lines.pop():  # every line ends in a newline, so that the last piece is empty
            raise self._damaged(len(lines) + 1)
        return tuple(self._entry(number, line) for number, line in enumerate(lines, start=1))

    def _procedures(self, fingerprint: str) -> list[str]:
        seen = (e.procedure for e in self.entries() if e.fingerprint == fingerprint)
        return list(dict.fromkeys(seen))

    def _entry(self, number: int, line: bytes) -> Entry:
        try:
            row = json.loads(line)
        except ValueError:
            raise self._damaged(number) from None
        if not isinstance(row, dict) or not all(isinstance(row.get(k), str) for k in _KEYS):
            raise self._damaged(number)
        return Entry(*(row[k] for k in _KEYS))

    def _damaged(self, number: int) -> IntegrityError:
        return IntegrityError(
            f"Line {number} of the ledger {str(self.path)!r} is not a look: expected one JSON "
            f"object with {', '.join(_KEYS)} and a newline. A crash or an edit may have cut "
            "it. Mend or remove that line, knowing that a removed look is no longer paid for."
        )


def _append(path: Path, row: dict[str, str]) -> None:
    """One write at the end of the file, on disk before it returns."""
    line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
    is_new = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while line:
            line = line[os.write(handle, line) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    if is_new:  # the name, too, must survive a crash
        sync_folder(path.parent)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; waits for the process that has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # releases the lock

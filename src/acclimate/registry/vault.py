"""Artifacts by their digest: a folder each, whole or not there.

Before: a run wrote an artifact.  After: the registry names it.  A folder is written beside
its place, synced and renamed into it; what a kill leaves beside is nobody's, and is cleared
away by `acclimate doctor --repair`.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from acclimate.artifacts.artifact import Artifact, load
from acclimate.artifacts.store import digest_of, read_folder, write_files
from acclimate.domains.disk import sync_folder
from acclimate.errors import AcclimateError, DataError, IntegrityError, UsageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_WORKING_SECONDS = 3600  # no release takes longer
_BESIDE = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{8}\.(new|old)")


@dataclass(frozen=True)
class Vault:
    """A folder of artifacts, each under its digest."""

    folder: Path

    def place(self, digest: str) -> Path:
        """Where an artifact is, or would be.  Raises IntegrityError for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise IntegrityError(
                f"Expected a SHA-256 in the registry, found {digest[:80]!r}. Run "
                "`acclimate doctor`."
            )
        return self.folder / digest

    def put(self, files: Mapping[str, bytes]) -> None:
        """Keep an artifact whose bytes were verified; one that is there and whole stays.

        Raises UsageError where it cannot be written; then what was there still is.
        """
        digest = digest_of(files)
        place = self.place(digest)
        if self._whole(digest):
            return
        with _told(place):
            self.folder.mkdir(parents=True, exist_ok=True)
            token = secrets.token_hex(4)
            new, old = (
                place.with_name(f".{place.name}.{token}.{what}") for what in ("new", "old")
            )
            try:
                write_files(new, files)
                if place.is_dir() and not self._whole(digest):
                    place.replace(old)
                try:
                    new.replace(place)
                except OSError:
                    # Another process was quicker with the same artifact.
                    if not self._whole(digest):
                        raise
                sync_folder(self.folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
                shutil.rmtree(old, ignore_errors=True)

    def _whole(self, digest: str) -> bool:
        try:
            self.verify(digest)
        except AcclimateError:
            return False
        return True

    def open(self, digest: str) -> Artifact:
        """An artifact, every byte verified.

        Raises IntegrityError where it is lost, changed, or another than its digest says.
        """
        place = self.place(digest)
        try:
            found = load(place)
        except DataError as error:
            raise IntegrityError(
                f"Expected the artifact {digest[:12]} of the registry at {str(place)!r}; "
                f"found: {error} Restore that folder from a copy."
            ) from None
        if found.digest != digest:
            raise IntegrityError(
                f"Expected the artifact {digest[:12]} at {str(place)!r}, found "
                f"{found.digest[:12]}. Restore that folder from a copy."
            )
        return found

    def verify(self, digest: str) -> None:
        """The same without restoring its model."""
        place = self.place(digest)
        try:
            found = digest_of(read_folder(place))
        except DataError as error:
            raise IntegrityError(str(error)) from None
        if found != digest:
            raise IntegrityError(f"Expected {digest[:12]} at {str(place)!r}, found {found!r}.")

    def digests(self) -> list[str]:
        """Those that are there, named or not."""
        return sorted(each.name for each in self._entries() if _DIGEST.fullmatch(each.name))

    def leftovers(self) -> list[Path]:
        """What releases left beside that ended early: none that may still be at work."""
        return sorted(
            each
            for each in self._entries()
            if _BESIDE.fullmatch(each.name) and time.time() - _written(each) > _WORKING_SECONDS
        )

    def remove(self, path: Path) -> None:
        """Take away what nobody names: renamed first, so that no half of it is ever seen."""
        with _told(path):
            if _DIGEST.fullmatch(path.name):
                beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
                path.replace(beside)
                path = beside
            shutil.rmtree(path)

    def _entries(self) -> list[Path]:
        return list(self.folder.iterdir()) if self.folder.is_dir() else []


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # its release has just ended
        return time.time()


@contextmanager
def _told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"Expected to write {str(place)!r}, found: {error}. The registry is as it was. "
            "Make room, or check your rights, and try again."
        ) from None

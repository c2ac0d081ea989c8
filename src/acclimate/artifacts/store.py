"""The folder of an artifact: sealed bytes in, verified bytes out.

Before: `artifact` made the bytes of each file.  After: it reads them back.
A folder is written beside its place and renamed into it, so that a kill at any
instant leaves the old artifact or the new one; where the kill fell between the
two renames, the old one lies beside its place and is read from there.

A seal (`DIGEST`) is one line a file, in the form of sha256sum, under the SHA-256
of these lines: `tail -n +2 DIGEST | sha256sum --check` verifies a folder without
acclimate.  Histories of users have a seal of their own, so that erasing a user
leaves the digest as it was.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from acclimate.domains.disk import sync_folder, write_synced
from acclimate.errors import DataError, IntegrityError, UsageError
from acclimate.nearest import some
from acclimate.settings import settings

MANIFEST, STATE, TENSORS = "manifest.json", "state.json", "tensors.safetensors"
DIGEST = "DIGEST"
HISTORIES, CHECKSUM = "histories.parquet", "histories.sha256"
CONTENT = (MANIFEST, STATE, TENSORS)
REQUIRED = (*CONTENT, DIGEST)
NAMES = (*REQUIRED, HISTORIES, CHECKSUM)

MEND = "Run adapt again or restore it from a copy."
_READS = 5  # a save that runs meanwhile swaps the folder once
_SEALS = {DIGEST: CONTENT, CHECKSUM: (HISTORIES,)}


def sha256(data: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of an artifact with their digest and, with histories, their checksum.

    files  manifest.json, state.json, tensors.safetensors and, or not, histories.parquet
    """
    seals = {DIGEST: _seal(CONTENT, files)}
    if HISTORIES in files:
        seals[CHECKSUM] = _seal((HISTORIES,), files)
    return {**files, **seals}


def _seal(names: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    lines = "".join(f"{sha256(files[name])}  {name}\n" for name in names)
    return f"{sha256(lines.encode())}\n{lines}".encode()


def digest_of(files: Mapping[str, bytes]) -> str:
    """The digest of a sealed artifact: over manifest, state and tensors."""
    return files[DIGEST].split(b"\n", 1)[0].decode()


# ── writing ─────────────────────────────────────────────────────────────────


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put sealed files in place of whatever artifact is there.

    Raises UsageError for a place that cannot be written, or that holds something
    other than an artifact.
    """
    folder = _resolved(folder)
    _require_replaceable(folder)
    token = secrets.token_hex(4)
    new, old = _beside(folder, token, "new"), _beside(folder, token, "old")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        try:
            write_files(new, files)
            if folder.exists():
                folder.replace(old)
            new.replace(folder)
            sync_folder(folder.parent)
        finally:
            # After a failure or Ctrl-C this puts the old one back.
            _tidy(folder)
    except OSError as error:
        raise UsageError(
            f"Expected to write an artifact to {str(folder)!r}, found: {error}. What was there "
            "before is still there, or the new one is. Name a folder you may write to, on a "
            "disk with room, and save again."
        ) from error


def require_place(folder: Path) -> None:
    """Refuse, before the work, a place where `write_folder` would refuse to write after it."""
    _require_replaceable(_resolved(folder))


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder and wait until it is on disk; raises OSError where that fails."""
    folder.mkdir()
    for name, data in files.items():
        write_synced(folder / name, data)
    sync_folder(folder)


def _tidy(folder: Path) -> None:
    """Remove what interrupted saves left beside; put an old artifact back if it is alone."""
    for new in _leftovers(folder, "new"):
        shutil.rmtree(new)
    olds = _leftovers(folder, "old")
    if olds and not folder.exists():
        olds.pop().replace(folder)
    for old in olds:
        shutil.rmtree(old)


def _beside(folder: Path, token: str, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{token}.{what}")


def _leftovers(folder: Path, what: str) -> list[Path]:
    """Folders that saves to `folder` left beside it, the latest last."""
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{8}}\.{what}")
    try:
        found = [path for path in folder.parent.iterdir() if pattern.fullmatch(path.name)]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)
    except OSError:
        return []


def _resolved(folder: Path) -> Path:
    try:
        resolved = folder.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"Expected the path of a folder, found {str(folder)!r}: {error}. Name another."
        ) from None
    if not resolved.name:
        raise UsageError(
            f"Expected a folder of its own for an artifact, found {str(folder)!r}. "
            "Name a folder below it."
        )
    return resolved


def _require_replaceable(folder: Path) -> None:
    """Only an artifact, whole or damaged, or an empty folder may be replaced."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"Expected a folder for the artifact, found the file {str(folder)!r}. "
            "Name another place, or remove the file."
        )
    try:
        others = (
            sorted({p.name for p in folder.iterdir()} - set(NAMES)) if folder.exists() else []
        )
    except OSError as error:
        others = [str(error)]
    if others:
        raise UsageError(
            f"Expected a new folder or an artifact to replace at {str(folder)!r}, found a "
            f"folder that also holds {some(others)}. Name another folder, "
            "or move these away."
        )


# ── reading ─────────────────────────────────────────────────────────────────


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file of an artifact, verified.

    Raises DataError where there is no artifact, IntegrityError where one is
    incomplete or was changed after it was written.
    """
    for _ in range(_READS):
        place = _locate(_resolved(folder))
        try:
            before = place.stat().st_ino
            names, files = _read_files(place)
            # A save may have swapped the folder between two files.
            if place.stat().st_ino == before:
                break
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DataError(
                f"Expected an artifact that can be read at {str(folder)!r}, found: {error}. "
                "Check that you may read it."
            ) from None
    else:
        raise DataError(
            f"Expected an artifact at {str(folder)!r}, found one that others keep replacing. "
            "Try again when they are done."
        )
    if not names & set(NAMES):
        inside = folder / "artifact"
        raise DataError(
            f"Expected an artifact at {str(folder)!r}, found a folder without {MANIFEST}. "
            + (
                f"Name {str(inside)!r}."
                if (inside / MANIFEST).exists()
                else "Name the folder that adapt wrote."
            )
        )
    _verify(str(folder), names, files)
    return files


def _locate(folder: Path) -> Path:
    """The folder, or the one that an interrupted save moved aside."""
    if folder.is_dir():
        return folder
    if olds := _leftovers(folder, "old"):
        return olds[-1]
    found = "a file" if folder.exists() else "nothing there"
    raise DataError(
        f"Expected an artifact at {str(folder)!r}, found {found}. "
        "Check the spelling, or run adapt to make one."
    )


def _read_files(place: Path) -> tuple[set[str], dict[str, bytes]]:
    entries = {path.name: path for path in place.iterdir()}
    limit, files = settings().max_bytes, {}
    for name in sorted(entries.keys() & set(NAMES)):
        path = entries[name]
        if not path.is_file():
            continue
        if path.stat().st_size > limit:
            raise DataError(
                f"Expected at most {limit:,} bytes in {name!r} of the artifact {str(place)!r}, "
                f"found {path.stat().st_size:,}. Raise ACCLIMATE_MAX_BYTES if you trust it."
            )
        files[name] = path.read_bytes()
    return set(entries), files


def _verify(where: str, names: set[str], files: Mapping[str, bytes]) -> None:
    wanted = [*REQUIRED, *([HISTORIES, CHECKSUM] if names & {HISTORIES, CHECKSUM} else [])]
    if lost := [name for name in wanted if name not in files]:
        raise IntegrityError(
            f"Expected the artifact {where!r} to hold {', '.join(wanted)}; found no "
            f"{', '.join(lost)}. {MEND}"
        )
    if others := sorted(names - set(NAMES)):
        raise IntegrityError(
            f"Expected the artifact {where!r} to hold {', '.join(wanted)} and nothing else; "
            f"found {some(others)}. Move what does not belong there away."
        )
    for seal, sealed_names in _SEALS.items():
        if seal in files:
            _verify_seal(where, seal, sealed_names, files)


def _verify_seal(
    where: str, seal: str, names: Sequence[str], files: Mapping[str, bytes]
) -> None:
    total, _, rest = files[seal].partition(b"\n")
    form = "".join(rf"([0-9a-f]{{64}})  {re.escape(name)}\n" for name in names)
    lines = re.fullmatch(form, rest.decode("latin-1"))
    if lines is None or total != sha256(rest).encode():
        raise _changed(where, seal, total.decode("latin-1"), sha256(rest))
    for name, recorded in zip(names, lines.groups(), strict=True):
        if (found := sha256(files[name])) != recorded:
            raise _changed(where, name, recorded, found)


def _changed(where: str, name: str, expected: str, found: str) -> IntegrityError:
    """The refusal of a file that is not what was written."""
    return IntegrityError(
        f"Expected {name} of the artifact {where!r} with SHA-256 {expected[:64]!r}, found "
        f"{found[:64]!r}: it was changed or cut after it was written. {MEND}"
    )

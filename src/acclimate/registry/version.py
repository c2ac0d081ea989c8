"""A Version: one artifact under a name, never changed; and how versions are spelled.

jp-recommend            its champion, else its latest version
jp-recommend@3          its third version
jp-recommend@challenger what an alias stands for
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acclimate.artifacts.artifact import Artifact
from acclimate.errors import UsageError

CHAMPION, CHALLENGER, LATEST = "champion", "challenger", "latest"
PROVEN = ("adopt", "keep-target-only")  # verdicts that need no override
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Version:
    """What a name and a number stand for.

    number       from 1, consecutive
    digest       of the artifact
    verdict      of the procedure that made it
    lineage      as `lineage_of` says
    released_at  UTC, ISO 8601
    override     why it was released against its verdict, or None
    aliases      champion, challenger or none, as of when this was read
    """

    name: str
    number: int
    digest: str
    verdict: str
    lineage: Mapping[str, Any]
    released_at: str
    released_by: str
    override: str | None = None
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"

    def as_row(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "name": self.name,
            "version": self.number,
            "aliases": [*self.aliases],
            "digest": self.digest,
            "verdict": self.verdict,
            "released_at": self.released_at,
            "released_by": self.released_by,
            "override": self.override,
            "lineage": dict(self.lineage),
        }


def lineage_of(artifact: Artifact) -> dict[str, Any]:
    """Where an artifact comes from: its markets with the fingerprints of their data, what it
    answers and how it was learned, and its verdict with its figures."""
    held = artifact.contents
    return {
        "task": held.task.kind,
        "target": held.target,
        "sources": [*held.sources],
        "fingerprints": dict(held.fingerprints),
        "arm": held.arm,
        "settings": {key: _plain(value) for key, value in held.settings.items()},
        "metric": held.metric,
        "verdict": held.verdict.as_row(),
        "seed": held.seed,
        "threads": held.threads,
        "acclimate": artifact.version,
    }


def _plain(value: Any) -> Any:
    kept = value is None or isinstance(value, bool | int | float | str | list | dict)
    return value if kept else str(value)


def require_name(name: str) -> str:
    """A name that may be given.  Raises UsageError for any other."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "Expected a name of at most 64 small letters, digits, '.', '_' and '-', a letter "
            f"or digit first, found {name[:80]!r}. Write one such as jp-recommend."
        )
    return name


def reference(text: str) -> tuple[str, str | None]:
    """NAME or NAME@WHICH as both; raises UsageError for what is neither."""
    name, at, which = text.partition("@")
    require_name(name)
    if at and not which:
        raise UsageError(
            f"Expected a version, champion, challenger or latest behind the '@' of {text!r}, "
            "found nothing. Write one such as jp-recommend@3."
        )
    return name, which or None


def number_of(which: str) -> int | None:
    """A version's number, None for an alias; raises UsageError for what is neither."""
    if which in (CHAMPION, CHALLENGER, LATEST):
        return None
    if not re.fullmatch(r"[0-9]{1,10}", which) or not 1 <= int(which) <= _LARGEST:
        raise UsageError(
            "Expected a version as a number from 1, or champion, challenger or latest; found "
            f"{which[:80]!r}. `acclimate releases` lists them."
        )
    return int(which)

"""Who did what and why, each entry bound to the one before it by a hash.

Changing or leaving out an entry breaks the chain from there on; only cutting entries off its
end does not, which the head that `acclimate doctor` tells shows to whoever wrote it down.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from acclimate.registry.tables import audit

if TYPE_CHECKING:
    from sqlalchemy import Connection

FIRST = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One thing done.

    number    from 1, without gaps
    details   JSON: versions, reasons
    previous  the hash of the entry before, 64 zeros for the first
    hash      SHA-256 of all else, as canonical JSON
    """

    number: int
    at: str
    who: str
    action: str
    name: str
    details: str
    previous: str
    hash: str

    @property
    def expected(self) -> str:
        """The hash that its content has."""
        content = {key: value for key, value in asdict(self).items() if key != "hash"}
        return hashlib.sha256(canonical(content).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON in the one form that is hashed."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False
    )


def now() -> str:
    """UTC to the second, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def me() -> str:
    """Whose account this is, as far as the system tells."""
    try:
        return getpass.getuser()[:128]
    except (OSError, KeyError):
        return "unknown"


def enter(
    connection: Connection, action: str, name: str, details: Mapping[str, Any], who: str
) -> Entry:
    """Add to the chain, in the transaction of what is done."""
    last = connection.execute(
        select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)
    ).first()
    number, previous = (last.number + 1, last.hash) if last else (1, FIRST)
    entry = Entry(number, now(), who, action, name, canonical(details), previous, "")
    entry = Entry(**{**asdict(entry), "hash": entry.expected})
    connection.execute(insert(audit).values(**asdict(entry)))
    return entry


def entries(connection: Connection, name: str | None = None) -> list[Entry]:
    """The log, oldest first; of one name, or all of it."""
    rows = select(audit).order_by(audit.c.number)
    if name is not None:
        rows = rows.where(audit.c.name == name)
    return [Entry(**row) for row in connection.execute(rows).mappings()]


def broken(chain: list[Entry]) -> str | None:
    """What is wrong with the whole log, or None."""
    previous = FIRST
    for place, entry in enumerate(chain, 1):
        if entry.number != place:
            return f"entry {place} is missing"
        if entry.previous != previous:
            return f"entry {place} does not follow the one before it"
        if entry.expected != entry.hash:
            return f"entry {place} was changed after it was written"
        previous = entry.hash
    return None

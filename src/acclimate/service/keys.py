"""API keys: a random secret that only its owner knows, a role, and a market.

A secret has 256 random bits, so that its plain SHA-256 is as hard to turn back as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import insert, select, update

from acclimate.errors import UsageError
from acclimate.registry import audit, tables
from acclimate.registry.registry import Registry
from acclimate.registry.version import require_name

EVERY = "*"
GRANTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "read": frozenset({"read"}),
        "predict": frozenset({"read", "predict"}),
        "feedback": frozenset({"feedback"}),
        "release": frozenset({"read", "release"}),
        "admin": frozenset({"read", "predict", "feedback", "release", "admin"}),
    }
)
"""role → what it may do."""
OPEN = frozenset({"read", "predict", "feedback"})
"""What anybody on this machine may do while there is no key."""
_FORM = re.compile(r"ak_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_LABEL = 128


@dataclass(frozen=True)
class Key:
    """What is kept of a key: never its secret.

    market  a released name, or * for all
    """

    id: str
    hash: str
    role: str
    market: str
    label: str
    made_at: str
    revoked_at: str | None = None

    def may(self, permission: str, market: str | None) -> bool:
        """Whether it opens a route; market None: a route of no one market."""
        if permission not in GRANTS[self.role]:
            return False
        if self.market == EVERY:
            return True
        return market == self.market or (market is None and permission == "read")

    def as_row(self) -> dict[str, Any]:
        """JSON types only; without the hash."""
        return {
            "id": self.id,
            "role": self.role,
            "market": self.market,
            "label": self.label,
            "made_at": self.made_at,
            "revoked_at": self.revoked_at,
        }


class Keys:
    """The keys of a registry; those in force are looked up in memory."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, Key] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read them again: others may have made or revoked some."""
        self._known = {key.id: key for key in self.all() if key.revoked_at is None}

    @property
    def none(self) -> bool:
        """Whether no key is in force."""
        return not self._known

    def all(self) -> list[Key]:
        """Every key there was, the oldest first."""
        with self._registry.database.reading() as connection:
            rows = select(tables.keys).order_by(tables.keys.c.made_at, tables.keys.c.id)
            return [Key(**row) for row in connection.execute(rows).mappings()]

    def make(self, role: str, market: str = EVERY, label: str = "") -> tuple[Key, str]:
        """A new key with what its owner sends; that is shown now and never again.

        Raises UsageError for a role or market that cannot be.
        """
        if role not in GRANTS:
            raise UsageError(
                f"Expected a role among {', '.join(GRANTS)}, found {role[:40]!r}. Name one."
            )
        if market != EVERY:
            require_name(market)
        if len(label) > _LABEL:
            raise UsageError(
                f"Expected a label of at most {_LABEL} signs, found {len(label)}. Shorten it."
            )
        secret = secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(6), _hashed(secret), role, market, label, audit.now())
        with self._registry.database.writing() as connection:
            connection.execute(insert(tables.keys).values(**key.__dict__))
            details = {"id": key.id, "role": role, "market": market}
            audit.enter(connection, "make-key", "", details, self._registry.who)
        self._known[key.id] = key
        return key, f"ak_{key.id}_{secret}"

    def revoke(self, key_id: str) -> None:
        """Take a key out of force.  Raises UsageError for one that is not in force."""
        keys = tables.keys
        with self._registry.database.writing() as connection:
            done = connection.execute(
                update(keys)
                .where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
                .values(revoked_at=audit.now())
            )
            if not done.rowcount:
                raise UsageError(
                    f"Expected the id of a key in force, found {key_id[:40]!r}. "
                    "`acclimate key` lists them."
                )
            audit.enter(connection, "revoke-key", "", {"id": key_id}, self._registry.who)
        self._known.pop(key_id, None)

    def find(self, sent: str) -> Key | None:
        """The key in force that was sent, or None."""
        parts = _FORM.fullmatch(sent)
        key = self._known.get(parts[1]) if parts else None
        if parts is None or key is None:
            return None
        return key if hmac.compare_digest(key.hash, _hashed(parts[2])) else None


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

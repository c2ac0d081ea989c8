"""The registry's tables, as `migrations` makes them.

Nothing is ever changed in `versions` and `audit`; `aliases` alone says what is in use.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

models = Table(
    "models",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("latest", Integer, nullable=False),  # the largest version, 0 before the first
)

versions = Table(
    "versions",
    metadata,
    Column("name", String(64), ForeignKey("models.name"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("verdict", String(32), nullable=False),
    Column("lineage", Text, nullable=False),  # JSON: see `version.lineage_of`
    Column("released_at", String(32), nullable=False),  # ISO 8601, UTC
    Column("released_by", String(128), nullable=False),
    Column("override", Text),  # why it was released against its verdict
)

# A promotion names the one that it replaced, so that going back is a step along a line.
promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("replaced", Integer, ForeignKey("promotions.id")),
    Column("promoted_at", String(32), nullable=False),
    ForeignKeyConstraint(["name", "version"], ["versions.name", "versions.version"]),
)

aliases = Table(
    "aliases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("alias", String(32), primary_key=True),  # champion or challenger
    Column("version", Integer, nullable=False),
    Column("promotion", Integer, ForeignKey("promotions.id")),  # of a champion
    ForeignKeyConstraint(["name", "version"], ["versions.name", "versions.version"]),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1, no gaps
    Column("at", String(32), nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("details", Text, nullable=False),  # JSON
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("hash"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False),  # SHA-256 of a random secret
    Column("role", String(16), nullable=False),
    Column("market", String(64), nullable=False),  # a released name, or * for all
    Column("label", String(128), nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("user_id", Text, nullable=False, index=True),
    Column("item_id", Text, nullable=False),
    Column("at", String(32), nullable=False),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("version", Integer),  # that was answered with, where the caller tells
    Column("user_id", Text, nullable=False, index=True),
    Column("item_id", Text),
    Column("outcome", String(32), nullable=False),  # order, click, return, …
    Column("value", Float),
    Column("at", String(32), nullable=False),
)

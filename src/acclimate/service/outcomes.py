"""What came of the lists, later: kept beside the version that made them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert

from acclimate.registry import audit, tables
from acclimate.registry.registry import Registry
from acclimate.service.messages import Outcome


def keep(registry: Registry, name: str, came: Sequence[Outcome]) -> None:
    """Write outcomes down, all of them or none."""
    at = audit.now()
    rows = [
        {
            "name": name,
            "version": each.version,
            "user_id": each.user,
            "item_id": each.item,
            "outcome": each.outcome,
            "value": each.value,
            "at": at,
        }
        for each in came
    ]
    with registry.database.writing() as connection:
        connection.execute(insert(tables.outcomes), rows)


def erase(registry: Registry, user: str) -> int:
    """Forget a user's events and outcomes.  returns  how many rows were erased."""
    erased = 0
    with registry.database.writing() as connection:
        for table in (tables.events, tables.outcomes):
            erased += connection.execute(delete(table).where(table.c.user_id == user)).rowcount
    return erased

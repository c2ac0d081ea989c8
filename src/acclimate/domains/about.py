"""What a market's `items` and `users` tables say of the ids that its events name.

Attributes are taken as they stand: a table has no times, and is known from the beginning.
"""

from __future__ import annotations

from dataclasses import replace

from acclimate.arrays import Strings
from acclimate.domains.attributes import Attributes
from acclimate.domains.domain import Domain
from acclimate.domains.sample import Interactions


def about(market: Domain, table: str, ids: Strings) -> Attributes | None:
    """What the table `items` or `users` says of these ids, in their order, or None."""
    schema = market.schema.tables.get(table)
    if table not in market.tables or schema is None:
        return None
    key = schema.roles.get(table[:-1], "")
    return Attributes.of(market.tables[table], schema.types, ids, key=key)


def described(known: Interactions, market: Domain) -> Interactions:
    """The interactions with what their market says of its users and items."""
    return replace(
        known,
        about_users=about(market, "users", known.users),
        about_items=about(market, "items", known.items),
    )

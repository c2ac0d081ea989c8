"""Counts in sentences: `1 row`, `2 rows`, `1,234 rows`."""

from __future__ import annotations

ODD = {"entities": "entity", "series": "series", "data": "data"}


def one_of(many: str) -> str:
    """The singular of what is counted: user of users, entity of entities."""
    return ODD.get(many, many.removesuffix("s"))


def number_of(n: int, one: str, many: str = "") -> str:
    """A number and what it counts, with a verb where one follows it.

    n     ≥ 0
    one   such as "row", or "row has"
    many  such as "rows have"; left out, `one` with an s
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"

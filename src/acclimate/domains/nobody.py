"""What programs write for "no customer": 0, -1, "guest", once for all who did not sign in.

Taken as a user, such an id is one who bought everything.  It is believed to be nobody
only where it stands for many: the word alone may be someone's id.
"""

from __future__ import annotations

import polars as pl

_WORDS = (
    "guest", "anonymous", "anon", "unknown", "nobody", "none", "no user", "not set",
    "(not set)", "undefined", "unregistered", "gast", "invité", "invitado", "游客", "ゲスト",
)  # fmt: skip
_ZEROS = r"^(?:[+-]?0+(?:\.0+)?|-1(?:\.0+)?)$"
_SHARE = 0.01  # of all events
_TIMES = 3  # as many events as the busiest user otherwise


def nobody(users: pl.Series) -> list[str]:
    """The ids among (n,) users of events that stand for no user in particular."""
    if _filler(users).sum() < _SHARE * users.len():
        return []  # before all the others are counted, which takes ten times as long
    counts = users.drop_nulls().value_counts(name="n")
    column = counts[users.name]
    filler = _filler(column)
    busiest = counts.filter(~filler)["n"].max()
    if not isinstance(busiest, int):
        return []
    many = (counts["n"] >= _TIMES * busiest) & (counts["n"] >= _SHARE * users.len())
    return sorted(column.filter(filler & many).to_list())


def _filler(users: pl.Series) -> pl.Series:
    return users.str.contains(_ZEROS) | users.str.to_lowercase().is_in(_WORDS)

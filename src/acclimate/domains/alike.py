"""Columns that several files of one table call by different names.

`Invoice, Price, Customer ID` in one year are `InvoiceNo, UnitPrice, CustomerID` in the
next.  Names meet by their letters, then by what follows a shared word, then by the role
that both can play; only where every column finds exactly one partner is anything renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from acclimate.domains import names

_SUFFIXES = ("id", "no", "nr", "num", "number", "code", "key", "date", "time", "name")


def renamed(columns: Sequence[str], first: Sequence[str], table: str) -> dict[str, str] | None:
    """How to call `columns` as the first file does; None where they do not all pair.

    returns  column → name in the first file, for those that differ
    """
    mine = [column for column in columns if column not in first]
    theirs = [column for column in first if column not in columns]
    if len(mine) != len(theirs):
        return None
    found: dict[str, str] = {}
    tests: list[Callable[[str, str], bool]] = [_same_letters, _same_word]
    if table == "events":
        tests.append(_same_role)
    for test in tests:
        left = [column for column in mine if column not in found]
        right = [column for column in theirs if column not in found.values()]
        pairs = [(a, b) for a in left for b in right if test(a, b)]
        for a, b in pairs:
            if sum(a == x for x, _ in pairs) == 1 == sum(b == y for _, y in pairs):
                found[a] = b
    return found if len(found) == len(mine) else None


def _same_letters(a: str, b: str) -> bool:
    return bool(names.squeeze(a)) and names.squeeze(a) == names.squeeze(b)


def _same_word(a: str, b: str) -> bool:
    short, long = sorted((names.squeeze(a), names.squeeze(b)), key=len)
    return len(short) >= 3 and long.startswith(short) and long[len(short) :] in _SUFFIXES


def _same_role(a: str, b: str) -> bool:
    roles = (names.user, names.item, names.time, names.value, names.quantity, names.kind)
    return any(role(a) is not None and role(b) is not None for role in roles)

"""Which role a column could play that no name tells: a hint to a person, no guess to act on.

Before: `inference` found no name that says a role.  After: a message names the columns whose
values would fit, and the person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from acclimate.domains.values import numbers
from acclimate.nearest import some

FEW_KINDS = 12  # different words that kinds of events take
MOSTLY = 0.9  # of the values that are numbers, where a column may hold amounts
REPEATS = 1.5  # rows a value, from which a column may hold ids


def roles_by_values(
    columns: Iterable[str], frame: pl.DataFrame, roles: Mapping[str, str]
) -> list[str]:
    """`value = "betrag"` for each column without a role that a missing role would fit.

    columns  those without a role
    roles    those that columns have
    """
    found = []
    for column in columns:
        series = frame[column]
        if series.dtype.is_nested() or series.drop_nulls().n_unique() < 2:
            continue
        if numbers(series).share > MOSTLY:
            role = "value"
        elif series.drop_nulls().n_unique() <= FEW_KINDS:
            role = "kind"
        else:
            continue
        if role not in roles:
            found.append(f'{role} = "{column}"')
    return found


def may_be_ids(frame: pl.DataFrame, roles: Mapping[str, str]) -> str:
    """A sentence on the columns without a role whose values repeat as ids do, or nothing.

    returns  beginning with a blank, such as " These repeat as ids do: 'kunde' (812 values)."
    """
    told = []
    for column in frame.columns:
        series = frame[column].drop_nulls()
        if column in roles.values() or series.dtype.is_nested() or not series.len():
            continue
        different = series.n_unique()
        if different > FEW_KINDS and series.len() >= REPEATS * different and _ids(series):
            told.append(f"{column!r} ({different:,} values)")
    return f" These repeat as ids do: {some(told)}." if told else ""


def _ids(series: pl.Series) -> bool:
    """Whether values are words or whole numbers, and neither dates nor amounts."""
    if series.dtype.is_temporal():
        return False
    words = series.cast(pl.String).head(1_000)
    whole = words.str.contains(r"^\d+$").all()
    dates = words.str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").any()
    amounts = words.str.contains(r"^-?\d+[.,]\d+$").mean()
    return bool(whole) or not (dates or (amounts or 0.0) > 0.5)  # type: ignore[operator]

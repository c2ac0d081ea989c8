"""What a table to predict says of its users beside their ids."""

from __future__ import annotations

import polars as pl

from acclimate.arrays import Strings
from acclimate.domains.attributes import Attributes, Space
from acclimate.domains.schema import ColumnType
from acclimate.domains.values import canonical, numbers, text


def told(space: Space | None, table: pl.DataFrame, users: pl.Series) -> pl.DataFrame | None:
    """user, then the attributes that a model reads; of several rows of a user the first counts.

    space  how attributes of users become features; None where the model knows none
    users  (n,) ids of the table's rows

    None where the table has none of these columns.
    """
    if space is None:
        return None
    found = [
        _read(table[name], kind).alias(name)
        for name, kind in space.types.items()
        if name in table.columns and name != users.name
    ]
    if not found:
        return None
    whole = pl.DataFrame([users.alias("user"), *found])
    return whole.filter(pl.col("user").is_not_null()).unique(
        "user", keep="first", maintain_order=True
    )


def of_users(
    space: Space | None, known: pl.DataFrame | None, ids: Strings
) -> Attributes | None:
    """The attributes of some users, as `told` read them."""
    if space is None or known is None:
        return None
    return Attributes.of(known, space.types, ids, ladders=space.ladders)


def _read(values: pl.Series, kind: ColumnType) -> pl.Series:
    if kind == ColumnType.NUMERIC:
        return numbers(values).values
    if kind == ColumnType.TIME:
        written = (
            values if values.dtype.is_temporal() else text(values).str.to_datetime(strict=False)
        )
        return written.cast(pl.Datetime("us"))
    return canonical(values) if kind == ColumnType.CATEGORY else text(values)

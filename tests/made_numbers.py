"""Markets of rows whose label is a price: a made truth, with dials for what differs.

price = level + scale·(10·x0 + 4·x1 + category + noise), x0 and x1 of deviation 1
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from acclimate.domains.domain import Domain
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.values import canonical

EFFECTS = np.array([-3.0, 0.0, 3.0])
TYPES = {
    "x0": ColumnType.NUMERIC,
    "x1": ColumnType.NUMERIC,
    "x2": ColumnType.NUMERIC,
    "group": ColumnType.CATEGORY,
}


def make_prices(
    seed: int,
    n: int,
    *,
    slope: float = 10.0,
    noise: float = 4.0,
    level: float = 100.0,
    shift: float = 0.0,
    users: int = 0,
    time: bool = False,
    other: bool = False,
    name: str = "made",
) -> Domain:
    """A market of priced rows.

    slope  effect of x0, 10 where nothing differs
    shift  moves the mean of x2, which tells nothing
    users  of the rows, who come in turn; 0: every row is its own
    other  a column `other`, another label: whether x0 is above 0
    """
    g = np.random.default_rng(seed)
    x = g.normal(0.0, 1.0, (n, 3)) + np.array([0.0, 0.0, shift])
    group = g.integers(0, 3, n)
    price = level + slope * x[:, 0] + 4 * x[:, 1] + EFFECTS[group] + noise * g.normal(size=n)
    columns = [pl.Series(f"x{j}", x[:, j]) for j in range(3)]
    columns.append(pl.Series("group", [f"g{each}" for each in group]))
    columns.append(canonical(pl.Series("label", price.round(2))))
    roles = {"label": "price"}
    if time:
        first = datetime(2024, 1, 1)
        moments = [first + timedelta(hours=7 * row) for row in range(n)]
        columns.append(pl.Series("time", moments, pl.Datetime("us")))
        roles["time"] = "time"
    if users:
        columns.append(pl.Series("entity", [f"u{row % users}" for row in range(n)]))
        roles["entity"] = "entity"
    if other:
        columns.append(pl.Series("other", np.where(x[:, 0] > 0, "high", "low")))
    schema = Schema({"rows": TableSchema(roles, TYPES, "made")})
    return Domain(name, {"rows": pl.DataFrame(columns)}, schema)


def with_labels(domain: Domain, label: pl.Series) -> Domain:
    """The market with other labels, as text."""
    table = domain.tables["rows"].with_columns(label.cast(pl.String).alias("label"))
    return Domain(domain.name, {"rows": table}, domain.schema)

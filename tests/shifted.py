"""Markets whose labels depend on x the more the higher z is: a model of few rows with a high
z is right where z is high, and one of all rows is not."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import polars as pl

from acclimate.arrays import Ints
from acclimate.domains.domain import Domain
from acclimate.domains.schema import ColumnType, Schema, TableSchema


class Place(TypedDict, total=False):
    """Where a market's rows lie."""

    z: float
    spread: float
    x: float


TRUTH_HELPS: Place = {"z": 2.2, "spread": 0.3, "x": 2.0}


def market(
    seed: int,
    n: int,
    *,
    z: float = 1.0,
    spread: float = 0.8,
    x: float = 1.0,
    flip: bool = False,
    name: str,
) -> Domain:
    """Rows with P(1 | x, z) = σ(3·x·z), or of −3·x·z.

    z, spread  mean and deviation of z
    x          deviation of x around 0
    """
    g = np.random.default_rng(seed)
    xs, zs = g.normal(0.0, x, n), g.normal(z, spread, n)
    chance = 1 / (1 + np.exp((3 if flip else -3) * xs * zs))
    label = pl.Series("label", (g.random(n) < chance).astype(int)).cast(pl.String)
    rows = pl.DataFrame({"x": xs, "z": zs}).with_columns(label)
    types = {"x": ColumnType.NUMERIC, "z": ColumnType.NUMERIC}
    schema = Schema({"rows": TableSchema({"label": "label"}, types, "made")})
    return Domain(name, {"rows": rows}, schema)


def unlabelled(made: Domain) -> tuple[Domain, Ints]:
    """The market without a single label, and what they were."""
    rows = made.tables["rows"]
    bare = rows.with_columns(pl.lit(None, pl.String).alias("label"))
    return Domain(made.name, {"rows": bare}, made.schema), rows["label"].cast(int).to_numpy()

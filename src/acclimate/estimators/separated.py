"""Arrays of several domains below each other, taken apart: sources by number, one target.

`sample_domain` is as skada has it: one whole number a row, positive for a source, each
number one source, and negative for the target.  None: every row is the target's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.errors import InputError
from acclimate.rng import Rng


def domains_of(sample_domain: Any, n: int) -> Ints:
    """(n,) whole numbers, none of them 0; −1 where `sample_domain` is None.

    Raises InputError for another length, for what is no whole number, and for 0.
    """
    if sample_domain is None:
        return np.full(n, -1)
    given = np.asarray(sample_domain)
    if given.shape != (n,) or given.dtype.kind not in "iuf" or (given != np.round(given)).any():
        raise InputError(
            f"Expected sample_domain as {n:,} whole numbers, one a row; found shape "
            f"{given.shape} of {given.dtype}."
        )
    domain = given.astype(np.int64)
    if (domain == 0).any():
        raise InputError(
            f"Expected sample_domain above 0 for rows of sources and below 0 for those of the "
            f"target; found {int((domain == 0).sum()):,} rows of 0."
        )
    return domain


def require_target(domain: Ints) -> None:
    """Raise InputError where no row is the target's."""
    if not (domain < 0).any():
        raise InputError(
            "Expected rows of the target, whose sample_domain is negative; found those of "
            "sources alone. Give the target's rows, their labels masked where unknown."
        )


def rows_of(x: Array, classes: tuple[str, ...], label: Ints | Array | None) -> Rows:
    """Rows of numbers; NaN is a missing value."""
    names = [f"x{column}" for column in range(x.shape[1])]
    columns = pl.DataFrame(x, schema=dict.fromkeys(names, pl.Float64), orient="row")
    types = dict.fromkeys(names, ColumnType.NUMERIC)
    return Rows(columns.fill_nan(None), types, classes, label)


def key_of(random_state: Any) -> Rng:
    """The key of a seed, of a RandomState's next number, or of NumPy's own where it is None."""
    if isinstance(random_state, int | np.integer):
        return Rng.of(int(random_state))
    from sklearn.utils import check_random_state

    return Rng.of(int(check_random_state(random_state).randint(2**31 - 1)))

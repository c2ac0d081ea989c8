"""Which groups the units of a judge fall into: values of its columns, how active its users are.

Before: arms answered the judge.  After: `verdicts.segments` asks whom transfer hurts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from acclimate.arrays import Ints
from acclimate.domains.exam import Case
from acclimate.domains.sample import Interactions, Rows
from acclimate.plans.beyond import SEGMENTS

LEVELS = 12  # different values past which a column names no groups
MOST = 24  # groups looked at; the more there are, the less each can show
LEAST_SHARE = 0.02  # of the units; a smaller group waits for a judge of its own


def members_of(cases: Sequence[Case]) -> dict[str, Ints]:
    """Group → positions of its units, the largest groups first.

    Columns with 2 to 12 different values name groups, as `column = value`; units whose rows
    disagree are in none.  Users are new, light or heavy by the length of their history.
    Several cases (as of series) name none.
    """
    if len(cases) != 1:
        return {}
    case = cases[0]
    found = _users(case) if isinstance(case.context, Interactions) else {}
    if isinstance(case.query, Rows):
        found = _columns(case.query.columns, case.truth.units)
    n = case.truth.n_units
    order = sorted(found, key=lambda name: (-len(found[name]), name))
    return {name: found[name] for name in order if LEAST_SHARE * n <= len(found[name]) < n}


def _users(case: Case) -> dict[str, Ints]:
    length = np.bincount(case.context.user, minlength=len(case.context.users))
    return {
        f"{name} users": np.flatnonzero((length >= least) & (length <= most))
        for name, least, most in SEGMENTS
    }


def _columns(table: pl.DataFrame, units: Ints) -> dict[str, Ints]:
    found: dict[str, Ints] = {}
    n = int(units.max(initial=-1)) + 1
    rows = np.bincount(units, minlength=n)
    for name in table.columns:
        column = table[name]
        if column.dtype in (pl.Datetime, pl.Date) or not 2 <= column.n_unique() <= LEVELS:
            continue
        for value in column.drop_nulls().unique(maintain_order=True).to_list():
            here = np.bincount(
                units[(column == value).fill_null(False).to_numpy()], minlength=n
            )
            found[f"{name} = {value}"] = np.flatnonzero((here == rows) & (rows > 0))
    largest = sorted(found, key=lambda each: -len(found[each]))[:MOST]
    return {name: found[name] for name in largest}

"""Local times and UTC: what a market's clock shows, and when that is everywhere.

Behind the door every moment is naive UTC.  The hour and the weekday of a row stay
those of its market: an evening there is an evening here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from acclimate.arrays import Array

# Behind a clock, so that the year of 28-02-2014 is no offset.
_OFFSET = r"\d:\d{2}.*?(?:Z|UTC|[+-]\d{2}:?\d{2})$"


def is_zone(name: str) -> bool:
    """Whether a name such as "Asia/Tokyo" is that of a time zone."""
    try:
        pl.Series([datetime(2024, 1, 1)]).dt.replace_time_zone(name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError):
        return False
    return True


def to_utc(
    moments: pl.Series, written: pl.Series, zone: str | None, counted: bool
) -> pl.Series:
    """Moments in UTC, where those written without an offset are local in `zone`.

    moments  (n,) naive: UTC where an offset or a count was written, local elsewhere
    written  (n,) the same as the file has them
    counted  whether they are counts since 1970, which are UTC everywhere

    An hour that the clock shows twice is the first of both; one that it skips is the
    hour after.
    """
    dtype = written.dtype
    if zone is None or counted or (isinstance(dtype, pl.Datetime) and dtype.time_zone):
        return moments
    there = _from_local(moments, zone)
    if dtype != pl.String:
        return there
    told = written.str.strip_chars().str.contains(_OFFSET).fill_null(False)
    return moments.zip_with(told, there)


def to_local(moments: pl.Series, zone: str | None) -> pl.Series:
    """(n,) what a clock in `zone` shows at moments in naive UTC."""
    if zone is None:
        return moments
    return (
        moments.dt.replace_time_zone("UTC")
        .dt.convert_time_zone(zone)
        .dt.replace_time_zone(None)
    )


def ahead(moments: pl.Series, zone: str | None) -> Array | None:
    """(n,) seconds by which clocks in `zone` are ahead of UTC, 0 for no moment; None in UTC."""
    if zone is None:
        return None
    seconds = (to_local(moments, zone) - moments).dt.total_seconds().fill_null(0)
    return np.asarray(seconds.to_numpy(), np.float64)


def _from_local(moments: pl.Series, zone: str) -> pl.Series:
    def at(shift: timedelta) -> pl.Series:
        return (moments + shift).dt.replace_time_zone(
            zone, ambiguous="earliest", non_existent="null"
        )

    there = at(timedelta())
    # Clocks jump by at most an hour nearly everywhere, and by three at the very most.
    for hours in (1, 2, 3):
        if there.null_count() == moments.null_count():
            break
        there = there.zip_with(there.is_not_null(), at(timedelta(hours=hours)))
    return there.dt.convert_time_zone("UTC").dt.replace_time_zone(None)

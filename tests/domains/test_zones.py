"""Local times become UTC, and hours stay those of the market."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from acclimate.domains.zones import ahead, is_zone, to_local, to_utc

TOKYO, BERLIN = "Asia/Tokyo", "Europe/Berlin"


def utc(written: str, moment: datetime, zone: str | None, counted: bool = False) -> datetime:
    found = to_utc(pl.Series([moment]), pl.Series([written]), zone, counted)
    assert isinstance(found[0], datetime)
    return found[0]


def test_a_time_without_an_offset_is_local() -> None:
    at = datetime(2024, 1, 1, 20)
    assert utc("2024-01-01 20:00", at, TOKYO) == datetime(2024, 1, 1, 11)
    assert utc("2024-01-01 20:00", at, None) == at
    midnight = datetime(2024, 1, 1)
    assert utc("2024-01-01", midnight, TOKYO) == datetime(2023, 12, 31, 15)


@pytest.mark.parametrize(
    "written", ["2024-01-01T20:00Z", "2024-01-01 20:00 UTC", "2024-01-01T21:00:01.5+01:00"]
)
def test_a_time_with_an_offset_keeps_it(written: str) -> None:
    at = datetime(2024, 1, 1, 20)
    assert utc(written, at, TOKYO) == at


def test_a_date_that_ends_like_an_offset_has_none() -> None:
    at = datetime(2014, 2, 28)
    assert utc("28-02-2014", at, TOKYO) == datetime(2014, 2, 27, 15)


def test_counts_since_1970_and_columns_with_a_zone_are_utc_everywhere() -> None:
    at = datetime(2024, 1, 1, 20)
    assert utc("1704139200", at, TOKYO, counted=True) == at
    zoned = pl.Series([at]).dt.replace_time_zone("UTC")
    assert to_utc(pl.Series([at]), zoned, TOKYO, False)[0] == at
    assert to_utc(pl.Series([at]), pl.Series([at]), TOKYO, False)[0] == datetime(2024, 1, 1, 11)


def test_an_hour_shown_twice_is_the_first_and_a_skipped_one_the_hour_after() -> None:
    twice = datetime(2024, 10, 27, 2, 30)
    assert utc("2024-10-27 02:30", twice, BERLIN) == datetime(2024, 10, 27, 0, 30)
    skipped = datetime(2024, 3, 31, 2, 30)
    assert utc("2024-03-31 02:30", skipped, BERLIN) == datetime(2024, 3, 31, 1, 30)


def test_clocks_are_ahead_by_the_season() -> None:
    moments = pl.Series([datetime(2024, 1, 1), datetime(2024, 7, 1), None])
    found = ahead(moments, BERLIN)
    assert found is not None
    np.testing.assert_array_equal(found, [3600, 7200, 0])
    assert ahead(moments, None) is None
    assert to_local(moments, BERLIN).to_list()[:2] == [
        datetime(2024, 1, 1, 1),
        datetime(2024, 7, 1, 2),
    ]


def test_only_names_of_zones_are_zones() -> None:
    assert is_zone(TOKYO)
    assert not is_zone("Asia/Tokio")

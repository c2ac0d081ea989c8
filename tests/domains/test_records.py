"""Values of drivers become what files give."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from acclimate.domains.records import column, plain, stack

TOKYO = timezone(timedelta(hours=9))
BIG = 2**70


@pytest.mark.parametrize(
    ("values", "dtype", "read"),
    [
        ([None, None], pl.Null(), [None, None]),
        (["007", None, " x"], pl.String(), ["007", None, " x"]),
        ([True, None], pl.Boolean(), [True, None]),
        ([True, 3], pl.Int64(), [1, 3]),
        ([1, 2.5, None], pl.Float64(), [1.0, 2.5, None]),
        ([1.0, 2.0], pl.Float64(), [1.0, 2.0]),
        ([2**60, 0.5], pl.String(), [str(2**60), "0.5"]),
        ([BIG, 1], pl.String(), [str(BIG), "1"]),
        ([Decimal("13085.00"), Decimal(7)], pl.Int64(), [13085, 7]),
        ([Decimal("1.50"), None], pl.Float64(), [1.5, None]),
        ([Decimal(BIG)], pl.String(), [str(BIG)]),
        ([date(2024, 1, 2)], pl.Date(), [date(2024, 1, 2)]),
        ([date(2024, 1, 2), None], pl.Date(), [date(2024, 1, 2), None]),
        ([datetime(2024, 1, 2, 9, tzinfo=TOKYO)], pl.Datetime("us"), [datetime(2024, 1, 2)]),
        ([{"a": ["é"]}, [1]], pl.String(), ['{"a": ["é"]}', "[1]"]),
        ([uuid.UUID(int=7)], pl.String(), [str(uuid.UUID(int=7))]),
        ([memoryview(b"ab"), b"c"], pl.Binary(), [b"ab", b"c"]),
        ([1, "A1", None, 2.0], pl.String(), ["1", "A1", None, "2"]),
        ([timedelta(seconds=2)], pl.Duration("us"), [timedelta(seconds=2)]),
    ],
)
def test_values_of_a_driver_get_the_type_a_file_would_give(
    values: list[Any], dtype: pl.DataType, read: list[Any]
) -> None:
    series = column("x", values)
    assert (series.dtype, series.to_list(), series.name) == (dtype, read, "x")


def test_a_decimal_that_is_no_number_stays_beside_numbers() -> None:
    series = column("x", [Decimal("NaN"), Decimal("1.5")])
    assert series.dtype == pl.Float64
    assert str(series[0]) == "nan" and series[1] == 1.5


@pytest.mark.parametrize(
    ("first", "second", "dtype", "read"),
    [
        ([1], [None], pl.Int64(), [1, None]),
        ([1], [2.5], pl.Float64(), [1.0, 2.5]),
        ([2**60], [2.5], pl.String(), [str(2**60), "2.5"]),
        ([1], ["A1"], pl.String(), ["1", "A1"]),
        ([2.0], ["A1"], pl.String(), ["2", "A1"]),
        ([date(2024, 1, 2)], [datetime(2024, 1, 2, 3, tzinfo=UTC)], pl.Datetime("us"),
         [datetime(2024, 1, 2), datetime(2024, 1, 2, 3)]),
    ],
)  # fmt: skip
def test_pieces_of_a_result_meet_without_loss(
    first: list[Any], second: list[Any], dtype: pl.DataType, read: list[Any]
) -> None:
    whole = stack([pl.DataFrame([column("x", first)]), pl.DataFrame([column("x", second)])])
    assert (whole["x"].dtype, whole["x"].to_list()) == (dtype, read)


def test_columns_of_a_database_lose_what_files_do_not_have() -> None:
    frame = pl.DataFrame(
        {
            "zoned": pl.Series([datetime(2024, 1, 2, 9, tzinfo=TOKYO)]),
            "price": pl.Series([Decimal("1.50")]),
            "key": pl.Series([Decimal("13085.00")]),
            "huge": pl.Series([7], dtype=pl.Int128),
            "kind": pl.Series(["view"], dtype=pl.Enum(["view"])),
        }
    )
    read = plain(frame)
    assert read.row(0) == (datetime(2024, 1, 2), 1.5, 13085, 7, "view")
    assert read.dtypes == [pl.Datetime("us"), pl.Float64, pl.Int64, pl.Int64, pl.String]
    assert plain(pl.DataFrame({"huge": pl.Series([BIG], dtype=pl.Int128)}))["huge"][0] == str(
        BIG
    )

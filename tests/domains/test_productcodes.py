"""EAN, UPC, GTIN and ISBN as one code."""

from __future__ import annotations

import polars as pl
import pytest

from acclimate.domains.productcodes import code_columns, normalised, product_codes


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("4006381333931", "04006381333931"),  # EAN-13, the example of its standard's pages
        ("036000291452", "00036000291452"),  # UPC-A
        ("36000291452", "00036000291452"),  # its zero lost in a spreadsheet
        ("96385074", "00000096385074"),  # EAN-8
        ("0-306-40615-2", "09780306406157"),  # ISBN-10 as ISBN-13
        ("978-0-306-40615-7", "09780306406157"),
        ("080442957X", "09780804429573"),
        (" 4006381 333931 ", "04006381333931"),
        ("4006381333932", None),  # wrong check digit
        ("0-306-40615-3", None),
        ("1234", None),
        ("00000000", None),
        ("40063813X3931", None),
        ("", None),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", None),
    ],
)
def test_codes_become_fourteen_digits_with_a_valid_check_digit(
    written: str, code: str | None
) -> None:
    assert normalised(written) == code


@pytest.mark.parametrize("at", range(12))
def test_any_changed_digit_is_noticed(at: int) -> None:
    code = "4006381333931"
    other = str((int(code[at]) + 1) % 10)
    assert normalised(code[:at] + other + code[at + 1 :]) is None


def test_invalid_codes_are_counted_and_absent_ones_are_not() -> None:
    read = product_codes(pl.Series("ean", ["4006381333931", "4006381333930", None, " ", "x"]))
    assert read.values.to_list() == ["04006381333931", None, None, None, None]
    assert read.invalid == 2


def test_columns_of_codes_are_found_by_name() -> None:
    columns = [
        "EAN",
        "ean_code",
        "GTIN-13",
        "upc",
        "ISBN",
        "bar code",
        "ocean",
        "upcoming",
        "id",
    ]
    assert code_columns(columns) == ["EAN", "ean_code", "GTIN-13", "upc", "ISBN", "bar code"]

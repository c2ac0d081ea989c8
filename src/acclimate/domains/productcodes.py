"""Codes that a product carries everywhere: EAN, UPC, GTIN and ISBN as one.

Source: GS1 General Specifications, section 7.9 (check digit); ISBN-10 by ISO 2108.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from acclimate.domains.names import squeeze

_NAMES = re.compile(
    r"^(?:product)?(?:gtin|ean|upc|isbn|barcode|jan)(?:8|10|12|13|14|a)?(?:code|no|number)?$"
)
_LENGTHS = (8, 12, 13, 14)
_MARKS = re.compile(r"[\s\u00a0.–-]")


@dataclass(frozen=True)
class ProductCodes:
    """Codes of a column.

    values   (n,) 14 digits, null where there is none or an invalid one
    invalid  how many were there and are no such code
    """

    values: pl.Series
    invalid: int


def code_columns(columns: list[str]) -> list[str]:
    """The columns whose names say that they hold such codes."""
    return [column for column in columns if _NAMES.match(squeeze(column))]


def product_codes(series: pl.Series) -> ProductCodes:
    """Read a column of codes; what has a wrong check digit is no code."""
    written = series.cast(pl.String, strict=False)
    found = [normalised(value) if value else None for value in written]
    present = sum(1 for value in written if value and value.strip())
    values = pl.Series(series.name, found, dtype=pl.String)
    return ProductCodes(values, present - (len(values) - values.null_count()))


def normalised(written: str) -> str | None:
    """14 digits, or None for what is no EAN, UPC, GTIN or ISBN.

    Spreadsheets drop zeros in front, so that a shorter run of digits is filled up; one
    with fewer than 8 digits is no code any more.
    """
    digits = _MARKS.sub("", written.strip()).upper().removesuffix("_")
    if re.fullmatch(r"\d{9}[\dX]", digits) and _is_isbn10(digits):
        return _with_check("978" + digits[:9])
    if not digits.isascii() or not digits.isdigit() or not 8 <= len(digits) <= 14:
        return None
    code = digits.zfill(14)
    if int(code) == 0 or _check_digit(code[:13]) != code[13]:
        return None
    return code


def _is_isbn10(digits: str) -> bool:
    values = [10 if digit == "X" else int(digit) for digit in digits]
    total = sum(weight * value for weight, value in zip(range(10, 0, -1), values, strict=True))
    return total % 11 == 0


def _with_check(twelve: str) -> str:
    body = twelve.zfill(13)
    return body + _check_digit(body)


def _check_digit(body: str) -> str:
    """Of 13 digits: weights 3, 1, 3, … from the left, up to the next ten."""
    total = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(body))
    return str(-total % 10)

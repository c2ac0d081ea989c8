"""Full-width letters, digits and signs as the ASCII ones they stand for: １２３，４ → 123,4."""

from __future__ import annotations

import polars as pl

# U+FF01 to U+FF5E are ASCII, 0xfee0 further; the others are written beside numbers.
_NARROW = {chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F)} | {
    "\u3000": " ",
    "￥": "¥",
    "￦": "₩",
    "￡": "£",
    "￠": "¢",
    "−": "-",
    "‐": "-",
    "﹣": "-",
    "﹪": "%",
    "﹩": "$",
}


def foreign(series: pl.Series) -> bool:
    """Whether any of the strings holds more than ASCII."""
    return bool(series.str.contains("[^\x00-\x7f]").any())


def narrow(series: pl.Series) -> pl.Series:
    """(n,) strings with ASCII for what is full-width; other characters stay."""
    return series.str.replace_many(list(_NARROW), list(_NARROW.values()))

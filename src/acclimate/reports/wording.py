"""How numbers and values read on a page: four significant places, and never NaN.

Before: a summary holds JSON values, some of them unknown.  After: `tables` and
`figures` show them.  What is not known is a dash, never a zero.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from acclimate.reports.language import ENGLISH, Language

UNKNOWN = "–"


def finite(value: object) -> float | None:
    """The number, or None for anything that is not a finite one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number_ = float(value)
    except OverflowError:
        return None
    return number_ if math.isfinite(number_) else None


def number(value: object) -> str:
    """Four significant places: 0.1235, 12.3, 12,350, 1.2e-05."""
    x = finite(value)
    if x is None:
        return UNKNOWN
    text = f"{x + 0.0:.4g}"  # + 0.0 turns -0.0 into 0
    return f"{float(text):,.0f}" if 999 < abs(float(text)) < 1e15 else text


def signed(value: object) -> str:
    """As `number`, with a plus where it is above zero."""
    x, text = finite(value), number(value)
    return f"+{text}" if x is not None and x > 0 else text


def interval(low: object, high: object, sign: bool = False, say: Language = ENGLISH) -> str:
    """`0.123 to 0.145`; a dash where an end is not known."""
    write = signed if sign else number
    if finite(low) is None or finite(high) is None:
        return UNKNOWN
    return say("{low} to {high}", low=write(low), high=write(high))


def count(value: object) -> str:
    """A whole number with thousands separators."""
    x = finite(value)
    return UNKNOWN if x is None else f"{round(x):,}"


def percent(share: object, say: Language = ENGLISH) -> str:
    """A share of one as `95 %`."""
    x = finite(share)
    if x is None:
        return UNKNOWN
    return say("{n} %", n=f"{float(f'{100 * x:.6g}'):.4g}")


def seconds(value: object, say: Language = ENGLISH) -> str:
    """`0.41 s`, `83.2 s`, `12 min 5 s`."""
    x = finite(value)
    if x is None:
        return UNKNOWN
    if x < 120:
        return say("{n} s", n=number(x))
    minutes, rest = divmod(round(x), 60)
    return say("{minutes} min {rest} s", minutes=f"{minutes:,}", rest=rest)


def plain_value(value: Any, say: Language = ENGLISH) -> str:
    """Any JSON value as text.  Whole numbers keep their digits: they may be ids."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        parts = (f"{key} = {plain_value(each, say)}" for key, each in value.items())
        return say(", ").join(parts)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return say(", ").join(plain_value(each, say) for each in value)
    return str(value)


def shorten(text: str, width: int) -> str:
    """At most `width` columns, the end replaced by …; East Asian letters take two."""
    used = 0
    for position, letter in enumerate(text):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > width:
            return text[: max(0, position - 1)].rstrip() + "…"
    return text

"""Any value of a summary as plain JSON: text, whole and finite numbers, lists, objects.

Before: a summary may hold paths, dates, NumPy numbers and NaN.  After: it can be
written, read back equal, and shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """`value` with JSON types only.

    A number that is not finite becomes None; sets are sorted; anything else
    unknown to JSON becomes its text.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Set):
        return sorted((plain(each) for each in value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [plain(each) for each in value]
    return _text(str(value))


def _text(value: str) -> str:
    """Without lone surrogates, which no file can hold; a plain `str`, enums included."""
    return str.__str__(value).encode("utf-8", "replace").decode("utf-8")

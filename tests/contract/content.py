"""What a value holds, down to the last array: its content, and what can be reached from it."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp


def content(value: Any) -> str:
    """SHA-256 over everything a value holds; what it computed and kept on the side is not."""
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
        digest.update(b"\x1f")
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield repr((value.dtype.str, value.shape)).encode()
        plain = value.dtype != object
        yield np.ascontiguousarray(value).tobytes() if plain else repr(value.tolist()).encode()
    elif isinstance(value, pl.DataFrame | pl.Series):
        frame = value if isinstance(value, pl.DataFrame) else value.to_frame()
        yield repr(frame.schema).encode()
        yield frame.hash_rows(seed=0).to_numpy().tobytes()
    elif isinstance(value, sp.csr_array):
        yield repr(value.shape).encode()
        for array in (value.data, value.indices, value.indptr):
            yield from _parts(array)
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield repr(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} of {len(value)}".encode()
        for each in value:
            yield from _parts(each)
    elif isinstance(value, set | frozenset):
        yield repr(sorted(map(repr, value))).encode()
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__qualname__.encode()
        for each in fields(value):
            yield each.name.encode()
            yield from _parts(getattr(value, each.name))
    elif value is None or isinstance(value, bool | int | float | str | bytes | Enum):
        yield repr(value).encode()
    else:
        # Anything else must say what it is; an address would differ each time.
        yield repr(value).encode()


_CLOSED = (type, ModuleType, BuiltinFunctionType)


def reached(root: Any) -> list[Any]:
    """Every object that can be reached from a value by any path, the value included.

    Attributes, items, slots, closures, defaults, bound objects and the bases of array
    views are followed; classes, modules and the globals of functions are not, for they
    are the program and not the value.
    """
    seen: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, _CLOSED):
            continue
        seen[id(value)] = value
        if isinstance(value, FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            waiting += [*cells, *(value.__defaults__ or ()), value.__kwdefaults__, vars(value)]
            continue
        if isinstance(value, np.ndarray):
            waiting.append(value.base)
            if value.dtype == object:
                waiting += value.ravel().tolist()
            continue
        waiting += gc.get_referents(value)
        # A dictionary of atoms is left out by the collector, and its owner with it.
        waiting.append(getattr(value, "__dict__", None))
    return list(seen.values())

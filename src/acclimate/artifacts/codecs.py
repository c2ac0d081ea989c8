"""The bytes of an artifact's files: JSON, tensors and histories, each way.

Reading raises IntegrityError for bytes that are not what their file's name says.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Tensor
from acclimate.artifacts.store import HISTORIES, MEND, TENSORS
from acclimate.errors import DataError, IntegrityError
from acclimate.settings import settings


def to_json(value: Any, strict: bool = False) -> bytes:
    """JSON with its keys in the given order: columns of an encoder stand in it.

    strict  write what JSON lacks (infinity, paths) as text; otherwise numbers come
            back as they were and anything else is our own mistake
    """
    written = json.dumps(_plain(value, strict), ensure_ascii=False, indent=1) + "\n"
    # A market named by bytes that are no text keeps its name: JSON reads the escape back.
    return written.encode("utf-8", "backslashreplace")


def _plain(value: Any, strict: bool) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and strict and not np.isfinite(value):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each, strict) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(each, strict) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(_plain(each, strict) for each in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if strict:
        return str(value)
    raise TypeError(f"a state's meta holds a {type(value).__name__}, which JSON lacks")


def object_of(data: bytes, name: str, where: str) -> dict[str, Any]:
    """The JSON object in the file `name` of the artifact at `where`."""
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(
            f"Expected JSON in {name} of the artifact {where!r}, found text that is not: "
            f"{error}. {MEND}"
        ) from None
    if not isinstance(found, dict):
        raise IntegrityError(
            f"Expected a JSON object in {name} of the artifact {where!r}, found "
            f"{type(found).__name__}. {MEND}"
        )
    return found


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Named tensors as safetensors; equal tensors give equal bytes."""
    from safetensors.numpy import save

    data: bytes = save(dict(tensors))
    return data


def tensors_of(data: bytes, where: str) -> dict[str, Tensor]:
    """The tensors of the artifact at `where`, by name."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        found: dict[str, Tensor] = from_bytes(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise IntegrityError(
            f"Expected tensors in {TENSORS} of the artifact {where!r}, found something "
            f"that cannot be read ({error}). {MEND}"
        ) from None
    return found


def histories_to_parquet(histories: pl.DataFrame) -> bytes:
    """user, item as Parquet."""
    buffer = io.BytesIO()
    histories.write_parquet(buffer)
    return buffer.getvalue()


def histories_from(data: bytes, where: str) -> pl.DataFrame:
    """user, item (both str) of the artifact at `where`; capped by rows before it is read."""
    try:
        lazy = pl.scan_parquet(io.BytesIO(data))
        height = int(lazy.select(pl.len()).collect().item())
        # Run-length encoding packs a billion equal cells into a few bytes.
        if height * 16 > (limit := settings().max_bytes):
            raise DataError(
                f"Expected histories of at most {limit:,} bytes in the artifact {where!r}, "
                f"found {height:,} rows. Raise ACCLIMATE_MAX_BYTES if you trust it."
            )
        return lazy.select(pl.col("user", "item").cast(pl.String)).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise IntegrityError(
            f"Expected user and item in {HISTORIES} of the artifact {where!r}, found "
            f"something that cannot be read ({str(error).splitlines()[0]}). {MEND}"
        ) from None

"""Write a table so that a kill at any instant leaves the old file or the new one.

The counterpart of `readers`: what is written here is read there as it was,
but for the types, which text files do not keep.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from acclimate.domains.disk import replace_files
from acclimate.errors import DomainError, UsageError

DIGITS = 6  # of a score written as text; a list's order is its rank


def write_table(frame: pl.DataFrame, path: str | Path) -> None:
    """Write a table to .csv .tsv .parquet .jsonl or .ndjson, each also with .gz.

    frame  (n, d); CSV and TSV take flat columns only
    path   its folder is made if it is missing; an existing file is replaced

    Raises UsageError for an unknown extension or a path that cannot be written,
    DomainError for values that the format cannot hold.
    """
    path = Path(path)
    data = _encoded(frame, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_files({path: data})
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Expected a path that can be written, found {str(path)!r}: {error}. "
            "Name a file in a folder you may write to, on a disk with room."
        ) from None


def write_answers(answers: pl.DataFrame, ours: Sequence[str], path: str | Path) -> None:
    """Write answers; as text, a `score` has six digits and a note of nothing is empty.

    ours  the columns that hold answers; others were asked with, and stay as they are
    path  as `write_table` takes it; files that keep types keep every digit
    """
    plain: list[pl.Expr] = []
    typed = not Path(path).name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
    for name in () if typed else ours:
        # A score only orders; probabilities add up to 1, and amounts mean what they say.
        if name == "score":
            plain.append(pl.col(name).round_sig_figs(DIGITS))
        elif answers[name].dtype == pl.String:
            plain.append(pl.col(name).replace("", None))
    write_table(answers.with_columns(plain), path)


def _encoded(frame: pl.DataFrame, path: Path) -> bytes:
    name = path.name.lower()
    encode = next(
        (_ENCODERS[e] for e in _ENCODERS if name.removesuffix(".gz").endswith(e)), None
    )
    if encode is None:
        raise UsageError(
            f"Expected one of {', '.join(_ENCODERS)} (each also with .gz), found "
            f"{path.name!r}. Rename the output."
        )
    try:
        data = encode(frame)
    except pl.exceptions.PolarsError as error:
        raise DomainError(
            f"Expected columns that {path.name!r} can hold, found: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}. "
            "Write Parquet, or drop nested columns."
        ) from None
    # No time inside: equal tables give equal files.
    return gzip.compress(data, mtime=0) if name.endswith(".gz") else data


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv().encode()


def _tsv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(separator="\t").encode()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _json_lines(frame: pl.DataFrame) -> bytes:
    return frame.write_ndjson().encode()


_ENCODERS: dict[str, Callable[[pl.DataFrame], bytes]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}

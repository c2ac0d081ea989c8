"""Read one file as it was written: text, Parquet or JSON Lines, plain or gzipped.

After: `inference` says what the columns mean.  Nothing here interprets a value:
cells of text files stay strings, so that "007" never becomes 7.  Sizes are
capped before and during reading, and whatever is wrong with a file is said as
a DomainError.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from acclimate.domains.conll import looks_like_conll, parse_conll
from acclimate.domains.delimited import parse_delimited
from acclimate.domains.encoding import as_utf8
from acclimate.domains.panics import unheard
from acclimate.domains.schema import Finding
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean
from acclimate.settings import settings

# A table compresses 3 to 30 times; a bomb about 1000 times.  Below the floor
# any ratio is harmless.
_RATIO, _FLOOR = 200, 64 * 2**20
_CHUNK = 2**20


@dataclass(frozen=True)
class TableFile:
    """A file that was read.

    frame     its table as written
    findings  what was decided on the way: an encoding other than UTF-8
    """

    frame: pl.DataFrame
    findings: tuple[Finding, ...] = ()


def read_table(path: str | Path, encoding: str | None = None) -> pl.DataFrame:
    """The table in a file, as written; see `read_file`."""
    return read_file(path, encoding).frame


def read_file(path: str | Path, encoding: str | None = None) -> TableFile:
    """The table in a file, as written, and what was decided to read it.

    path      .csv .tsv .txt .parquet .jsonl .ndjson, each also with .gz
    encoding  of a text file, if a person says so; None: found out
    frame     (n >= 1, d >= 1); every column of a text file is a string, Parquet
              and JSON Lines keep their own types; rows without any value are left out

    Raises DomainError when the file is missing, too large, cut, in no known
    encoding, ragged, empty, or of an unknown kind.
    """
    path = Path(path)
    _require_file(path)
    kind = format_of(path)
    findings: tuple[Finding, ...] = ()
    if kind == ".parquet" and encoding is None and _is_scannable(path):
        return TableFile(_with_values(_parsed(path, path.name, kind), path.name), findings)
    data = _contents(path)
    if kind != ".parquet":
        text = as_utf8(data, path.name, encoding)
        data = text.data
        if text.note:
            findings = (Finding("note" if text.sure else "warning", "market", text.note),)
    elif encoding is not None:
        raise DomainError(
            f"Expected an encoding for a text file, found {encoding!r} for {path.name!r}. "
            "Parquet is always UTF-8: leave the encoding out."
        )
    if not data.strip():
        raise DomainError(
            f"Expected a table in {path.name!r}, found an empty file. "
            "Write a header and at least one row, or remove the file."
        )
    return TableFile(_with_values(_parsed(data, path.name, kind), path.name), findings)


def _parsed(data: bytes | Path, name: str, kind: str) -> pl.DataFrame:
    try:
        with unheard():
            return (
                _parquet(data, name) if isinstance(data, Path) else _FORMATS[kind](data, name)
            )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DomainError(
            f"Expected {_KINDS[kind]} in {name!r}, found something that "
            f"cannot be read ({_first_line(error)}). "
            "Is the file complete? Write or download it again."
        ) from None


def _with_values(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Without the rows of nulls; raises DomainError if nothing is left."""
    if frame.width and all(series.null_count() for series in frame):
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    if not frame.height or not frame.width:
        raise DomainError(
            f"Expected rows in {name!r}, found "
            f"{'a header and no rows' if frame.width else 'no columns'}. "
            "Add rows, or remove the file."
        )
    return frame


def format_of(path: Path) -> str:
    """The known extension of a file name, without `.gz`; raises DomainError if unknown."""
    name = path.name.lower().removesuffix(".gz")
    for extension in _FORMATS:
        if name.endswith(extension):
            return extension
    raise DomainError(
        f"Expected one of {', '.join(known_extensions())}, found {path.name!r}. "
        "Convert the file, or rename it if it is one of these."
    )


def is_table(path: Path) -> bool:
    """Whether the name of the file ends like a table's."""
    return path.name.lower().removesuffix(".gz").endswith(known_extensions())


def known_extensions() -> tuple[str, ...]:
    """The extensions that can be read; each may be followed by `.gz`."""
    return tuple(_FORMATS)


def stem_of(path: Path) -> str:
    """The file name without its known extensions: `de_5core.txt.gz` → `de_5core`."""
    name = path.name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    for extension in _FORMATS:
        if name.lower().endswith(extension):
            name = name[: -len(extension)]
            break
    return name or path.name


def _require_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise DomainError(
                f"Expected a file, found the folder {str(path)!r}. Name a file inside it, "
                "or open the folder as a market."
            )
        if not path.exists():
            folder = path.absolute().parent
            there = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
            raise DomainError(
                f"Expected a file at {str(path)!r}, found nothing there."
                f"{did_you_mean(path.name, there)} Check the spelling."
            )
        if not path.is_file():
            raise DomainError(
                f"Expected a regular file at {str(path)!r}, found a device, socket or pipe. "
                "Copy its content to a file first."
            )
    except (OSError, ValueError) as error:  # ValueError: a NUL inside the name
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DomainError:
    return DomainError(
        f"Expected a readable file at {str(path)!r}, found: {_first_line(error)}. "
        "Check that it exists and that you may read it."
    )


def _contents(path: Path) -> bytes:
    """All bytes of a file, unpacked; raises DomainError past the caps."""
    limit = settings().max_bytes
    try:
        size = path.stat().st_size
        if size > limit:
            raise _too_large(path, f"{size:,} bytes", limit)
        with path.open("rb") as handle:
            if not path.name.lower().endswith(".gz"):
                return handle.read(size)
            return _unpack(handle, path, min(limit, max(_FLOOR, _RATIO * size)))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _bad_gzip(path, error) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _is_scannable(path: Path) -> bool:
    """Whether a file is read piece by piece where it lies; raises DomainError past the cap."""
    limit = settings().max_bytes
    try:
        size = path.stat().st_size
        str(path).encode()
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:
        return False  # a name that is no text, which Polars does not find
    if size > limit:
        raise _too_large(path, f"{size:,} bytes", limit)
    return size > 0 and not path.name.lower().endswith(".gz")


def _unpack(handle: io.BufferedReader, path: Path, limit: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    with gzip.open(handle) as unpacked:
        while part := unpacked.read(_CHUNK):
            total += len(part)
            if total > limit:
                raise _too_large(path, f"more than {limit:,} bytes once unpacked", limit)
            parts.append(part)
    return b"".join(parts)


def _too_large(path: Path, found: str, limit: int) -> DomainError:
    return DomainError(
        f"Expected at most {limit:,} bytes in {path.name!r}, found {found}. "
        "Split the file, unpack it yourself if you trust it, or raise ACCLIMATE_MAX_BYTES."
    )


def _bad_gzip(path: Path, error: Exception) -> DomainError:
    return DomainError(
        f"Expected a complete gzip file at {path.name!r}, found one that is cut or damaged "
        f"({_first_line(error)}). Write or download it again, "
        "or drop .gz from the name if it is not compressed."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


def _parquet(data: bytes | Path, name: str) -> pl.DataFrame:
    source = data if isinstance(data, Path) else io.BytesIO(data)
    lazy = pl.scan_parquet(source, glob=False, hive_partitioning=False)
    width = len(lazy.collect_schema())
    height = int(lazy.select(pl.len()).collect().item())
    limit = settings().max_bytes
    # Run-length encoding packs a billion equal cells into a few bytes.
    if height * max(width, 1) * 8 > limit:
        raise _too_large(Path(name), f"{height:,} rows of {width} columns", limit)
    return lazy.collect()


def _json_lines(data: bytes, name: str) -> pl.DataFrame:
    if data.lstrip()[:1] == b"[":
        raise DomainError(
            f"Expected JSON Lines in {name!r}, one object a line, found a JSON array. "
            "Write one object a line (jq -c '.[]')."
        )
    try:
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return _json_lines_slowly(data, name)


def _json_lines_slowly(data: bytes, name: str) -> pl.DataFrame:
    """Line by line, for files whose columns mix types; names the line that is wrong."""
    rows: list[Mapping[str, object]] = []
    for number, line in enumerate(data.decode("utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DomainError(
                f"Expected a JSON object on line {number} of {name!r}, found text that is "
                f"not JSON ({_first_line(error)}). Mend or remove the line."
            ) from None
        if "\\u" in line and (half := _half(row)):
            raise DomainError(
                f"Expected whole characters on line {number} of {name!r}, found {half!r}, a "
                "half of one. Mend or remove the line."
            )
        if not isinstance(row, dict):
            raise DomainError(
                f"Expected a JSON object on line {number} of {name!r}, "
                f"found {type(row).__name__}. Write one object a line."
            )
        rows.append(row)
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = {key: [_cell(row.get(key)) for row in rows] for key in names}
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String()))


def _half(row: object) -> str | None:
    """The half of a character that JSON can write and text cannot hold, or None."""
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        return str(error.object[error.start])
    return None


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _text(data: bytes, name: str) -> pl.DataFrame:
    return parse_conll(data, name) if looks_like_conll(data) else parse_delimited(data, name)


_FORMATS: dict[str, Callable[[bytes, str], pl.DataFrame]] = {
    ".csv": parse_delimited,
    ".tsv": parse_delimited,
    ".txt": _text,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".conll": parse_conll,
    ".bio": parse_conll,
}
_KINDS = {
    ".csv": "delimited text",
    ".tsv": "delimited text",
    ".txt": "delimited text",
    ".parquet": "a Parquet file",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".conll": "a token and its tag a line",
    ".bio": "a token and its tag a line",
}

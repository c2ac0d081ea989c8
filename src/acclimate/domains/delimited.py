"""Text tables: which delimiter, which quotes, and which line is wrong.

Before: `encoding` made the bytes UTF-8.  Polars reads the cells, but it fills
short rows with nulls and renames equal columns; both are refused here, with
the line, before it is asked.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import polars as pl

from acclimate.errors import DomainError
from acclimate.nearest import some

DELIMITERS = (",", ";", "\t", "|")  # and a space, where none of these fits
_SAMPLE_BYTES, _SAMPLE_LINES = 2**16, 20
_CHUNK = 2**26


def parse_delimited(data: bytes, name: str) -> pl.DataFrame:
    """Read delimited text whose first line names the columns; all cells are strings.

    data     UTF-8 without a byte order mark
    returns  (n, d) strings; an empty cell is null; blank lines are rows of nulls

    Raises DomainError for ragged rows, equal or missing names, and no rows.
    """
    if b'"' not in data:  # inside of quotes a line end belongs to the cell
        data = data.replace(b"\r\n", b"\n")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    text = data.lstrip(b"\r\n")
    skipped = data[: len(data) - len(text)].count(b"\n")
    told = _told(text)
    if told:
        text, skipped = _after_lines(text, 1), skipped + 1
    delimiter, runs = (told, False) if told else sniff(text)
    if runs:
        text = re.sub(rb" *\n *", b"\n", re.sub(rb" +", b" ", text)).strip(b" ")
    names, lines = _header(text, delimiter, name)
    body = _after_lines(text, lines)
    if not body.strip():
        raise DomainError(
            f"Expected rows in {name!r}, found a header and no rows. "
            "Add rows, or remove the file."
        )
    first_line = skipped + lines + 1
    if b'"' not in body:
        _refuse_ragged(_plain_counts(body, delimiter), len(names), name, first_line)
        return _polars(body, names, delimiter, None)
    try:
        n = _refuse_ragged(_quoted_counts(body, delimiter), len(names), name, first_line)
    except (csv.Error, DomainError) as error:
        # Inch signs and the like: quotes mean nothing if every line fits without them.
        if all(count == len(names) for count, _ in _plain_counts(body, delimiter)):
            return _polars(body, names, delimiter, None)
        if isinstance(error, DomainError):
            raise
        raise DomainError(
            f"Expected closed quotes in {name!r}, found: {error}. "
            'Close the quote, or double it inside a quoted cell ("").'
        ) from None
    try:
        frame = _polars(body, names, delimiter, '"')
    except pl.exceptions.PolarsError:
        frame = None
    if frame is not None and frame.height == n:
        return frame
    cells = zip(*(row for row in _records(body, delimiter) if row), strict=True)
    return pl.DataFrame(
        [
            pl.Series(name, cell, dtype=pl.String)
            for name, cell in zip(names, cells, strict=True)
        ]
    ).with_columns(pl.all().replace({"": None}))


def sniff(text: bytes) -> tuple[str, bool]:
    """The delimiter of a text table, and whether runs of it count as one.

    The delimiter that cuts the first lines into the same number of cells, the
    more the better, a comma last; a space only where no other one does.
    """
    lines = text[:_SAMPLE_BYTES].decode("utf-8", errors="replace").split("\n")
    if len(text) > _SAMPLE_BYTES and len(lines) > 1:
        lines.pop()
    while lines and not lines[-1].strip():
        lines.pop()
    sample = "\n".join(lines)
    regular = {d: width for d in DELIMITERS if (width := _width(sample, d)) > 1}
    if regular:
        # Between equals not the comma: it stands in numbers and sentences, too.
        return max(regular, key=lambda d: (regular[d], d != ",")), False
    if _width(sample, " ") > 1:
        return " ", False
    cells = {len(line.split()) for line in lines[:_SAMPLE_LINES] if line.strip()}
    if len(cells) == 1 and cells != {1}:
        return " ", True
    header = lines[0] if lines else ""
    return max(DELIMITERS, key=header.count), False


def _told(text: bytes) -> str | None:
    """The delimiter that a first line `sep=;` tells, as spreadsheets write and read it."""
    found = re.match(rb'"?sep=([^"\r\n\w])"?[;,\t|]*\r?\n', text, re.IGNORECASE)
    return found[1].decode("ascii") if found and found[1].isascii() else None


def _width(sample: str, delimiter: str) -> int:
    """Cells per record if all first records have equally many, else 0."""
    widths: Counter[int] = Counter()
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if row:
                widths[len(row)] += 1
            if widths.total() == _SAMPLE_LINES:
                break
    except csv.Error:
        return 0
    return next(iter(widths)) if len(widths) == 1 else 0


def _header(text: bytes, delimiter: str, name: str) -> tuple[list[str], int]:
    """The column names and how many lines they take."""
    reader = csv.reader(_lines(text), delimiter=delimiter)
    try:
        names = [cell.strip() for cell in next(reader)]
    except (csv.Error, StopIteration) as error:
        if b"\r" in text.split(b"\n", 1)[0].rstrip(b"\r\n"):
            raise DomainError(
                f"Expected each line of {name!r} to end in one way; found a carriage return in "
                "the middle of the first. Save the file with one kind of line ending."
            ) from None
        raise DomainError(
            f"Expected column names on the first line of {name!r}, found: {error}. "
            "Write a header line."
        ) from None
    # Data frames written with their index leave its name blank.
    names = [cell or f"column_{i}" for i, cell in enumerate(names, start=1)]
    if repeated := [cell for cell, count in Counter(names).items() if count > 1]:
        raise DomainError(
            f"Expected different column names in {name!r}, found more than one "
            f"{', '.join(map(repr, repeated[:5]))}. Rename or remove the extra ones, "
            "or write a header line if there is none."
        )
    if _are_numbers(names):
        raise DomainError(
            f"Expected column names on the first line of {name!r}, found numbers: "
            f"{some(names)}. Write a header line."
        )
    return names, reader.line_num


def _are_numbers(names: list[str]) -> bool:
    """Whether a first line is data; 0, 1, 2, … are names that programs give by themselves."""
    counted = [[str(i) for i in range(start, start + len(names))] for start in (0, 1)]
    return names not in counted and all(re.fullmatch(r"-?\d+(\.\d+)?", n) for n in names)


def _refuse_ragged(
    counts: Iterator[tuple[int, int]], width: int, name: str, first_line: int
) -> int:
    """How many records there are; raises DomainError at one neither blank nor `width` wide."""
    n = 0
    for count, line in counts:
        n += 1
        if count not in (0, width):
            raise DomainError(
                f"Expected {width} cells on line {first_line + line} of {name!r}, as in the "
                f"header, found {count}. Quote cells that contain the delimiter, "
                "or mend the line."
            )
    return n


def _plain_counts(body: bytes, delimiter: str) -> Iterator[tuple[int, int]]:
    """(cells, line from 0) of the first line of each width, blank lines left out.

    Quotes are taken literally.
    """
    line, start = 0, 0
    while start < len(body):
        end = body.find(b"\n", min(start + _CHUNK, len(body))) + 1 or len(body)
        bytes_ = np.frombuffer(body, dtype=np.uint8, count=end - start, offset=start)
        ends = np.flatnonzero(bytes_ == 10)
        if body[end - 1] != 10:
            ends = np.append(ends, end - start)
        marks = np.flatnonzero(bytes_ == ord(delimiter))
        cells = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
        filled = np.diff(ends, prepend=-1) > 1
        widths, firsts = np.unique(cells[filled], return_index=True)
        rows = np.flatnonzero(filled)[firsts]
        for width, row in sorted(zip(widths, rows, strict=True), key=lambda pair: pair[1]):
            yield int(width), line + int(row)
        line += len(ends)
        start = end


def _quoted_counts(body: bytes, delimiter: str) -> Iterator[tuple[int, int]]:
    """(cells, last line from 0) of every record; a blank one has 0 cells."""
    reader = csv.reader(_lines(body), delimiter=delimiter, strict=True)
    for row in reader:
        yield len(row), reader.line_num - 1


def _records(body: bytes, delimiter: str) -> Iterator[list[str]]:
    return iter(csv.reader(_lines(body), delimiter=delimiter, strict=True))


def _lines(text: bytes) -> Iterator[str]:
    for line in io.BytesIO(text):
        yield line.decode("utf-8")


def _after_lines(text: bytes, lines: int) -> bytes:
    position = 0
    for _ in range(lines):
        position = text.find(b"\n", position) + 1 or len(text)
    return text[position:]


def _polars(body: bytes, names: list[str], delimiter: str, quote: str | None) -> pl.DataFrame:
    return pl.read_csv(
        io.BytesIO(body),
        has_header=False,
        separator=delimiter,
        quote_char=quote,
        schema=dict.fromkeys(names, pl.String()),
        glob=False,
    )

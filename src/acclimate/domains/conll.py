"""Read files of one token and its tag a line; a blank line ends a sentence.

After: `texts` turns tags into spans.  Columns are separated by tabs or blanks; the first
is the token, the last its tag.  A file with one column has tokens alone.
"""

from __future__ import annotations

import json

import polars as pl

from acclimate.domains.bio import is_tag
from acclimate.errors import DomainError

_SAMPLE = 200  # lines looked at before a .txt counts as one of these files
_LINE = 2**20  # bytes of that look
_MARK = "-DOCSTART-"


def parse_conll(data: bytes, name: str) -> pl.DataFrame:
    """A table of sentences: tokens and, where the file has them, tags, as JSON lists.

    data  UTF-8

    Raises DomainError that names the line without a tag, or with one of no scheme.
    """
    tokens: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    alone: int | None = None
    paired: int | None = None
    for number, line in enumerate(_lines(data), start=1):
        parts = _parts(line)
        if not parts:
            if tokens[-1]:
                tokens.append([])
                tags.append([])
            continue
        tokens[-1].append(parts[0])
        if len(parts) == 1:
            alone = alone or number
        else:
            paired = paired or number
            if not is_tag(parts[-1]):
                raise DomainError(
                    f"Expected a tag such as O, B-CLASS or I-CLASS at the end of line {number} "
                    f"of {name!r}, found {parts[-1][:40]!r}. Mend the line."
                )
            tags[-1].append(parts[-1])
        if alone and paired:
            raise DomainError(
                f"Expected a token and its tag on line {alone} of {name!r}, as on line "
                f"{paired}, found one column. Separate them by a tab, or give O as the tag."
            )
    if not tokens[-1]:
        tokens, tags = tokens[:-1], tags[:-1]
    columns = {"tokens": [json.dumps(each, ensure_ascii=False) for each in tokens]}
    if paired:
        columns["tags"] = [json.dumps(each, ensure_ascii=False) for each in tags]
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))


def looks_like_conll(data: bytes) -> bool:
    """Whether every one of the first lines is a token and a tag."""
    text = data[:_LINE].decode("utf-8", errors="replace").split("\n")
    if len(data) > _LINE:
        text.pop()
    lines = [parts for line in text[:_SAMPLE] if (parts := _parts(line))]
    return bool(lines) and all(len(parts) > 1 and is_tag(parts[-1]) for parts in lines)


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8").removeprefix("\ufeff").split("\n")


def _parts(line: str) -> list[str]:
    """The columns of a line; none for one that is blank or begins a document."""
    # Not `split()`: an ideographic or no-break blank may be a token.
    line = line.strip("\r\n \t") if "\t" not in line else line.strip("\r\n")
    if not line.strip("\t ") or line.startswith(_MARK):
        return []
    parts = line.split("\t") if "\t" in line else line.split(" ")
    return [part for part in parts if part] if "\t" not in line else parts

"""Texts at the door: which columns hold tokens and spans, and their one form.

Before: `readers` gave a table as written.  After: `sentences` reads the canonical table.
A text is cut into tokens and its spans are in characters; a list of tokens has spans in
tokens, or a tag for each.  Inside, both columns are JSON: tokens as strings, spans as
[start, end, class] in tokens, end exclusive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from acclimate.domains.bio import is_tag, read_tags
from acclimate.domains.names import squeeze
from acclimate.domains.sentences import Cutting, cut_text
from acclimate.errors import DomainError
from acclimate.plurals import number_of

_TOKENS = ("tokens", "words", "text", "title", "query", "sentence", "name")
_SPANS = ("spans", "entities", "ents", "annotations", "tags", "nertags", "labels", "label")
_CLASS = ("label", "class", "type", "entity", "tag")
_LOOKED_AT = 100
_SINGLE = 0.99  # share of tokens of one character from which texts are cut so

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Cut:
    """Texts as tokens.

    tokens  one list a row, empty where there is no text
    places  one list of (start, end) in characters a row; None where tokens were given
    sizes   what spans count in: characters of each text, or tokens
    how     how further texts are to be cut
    """

    tokens: list[list[str]]
    places: list[list[tuple[int, int]]] | None
    sizes: list[int]
    how: Cutting


@dataclass(frozen=True)
class TextColumns:
    """The canonical columns of a `texts` table.

    tokens  (n,) JSON lists, null for a row without a token
    spans   (n,) JSON lists, null where unknown; None without such a column
    said    (level, message) of what was decided
    """

    tokens: pl.Series
    spans: pl.Series | None
    how: Cutting
    said: tuple[tuple[str, str], ...]


def text_roles(frame: pl.DataFrame) -> dict[str, str]:
    """role → column, for the roles `tokens` and `spans` that names and values suggest."""
    spans = _first(frame, _SPANS, lambda series: _share_of_spans(series) > 0.5)
    tokens = _first(frame, _TOKENS, lambda series: _is_text(series))
    found = {"tokens": tokens, "spans": spans}
    return {role: column for role, column in found.items() if column is not None}


def holds_texts(frame: pl.DataFrame) -> bool:
    """Whether a file is one of texts: it has labelled spans, or nothing but tokens."""
    roles = text_roles(frame)
    return len(roles) == 2 or (frame.columns == ["tokens"] and "tokens" in roles)


def cut_column(series: pl.Series, how: Cutting | None = None) -> Cut:
    """A column of texts, or of lists of tokens, as tokens.

    how  for texts; None: words

    Raises DomainError for a column of neither.
    """
    values = _parsed(series)
    if any(isinstance(value, list) for value in values):
        tokens = []
        for row, value in enumerate(values, start=1):
            if value is not None and not (
                isinstance(value, list) and all(isinstance(each, str) for each in value)
            ):
                raise DomainError(
                    f"Expected a list of tokens in row {row} of column {series.name!r}, found "
                    f"{_shown(value)}. Write every row as a list of strings, or as one text."
                )
            tokens.append(value or [])
        flat = [token for each in tokens for token in each]
        single = sum(len(token) == 1 for token in flat) >= _SINGLE * len(flat)
        how = Cutting.CHARACTERS if flat and single else Cutting.WORDS
        return Cut(tokens, None, [len(each) for each in tokens], how)
    if not _is_text(series):
        raise DomainError(
            f"Expected texts or lists of tokens in column {series.name!r}, found values of "
            f"type {series.dtype}. Name another column."
        )
    texts = ["" if value is None else value for value in series.to_list()]
    how = how or Cutting.WORDS
    places = [cut_text(text, how) for text in texts]
    cut = [
        [text[start:end] for start, end in each]
        for text, each in zip(texts, places, strict=True)
    ]
    return Cut(cut, places, [len(text) for text in texts], how)


def read_texts(tokens: pl.Series, spans: pl.Series | None) -> TextColumns:
    """Both columns in their canonical form.

    Raises DomainError that names the row, for spans that cannot be read, that lie outside
    of their text, or that are not as many tags as tokens.
    """
    cut = cut_column(tokens)
    said: list[tuple[str, str]] = []
    unit = "characters" if cut.how == Cutting.CHARACTERS else "words"
    said.append(("note", f"{tokens.name!r} is read as sequences of {unit}."))
    column = None
    if spans is not None:
        values = _parsed(spans)
        known = [value is not None for value in values]
        column_name = spans.name
        read = (
            _from_tags(values, cut, column_name, said)
            if _are_tags(values)
            else _from_spans(values, cut, column_name, said)
        )
        kept = [_apart(each) for each in read]
        lost = sum(map(len, read)) - sum(map(len, kept))
        if lost:
            said.append(
                ("warning", f"{number_of(lost, 'span overlaps', 'spans overlap')} another one; "
                 "the first and longest were kept.")
            )  # fmt: skip
        cells = [
            json.dumps(each, ensure_ascii=False) if there else None
            for each, there in zip(kept, known, strict=True)
        ]
        column = pl.Series("spans", cells, dtype=pl.String)
        empty = sum(there and not each for each, there in zip(kept, known, strict=True))
        said.append(
            ("note", f"{number_of(sum(map(len, kept)), 'span')}; {empty:,} of {sum(known):,} "
             "labelled sentences have none.")
        )  # fmt: skip
    written = [json.dumps(each, ensure_ascii=False) if each else None for each in cut.tokens]
    return TextColumns(pl.Series("tokens", written, dtype=pl.String), column, cut.how, (*said,))


def _first(frame: pl.DataFrame, listed: Sequence[str], fits: Any) -> str | None:
    named = [column for column in frame.columns if squeeze(column) in listed]
    named.sort(key=lambda column: listed.index(squeeze(column)))
    return next((column for column in named if fits(frame[column])), None)


def _is_text(series: pl.Series) -> bool:
    return series.dtype in (pl.String, pl.List(pl.String))


def _parsed(series: pl.Series) -> list[Any]:
    """Cells as Python values; a string that is a JSON list is that list."""
    if series.dtype != pl.String:
        try:
            return series.to_list()
        except (ValueError, OverflowError) as error:  # times that no calendar holds
            raise DomainError(
                f"Expected texts, tokens or spans in column {series.name!r}, found values of "
                f"type {series.dtype} ({error}). Name another column, or mend it."
            ) from None
    cells = series.to_list()
    if not any(cell and cell.lstrip().startswith("[") for cell in cells[: 10 * _LOOKED_AT]):
        return cells
    return [_json(cell) for cell in cells]


def _json(cell: str | None) -> Any:
    if cell is None or not cell.lstrip().startswith("["):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _share_of_spans(series: pl.Series) -> float:
    """The share of the first cells that can be read as spans or tags; 0 without any."""
    if series.dtype.is_temporal():
        return 0.0
    cells = [cell for cell in _parsed(series.head(_LOOKED_AT)) if cell is not None]
    good = [cell for cell in cells if isinstance(cell, list) and all(map(_is_label, cell))]
    # A column of empty lists may be anything, unless it is called spans.
    if not any(good) and squeeze(series.name) != "spans":
        return 0.0
    return len(good) / len(cells) if cells else 0.0


def _is_label(value: object) -> bool:
    return is_tag(value) or _span(value) is not None


def _span(value: object) -> Span | None:
    """A span of [start, end, class], or of an object with these; None if it is not one."""
    if isinstance(value, Mapping):
        name = next((value[key] for key in _CLASS if key in value), None)
        value = [value.get("start"), value.get("end"), name]
    if not isinstance(value, list) or len(value) != 3:
        return None
    start, end, name = value
    if not isinstance(name, str) or not name.strip():
        return None
    try:
        ends = [int(str(each)) for each in (start, end)]
    except ValueError:
        return None
    return ends[0], ends[1], name.strip()


def _are_tags(values: Sequence[Any]) -> bool:
    first = next((value[0] for value in values if isinstance(value, list) and value), None)
    return is_tag(first)


def _from_tags(
    values: Sequence[Any], cut: Cut, column: str, said: list[tuple[str, str]]
) -> list[list[Span]]:
    for row, (value, tokens) in enumerate(zip(values, cut.tokens, strict=True), start=1):
        if value is None:
            continue
        if not isinstance(value, list) or not all(map(is_tag, value)):
            wrong = [v for v in value if not is_tag(v)] if isinstance(value, list) else value
            raise DomainError(
                f"Expected tags such as O, B-CLASS and I-CLASS in row {row} of {column!r}, "
                f"found {_shown(wrong)}. Mend them."
            )
        if len(value) != len(tokens):
            raise DomainError(
                f"Expected a tag for each of {len(tokens)} tokens in row {row} of {column!r}, "
                f"found {len(value)}. Give as many tags as tokens."
            )
    read = read_tags([value or [] for value in values])
    said.append(("note", f"{column!r} has tags of the scheme {read.scheme}."))
    if read.broken:
        said.append(
            ("warning", f"The tags of {column!r} leave {number_of(read.broken, 'span')} "
             "without a beginning or an end; read as they stand.")
        )  # fmt: skip
    return [
        [(start, end, read.classes[at]) for start, end, at in each]
        for each in read.spans.lists()
    ]


def _from_spans(
    values: Sequence[Any], cut: Cut, column: str, said: list[tuple[str, str]]
) -> list[list[Span]]:
    found: list[list[Span]] = []
    widened = 0
    for row, value in enumerate(values):
        spans = []
        if value is not None and not isinstance(value, list):
            raise _no_span(row, column, value)
        for each in value or []:
            span = _span(each)
            if span is None:
                raise _no_span(row, column, each)
            placed = _placed(span, row, cut, column)
            widened += placed[1]
            spans.append(placed[0])
        found.append(spans)
    if widened:
        said.append(
            ("warning", f"In {column!r} {number_of(widened, 'span')} with an end inside of a "
             "token became as wide as whole tokens.")
        )  # fmt: skip
    return found


def _no_span(row: int, column: str, value: object) -> DomainError:
    return DomainError(
        f'Expected spans such as [[0, 4, "BRAND"]] in row {row + 1} of {column!r}, found '
        f"{_shown(value)}. Write start, end (exclusive) and class of each."
    )


def _placed(span: Span, row: int, cut: Cut, column: str) -> tuple[Span, bool]:
    """A span in tokens, and whether it had to be widened."""
    start, end, name = span
    places = None if cut.places is None else cut.places[row]
    size, fits = cut.sizes[row], 0 <= start < end <= cut.sizes[row]
    if fits and places is None:
        return span, False
    # Blanks belong to no token: a span may begin or end in them, and not be one.
    inside = [at for at, (s, e) in enumerate(places or ()) if s < end and e > start]
    if not fits or not inside:
        unit = "tokens" if places is None else "characters"
        raise DomainError(
            f"Expected a span within the {size} {unit} of row {row + 1} in {column!r}, found "
            f"{start} to {end}. Count from 0, and let the end be exclusive."
        )
    assert places is not None
    first, last = inside[0], inside[-1] + 1
    cuts = places[first][0] < start or places[last - 1][1] > end
    return (first, last, name), cuts


def _apart(spans: Sequence[Span]) -> list[Span]:
    """The spans in order, without those that overlap one before."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each[0], -each[1], each[2])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _shown(value: object) -> str:
    return repr(value)[:60]

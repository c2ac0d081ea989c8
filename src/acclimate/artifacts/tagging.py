"""Answer texts with an artifact: the spans of each, where the input counts from."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from acclimate.artifacts.artifact import Artifact
from acclimate.domains.exam import Spans
from acclimate.domains.sentences import Cutting, Sentences
from acclimate.domains.texts import Cut, cut_column, text_roles
from acclimate.domains.tokenview import TokenEncoder
from acclimate.errors import DataError
from acclimate.nearest import some

EMPTY = "no text"
BLOCK = 4096  # sentences; their features are about 100 MB


def tag(artifact: Artifact, encoder: TokenEncoder, table: pl.DataFrame) -> pl.DataFrame:
    """Find the spans of every row.

    table    a column of texts or of lists of tokens: as the target's file called it,
             `tokens`, `text`, or a name that says so
    returns  the table as it is, then `spans`, a JSON list of [start, end, class] in
             characters of a text or in tokens of a list, end exclusive; `p`, a JSON list of
             the chance of each; and `note`.  A name that the table has gets "_" behind it

    Raises DataError for a table without such a column.
    """
    reading = artifact.contents.reading
    column = _column(table, reading.roles.get("tokens"))
    cut = cut_column(table[column], Cutting(reading.notations["tokens"]))
    spans: list[str] = []
    chances: list[str] = []
    for start in range(0, table.height, BLOCK):
        rows = range(start, min(start + BLOCK, table.height))
        found, p = _answer(artifact, encoder, cut, rows)
        spans += found
        chances += p
    notes = ["" if tokens else EMPTY for tokens in cut.tokens]
    answers = [
        pl.Series(name, values, dtype=pl.String)
        for name, values in (("spans", spans), ("p", chances), ("note", notes))
    ]
    return table.hstack([_renamed(each, table.columns) for each in answers])


def _column(table: pl.DataFrame, own: str | None) -> str:
    for name in (own, "tokens", "text", text_roles(table).get("tokens")):
        if name is not None and name in table.columns:
            return name
    raise DataError(
        f"Expected a column of texts or tokens, {own or 'text'!r} as in the target's file, "
        f"'text' or 'tokens'; found {some(table.columns, 12) or 'no columns'}. "
        "Rename the one with texts."
    )


def _answer(
    artifact: Artifact, encoder: TokenEncoder, cut: Cut, rows: range
) -> tuple[list[str], list[str]]:
    asked = [row for row in rows if cut.tokens[row]]
    tokens = [cut.tokens[row] for row in asked]
    sentences = Sentences(pl.Series("tokens", tokens, pl.List(pl.String)), encoder.classes)
    spans, chances = dict.fromkeys(rows, "[]"), dict.fromkeys(rows, "[]")
    if asked:
        answer = artifact.fitted.predict(sentences)
        assert isinstance(answer, Spans)
        ends = answer.ragged.offsets
        for position, (row, each) in enumerate(zip(asked, answer.ragged.lists(), strict=True)):
            places = None if cut.places is None else cut.places[row]
            told = [
                [
                    start if places is None else places[start][0],
                    end if places is None else places[end - 1][1],
                    encoder.classes[at],
                ]
                for start, end, at in each
            ]
            spans[row] = json.dumps(told, ensure_ascii=False)
            p = np.round(answer.p[ends[position] : ends[position + 1]], 6)
            chances[row] = json.dumps(p.tolist())
    return [spans[row] for row in rows], [chances[row] for row in rows]


def _renamed(series: pl.Series, taken: list[str]) -> pl.Series:
    """The series under a name that the input does not use."""
    name = series.name
    while name in taken:
        name += "_"
    return series.alias(name)

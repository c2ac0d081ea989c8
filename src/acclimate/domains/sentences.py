"""Sentences: sequences of tokens with labelled spans, the third form of a sample.

Before: a market's `texts` table.  After: `tokenview` makes features of each token.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints, Strings
from acclimate.domains.exam import Case, Truth
from acclimate.domains.ragged import Ragged, joined
from acclimate.domains.sample import id_text, spread, units_of
from acclimate.rng import Rng

_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])\w)+|\S")
_CHARACTER = re.compile(r"\S")


class Cutting(StrEnum):
    """How a text becomes tokens."""

    WORDS = "words"  # runs of letters and digits; ideographs, kana and signs alone
    CHARACTERS = "characters"


def cut_text(text: str, how: Cutting = Cutting.WORDS) -> list[tuple[int, int]]:
    """(start, end) of each token in characters; blanks belong to none."""
    pattern = _WORD if how == Cutting.WORDS else _CHARACTER
    return [match.span() for match in pattern.finditer(text)]


@dataclass(frozen=True)
class Sentences:
    """Token sequences under one vocabulary of classes.

    tokens   (n,) List(String), each with at least one token
    classes  the classes of spans, in the order of their positions
    spans    (m, 3) start, end, class of each, in order and apart; None where unknown
    entity   (n,) the independent unit of a sentence, None inside where it is unknown;
             None: every sentence is its own
    time     (n,) float seconds since 1970, NaN where unknown, or None
    """

    tokens: pl.Series
    classes: tuple[str, ...]
    spans: Ragged | None = None
    entity: Strings | None = None
    time: Array | None = None

    @property
    def n(self) -> int:
        return len(self.tokens)

    @cached_property
    def lengths(self) -> Ints:
        """(n,) tokens of each sentence."""
        return self.tokens.list.len().to_numpy().astype(np.int64)

    def take(self, rows: Ints) -> Sentences:
        """The sentences at these positions, in this order."""
        return replace(
            self,
            tokens=self.tokens[rows],
            spans=None if self.spans is None else self.spans.take(rows),
            entity=None if self.entity is None else self.entity[rows],
            time=None if self.time is None else self.time[rows],
        )

    def unlabelled(self) -> Sentences:
        """The same sentences with their spans taken away."""
        return replace(self, spans=None)

    def units(self) -> Ints:
        """(n,) the position of each sentence's independent unit."""
        return units_of(self.entity, self.n)

    @property
    def strata(self) -> Ints:
        """(n,) 1 + the rarest class among a sentence's spans, 0 for one without any."""
        assert self.spans is not None
        label = self.spans.values[:, 2]
        count = np.bincount(label, minlength=len(self.classes))
        by_count = np.argsort(-count, kind="stable")
        rarity = np.empty(len(count), np.int64)
        rarity[by_count] = np.arange(len(count))
        rarest = np.full(self.n, -1)
        np.maximum.at(rarest, self.spans.row, rarity[label])
        # The last one stands for sentences without a span.
        label_of: Ints = np.r_[by_count, -1]
        return np.asarray(label_of[rarest] + 1, np.int64)

    def folds(self, k: int, rng: Rng) -> list[tuple[Sentences, Case]]:
        """Cut into k folds by unit, spreading the classes evenly.

        k        ≥ 2; lowered to the number of units where there are fewer
        returns  k pairs (the rest, the fold as a labelled Case)
        """
        if self.spans is None:
            return []
        fold = spread(self.units(), self.strata, k, rng)
        pairs = []
        for number in range(int(fold.max(initial=-1)) + 1):
            held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            if len(held) and len(rest):
                pairs.append((self.take(rest), self.take(held).case()))
        return pairs

    def case(self) -> Case:
        """These sentences as a question: tokens asked, spans kept as the truth."""
        if self.spans is None:
            raise ValueError("sentences without spans cannot be a case")
        return Case(None, self.unlabelled(), Truth(units=self.units(), ragged=self.spans))

    def why_nothing(self) -> str | None:
        """Why nobody can learn a span from these sentences, or None; ends a sentence."""
        if self.spans is None or not self.n:
            return "has no sentence with known spans"
        if not len(self.spans.values):
            return f"has no span of the target's classes ({', '.join(self.classes)})"
        return None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of tokens, classes, spans, units and times."""
        digest = hashlib.sha256(repr(self.classes).encode())
        digest.update(self.lengths.tobytes())
        digest.update(self.tokens.to_frame("tokens").hash_rows(seed=0).to_numpy().tobytes())
        spans = (None, None) if self.spans is None else (self.spans.offsets, self.spans.values)
        for part in (*spans, self.time):
            digest.update(b"-" if part is None else part.tobytes())
        if self.entity is not None:
            digest.update(id_text(self.entity))
        return digest.hexdigest()


def stack_sentences(parts: Sequence[Sentences]) -> Sentences:
    """One Sentences from several under the same classes; entities and times are left out."""
    spans = [part.spans for part in parts if part.spans is not None]
    return Sentences(
        pl.concat([part.tokens for part in parts]),
        parts[0].classes,
        joined(spans) if len(spans) == len(parts) else None,
    )


def sentences_of(table: pl.DataFrame, classes: tuple[str, ...]) -> tuple[Sentences, Ints]:
    """The sentences of a `texts` table, and which of them have known spans.

    classes  spans of any other class are left out
    returns  every sentence, those without known spans having none; (k,) positions
    """
    known = table["spans"].is_not_null() if "spans" in table.columns else None
    place = {name: position for position, name in enumerate(classes)}
    rows: list[list[tuple[int, int, int]]] = [[] for _ in range(table.height)]
    if known is not None:
        for row, cell in enumerate(table["spans"].to_list()):
            spans = json.loads(cell) if cell is not None else []
            rows[row] = [(start, end, place[c]) for start, end, c in spans if c in place]
    tokens = table["tokens"].str.json_decode(pl.List(pl.String))
    time = None
    if "time" in table.columns and table["time"].null_count() < table.height:
        micros = table["time"].dt.epoch("us").cast(pl.Float64)
        time = micros.fill_null(float("nan")).to_numpy() / 1e6
    entity = None
    if "entity" in table.columns:
        entity = table["entity"].cast(pl.String).to_numpy().astype(object)
    whole = Sentences(tokens, classes, Ragged.of(rows, 3), entity, time)
    labelled = np.flatnonzero(known.to_numpy()) if known is not None else np.empty(0, np.int64)
    return whole, labelled.astype(np.int64)


def span_counts(table: pl.DataFrame) -> dict[str, int]:
    """class → spans in a `texts` table, by name."""
    if "spans" not in table.columns:
        return {}
    counts: dict[str, int] = {}
    for cell in table["spans"].drop_nulls().to_list():
        for _, _, name in json.loads(cell):
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))

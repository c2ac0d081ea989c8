"""Exam: what is asked, what may be known when it is asked, and what was true.

An Exam belongs to the runner and the verdict.  The Problem that a strategy
receives is built beside it and never contains it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from acclimate.arrays import Array, Ints, Strings
from acclimate.domains.ragged import Ragged


@dataclass(frozen=True)
class RankQuery:
    """Whose ranking is wanted.

    users       (n,) ids
    candidates  (n, m) catalogue positions to rank, or None for the whole catalogue.
                Only published protocols with sampled candidates use it.
    k           ≥ 1, length of the list; metrics look at their own first places
    moments     (n,) when each is asked, in seconds, with
    sold        (m,) when each item of the catalogue was first sold, −∞ where nobody knows: what
                was first sold after somebody was asked is no candidate for them; or None, where
                all are asked when what is fitted on ends
    """

    users: Strings
    candidates: Ints | None = None
    k: int = 100
    moments: Array | None = None
    sold: Array | None = None


@dataclass(frozen=True)
class Truth:
    """What was true, and which rows belong to one independent unit.

    units   (n,) unit of each row or user, 0 … n_units − 1
    label   (n,) class positions (classify), or numbers (regress)
    user    (p,) positions in the query's users, with
    item    (p,) the catalogue position each of them took (recommend)
    missed  (n,) items taken that no catalogue holds: misses for everyone
    ragged  any number of labels a row: start, end, class of spans (tag)
    """

    units: Ints
    label: Ints | Array | None = None
    user: Ints | None = None
    item: Ints | None = None
    missed: Ints | None = None
    ragged: Ragged | None = None

    @property
    def n_units(self) -> int:
        return int(self.units.max(initial=-1)) + 1

    @property
    def fingerprint(self) -> str:
        """SHA-256 over every part; the ledger knows a judge by it."""
        digest = hashlib.sha256()
        for part in (self.units, self.label, self.user, self.item, self.missed):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
        if self.ragged is not None:
            for part in (self.ragged.offsets, self.ragged.values):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def positions(label: Ints | Array | None) -> Ints:
    """(n,) labels that are there and are classes; numbers here are our own mistake."""
    assert label is not None and label.dtype.kind != "f", "these labels are no classes"
    return label.astype(np.int64, copy=False)


@dataclass(frozen=True)
class Case:
    """One question.

    context  what is known at that moment: histories, support rows, the series so far
    query    what is asked: `Rows` without labels, or a `RankQuery`
    truth    what was true; models never see it
    """

    context: Any
    query: Any
    truth: Truth


@dataclass(frozen=True)
class Exam:
    """The parts of the target that no strategy sees.

    choose  the plan picks on these; empty where it is made by cross-fitting
    judge   the verdict looks at these, once
    """

    choose: tuple[Case, ...]
    judge: tuple[Case, ...]


@dataclass(frozen=True)
class Probabilities:
    """(n, n_classes) rows sum to 1."""

    p: Array


@dataclass(frozen=True)
class Numbers:
    """One number a row.

    y          (n,) finite: the mean
    quantiles  (n, n_levels) of what may come instead of it, or None
    levels     (n_levels,) of these quantiles, between 0 and 1
    """

    y: Array
    quantiles: Array | None = None
    levels: tuple[float, ...] = ()

    def at(self, level: float) -> Array:
        """(n,) the quantile of a level; the mean where no quantile is known."""
        if self.quantiles is None or level not in self.levels:
            return self.y
        found: Array = self.quantiles[:, self.levels.index(level)]
        return found


@dataclass(frozen=True)
class Ranking:
    """Best items first.

    items   (n, k) catalogue positions, −1 where there was nothing left to rank
    scores  (n, k) higher is better, −inf where items is −1
    size    number of items that may be recommended
    pool    True where candidates were asked for: `items` then repeats them in their
            given order, and `scores` has −inf for those the model does not know
    """

    items: Ints
    scores: Array
    size: int
    pool: bool = False


@dataclass(frozen=True)
class Spans:
    """Labelled stretches of each sequence, in order and apart.

    ragged  (m, 3) start, end (exclusive, in tokens), class position
    p       (m,) the chance of exactly this span, 0 … 1
    """

    ragged: Ragged
    p: Array


Prediction = Probabilities | Numbers | Ranking | Spans
RowAnswer: TypeAlias = Any
"""What a model of rows answers: Probabilities, or Numbers where the label is one."""

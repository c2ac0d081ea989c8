"""Ragged: any number of labels a row, none included; what spans and boxes are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Ints


@dataclass(frozen=True)
class Ragged:
    """The values of row i are `values[offsets[i] : offsets[i + 1]]`.

    offsets  (n + 1,) from 0 to m, never falling
    values   (m, d); for spans d is 3: start, end (exclusive, in tokens), class position
    """

    offsets: Ints
    values: Ints

    @classmethod
    def of(cls, rows: Iterable[Sequence[Sequence[int]]], width: int) -> Ragged:
        """From one list of values a row, each of `width` numbers."""
        parts = [np.asarray(row, np.int64).reshape(-1, width) for row in rows]
        counts = [len(part) for part in parts]
        values = np.concatenate(parts) if parts else np.zeros((0, width), np.int64)
        return cls(np.r_[0, np.cumsum(counts, dtype=np.int64)], values)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> Ints:
        """(n,) values of each row."""
        return np.diff(self.offsets)

    @property
    def row(self) -> Ints:
        """(m,) the row of each value."""
        return np.repeat(np.arange(self.n), self.counts)

    def take(self, rows: Ints) -> Ragged:
        """The rows at these positions, in this order."""
        counts = self.counts[rows]
        offsets = np.r_[0, np.cumsum(counts, dtype=np.int64)]
        return Ragged(offsets, self.values[gather(self.offsets[:-1][rows], counts)])

    def where(self, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ragged:
        """The same rows with some of their values.

        keep  (m,)
        """
        counts = np.bincount(self.row[keep], minlength=self.n)
        return Ragged(np.r_[0, np.cumsum(counts, dtype=np.int64)], self.values[keep])

    def lists(self) -> list[list[list[int]]]:
        """One list of values a row."""
        ends = zip(self.offsets[:-1], self.offsets[1:], strict=True)
        return [self.values[start:end].tolist() for start, end in ends]


def joined(parts: Sequence[Ragged]) -> Ragged:
    """The rows of several below each other."""
    counts = np.concatenate([part.counts for part in parts])
    values = np.concatenate([part.values for part in parts])
    return Ragged(np.r_[0, np.cumsum(counts, dtype=np.int64)], values)


def gather(starts: Ints, counts: Ints) -> Ints:
    """Positions start … start + count − 1 of every stretch, one after another."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))

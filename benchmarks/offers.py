"""Titles of many markets, each with the product it truly names, for `matching`."""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acclimate.arrays import Array, Ints, Strings, Tensor
from acclimate.domains import embeddings
from acclimate.domains.readers import is_table, read_table
from acclimate.domains.titles import words_of
from acclimate.errors import UsageError
from acclimate.rng import Rng

LARGE = 50  # titles of a market that is one of a pair
SHARED = 20  # products that a pair has in common
_SMALLEST = 25  # titles of a market that meets all others


@dataclass(frozen=True)
class Offers:
    """Titles, each of a market and a kind, each with the product it truly names."""

    titles: list[str]
    market: Ints
    truth: Ints
    kind: Strings
    near: Tensor | None

    def halves(self, rng: Rng) -> tuple[Ints, Ints]:
        """Markets in two halves by chance."""
        mixed = rng.child("halves").generator().permutation(np.unique(self.market))
        return mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]

    def sources(self, half: Ints, most: int, rng: Rng) -> Ints:
        """The markets of a half that are large enough to meet all others, `most` by chance."""
        names, sizes = np.unique(self.market[np.isin(self.market, half)], return_counts=True)
        large = names[sizes >= _SMALLEST]
        return np.sort(rng.child("sources").generator().permutation(large)[:most])

    def pairs(self, half: Ints) -> list[tuple[int, int]]:
        """Every ordered pair of two large markets of a half that sell enough in common."""
        rows = {int(m): np.flatnonzero(self.market == m) for m in np.sort(half)}
        large = [m for m, own in rows.items() if len(own) >= LARGE]
        return [
            (a, b)
            for a, b in itertools.permutations(large, 2)
            if len(np.intersect1d(self.truth[rows[a]], self.truth[rows[b]])) >= SHARED
        ]

    def others(self, source: int, half: Ints) -> tuple[Ints, Ints]:
        """Rows of one market, and of all others of its half."""
        others = np.isin(self.market, half) & (self.market != source)
        return np.flatnonzero(self.market == source), np.flatnonzero(others)

    def two(self, source: int, target: int) -> tuple[Ints, Ints]:
        """Rows of two markets."""
        return np.flatnonzero(self.market == source), np.flatnonzero(self.market == target)

    def vectors(self, a: Ints, b: Ints) -> tuple[Tensor, Tensor] | None:
        return None if self.near is None else (self.near[a], self.near[b])

    def of(self, rows: Ints) -> list[str]:
        return [self.titles[row] for row in rows]


def read_offers(args: argparse.Namespace) -> Offers:
    """The table of titles; raises UsageError for a column that is not there."""
    path: Path = args.data
    if path.is_dir():
        path = next((p for p in sorted(path.iterdir()) if is_table(p)), path)
    table = read_table(path)
    wanted = [args.title, args.market, args.truth]
    if missing := [name for name in wanted if name not in table.columns]:
        raise UsageError(
            f"Expected columns {', '.join(wanted)}; found no {', '.join(missing)} among "
            f"{', '.join(table.columns)}. Name them with --title, --market and --truth."
        )
    table = table.drop_nulls(wanted)
    titles = table[args.title].cast(str).to_list()
    codes = [
        np.unique(table[name].cast(str).to_numpy(), return_inverse=True)[1].astype(np.int64)
        for name in wanted[1:]
    ]
    kind: Strings = np.full(len(titles), "all", dtype=object)
    if args.kind in table.columns:
        kind = table[args.kind].cast(str).to_numpy().astype(object)
    near = None if args.letters else embeddings.embed(titles)[0]
    return Offers(titles, codes[0], codes[1], kind, near)


@dataclass(frozen=True)
class Answers:
    """What was proposed for the titles of one market.

    source, target  the markets; target −1 for all others
    row             (n,) which titles
    findable        rows of the source whose product the target has
    """

    source: int
    target: int
    row: Ints
    confidence: Array
    right: Array
    findable: Ints

    def only(self, rows: Ints) -> Answers:
        """The answers for some of the titles."""
        keep = np.isin(self.row, rows)
        return Answers(
            self.source,
            self.target,
            self.row[keep],
            self.confidence[keep],
            self.right[keep],
            self.findable[np.isin(self.findable, rows)],
        )


def agreement(offers: Offers, pairs: list[tuple[int, int]]) -> list[tuple[Ints, Array]]:
    """For each pair of markets: source rows with the very same words in the target, and
    whether one of these has their truth.  No method that reads titles can do better."""
    words = np.array([" ".join(words_of(title)) for title in offers.titles])
    found = []
    for source, target in pairs:
        a, b = offers.two(source, target)
        here: dict[str, list[int]] = {}
        for row in b:
            here.setdefault(words[row], []).append(int(offers.truth[row]))
        same = a[np.isin(words[a], list(here))]
        # One guess among equal titles: the share of them that is right.
        right = [np.mean(np.array(here[words[row]]) == offers.truth[row]) for row in same]
        found.append((same, np.array(right, float)))
    return found

"""Attributes: what is known of items and users beside who took what.

Before: a market's `items` and `users` tables.  After: a `Space` gives every item a row of
features, whether anybody took it or not, and every user one, whether they took anything.

Numbers and times are ranks within their own market, so that prices in yen and in euro read
alike.  Categories may hold several values, as `Action|Comedy`; texts are words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints, Sparse, Strings, Tensor
from acclimate.domains.schema import ColumnType

KNOTS = 8  # of a number's rank, between which it is spread
STEPS = 101  # values of a ladder at most
MOST_WORDS = 20_000  # of a column, the most frequent first
TEXT_WORTH = 0.5  # beside one column of anything else; 1 and 0 lost on films never seen before
_READ = (ColumnType.NUMERIC, ColumnType.TIME, ColumnType.CATEGORY, ColumnType.TEXT)
_NUMBERS = (ColumnType.NUMERIC, ColumnType.TIME)

Ladder = Sequence[Sequence[float]]
"""Values in order and, of each, the share of a market's things below it, ties by half."""


@dataclass(frozen=True)
class Attributes:
    """What is known of some things, one row each.

    columns  n rows: Float64 ranks 0 … 1 of numbers and times, String of others; null where
             unknown
    types    column → how it is read: numeric, time, category or text
    ladders  column → how its numbers became ranks
    key      the column that named the things, as the file called it
    """

    columns: pl.DataFrame
    types: Mapping[str, ColumnType]
    ladders: Mapping[str, Ladder] = field(default_factory=dict)
    key: str = ""

    @property
    def n(self) -> int:
        return self.columns.height

    @classmethod
    def of(
        cls,
        table: pl.DataFrame,
        types: Mapping[str, ColumnType],
        ids: Strings,
        *,
        key: str = "",
        ladders: Mapping[str, Ladder] | None = None,
    ) -> Attributes | None:
        """The attributes of these ids, in their order; nulls for ids that have none.

        table    first column ids (unique), then attributes as the door left them
        ladders  of the market the ids are new in; None: this table's own

        None where no column is one that can be read.
        """
        read = {name: types[name] for name in table.columns[1:] if types.get(name) in _READ}
        if not read or not table.height:
            return None
        own = dict(ladders or {})
        columns = []
        for name, kind in read.items():
            if kind not in _NUMBERS:
                columns.append(table[name].cast(pl.String))
                continue
            values = _as_numbers(table[name])
            own.setdefault(name, _ladder(values))
            columns.append(pl.Series(name, _ranks(values, own[name]), nan_to_null=True))
        named = pl.DataFrame([table[table.columns[0]].alias("\0id"), *columns])
        wanted = pl.DataFrame({"\0id": pl.Series(ids.tolist(), dtype=pl.String)})
        found = wanted.join(named, on="\0id", how="left", maintain_order="left").drop("\0id")
        return cls(found, read, {name: own[name] for name in own if name in read}, key)

    def take(self, rows: Ints) -> Attributes:
        """The things at these positions, in this order."""
        return replace(self, columns=self.columns[rows])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of columns and how they are read."""
        types = sorted((name, str(kind)) for name, kind in self.types.items())
        digest = hashlib.sha256(repr((self.columns.schema, types)).encode())
        digest.update(self.columns.hash_rows(seed=0).to_numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Space:
    """The features that attributes become: the same columns for all things.

    types    column → how it is read, in the order of the features
    words    category or text column → its known values in the order of their features
    idf      of the same, log(things / things that have it)
    ladders  column → how a new thing's numbers become ranks
    key      the column that names things
    """

    types: Mapping[str, ColumnType]
    words: Mapping[str, Sequence[str]]
    idf: Mapping[str, Sequence[float]]
    ladders: Mapping[str, Ladder]
    key: str = ""

    @classmethod
    def fit(cls, parts: Sequence[Attributes]) -> Space:
        """The values that at least two things have, the target's things first.

        parts  at least one; columns that only others than the first have are left out
        """
        first = parts[0]
        words: dict[str, list[str]] = {}
        idf: dict[str, list[float]] = {}
        for name, kind in first.types.items():
            if kind in _NUMBERS:
                continue
            every = [
                _words(part.columns[name], kind)
                for part in parts
                if part.types.get(name) == kind
            ]
            n = sum(map(len, every))
            counts = (
                pl.concat(every).explode().drop_nulls().alias("word").value_counts(name="n")
            )
            kept = counts.filter((pl.col("n") > 1) & (pl.col("n") < n))
            kept = kept.sort("n", "word", descending=[True, False]).head(MOST_WORDS)
            words[name] = kept["word"].to_list()
            idf[name] = np.log(n / kept["n"].to_numpy()).tolist()
        return cls(dict(first.types), words, idf, dict(first.ladders), first.key)

    @property
    def width(self) -> int:
        """Number of features."""
        numbers = sum(kind in _NUMBERS for kind in self.types.values())
        return KNOTS * numbers + sum(map(len, self.words.values()))

    def encode(self, attributes: Attributes | None, n: int) -> Sparse:
        """(n, width): of each column a part of length 1, a half for texts; zeros for nothing.

        attributes  of n things, or None where nothing is known of any
        """
        import scipy.sparse as sp

        if attributes is None:
            return sp.csr_array((n, self.width))
        blocks = []
        for name, kind in self.types.items():
            there = attributes.types.get(name)
            alike = there is not None and (there in _NUMBERS) == (kind in _NUMBERS)
            if kind in _NUMBERS:
                ranks = np.full(attributes.n, np.nan)
                if alike:
                    ranks = attributes.columns[name].to_numpy().astype(np.float64)
                blocks.append(_spread(ranks))
            elif alike:
                blocks.append(self._bag(name, attributes.columns[name], kind))
            else:
                blocks.append(sp.csr_array((attributes.n, len(self.words[name]))))
        return sp.csr_array(sp.hstack(blocks, format="csr"))

    def _bag(self, name: str, values: pl.Series, kind: ColumnType) -> Sparse:
        import scipy.sparse as sp

        known = list(self.words[name])
        listed = pl.DataFrame({"row": np.arange(len(values)), "word": _words(values, kind)})
        listed = listed.explode("word").drop_nulls()
        column = listed["word"].cast(pl.Enum(known), strict=False).to_physical().cast(pl.Int64)
        there = column.is_not_null().to_numpy()
        row, at = listed["row"].to_numpy()[there], column.drop_nulls().to_numpy()
        weight = np.asarray(self.idf[name], np.float64)[at]
        bag = sp.csr_array((weight, (row, at)), shape=(len(values), len(known)))
        worth = TEXT_WORTH if kind == ColumnType.TEXT else 1.0
        return _of_length(bag, worth)

    def as_row(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "types": {name: str(kind) for name, kind in self.types.items()},
            "words": {name: list(each) for name, each in self.words.items()},
            "idf": {name: list(each) for name, each in self.idf.items()},
            "ladders": {name: [list(s) for s in each] for name, each in self.ladders.items()},
            "key": self.key,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Space:
        """What `as_row` wrote; raises KeyError, TypeError or ValueError if it is not that."""
        types = {name: ColumnType(kind) for name, kind in row["types"].items()}
        return cls(types, row["words"], row["idf"], row["ladders"], row["key"])


@dataclass(frozen=True)
class Described:
    """What an encoder of items knows of attributes.

    items     how attributes of items become features, or None
    users     how those of users do, or None
    features  (n_items, d) of the items it knows, where `items` is
    """

    items: Space | None = None
    users: Space | None = None
    features: Sparse | None = field(default=None, repr=False)

    def with_items(self, features: Sparse) -> Described:
        """The same with the features of more items behind those it has."""
        import scipy.sparse as sp

        assert self.features is not None, "an encoder without attributes of items"
        whole = sp.csr_array(sp.vstack([self.features, features], format="csr"))
        return replace(self, features=whole)

    def as_row(self) -> dict[str, Any]:
        """The spaces as JSON types; empty where nothing is known."""
        spaces = {"about_items": self.items, "about_users": self.users}
        return {name: space.as_row() for name, space in spaces.items() if space is not None}

    def tensors(self) -> dict[str, Tensor]:
        """The features by name."""
        found = self.features
        if found is None:
            return {}
        return {f"features_{name}": getattr(found, name) for name in _PARTS}

    @classmethod
    def restore(
        cls, row: Mapping[str, Any], tensors: Mapping[str, Tensor], n: int
    ) -> Described:
        """What `as_row` and `tensors` wrote of n items."""
        import scipy.sparse as sp

        items, users = (
            Space.from_row(row[name]) if name in row else None
            for name in ("about_items", "about_users")
        )
        if items is None:
            return cls(None, users)
        parts = tuple(tensors[f"features_{name}"] for name in _PARTS)
        return cls(items, users, sp.csr_array(parts, shape=(n, items.width)))


_PARTS = ("data", "indices", "indptr")


def similar(some: Sparse, others: Sparse, k: int) -> tuple[Ints, Array]:
    """The k most similar of others to each, by cosine, and how similar they are.

    returns  (n, min(k, others)) positions, most similar first, and cosines
    """
    cosine = (_of_length(some, 1.0) @ _of_length(others, 1.0).T).toarray()
    # Rounding must not tell apart what is equal.
    order = np.argsort(-cosine.round(9), axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosine, order, axis=1)


def _as_numbers(values: pl.Series) -> Array:
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).dt.epoch("us")
    found: Array = values.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    return found


def _ladder(values: Array) -> list[list[float]]:
    known = values[np.isfinite(values)]
    if not len(known):
        return [[0.0], [0.5]]
    distinct, counts = np.unique(known, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / len(known)
    if len(distinct) > STEPS:
        at = np.unique(np.searchsorted(share, np.linspace(share[0], share[-1], STEPS)))
        distinct, share = distinct[at], share[at]
    return [distinct.tolist(), share.tolist()]


def _ranks(values: Array, ladder: Ladder) -> Array:
    found = np.interp(np.nan_to_num(values), ladder[0], ladder[1])
    return np.where(np.isfinite(values), found, np.nan)


def _spread(ranks: Array) -> Sparse:
    """(n, KNOTS) each rank between its two neighbouring knots, the nearer one higher."""
    import scipy.sparse as sp

    known = np.flatnonzero(np.isfinite(ranks))
    place = ranks[known] * (KNOTS - 1)
    below = np.minimum(place.astype(np.int64), KNOTS - 2)
    above = place - below
    spread = sp.csr_array(
        (np.r_[1 - above, above], (np.r_[known, known], np.r_[below, below + 1])),
        shape=(len(ranks), KNOTS),
    )
    return _of_length(spread, 1.0)


def _of_length(rows: Sparse, length: float) -> Sparse:
    import scipy.sparse as sp

    norm = np.sqrt(np.asarray((rows * rows).sum(axis=1)).ravel())
    scale = np.divide(length, norm, out=np.zeros_like(norm), where=norm > 0)
    return sp.csr_array(sp.diags_array(scale) @ rows)


def _words(values: pl.Series, kind: ColumnType) -> pl.Series:
    """(n,) lists of distinct words of a text, or values of a category; null for none."""
    lower = values.str.to_lowercase()
    if kind == ColumnType.TEXT:
        # A character of Chinese is as good as a word.
        return lower.str.extract_all(r"\p{Han}|[\w--\p{Han}]+").list.unique(maintain_order=True)
    parts = (
        lower.str.replace_all(r"\s*(?:[|;]|,\s)\s*", "|").str.strip_chars("| ").str.split("|")
    )
    return parts.list.unique(maintain_order=True)

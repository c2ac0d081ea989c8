"""Encode rows: numbers to one scale, categories to codes, text to hashed n-grams.

Numbers go through asinh(x / s), s the median absolute value, and are then
standardised: amounts spread over decades come out near normal, small values
stay linear, and a currency drops out.  Times become elapsed days before the
row's own time, and the row's hour and weekday.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints, Sparse
from acclimate.domains.sample import Rows, Sample, stack_rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Derived, ItemCounts
from acclimate.domains.view import EncoderState, RowView, rows_of

SECONDS_A_DAY = 86_400.0
_HASHED = Derived(at_most_bytes=2**28)


@dataclass(frozen=True)
class RowRecipe:
    """How rows are encoded.

    min_count   ≥ 1, rows: rarer category levels share code 0 with unseen ones
    max_levels  > 0, codes kept per category column, the most frequent first
    hash_bits   1 … 22: text n-grams fall into 2^hash_bits columns
    """

    min_count: int = 2
    max_levels: int = 1000
    hash_bits: int = 17

    def fit(self, own: Sequence[Sample], others: Sequence[Sample | ItemCounts]) -> RowEncoder:
        """Take means, scales and vocabularies from these rows, whoever they belong to."""
        rows = stack_rows([part.unlabelled() for part in rows_of([*own, *others])])
        scales: dict[str, list[float]] = {}
        for name, values in _numbers(rows).items():
            known = values[np.isfinite(values)]
            nonzero = np.abs(known[known != 0])
            scale = float(np.median(nonzero)) if len(nonzero) else 1.0
            bent = np.arcsinh(known / scale)
            mean = float(bent.mean()) if len(bent) else 0.0
            spread = float(bent.std()) if len(bent) else 0.0
            # A column that never varies here must not blow up one that does elsewhere.
            missing = float(len(known) < len(values))
            scales[name] = [scale, mean, spread if spread > 1e-9 else 1.0, missing]
        levels = {
            name: _levels(values, self.min_count, self.max_levels)
            for name, values in _categories(rows).items()
        }
        text = [name for name in rows.columns.columns if rows.types[name] == ColumnType.TEXT]
        idf = None
        if text:
            seen = np.zeros(2**self.hash_bits)
            for part in rows_of([*own, *others]):
                counts = _hashed(part, text, self.hash_bits)
                seen += np.bincount(counts.indices, minlength=len(seen))
            idf = np.log((1 + rows.n) / (1 + seen)) + 1.0
        return RowEncoder(scales, levels, tuple(text), self.hash_bits, rows.classes, idf)


@dataclass(frozen=True)
class RowEncoder:
    """Statistics of one arm's training rows.

    scales  numeric column → [scale, mean, deviation, 1 if it was ever missing]
    levels  category column → its known values in the order of their codes 1, 2, …
    text    text columns, hashed together
    idf     (2^hash_bits,) inverse document frequency, or None without text
    """

    scales: Mapping[str, list[float]]
    levels: Mapping[str, list[str]]
    text: tuple[str, ...]
    hash_bits: int
    classes: tuple[str, ...]
    idf: Array | None

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(json.dumps(self.state().meta, sort_keys=True).encode())
        digest.update(b"-" if self.idf is None else self.idf.tobytes())
        return digest.hexdigest()

    @property
    def base(self) -> RowEncoder:
        return self

    def reads(self, name: str) -> bool:
        """Whether it reads a column, or a number made of one, such as "hour (sin)"."""
        return name in self.scales or name in self.levels or name in self.text

    @property
    def numeric_names(self) -> list[str]:
        """The name of each column of a view's `numeric`."""
        names = []
        for name, (_, _, _, missing) in self.scales.items():
            names += [name, f"{name} missing"] if missing else [name]
        return names

    def encode(self, sample: Rows) -> RowView:
        numbers, columns = _numbers(sample), []
        for name, (scale, mean, spread, missing) in self.scales.items():
            values = numbers.get(name, np.full(sample.n, np.nan))
            absent = ~np.isfinite(values)
            bent = (np.arcsinh(np.where(absent, 0.0, values) / scale) - mean) / spread
            columns.append(np.where(absent, 0.0, bent))
            if missing:
                columns.append(absent.astype(float))
        numeric = np.column_stack(columns) if columns else np.zeros((sample.n, 0))
        categories, codes = _categories(sample), []
        for name, known in self.levels.items():
            values_ = categories.get(name)
            codes.append(
                np.zeros(sample.n, np.int64) if values_ is None else _code(values_, known)
            )
        return RowView(
            numeric,
            np.column_stack(codes).astype(np.int64)
            if codes
            else np.zeros((sample.n, 0), np.int64),
            tuple(len(known) + 1 for known in self.levels.values()),
            self._sparse(sample),
            sample.label,
            len(self.classes),
            np.array(_joined(sample, list(self.text)), dtype=object) if self.text else None,
        )

    def unseen(self, sample: Rows) -> list[str]:
        """(n,) for each row the columns whose value was not seen, joined by ", "."""
        categories = _categories(sample)
        marks = [[] for _ in range(sample.n)]  # type: list[list[str]]
        for name, known in self.levels.items():
            if name in categories:
                values = categories[name]
                new = (_code(values, known) == 0) & values.is_not_null().to_numpy()
                for row in np.flatnonzero(new):
                    marks[row].append(name)
        return [", ".join(names) for names in marks]

    def _sparse(self, sample: Rows) -> Sparse | None:
        if self.idf is None:
            return None
        from sklearn.preprocessing import normalize

        weighted = _hashed(sample, list(self.text), self.hash_bits).copy()
        weighted.data = (1.0 + np.log(weighted.data)) * self.idf[weighted.indices]
        result: Sparse = normalize(weighted)
        return result

    def state(self) -> EncoderState:
        meta: dict[str, Any] = {
            "scales": dict(self.scales),
            "levels": dict(self.levels),
            "text": list(self.text),
            "hash_bits": self.hash_bits,
            "classes": list(self.classes),
        }
        return EncoderState("rows", meta, {} if self.idf is None else {"idf": self.idf})

    @classmethod
    def restore(cls, state: EncoderState) -> RowEncoder:
        meta = state.meta
        return cls(
            meta["scales"],
            meta["levels"],
            tuple(meta["text"]),
            meta["hash_bits"],
            tuple(meta["classes"]),
            state.tensors.get("idf"),
        )


def _numbers(rows: Rows) -> dict[str, Array]:
    """Numeric columns, elapsed days of time columns, and the clock face of `time`."""
    found: dict[str, Array] = {}
    for name in rows.columns.columns:
        if rows.types[name] == ColumnType.NUMERIC:
            found[name] = rows.columns[name].to_numpy().astype(float)
        elif rows.types[name] == ColumnType.TIME and rows.time is not None:
            seconds = rows.columns[name].dt.epoch("us").to_numpy().astype(float) / 1e6
            found[f"{name} (days before)"] = (rows.time - seconds) / SECONDS_A_DAY
    if rows.clock is not None:
        turn = 2 * np.pi * (rows.clock % SECONDS_A_DAY) / SECONDS_A_DAY
        # cos(π/2) is 6e-17 to a computer: as the median it would blow up every other hour.
        found["hour (sin)"] = np.asarray(np.round(np.sin(turn), 12), np.float64)
        found["hour (cos)"] = np.asarray(np.round(np.cos(turn), 12), np.float64)
    return found


def _categories(rows: Rows) -> dict[str, pl.Series]:
    found = {
        name: rows.columns[name].cast(pl.String)
        for name in rows.columns.columns
        if rows.types[name] == ColumnType.CATEGORY
    }
    if rows.clock is not None:
        # 1970-01-01 was a Thursday.
        day = np.floor(rows.clock / SECONDS_A_DAY)
        weekday = pl.Series("weekday", (day + 3) % 7, nan_to_null=True)
        found["weekday"] = weekday.cast(pl.Int64).cast(pl.String)
    return found


def _levels(values: pl.Series, min_count: int, max_levels: int) -> list[str]:
    counts = values.drop_nulls().alias("level").value_counts(name="n")
    kept = counts.filter(pl.col("n") >= min_count)
    return kept.sort("n", "level", descending=[True, False])["level"].head(max_levels).to_list()


def _code(values: pl.Series, known: list[str]) -> Ints:
    if not known:
        return np.zeros(len(values), np.int64)
    codes = values.replace_strict(known, list(range(1, len(known) + 1)), default=0)
    return codes.cast(pl.Int64).fill_null(0).to_numpy()


def _joined(rows: Rows, text: list[str]) -> list[str]:
    """The text columns of each row as one text."""
    joined = rows.columns.select(pl.concat_str(text, separator=" ", ignore_nulls=True))
    return joined.to_series().fill_null("").to_list()


def _hashed(rows: Rows, text: list[str], bits: int) -> Sparse:
    """(n, 2^bits) counts of word 1–2-grams and character 2–4-grams within words.

    Kept by content: an encoder counts the same rows that it encodes afterwards.
    """
    key = (rows.fingerprint, *text, str(bits))
    return _HASHED.get(key, lambda: _count(rows, text, bits))


def _count(rows: Rows, text: list[str], bits: int) -> Sparse:
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import HashingVectorizer

    documents = _joined(rows, text)
    shared = {"n_features": 2**bits, "alternate_sign": False, "norm": None}
    words = HashingVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", **shared)
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), **shared)
    counts = sp.csr_array(words.transform(documents)) + sp.csr_array(
        letters.transform(documents)
    )
    return sp.csr_array(counts)

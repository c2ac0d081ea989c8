"""Columns that give the label away, one at a time, on a sample.

A value that is written down after the outcome, or because of it, makes every model look
perfect and none useful.  Each column is asked alone how well it tells the classes apart:
a number by its order and its neighbours, a category by what its values said on the other
half of the rows, and every column by its gaps.  `tables` has already said which columns
are copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import rankdata

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains.schema import ColumnType
from acclimate.domains.values import numbers
from acclimate.rng import Rng

AT_MOST = 50_000  # rows looked at
ENOUGH = 20  # rows of each of two classes: fewer are told apart by chance now and then
TELLS = 0.995
_MOST_CLASSES = 20


@dataclass(frozen=True)
class Leak:
    """A column that tells the classes apart by itself.

    by     "values", "gaps" (whether it is there), or "order" (an id that is no feature)
    score  "AUC" of one class against the other, or "accuracy" for more than two
    value  in [TELLS, 1]
    """

    column: str
    by: str
    score: str
    value: float

    @property
    def sentence(self) -> str:
        told = f"{self.score} {self.value:.3f} by itself"
        if self.by == "order":
            return (
                f"{self.column!r} is in the order of the label ({told}): the classes were put "
                "together one after the other. It is no feature; keep it so, and do not split "
                "by it."
            )
        what = f"{self.column!r} gives"
        if self.by == "gaps":
            what = f"Whether {self.column!r} is there gives"
        return (
            f"{what} the label away ({told}). If it is only known after the outcome, give it "
            'the type "ignored" in market.toml.'
        )


def leaks(rows: pl.DataFrame, types: Mapping[str, ColumnType], rng: Rng) -> list[Leak]:
    """The columns that tell the label of a row by themselves.

    rows   (n, d) in canonical form, with `label`; at most `AT_MOST` of them are looked at
    types  column → type, for the columns without a role
    """
    known = rows.filter(pl.col("label").is_not_null())
    generator = rng.child("leaks").generator()
    if known.height > AT_MOST:
        chosen = np.sort(generator.choice(known.height, AT_MOST, replace=False))
        known = known[chosen]
    classes = known["label"].unique().sort()
    if not 2 <= classes.len() <= _MOST_CLASSES:
        return []
    label = known["label"].replace_strict(classes, list(range(classes.len()))).to_numpy()
    half = generator.random(known.height) < 0.5
    judge = _Judge(label.astype(np.int64), classes.len(), half)
    found = []
    for column, kind in types.items():
        if column in known.columns and (leak := _of(judge, known[column], column, kind)):
            found.append(leak)
    return found


def _of(judge: _Judge, series: pl.Series, column: str, kind: ColumnType) -> Leak | None:
    by = "values"
    value = 0.0
    if kind in (ColumnType.NUMERIC, ColumnType.TIME):
        value = judge.by_number(_as_numbers(series, kind))
    elif kind == ColumnType.CATEGORY:
        value = judge.by_category(series)
    elif kind == ColumnType.ID:
        by, value = "order", judge.by_number(_as_order(series))
    if value < TELLS and kind not in (ColumnType.ID, ColumnType.IGNORED):
        by, value = "gaps", judge.by_category(series.is_null().cast(pl.String))
    return Leak(column, by, judge.score, value) if value >= TELLS else None


@dataclass(frozen=True)
class _Judge:
    """How well a column tells the labels of some rows.

    label  (n,) class of each row, 0 … classes − 1
    half   (n,) whether the row teaches what categories mean; the others are asked
    """

    label: Ints
    classes: int
    half: Bools

    @property
    def score(self) -> str:
        return "AUC" if self.classes == 2 else "accuracy"

    def by_number(self, values: Array) -> float:
        """By order, and by what near values say, where a value is there."""
        there = np.flatnonzero(np.isfinite(values))
        near = self._near(values, there)
        if self.classes > 2:
            return near
        ordered = _auc(values[there], self.label[there] == 1)
        # 0, 5 and 10 may mean no, yes and no.
        return max(ordered, 1 - ordered, near)

    def by_category(self, values: pl.Series) -> float:
        """By the label's shares within each value, learned on the other half."""
        code = values.fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
        counts = np.zeros((int(code.max(initial=0)) + 1, self.classes))
        np.add.at(counts, (code[self.half], self.label[self.half]), 1.0)
        prior = np.bincount(self.label[self.half], minlength=self.classes) + 1.0
        shares = counts + prior / prior.sum()
        shares /= shares.sum(axis=1, keepdims=True)
        asked = np.flatnonzero(~self.half)
        return self._score(shares[code[asked]], asked)

    def _near(self, values: Array, there: Ints) -> float:
        """By the label of the nearest number of the other half."""
        taught, asked = there[self.half[there]], there[~self.half[there]]
        if not len(taught) or not len(asked):
            return 0.0
        taught = taught[np.argsort(values[taught], kind="stable")]
        known = values[taught]
        right = np.clip(np.searchsorted(known, values[asked]), 0, len(known) - 1)
        left = np.maximum(right - 1, 0)
        nearer = np.abs(known[left] - values[asked]) < np.abs(known[right] - values[asked])
        label = self.label[taught[np.where(nearer, left, right)]]
        return self._score(np.eye(self.classes)[label], asked)

    def _score(self, said: Array, asked: Ints) -> float:
        """How well the chances of each class fit the labels of the rows that were asked."""
        true = self.label[asked]
        if self.classes == 2:
            return _auc(said[:, 1], true == 1, at_least=ENOUGH // 2)
        base = np.bincount(true, minlength=self.classes).max(initial=0) / max(len(true), 1)
        right = float((said.argmax(axis=1) == true).mean()) if len(true) >= ENOUGH else 0.0
        # Where one class has nearly every row, guessing it is right as often.
        return right if 1 - right <= 0.1 * (1 - base) else 0.0


def _auc(score: Array, positive: Bools, at_least: int = ENOUGH) -> float:
    """How often a positive row scores above another one; 0.5 where there are too few."""
    n = int(positive.sum())
    rest = len(positive) - n
    if min(n, rest) < at_least:
        return 0.5
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * rest))


def _as_numbers(series: pl.Series, kind: ColumnType) -> Array:
    if kind == ColumnType.TIME:
        series = series.dt.epoch("us")
    return np.asarray(series.cast(pl.Float64).fill_null(float("nan")).to_numpy(), np.float64)


def _as_order(series: pl.Series) -> Array:
    """Ids by their number where all have one, else in the order of their text."""
    read = numbers(series)
    values = read.values if not read.failed else series.rank("dense").cast(pl.Float64)
    return np.asarray(values.fill_null(float("nan")).to_numpy(), np.float64)

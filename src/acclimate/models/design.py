"""The design matrix: what a RowView looks like to a model that adds up columns.

Columns stand in the order [1 | numeric | one-hot codes | text].  Code 0 (unseen,
rare or missing) has no column: such a row gets nothing for it.  The layout is
read off a view alone, so fitting and prediction agree without a memory of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Sparse
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError

DENSE_COLUMNS = 256  # Cholesky beats products with a sparse matrix up to about here
DENSE_ENTRIES = 50_000_000  # 400 MB of float64
FILLED = 2 / 3  # of a matrix, above which its zeros cost less than the places of the others
FEW_COLUMNS = 1_000  # a design of fewer is solved as it is, however few its rows
TEXT_WORTH = 10  # standardised columns: what a text is worth; 20 lose on long reviews
FEW_ROWS = 5_000  # above, the eigenvectors of all products of rows cost more than they save


@dataclass(frozen=True)
class Layout:
    """Where each part of a view has its columns.

    numeric  number of numeric columns
    levels   (c,) number of codes per category column, the 0 included
    text     number of hashed text columns, 0 without text
    """

    numeric: int
    levels: tuple[int, ...]
    text: int

    @classmethod
    def of(cls, view: RowView) -> Layout:
        text = 0 if view.sparse is None else int(view.sparse.shape[1])
        return cls(view.numeric.shape[1], tuple(int(level) for level in view.levels), text)

    @property
    def offsets(self) -> Ints:
        """(c,) a code's column is its category's offset + the code; code 0 has none."""
        sizes = np.array([level - 1 for level in self.levels], np.int64)
        return np.asarray(self.numeric + np.cumsum(sizes) - sizes, np.int64)

    @property
    def text_offset(self) -> int:
        return 1 + self.numeric + sum(level - 1 for level in self.levels)

    @property
    def width(self) -> int:
        """Number of columns, the intercept included."""
        return self.text_offset + self.text

    def require(self, view: RowView) -> None:
        """Raise StrategyError if a view was not encoded under this layout."""
        found = Layout.of(view)
        if found != self:
            raise StrategyError(
                f"Expected a view with {self.describe()}, as the model was fitted on; "
                f"found {found.describe()}. Encode the rows with the model's own encoder."
            )

    def describe(self) -> str:
        return (
            f"{self.numeric} numeric columns, {len(self.levels)} category columns of "
            f"{sum(self.levels)} codes and {self.text} text columns"
        )

    def scores(self, view: RowView, coefficients: Array) -> Array:
        """The design times the coefficients, without making the design.

        coefficients  (width, k)
        returns       (n, k)
        """
        self.require(view)
        scores = coefficients[0] + view.numeric @ coefficients[1 : 1 + self.numeric]
        for column, (offset, level) in enumerate(zip(self.offsets, self.levels, strict=True)):
            table = coefficients[offset : offset + level].copy()  # (level, k)
            table[0] = 0.0
            scores += table[view.codes[:, column]]
        if view.sparse is not None:
            scores += view.sparse @ coefficients[self.text_offset :]
        return np.asarray(scores, np.float64)


@dataclass(frozen=True)
class Design:
    """The columns of a view that hold anything but zeros.

    matrix   (n, a) dense or CSR; its first column is the intercept's
    columns  (a,) their positions in the layout, increasing
    """

    matrix: Array | Sparse
    columns: Ints
    layout: Layout
    label: Ints | Array | None
    n_classes: int

    @property
    def n(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def from_text(self) -> int:
        """Where a text's columns begin in `matrix`."""
        return int(np.searchsorted(self.columns, self.layout.text_offset))

    def turned(self, scale: float) -> Turned | None:
        """The same rows in as many columns as there are rows, where that is worth it.

        scale  of the penalty on a text's columns (`text_scale`); the last one's is kept
        """
        if not isinstance(self.matrix, np.ndarray):
            return None
        n, width = self.matrix.shape
        if not max(n, FEW_COLUMNS) < width or n > FEW_ROWS:
            return None
        if scale not in self._turns:
            self._turns.clear()
            self._turns[scale] = Turned.of(self.matrix[:, 1:], self.from_text - 1, scale)
        return self._turns[scale]

    @cached_property
    def _turns(self) -> dict[float, Turned]:
        return {}


@dataclass(frozen=True)
class Turned:
    """A dense design turned into the span of its own rows; distances stay as they are.

    A penalty on squares leaves the coefficients in that span, so that nothing is lost
    (the representer theorem: Kimeldorf & Wahba 1971).  Where it is s times as strong on some
    columns, they are worth 1/√s of their values in rows and in coefficients.

    rows   (n, 1 + r) the intercept's column, then coordinates in the span
    rest   (n, a − 1) the design without its intercept
    worth  (a − 1,) 1/s of each column
    turn   (n, r) (rest · √worth)ᵀ · turn are the axes of the span, of length 1
    """

    rows: Array
    rest: Array
    worth: Array
    turn: Array

    @classmethod
    def of(cls, rest: Array, heavy: int, scale: float) -> Turned:
        """scale  > 0, of the penalty on the columns from `heavy` on."""
        worth = np.ones(rest.shape[1])
        worth[heavy:] /= scale
        products = (rest * worth) @ rest.T
        values, vectors = np.linalg.eigh(products)
        kept = values > 1e-12 * values[-1]
        roots = np.sqrt(values[kept])
        rows = np.column_stack([np.ones(len(rest)), vectors[:, kept] * roots])
        return cls(rows, rest, worth, vectors[:, kept] / roots)

    def back(self, coefficients: Array) -> Array:
        """(a, k) coefficients of the design from (1 + r, k) of its coordinates."""
        found = self.rest.T @ (self.turn @ coefficients[1:])
        return np.concatenate([coefficients[:1], self.worth[:, None] * found])


def design(view: RowView) -> Design:
    """The design matrix of a view: dense while it is small, CSR otherwise."""
    import scipy.sparse as sp

    layout = Layout.of(view)
    n = view.n
    used = np.zeros(layout.width, bool)
    used[0] = True
    used[1 : 1 + layout.numeric] = np.any(view.numeric != 0, axis=0)
    hot = view.codes + layout.offsets  # (n, c), meaningful where the code is above 0
    seen = view.codes > 0
    used[hot[seen]] = True
    text = None if view.sparse is None else sp.csr_array(view.sparse)
    if text is not None:
        used[layout.text_offset + np.unique(text.indices)] = True
    columns = np.flatnonzero(used)
    place = np.cumsum(used) - 1  # layout column → column of the matrix

    first = 1 + int(used[1 : 1 + layout.numeric].sum())  # column of the first code
    last = int(used[: layout.text_offset].sum())  # column of the first text
    numeric = np.column_stack([np.ones(n), view.numeric[:, used[1 : 1 + layout.numeric]]])
    hit = place[hot[seen]]  # row by row
    entries = n * first + len(hit) + (0 if text is None else text.nnz)
    size = n * len(columns)
    matrix: Array | Sparse
    if numeric.shape[1] == len(columns):
        matrix = numeric
    elif entries > FILLED * size or (
        size <= DENSE_ENTRIES
        and (entries > size / 3 or (view.n_classes in (0, 2) and len(columns) <= DENSE_COLUMNS))
    ):
        matrix = np.zeros((n, len(columns)))
        matrix[:, :first] = numeric
        matrix[np.nonzero(seen)[0], hit] = 1.0
        if text is not None:
            matrix[:, last:] = text[:, columns[last:] - layout.text_offset].toarray()
    else:
        ends = np.r_[0, np.cumsum(seen.sum(axis=1))]
        one_hot = sp.csr_array((np.ones(len(hit)), hit - first, ends), shape=(n, last - first))
        blocks = [sp.csr_array(numeric), one_hot]
        if text is not None:
            blocks.append(sp.csr_array(text[:, columns[last:] - layout.text_offset]))
        matrix = sp.csr_array(sp.hstack(blocks, format="csr"))
    return Design(matrix, columns, layout, view.label, view.n_classes)


def text_scale(prepared: Design, weight: Array) -> float:
    """What a penalty on a text's columns is beside that on others: mean ‖text‖² / 10.

    weight   (n,) ≥ 0; the mean is over rows that have a text
    returns  > 0; 1 without any text
    """
    text: Any = prepared.matrix[:, prepared.from_text :]
    squares = np.asarray((text * text).sum(axis=1), np.float64).ravel()
    mass = float(weight @ (squares > 0))
    return float(weight @ squares) / mass / TEXT_WORTH if mass > 0 else 1.0


def stack_views(views: Sequence[RowView]) -> RowView:
    """One view from several made by the same encoder, rows in the given order.

    The label is absent where any part lacks it.  Raises StrategyError if the
    parts were encoded differently.
    """
    import scipy.sparse as sp

    assert views, "stack_views needs at least one view"
    first = views[0]
    if len(views) == 1:
        return first
    layout = Layout.of(first)
    for view in views[1:]:
        layout.require(view)
    labels = [view.label for view in views]
    texts = [view.sparse for view in views]
    return replace(
        first,
        numeric=np.concatenate([view.numeric for view in views]),
        codes=np.concatenate([view.codes for view in views]),
        sparse=None
        if first.sparse is None
        else sp.csr_array(sp.vstack([text for text in texts if text is not None])),
        label=None
        if any(label is None for label in labels)
        else np.concatenate([label for label in labels if label is not None]),
        texts=None
        if first.texts is None
        else np.concatenate([view.texts for view in views if view.texts is not None]),
    )


def take_rows(view: RowView, rows: Ints) -> RowView:
    """The rows of a view at these positions, in this order."""
    return replace(
        view,
        numeric=view.numeric[rows],
        codes=view.codes[rows],
        sparse=None if view.sparse is None else view.sparse[rows],
        label=None if view.label is None else view.label[rows],
        texts=None if view.texts is None else view.texts[rows],
    )


def require_weight(weight: Array | None, n: int) -> Array:
    """Row weights as (n,) floats, ones for None.

    Raises StrategyError if they are not n finite numbers ≥ 0 with a positive sum.
    """
    if n == 0:
        raise StrategyError(
            "Expected at least one labelled row to fit on, found none. "
            "Give the target more rows, or fit on the sources."
        )
    if weight is None:
        return np.ones(n)
    given = np.asarray(weight, np.float64)
    if given.shape != (n,) or not np.isfinite(given).all() or (given < 0).any():
        raise StrategyError(
            f"Expected {n} finite row weights of at least 0, one a row; found shape "
            f"{given.shape}, {int((given < 0).sum())} negative, "
            f"{int((~np.isfinite(given)).sum())} not finite. Mend what made the weights."
        )
    if given.sum() <= 0:
        raise StrategyError(
            f"Expected a positive row weight, found {n} weights that are all zero. "
            "No row is left to fit on: loosen what made the weights, or leave them out."
        )
    return given


def require_label(label: Ints | Array | None, n_classes: int) -> Ints:
    """Labels as class positions.  Raises StrategyError where they are absent or outside."""
    if label is None:
        raise StrategyError(
            "Expected labelled rows to fit on, found rows without labels. "
            "Fit on the labelled part, or join the labels first."
        )
    if len(label) and (label.min() < 0 or label.max() >= n_classes):
        raise StrategyError(
            f"Expected labels from 0 to {n_classes - 1}, found {label.min()} to "
            f"{label.max()}. Encode the rows under the problem's own classes."
        )
    return np.asarray(label, np.int64)


def require_numbers(label: Ints | Array | None) -> Array:
    """Labels as numbers.  Raises StrategyError where they are absent or not finite."""
    if label is None:
        raise StrategyError(
            "Expected labelled rows to fit on, found rows without labels. "
            "Fit on the labelled part, or join the labels first."
        )
    given = np.asarray(label, np.float64)
    if not np.isfinite(given).all():
        raise StrategyError(
            f"Expected finite numbers as labels, found {int((~np.isfinite(given)).sum())} that "
            "are not. Leave such rows unlabelled."
        )
    return given


def absent_share(weight: Array, n_classes: int) -> float:
    """The probability of a class that no row of positive weight holds (Jeffreys)."""
    return 0.5 / (float(weight.sum()) + 0.5 * n_classes)


def share_with_absent(chance: Array, known: Bools, absent: float) -> Array:
    """Probabilities over all classes from those over the known ones.

    chance   (n, number of known) rows sum to 1
    known    (n_classes,)
    absent   what each class that is not known gets; the known ones share the rest
    returns  (n, n_classes) rows sum to 1
    """
    p = np.full((len(chance), len(known)), absent)
    p[:, known] = chance * (1.0 - absent * float((~known).sum()))
    return p

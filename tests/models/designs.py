"""Made rows for the tests of linear models, and their objective written out slowly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from acclimate.arrays import Array, Tensor
from acclimate.domains.view import RowView
from acclimate.models.design import Layout
from acclimate.models.linear import Linear, LinearPrior


def made(
    n: int = 300,
    n_classes: int = 2,
    *,
    text: int = 0,
    levels: tuple[int, ...] = (4, 7),
    seed: int = 0,
    shift: float = 0.0,
) -> RowView:
    """Rows whose label follows a softmax of numbers, codes and text; `shift` moves it."""
    g = np.random.default_rng(seed)
    numeric = g.standard_normal((n, 3))
    codes = np.column_stack([g.integers(0, level, n) for level in levels]).astype(np.int64)
    truth = np.random.default_rng(99)  # the same coefficients whatever the rows
    scores = numeric @ truth.standard_normal((3, n_classes))
    for column, level in enumerate(levels):
        table = truth.standard_normal((level, n_classes))
        table[0] = 0
        scores += table[codes[:, column]]
    sparse = None
    if text:
        sparse = sp.csr_array(
            (g.random(n * 5), g.integers(0, text, n * 5), np.arange(n + 1) * 5),
            shape=(n, text),
        )
        sparse.sum_duplicates()
        scores = scores + sparse @ truth.standard_normal((text, n_classes))
    scores[:, 0] += shift
    label = (scores + g.gumbel(size=scores.shape)).argmax(axis=1).astype(np.int64)
    return RowView(numeric, codes, levels, sparse, label, n_classes)


def relabel(view: RowView, label: Tensor, n_classes: int | None = None) -> RowView:
    return replace(view, label=label.astype(np.int64), n_classes=n_classes or view.n_classes)


def learned(model: Linear) -> Array:
    assert model.fitted is not None
    return model.fitted.coefficients


def objective(
    view: RowView,
    coefficients: Array,
    penalty: float,
    weight: Array | None = None,
    prior: LinearPrior | None = None,
) -> float:
    """The objective of the module's docstring, written out once more and slowly."""
    assert view.label is not None
    scores = Layout.of(view).scores(view, coefficients)
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros(view.n), scores[:, 0]])
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(view.n), view.label]
    total = float(loss @ (np.ones(view.n) if weight is None else weight))
    held = penalty * np.ones(len(coefficients))
    held[0], held[Layout.of(view).text_offset :] = 0.0, penalty * worth(view, weight)
    total += 0.5 * float(held @ (coefficients**2).sum(axis=1))
    if prior is not None:
        total += 0.5 * float((prior.precision * (coefficients - prior.mean) ** 2).sum())
    return total


def worth(view: RowView, weight: Array | None = None) -> float:
    """A tenth of the mean squared norm of the texts of rows that have one; 1 without any."""
    if view.sparse is None:
        return 1.0
    squares = np.array([sum(value**2 for value in row) for row in view.sparse.toarray()])
    given = np.ones(view.n) if weight is None else weight
    pairs = [(w, each) for w, each in zip(given, squares, strict=True) if each > 0]
    return float(sum(w * each for w, each in pairs) / sum(w for w, _ in pairs) / 10)


CASES = {
    "dense binary": made(),
    "dense, three classes": made(n_classes=3, levels=(3,)),
    "few text columns": made(text=60),
    "text": made(text=400),
    "text, three classes": made(text=400, n_classes=3),
    "wide categories": made(levels=(400, 7)),
}

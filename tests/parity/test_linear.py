"""Linear against scikit-learn's LogisticRegression, which minimises the same objective."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

from acclimate.arrays import Array
from acclimate.domains.view import RowView
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from tests.models.designs import worth


def made(n: int, n_classes: int, text: int, seed: int) -> RowView:
    g = np.random.default_rng(seed)
    numeric = g.standard_normal((n, 4))
    codes = np.column_stack([g.integers(0, 5, n), g.integers(0, 30, n)])
    sparse = None
    if text:
        filled = np.where(g.random((n, text)) < 0.05, g.random((n, text)), 0.0)
        sparse = sp.csr_array(filled)
    scores = numeric @ g.standard_normal((4, n_classes))
    scores += g.standard_normal((30, n_classes))[codes[:, 1]]
    label = (scores + g.gumbel(size=scores.shape)).argmax(axis=1)
    return RowView(numeric, codes, (5, 30), sparse, label, n_classes)


def columns(view: RowView) -> Array:
    """[numeric | one-hot without code 0 | text], made without the code under test."""
    parts = [view.numeric]
    for column, level in enumerate(view.levels):
        parts.append(np.eye(level)[view.codes[:, column]][:, 1:])
    if view.sparse is not None:
        parts.append(view.sparse.toarray())
    return np.hstack(parts)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("text", [0, 600], ids=["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("penalty", [0.2, 5.0])
def test_linear_finds_the_minimum_that_scikit_learn_finds(
    n_classes: int, text: int, weighted: bool, penalty: float
) -> None:
    view = made(500, n_classes, text, seed=7)
    weight = np.random.default_rng(8).uniform(0, 3, view.n) if weighted else None
    model = Linear(penalty)
    fitted = model.fit(model.prepare(view), weight=weight, rng=Rng.of(0))
    assert fitted.fitted is not None and view.label is not None

    # Columns divided by √s and held by λ are columns held by λs.
    own = columns(view)
    roots = np.ones(own.shape[1])
    roots[own.shape[1] - text :] = np.sqrt(worth(view, weight))
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=20_000)
    theirs.fit(own / roots, view.label, sample_weight=weight)
    coefficients = fitted.fitted.coefficients
    intercept = theirs.intercept_ - (theirs.intercept_.mean() if n_classes > 2 else 0.0)
    np.testing.assert_allclose(coefficients[1:].T * roots, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(coefficients[0], intercept, atol=1e-4)
    np.testing.assert_allclose(
        fitted.predict(view).p, theirs.predict_proba(own / roots), atol=1e-5
    )

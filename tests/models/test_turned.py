"""A design of more columns than rows is turned into the span of its rows, and loses nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from acclimate.models import design as design_module
from acclimate.models.design import design, text_scale
from acclimate.models.linear import Linear
from acclimate.rng import Rng
from tests.models.designs import made

RNG = Rng.of(0)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows_are_turned_into_the_span_of_the_rows_and_nothing_is_lost(
    n_classes: int, text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = made(40, n_classes, levels=(4,))
    wide = np.random.default_rng(5).standard_normal((40, 90)) + 0.3
    view = replace(view, numeric=np.column_stack([view.numeric, wide[:, :60]]))
    if text:
        view = replace(view, sparse=sp.csr_array(wide[:, 60:]))
    weight = np.random.default_rng(6).random(40)
    plain = design(view)
    scale = text_scale(plain, weight)
    assert plain.turned(scale) is None and (scale != 1) == text
    whole = Linear(0.5).fit(plain, weight=weight, rng=RNG).fitted
    monkeypatch.setattr(design_module, "FEW_COLUMNS", 10)
    narrow = design(view)
    turn = narrow.turned(scale)
    assert turn is not None and turn.rows.shape[1] <= 41
    turned = Linear(0.5).fit(narrow, weight=weight, rng=RNG).fitted
    assert whole is not None and turned is not None
    np.testing.assert_allclose(turned.coefficients, whole.coefficients, atol=1e-4)


def test_designs_of_few_columns_or_many_rows_are_not_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(design_module, "FEW_COLUMNS", 2)
    assert design(made(40, levels=(4,))).turned(1.0) is None
    monkeypatch.setattr(design_module, "FEW_ROWS", 3)
    wide = np.random.default_rng(5).standard_normal((4, 9))
    assert design(replace(made(4, levels=(4,)), numeric=wide)).turned(1.0) is None

"""Made rows of every kind of column, told apart by a ring that no line can draw."""

from __future__ import annotations

import numpy as np

from acclimate.domains.view import RowView

LEVELS = (3, 70, 300, 12)


def rings(n: int, seed: int, text: bool = False) -> RowView:
    """Rows whose class is whether they lie in a ring, shifted by one category."""
    import scipy.sparse as sp

    g = np.random.default_rng(seed)
    numeric = g.normal(size=(n, 3))
    codes = np.column_stack([g.integers(0, level, n) for level in LEVELS])
    radius = np.hypot(numeric[:, 0], numeric[:, 1]) + 0.5 * (codes[:, 0] == 1)
    label = ((radius > 0.8) & (radius < 1.8)).astype(np.int64)
    sparse = None
    if text:
        rows, columns = np.arange(n), 100 + 40 * label  # one term that says it all
        sparse = sp.csr_array((np.ones(n), (rows, columns)), shape=(n, 2**17))
    return RowView(numeric, codes, LEVELS, sparse, label, 2)

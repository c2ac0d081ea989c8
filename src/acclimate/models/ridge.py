"""Ridge regression in closed form, around a centre and as firmly as each column is held.

    minimise  ½ Σ wᵢ (yᵢ − xᵢβ)² + ½ Σ pⱼ (βⱼ − cⱼ)²
    β = (XᵀWX + P)⁻¹ (XᵀWy + Pc)

Before: `linear` joined its penalty and a prior into one centre and one precision.
After: its coefficients.  By Cholesky where the columns are few; otherwise by conjugate
gradients on the same equations, to ten digits of the right side.

Source: Hoerl & Kennard, Technometrics 1970; with a centre it is the posterior mean of a
Gaussian prior (Lindley & Smith, JRSS B 1972).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.models.model import Tick
from acclimate.models.newton import BLOCK, conjugate_gradients, diagonal_of

MOST_COLUMNS = 2000  # Cholesky takes a third of a second here
STEPS = 2000
ACCURACY = 1e-10


def ridge(
    matrix: Any, y: Array, weight: Array, centre: Array, precision: Array, tick: Tick
) -> Array:
    """The minimiser of the objective above.

    matrix             (n, a) dense or CSR, its first column the intercept's
    y, weight          (n,); weights ≥ 0 with a positive sum
    centre, precision  (a,); precision ≥ 0, of the intercept's column alone it may be 0
    returns            (a,)
    """
    tick()
    # Solved for what differs from the centre, and from a level near the labels': the
    # equations then hold no large numbers whose difference is what is wanted.
    begin = centre.copy()
    if precision[0] == 0:
        begin[0] = weight @ y / weight.sum()
    # Where it is not the centre nothing is held, so that P(begin − c) is 0.
    right = matrix.T @ (weight * (y - matrix @ begin))
    if isinstance(matrix, np.ndarray) and matrix.shape[1] <= MOST_COLUMNS:
        return np.asarray(begin + _by_cholesky(matrix, weight, precision, right, tick))

    def product(direction: Array) -> Array:
        tick()
        along = weight * (matrix @ direction[:, 0])
        return np.asarray((matrix.T @ along + precision * direction[:, 0])[:, None])

    scale = diagonal_of(matrix, weight[:, None]) + precision[:, None]
    step = conjugate_gradients(
        product, np.asarray(right)[:, None], np.maximum(scale, 1e-12), ACCURACY, STEPS
    )
    return np.asarray(begin + step[:, 0])


def _by_cholesky(
    matrix: Array, weight: Array, precision: Array, right: Array, tick: Tick
) -> Array:
    from scipy.linalg import cho_factor, cho_solve

    root = np.sqrt(weight)
    gram = np.diag(precision)
    for begin in range(0, len(matrix), BLOCK):
        tick()
        rows = matrix[begin : begin + BLOCK] * root[begin : begin + BLOCK, None]
        gram += rows.T @ rows
    return np.asarray(cho_solve(cho_factor(gram, lower=True), right))

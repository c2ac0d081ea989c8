"""Newton's method for penalised logistic losses, binary or multinomial.

Before: `linear` says what is minimised, around which centre and how firmly.
After: its coefficients.  Directions come from Cholesky on a dense binary design
and from preconditioned conjugate gradients otherwise; steps are halved until the
objective falls.  A factor serves again while gradients fall by a tenth a step with it:
near the minimum the curvature hardly moves, and its product is most of the work.  That
product is in single precision, which halves it and moves the path, not the minimum: gradient
and objective are in double.  Where a factor of the very point does not halve the gradient,
the product is in double from there on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.models.blas import unshared
from acclimate.models.model import Tick

STEPS = 100
CONJUGATE_STEPS = 250
BLOCK = 4096  # rows of a design that are looked at together
CACHED = 1024  # rows of the weighted design that stay in cache, next to their product
ENOUGH = 1e-11  # Newton decrement, on the scale of summed loss, below which a step is the last


def minimise(
    matrix: Any,
    target: Array,
    weight: Array,
    centre: Array,
    precision: Array,
    tick: Tick,
    start: Array | None = None,
) -> Array:
    """Newton's method on  loss + ½ Σ precision·(β − centre)².

    matrix             (n, a) dense or CSR
    target             (n, k) indicators
    centre, precision  (a, k)
    start              (a, k) where to begin, or None: at the centre
    returns            (a, k); where nothing else decides, intercepts have mean 0
    """
    with unshared(matrix.size):
        beta = _descended(matrix, target, weight, centre, precision, tick, start)
    return beta if target.shape[1] == 1 else _settled(beta, centre, precision)


def _descended(
    matrix: Any,
    target: Array,
    weight: Array,
    centre: Array,
    precision: Array,
    tick: Tick,
    start: Array | None,
) -> Array:
    """Where the steps end."""
    direct = target.shape[1] == 1 and isinstance(matrix, np.ndarray)
    beta = (centre if start is None else start).copy()
    scores = np.asarray(matrix @ beta)
    value = _loss(scores, target, weight) + _away(beta, centre, precision)
    first, before, factor = None, math.inf, None
    exact = fresh = False
    for _ in range(STEPS):
        tick()
        chance = chances(scores)
        away = precision * (beta - centre)
        gradient = matrix.T @ (weight[:, None] * (chance - target)) + away
        size = float(np.linalg.norm(gradient))
        first = size if first is None else first
        if size == 0.0:
            break
        if direct:
            exact = exact or (fresh and size > 0.5 * before)
            fresh = factor is None or size > 0.1 * before
            if fresh:
                factor = _factor(matrix, weight, chance, precision, exact)
            step = _by_cholesky(factor, gradient)
        else:
            # Rough far from the minimum, then a thousandth of the gradient a step.
            accuracy = min(0.1, max(1e-3, size / first))
            step = _by_conjugate_gradients(
                matrix, weight, chance, precision, gradient, accuracy
            )
        before = size
        slope = float((gradient * step).sum())
        along = np.asarray(matrix @ step)
        length, last = 1.0, -slope < ENOUGH
        # Rounding hides decreases below this; a convex objective then needs no search.
        slack = 1e-12 * (1.0 + abs(value))
        for _ in range(40):
            moved = beta + length * step
            new = _loss(scores + length * along, target, weight)
            new += _away(moved, centre, precision)
            if new <= value + 1e-4 * length * slope + slack:
                break
            length /= 2
        else:
            break
        beta, scores, value = moved, scores + length * along, new
        if last:
            break
    return beta


def chances(scores: Array) -> Array:
    """(n, k) probabilities of the columns; one column leaves the rest to class 0."""
    from scipy.special import expit, softmax

    chance = expit(scores) if scores.shape[1] == 1 else softmax(scores, axis=1)
    return np.asarray(chance, np.float64)


def _loss(scores: Array, target: Array, weight: Array) -> float:
    from scipy.special import logsumexp

    if scores.shape[1] == 1:
        total = np.maximum(scores[:, 0], 0.0) + np.log1p(np.exp(-np.abs(scores[:, 0])))
    else:
        total = logsumexp(scores, axis=1)
    return float(weight @ (total - (scores * target).sum(axis=1)))


def _away(beta: Array, centre: Array, precision: Array) -> float:
    return 0.5 * float((precision * (beta - centre) ** 2).sum())


def _settled(beta: Array, centre: Array, precision: Array) -> Array:
    """Move each row of (a, k) to where the quadratic alone wants it.

    The same number added to every class's coefficient of a column changes no
    probability, so Newton steps hardly see that direction where precision is small.
    """
    total = precision.sum(axis=1, keepdims=True)
    pulled = (precision * (beta - centre)).sum(axis=1, keepdims=True)
    settled: Array = beta - np.divide(
        pulled, total, out=beta.mean(axis=1, keepdims=True), where=total > 0
    )
    return settled


def _factor(matrix: Array, weight: Array, chance: Array, precision: Array, exact: bool) -> Any:
    """The Cholesky factor of the Hessian of a dense binary design.

    exact  whether its product is in double precision; else where single does not serve
    """
    from scipy.linalg import LinAlgError, cho_factor

    # Scaled by the root, each block's product is symmetric and costs half.
    root = np.sqrt(weight * (chance * (1.0 - chance))[:, 0])[:, None]
    hessian = _product(matrix, root, np.float64 if exact else np.float32)
    if not np.isfinite(hessian).all():
        hessian = _product(matrix, root, np.float64)
    diagonal = np.diag_indices_from(hessian)
    hessian[diagonal] += precision[:, 0]
    ridge = 0.0
    while True:
        try:
            return cho_factor(hessian, lower=True)
        except LinAlgError:
            # Where every probability has saturated the intercept has no curvature left.
            more = max(1e-12 * float(hessian[diagonal].max(initial=1.0)), 10 * ridge)
            hessian[diagonal] += more - ridge
            ridge = more


def _product(matrix: Array, root: Array, precision: Any) -> Array:
    """(a, a) of the rows times their root, with themselves."""
    total = np.zeros((matrix.shape[1], matrix.shape[1]))
    held = np.empty((min(CACHED, len(matrix)), matrix.shape[1]), precision)
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, len(matrix), CACHED):
            rows = matrix[begin : begin + CACHED]
            scaled = held[: len(rows)]
            np.multiply(rows, root[begin : begin + CACHED], out=scaled, casting="same_kind")
            total += scaled.T @ scaled
    return total


def _by_cholesky(factor: Any, gradient: Array) -> Array:
    """The Newton direction, exactly where the factor is of this point."""
    from scipy.linalg import cho_solve

    return np.asarray(-cho_solve(factor, gradient), np.float64)


def _by_conjugate_gradients(
    matrix: Any,
    weight: Array,
    chance: Array,
    precision: Array,
    gradient: Array,
    accuracy: float,
) -> Array:
    """The Newton direction up to `accuracy` of the gradient, from products alone."""
    weighed = weight[:, None] * chance  # (n, k)

    def hessian(direction: Array) -> Array:
        along = matrix @ direction
        spread = weighed * (along - (chance * along).sum(axis=1, keepdims=True))
        return np.asarray(matrix.T @ spread + precision * direction)

    scale = diagonal_of(matrix, weighed * (1.0 - chance)) + precision
    scale = np.maximum(scale, 1e-12 * scale.max())
    return conjugate_gradients(hessian, -gradient, scale, accuracy)


def conjugate_gradients(
    product: Callable[[Array], Array],
    right: Array,
    scale: Array,
    accuracy: float,
    steps: int = CONJUGATE_STEPS,
) -> Array:
    """Solve product(x) = right, `scale` being about the diagonal of `product`.

    accuracy  > 0, of the residual, relative to `right`
    """
    x = np.zeros_like(right)
    residual = right.copy()
    enough = accuracy * float(np.linalg.norm(right))
    ahead = residual / scale
    direction = ahead
    power = float((residual * ahead).sum())
    for _ in range(steps):
        image = product(direction)
        bend = float((direction * image).sum())
        if bend <= 0.0:  # no curvature left in this direction but rounding
            break
        x = x + (power / bend) * direction
        residual = residual - (power / bend) * image
        if float(np.linalg.norm(residual)) <= enough:
            break
        ahead = residual / scale
        power, before = float((residual * ahead).sum()), power
        direction = ahead + (power / before) * direction
    return x if x.any() else right / scale


def diagonal_of(matrix: Any, curve: Array) -> Array:
    """(a, k) of the Hessian's diagonal: Σᵢ curveᵢₖ·xᵢⱼ²."""
    if isinstance(matrix, np.ndarray):
        total = np.zeros((matrix.shape[1], curve.shape[1]))
        for begin in range(0, len(matrix), BLOCK):
            total += (matrix[begin : begin + BLOCK] ** 2).T @ curve[begin : begin + BLOCK]
        return total
    squares = matrix.copy()
    squares.data **= 2
    return np.asarray(squares.T @ curve)

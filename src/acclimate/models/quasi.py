"""L-BFGS from a diagonal that is known: a minimum of a smooth convex function.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed., algorithms 7.4 and 7.5, with
the curvature of each coordinate as the first guess instead of one number for all.  Of
features seen ten thousand times and features seen once, one number serves neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from acclimate.arrays import Array

Function = Callable[[Array], tuple[float, Array]]

MEMORY = 6


def descend(
    function: Function, start: Array, curvature: Array, *, enough: float, steps: int
) -> Array:
    """Where the function is smallest, nearly.

    function   θ → (value, gradient)
    curvature  like θ, > 0: about the second derivative along each coordinate
    enough     ≥ 0: a relative decrease, averaged over five steps, that ends the search
    steps      ≥ 1, at most
    """
    theta = start.copy()
    value, gradient = function(theta)
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=MEMORY)
    seen = [value]
    for _ in range(steps):
        direction = -_solved(gradient, pairs, curvature)
        slope = float(gradient @ direction)
        if not slope < 0:
            break
        length, slack = 1.0, 1e-12 * (1.0 + abs(value))
        for _ in range(30):
            moved = theta + length * direction
            new, turned = function(moved)
            if new <= value + 1e-4 * length * slope + slack:
                break
            # The smallest of the parabola through what is known, within bounds.
            bend = new - value - length * slope
            guess = -slope * length**2 / (2 * bend) if np.isfinite(bend) else 0.0
            length = float(np.clip(guess, 0.1 * length, 0.5 * length))
        else:
            break
        step, change = moved - theta, turned - gradient
        bent = float(step @ change)
        if bent > 1e-10 * float(change @ change) ** 0.5 * float(step @ step) ** 0.5:
            pairs.append((step, change, bent))
        theta, value, gradient = moved, new, turned
        seen.append(value)
        if len(seen) > 5 and seen[-6] - value <= 5 * enough * abs(value):
            break
    return theta


def _solved(
    gradient: Array, pairs: deque[tuple[Array, Array, float]], curvature: Array
) -> Array:
    """The inverse Hessian that the pairs suggest, times the gradient."""
    q = gradient.copy()
    shares = []
    for step, change, bent in reversed(pairs):
        share = float(step @ q) / bent
        q -= share * change
        shares.append(share)
    q /= curvature
    if pairs:
        _, change, bent = pairs[-1]
        q *= bent / float(change @ (change / curvature))
    for (step, change, bent), share in zip(pairs, reversed(shares), strict=True):
        q += (share - float(change @ q) / bent) * step
    return q

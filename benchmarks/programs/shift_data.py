"""Made rows of a source and a target whose columns are mixed and moved, for two libraries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS = 5000
COLUMNS = 100
ASKED = 2000
EPOCHS = 10
BATCH = 256
RATE = 1e-3
FITS = 10  # of a method that takes hundredths of a second
ENTROPY = 0.05  # of transport, in units of the largest cost


def made(
    scale: float, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Source rows and their labels; target rows and theirs, of which the last ASKED are asked.

    scale  times 5,000 rows of each side
    """
    g = np.random.default_rng(seed)
    n, d = round(scale * ROWS), COLUMNS
    w = g.standard_normal(d) / d**0.5 * 2
    mixed = np.eye(d) + 0.3 * g.standard_normal((d, d)) / d**0.5

    def side(rows: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        x = g.standard_normal((rows, d))
        return x, (x @ w + 0.5 * g.standard_normal(rows) > 0).astype(np.int64)

    xs, ys = side(n)
    xt, yt = side(n + ASKED)
    moved = xt @ mixed + 0.5
    return xs.astype(np.float32), ys, moved.astype(np.float32), yt


def sides(
    xs: NDArray[np.float32], ys: NDArray[np.int64], xt: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of both sides, their classes (−1: not known) and domains, as skada wants them."""
    label = np.r_[ys, np.full(len(xt), -1)]
    domain = np.r_[np.ones(len(xs), np.int64), -np.ones(len(xt), np.int64)]
    return np.vstack([xs, xt]), label, domain

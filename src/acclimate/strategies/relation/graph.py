"""A graph of a category's levels: which behave alike in the sources, which stand under which.

Before: views of the sources, and the names of the levels.  After: `smoothing` gives
levels that are joined effects that are alike.  No row of the target has a part in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.view import RowView

SEPARATORS = (">", "|", "/")  # of a path such as "home > kitchen > pans"
NEIGHBOURS = 5  # of a level, and at most a third of the others
SURE_ROWS = 10.0  # a level's mean is drawn to that of all as if by so many rows


def behaviour(view: RowView, column: int, weight: Array | None = None) -> tuple[Array, Array]:
    """What the label does at each level of a source: rows, and how far from its mean.

    column   of `view.codes`
    returns  (levels,) weighted rows, and (levels, k) the shrunk mean of each class but the
             first, or of the number in deviations, minus the mean of all rows.  Code 0,
             of rare levels, is left out
    """
    assert view.label is not None
    weight = np.ones(view.n) if weight is None else weight
    code, size = view.codes[:, column], int(view.levels[column])
    if view.n_classes:
        shown = np.eye(view.n_classes)[np.asarray(view.label, np.int64)][:, 1:]
    else:
        y = np.asarray(view.label, np.float64)[:, None]
        shown = y / (y.std() or 1.0)
    apart = shown - weight @ shown / weight.sum()
    rows = np.asarray(np.bincount(code, weight, minlength=size), np.float64)
    sums = [np.bincount(code, weight * each, minlength=size) for each in apart.T]
    means = np.stack(sums, axis=1) / (rows + SURE_ROWS)[:, None]
    return rows[1:], means[1:]


def alike(rows: Array, means: Array) -> Array:
    """(levels, levels) weights ≥ 0 of the edges between levels that behave alike.

    rows   (levels,); a level without any has no edge
    means  (levels, k)

    Each level is joined to its `NEIGHBOURS` nearest by exp(−d²/2σ²), σ the median distance
    of the farthest of them; all are divided by the mean degree, so that it is 1.
    """
    size = len(rows)
    W = np.zeros((size, size))
    known = np.flatnonzero(rows > 0)
    if len(known) < 2:
        return W
    count = min(NEIGHBOURS, max(1, (len(known) - 1) // 3))
    x = means[known]
    norms = (x**2).sum(axis=1)
    squares = np.maximum(norms[:, None] + norms - 2 * x @ x.T, 0.0)
    np.fill_diagonal(squares, np.inf)
    nearest = np.argsort(squares, axis=1, kind="stable")[:, :count]
    d2 = np.take_along_axis(squares, nearest, axis=1)
    scale = float(np.median(d2[:, -1]))
    near = np.exp(-d2 / (2 * scale)) if scale > 0 else (d2 == 0).astype(float)
    W[known[:, None], known[nearest]] = near
    W = np.maximum(W, W.T)
    degree = W.sum(axis=1)[known].mean()
    return W / degree if degree > 0 else W


def kinship(names: Sequence[str]) -> Array:
    """(nodes, nodes) edges of weight 1 between a path and what it stands under.

    names    of the levels; paths where half of them hold a separator
    returns  the levels first, then what they stand under and is no level itself
    """
    cut = next((s for s in SEPARATORS if 2 * sum(s in n for n in names) >= len(names)), None)
    if cut is None or not names:
        return np.zeros((len(names), len(names)))
    paths = [tuple(part.strip() for part in name.split(cut)) for name in names]
    place: dict[tuple[str, ...], int] = {}
    for at, path in enumerate(paths):
        place.setdefault(path, at)
    nodes = len(names)
    for path in paths:
        for depth in range(1, len(path)):
            if path[:depth] not in place:
                place[path[:depth]] = nodes
                nodes += 1
    W = np.zeros((nodes, nodes))
    for at, path in enumerate(paths):
        # Spelled with other spaces a path is a level of its own beside the first.
        W[at, place[path]] = W[place[path], at] = float(place[path] != at)
    for path, at in place.items():
        if len(path) > 1:
            W[at, place[path[:-1]]] = W[place[path[:-1]], at] = 1.0
    return W


def smoothed(W: Array, smooth: float, levels: int) -> Array:
    """(levels, levels) covariance of effects under the graph, of mean variance 1.

        K = (I + γ (D − W))⁻¹, for the first `levels` nodes, divided by its mean diagonal

    W       (nodes, nodes) symmetric, ≥ 0, a zero diagonal
    smooth  γ ≥ 0; 0 joins nothing, and K is I
    """
    Q = np.diag(1.0 + smooth * W.sum(axis=1)) - smooth * W
    K = np.linalg.inv(Q)[:levels, :levels]
    scaled: Array = K / np.diag(K).mean()
    return scaled


def directions(K: Array, most: int) -> Array:
    """(levels, r ≤ most) R with R Rᵀ = K, but for what the smallest directions hold."""
    values, vectors = np.linalg.eigh((K + K.T) / 2)
    kept = np.argsort(-values, kind="stable")[:most]
    kept = kept[values[kept] > 1e-9 * values.max()]
    R = vectors[:, kept] * np.sqrt(values[kept])
    # A direction and its opposite are one: the largest entry is made positive.
    signs = np.sign(R[np.argmax(np.abs(R), axis=0), np.arange(R.shape[1])])
    oriented: Array = R * signs
    return oriented

"""How many rows to label, and which first: where the leading arms disagree, not all alike.

Before: arms answered the target's rows, which have no labels.  After: a list stands beside the
report, and who labels its rows tells the arms apart soonest.

Rows are taken one after the other, each the one with the largest

    disagreement × distance to the nearest row that was taken

Sources: the disagreement is that of a committee (McCallum & Nigam, ICML 1998); spreading by the
distance to what was taken is k-centre greedy (Sener & Savarese, ICLR 2018, algorithm 1), with
Gower's distance (Biometrics 1971): the mean over columns of how far two rows are, 0 … 1.  Their
product is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.sample import Rows
from acclimate.domains.split import Cut
from acclimate.domains.view import RowView
from acclimate.plans.ballot import Ballot
from acclimate.verdicts.validators import disagreement, entropy

LABEL_FIRST = 50
WANTED, MOST_WANTED = (
    200,
    10_000,
)  # labelled rows: what a verdict needs, and what is said at most
SETTLES = 1.959964 + 0.841621  # normal quantiles of 97.5 % and of 80 %
CANDIDATES = 500  # the rows of most disagreement, among which the list is spread
LEAST = 1e-9  # of a distance, so that rows that are all alike keep their order


def labels_wanted(one: Ballot, other: Ballot) -> int:
    """Labelled rows with which a verdict between two arms could be settled, 200 … 10,000.

    If the target's rows tell them apart as the sources' held-out ones do, weighted towards the
    target: n rows to judge on take the lower bound above zero with 80 % chance,

        n = ((z_0.975 + z_0.8) · s / |d|)²

    d, s the weighted mean and deviation of the difference of log probabilities; a share of the
    labels alone judges.  A plan, no promise: below 200 transfer can seldom be judged.
    """
    if one.gain is None or other.gain is None or one.weight is None:
        return WANTED
    away, weight = one.gain - other.gain, one.weight / one.weight.sum()
    mean = float(weight @ away)
    variance = float(weight @ np.square(away - mean))
    if mean == 0:
        return WANTED if variance == 0 else MOST_WANTED
    judged = (SETTLES**2) * variance / mean**2
    if not judged < MOST_WANTED:
        return MOST_WANTED
    n = math.ceil(judged / Cut().judge_share(max(1, math.ceil(2 * judged))))
    return min(max(WANTED, 10 * math.ceil(n / 10)), MOST_WANTED)


def label_first(
    answers: Sequence[Array], asked: Ints, rows: Rows, view: RowView | None = None
) -> tuple[int, ...]:
    """Positions of the rows whose labels would tell the arms apart, first things first.

    answers  each leading arm's (n, k) answers to the rows at
    asked    (n,) positions in `rows`
    view     (n,) these rows as arms read them; None: they are not spread
    returns  at most 50, one of each independent unit
    """
    every = np.stack(answers)
    apart, unsure = disagreement(every), entropy(every.mean(axis=0))
    # Where all agree, or there is one arm, the rows it is least sure of come first.
    worth = apart if apart.max(initial=0.0) > LEAST else unsure
    order = np.lexsort((-unsure, -apart))
    _, once = np.unique(rows.units()[asked[order]], return_index=True)
    order = order[np.sort(once)][:CANDIDATES]
    if view is not None:
        order = order[spread_out(worth[order], view, order)]
    return tuple(int(row) for row in asked[order[:LABEL_FIRST]])


def spread_out(worth: Array, view: RowView, rows: Ints) -> Ints:
    """(at most 50,) positions in `worth`, the most worth first, then what is far from it.

    worth  (m,) ≥ 0, falling
    rows   (m,) of the view
    """
    nearest, left = np.ones(len(worth)), np.ones(len(worth), bool)
    taken: list[int] = []
    for _ in range(min(LABEL_FIRST, len(worth))):
        value = np.where(left, worth * (nearest + LEAST), -1.0)
        best = int(np.argmax(value))
        taken.append(best)
        left[best] = False
        nearest = np.minimum(nearest, distances(view, rows, int(rows[best])))
    return np.array(taken, np.int64)


def distances(view: RowView, rows: Ints, to: int) -> Array:
    """(m,) Gower's distance of rows of a view to one of them; all text counts as a column.

    Numbers are apart by their difference over the range among these rows.
    """
    parts: list[Array] = []
    numeric = view.numeric[rows]
    if numeric.shape[1]:
        span = np.ptp(numeric, axis=0)
        away = np.abs(numeric - view.numeric[to]) / np.where(span > 0, span, 1.0)
        parts += [*away.T]
    parts += [*(view.codes[rows] != view.codes[to]).astype(np.float64).T]
    if view.sparse is not None:
        alike = np.asarray((view.sparse[rows] @ view.sparse[[to]].T).todense()).ravel()
        parts.append(np.clip(1.0 - alike, 0.0, 1.0))
    found: Array = np.mean(parts, axis=0) if parts else np.ones(len(rows))
    return found

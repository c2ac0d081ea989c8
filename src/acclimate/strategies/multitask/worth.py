"""How many rows a loss over several tasks is worth.

A penalty (λ/2)·‖θ‖² stands beside *summed* losses, so that it is divided by the rows that
means are taken over.  Where several tasks meet in a parameter these are

    n(S) = Σ_{k∈S} s_k / Σ_{j,k∈S} s_j s_k · o_jk / (m_j m_k)

over the tasks S whose loss the parameter moves: s_k the share of a task's mean loss, m_k
the rows it counts for, o_jk those of them that tasks j and k have in common (o_kk = m_k).

Source: Kish's effective sample size, Survey Sampling, 1965, section 11.7, of the weight
w_r = Σ_k s_k / m_k that each row has in the loss: n = Σ_r w_r / Σ_r w_r².
Departures: (Σw)² / Σw² is divided by Σw, for the loss is Σ_k s_k times a mean; and labels
of one row are one row that counts several times, and not several rows.  Then tasks that
are copies of each other are held as the one task alone is, and copies on other rows as
one task of all these rows.  Labels of one row that tell different things would bear a
weaker penalty.

Before: `lessons` said which rows a task has.  After: `sharing` gives each parameter its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from acclimate.arrays import Array
from acclimate.models.joint import own
from acclimate.models.streams import Params
from acclimate.strategies.multitask.lessons import Lesson


def overlaps(lessons: Sequence[Lesson]) -> Array:
    """(tasks, tasks) how many rows two tasks have in common, by weight; of itself, all.

    A row that two tasks weigh differently is common as far as the lesser weight goes.
    """
    found = np.diag([lesson.mass for lesson in lessons])
    for k, one in enumerate(lessons):
        for j, other in enumerate(lessons[:k]):
            if one.rows is None or other.rows is None:
                continue
            _, mine, theirs = np.intersect1d(
                one.rows, other.rows, assume_unique=True, return_indices=True
            )
            both = np.minimum(weights(one)[mine], weights(other)[theirs])
            found[k, j] = found[j, k] = both.sum()
    return found


def weights(lesson: Lesson) -> Array:
    """(n,) of the rows, 1 where none are given."""
    return np.ones(lesson.view.n) if lesson.weight is None else lesson.weight


def rows_worth(shares: Sequence[float], common: Array) -> float:
    """n of a loss Σ share · mean; infinite where no task has a share.

    common  (tasks, tasks) as `overlaps` gives it
    """
    s = np.asarray(shares, np.float64) / common.diagonal()
    squares = float(s @ common @ s)
    return float(sum(shares)) / squares if squares else math.inf


def worth_of(
    params: Params,
    private: Collection[str],
    names: Sequence[str],
    shares: Mapping[str, float],
    common: Array,
) -> dict[str, float]:
    """Parameter → the rows that the losses which move it are worth.

    params   every task's, shared and private ones
    private  plain names of those of which each task has its own
    names    of the tasks, in the order of `common`
    """
    whole = rows_worth([shares[name] for name in names], common)
    found = dict.fromkeys(params, whole)
    for at, name in enumerate(names):
        alone = rows_worth([shares[name]], common[at : at + 1, at : at + 1])
        found |= {own(name, each): alone for each in private}
    return {name: rows for name, rows in found.items() if name in params}

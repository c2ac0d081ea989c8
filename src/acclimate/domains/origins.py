"""Origins: the moments from which inner questions ask about what came later.

An exam by the clock asks about the last stretch of time; inner folds of `fit` and what
re-rankers hide ask in the same way about stretches before it, so that what is learned and
tuned answers the question that is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.coding import places_from_last
from acclimate.domains.exam import Case

if TYPE_CHECKING:
    from acclimate.domains.sample import Interactions

SHARE = 0.25  # of the events up to an end lie after its origin, as `choose` lies after `fit`


def origins(time: Array, k: int) -> list[tuple[float, float]]:
    """At most k stretches of time, the latest first; each ends where the one before begins.

    time     (n,) of events, in seconds; −inf where unknown, and never asked about
    returns  pairs (origin, end): known is what happened before the origin, asked about is
             what happened from then on and before the end; something is known at each
    """
    known = np.sort(time[np.isfinite(time)])
    end, found = np.inf, list[tuple[float, float]]()
    for _ in range(k):
        before = known[: np.searchsorted(known, end)]
        if not len(before):
            break
        origin = float(before[min(int(len(before) * (1 - SHARE)), len(before) - 1)])
        if origin <= known[0]:
            break
        found.append((origin, end))
        end = origin
    return found


def by_clock(sample: Interactions, k: int) -> list[tuple[Interactions, Case]]:
    """What was known at each origin, and what was taken from it on by whom it had met."""
    assert sample.time is not None
    pairs = []
    for origin, end in origins(sample.time, k):
        known = sample.before(origin)
        met = np.unique(known.item)
        rest = known.of_items(met)
        held = sample.take(np.flatnonzero((sample.time >= origin) & (sample.time < end)))
        later = held.of_items(met)
        lost = np.bincount(held.user, minlength=len(sample.users))
        lost -= np.bincount(later.user, minlength=len(sample.users))
        case = rest.ask(later, lost)
        if case.truth.n_units:
            pairs.append((rest, case))
    return pairs


def by_user(sample: Interactions, k: int) -> list[tuple[Interactions, Case]]:
    """What is left once each user's last items are hidden, and the first of these."""
    left, each = places_from_last(sample.user)
    pairs = []
    for number in range(k):
        enough = each >= number + 2
        held = enough & (left == number)
        hidden = enough & (left <= number)
        if held.any():
            rest = sample.take(np.flatnonzero(~hidden))
            pairs.append((rest, rest.ask(sample.take(np.flatnonzero(held)))))
    return pairs

"""Learning curves: what labels buy, with transfer and without it.

Before: `plans.learning` scored arms fitted on more and more target labels.  After: a reader
knows how many labels a transfer is worth, and when it stops paying.

Scores are turned so that lower is better (minus the score where high is good).  A curve is
the power law

    e(n) = a + b·n^(−c),   b ≥ 0,  0.05 ≤ c ≤ 2,  a ≥ the least error there can be

Source: Cortes, Jackel, Solla, Vapnik & Denker, NIPS 1993 (error of a learner against rows);
Hestness et al., arXiv:1712.00409, eq. 1 (the same over many domains).  Departures: c is found
on a fine grid and then by golden section, a and b by least squares for each c,
weighted by n, as the score of a draw varies less the more labels it has; intervals are
percentiles of fits to resampled curves, and not from the fit's own errors, which neighbouring
points, having rows in common, would make too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError

RATES = (0.05, 2.0)  # of decay; outside of them a curve cannot be told from a step or a line
GRID = 40
POINTS = 4  # sizes that a law of three numbers needs
HORIZON = 100.0  # times the labels there are: no curve is followed further


@dataclass(frozen=True)
class PowerLaw:
    """e(n) = level + drop·n^(−rate).

    level  what is left with labels without end
    drop   ≥ 0; 0 says that labels do not help
    rate   0.05 … 2
    """

    level: float
    drop: float
    rate: float

    def at(self, n: Array | float) -> Array:
        """The error at n > 0 labels."""
        found: Array = self.level + self.drop * np.asarray(n, dtype=np.float64) ** -self.rate
        return found

    def labels_for(self, error: float) -> float:
        """Labels at which the error is reached: 0 where it always is, ∞ where it never is."""
        if self.drop == 0:
            return 0.0 if error >= self.level else math.inf
        if error <= self.level:
            return math.inf
        return float(((error - self.level) / self.drop) ** (-1 / self.rate))


def fit(n: Ints | Array, error: Array, least: float = -math.inf) -> PowerLaw:
    """The power law nearest to a curve, by least squares weighted by n.

    n      (s,) different numbers of labels > 0, at least four
    error  (s,) finite, lower is better
    least  no law falls below it: 0 of a loss, −1 of a score that cannot pass 1

    Raises DataError for fewer than four sizes.
    """
    x, y = np.asarray(n, dtype=np.float64), np.asarray(error, dtype=np.float64)
    if (sizes := len(np.unique(x))) < POINTS:
        raise DataError(
            f"Expected scores at {POINTS} numbers of labels at least, found {sizes}: a curve "
            "has three numbers of its own. Ask for more sizes, or gather more labels."
        )
    rates = np.geomspace(*RATES, GRID)
    losses = [_given(rate, x, y, least)[1] for rate in rates]
    best = int(np.argmin(losses))
    low, high = rates[max(0, best - 1)], rates[min(GRID - 1, best + 1)]
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(30):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _given(left, x, y, least)[1] <= _given(right, x, y, least)[1]:
            high = right
        else:
            low = left
    return _given((low + high) / 2, x, y, least)[0]


def _given(rate: float, x: Array, y: Array, least: float) -> tuple[PowerLaw, float]:
    """The best law of one rate and its squared error: least squares within b ≥ 0, a ≥ least."""
    u, w = x**-rate, x / x.sum()
    centre, middle = float(w @ u), float(w @ y)
    drop = max(0.0, float(w @ ((u - centre) * (y - middle)) / (w @ (u - centre) ** 2)))
    level = middle - drop * centre
    if level < least:  # on the edge: one number is left to choose
        level, drop = least, max(0.0, float(w @ (u * (y - least)) / (w @ u**2)))
    return PowerLaw(level, drop, rate), float(w @ (level + drop * u - y) ** 2)


@dataclass(frozen=True)
class Worth:
    """What transfer is worth where so many labels are here.  Labels may be ∞: never.

    parity  labels at which transfer is as good as target-only with all that are here
    saving  labels here / parity: k times fewer labels for the same score
    labels  more labels that target-only would need to be as good as transfer is here; below
            0 where transfer is worse
    stops   labels from which transfer gains less than δ
    """

    parity: float
    saving: float
    labels: float
    stops: float

    NAMES: ClassVar[tuple[str, ...]] = ("parity", "saving", "labels", "stops")


def worth(
    n: Ints, transfer: Array, alone: Array, delta: float, least: float = -math.inf
) -> Worth:
    """Read the headlines off two curves.

    n                (s,) rising numbers of labels; the last is all there are
    transfer, alone  (s,) errors
    delta            ≥ 0, the smallest gain worth having
    least            as in `fit`

    Up to the labels that are here, the errors that were seen are read, straight between them
    on a log axis and never rising (isotonic regression); past them their laws, moved to go
    through the last.  Parity below the smallest fit is said to be at it, so that the saving
    is "at least".  Past 100 times the labels there are, a number is ∞.
    """
    ours, theirs = _Seen.of(n, transfer, least), _Seen.of(n, alone, least)
    here, far = float(n[-1]), HORIZON * float(n[-1])
    parity, needed = ours.reach(theirs.last), theirs.reach(ours.last)
    asked = np.geomspace(here, far, 1000)
    ahead = theirs.law.at(asked) - ours.law.at(asked)
    x = np.r_[np.asarray(n, dtype=np.float64), asked[1:]]
    pays = np.flatnonzero(np.r_[alone - transfer, ahead[1:]] > delta)
    if not len(pays):
        stops = float(n[0])
    else:
        stops = math.inf if pays[-1] == len(x) - 1 else float(x[pays[-1] + 1])
    return Worth(parity, 0.0 if math.isinf(parity) else here / parity, needed - here, stops)


@dataclass(frozen=True)
class _Seen:
    """A curve as it was seen, never rising, and its law."""

    n: Array
    error: Array
    law: PowerLaw

    @classmethod
    def of(cls, n: Ints, error: Array, least: float) -> _Seen:
        from sklearn.isotonic import isotonic_regression

        x = np.asarray(n, dtype=np.float64)
        falling = isotonic_regression(error, sample_weight=x, increasing=False)
        return cls(x, np.asarray(falling, dtype=np.float64), fit(n, error, least))

    @property
    def last(self) -> float:
        return float(self.error[-1])

    def reach(self, error: float) -> float:
        """The fewest labels, of those seen and up to 100 times as many, with this error."""
        if error >= self.error[0]:
            return float(self.n[0])
        if error >= self.last:
            at = int(np.flatnonzero(self.error <= error)[0])
            (a, b), (x, y) = self.error[at - 1 : at + 1], np.log(self.n[at - 1 : at + 1])
            return float(np.exp(x + (y - x) * (a - error) / (a - b)))
        here = self.n[-1]
        found = self.law.labels_for(error - self.last + float(self.law.at(here)))
        return math.inf if found > HORIZON * here else max(found, float(here))


def span(values: Array) -> tuple[float, float]:
    """The 2.5 % and 97.5 % points of values of which some may be ∞."""
    ordered = np.sort(values)
    at = [math.floor(0.025 * (len(ordered) - 1)), math.ceil(0.975 * (len(ordered) - 1))]
    return float(ordered[at[0]]), float(ordered[at[1]])

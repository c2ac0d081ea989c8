"""Judge as data arrives: an interval that may be looked at after every unit.

Before: two arms answer the same units, one after the other.  After: the moment the interval
leaves 0 it may be said so, however often one has looked; `compare`'s interval holds for one
look alone.  For scores that are means of units.

Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Time-uniform central limit theory and
asymptotic confidence sequences, Annals of Statistics 52 (2024), arXiv:2103.06476, Theorem 2.2:
for all t at once, with probability 1 − α as data grow,

    μ̂_t ± σ̂_t · √( 2(tρ² + 1) / (t²ρ²) · ln( √(tρ² + 1) / α ) )

and, as they advise, narrowest around t* units with ρ = √((−2 ln α + ln(−2 ln α) + 1) / t*).

Departures: nothing is said before 30 units that differ, as the theorem is about large samples
and a score that is mostly 0 has said little until then; σ̂ is the standard deviation with t − 1;
and the interval is the intersection of all so far.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from acclimate.arrays import Array
from acclimate.errors import DataError, UsageError
from acclimate.verdicts.compare import Effect
from acclimate.verdicts.verdict import MIN_UNITS

TUNED_AT = 1000  # units around which the interval is narrowest


def radius(t: Array | float, level: float = 0.05, tuned_at: float = TUNED_AT) -> Array:
    """Half the width of the sequence after t units, in standard deviations of a difference.

    t         ≥ 1
    level     (0, 1) that the interval ever misses, both sides together
    tuned_at  > 0, units around which it is narrowest
    """
    n = np.asarray(t, dtype=np.float64)
    spread = -2 * math.log(level)
    rho2 = (spread + math.log(spread) + 1) / tuned_at
    wide: Array = np.sqrt(
        2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / level)
    )
    return wide


@dataclass(frozen=True)
class Watch:
    """Differences seen so far and the interval that all looks together leave.

    level     (0, 1) two-sided, for all looks together
    tuned_at  > 0, units around which the interval is narrowest
    n, mean   units so far and the mean of their differences
    squares   Σ (d − mean)²
    differ    units whose difference is not 0
    low, high the interval; infinite until 30 units differ
    """

    level: float = 0.05
    tuned_at: float = TUNED_AT
    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    differ: int = 0
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not 0 < self.level < 1 or not self.tuned_at > 0:
            raise UsageError(
                "Expected a level between 0 and 1 and tuned_at above 0; found "
                f"{self.level:g} and {self.tuned_at:g}. Try 0.05 and the units you expect."
            )

    def seen(self, difference: Array) -> Watch:
        """The same after more units, looked at once at their end.

        difference  (m,) unit score of transfer minus that of the baseline, finite

        Raises DataError where a number is not finite.
        """
        d = np.asarray(difference, dtype=np.float64).ravel()
        if not np.isfinite(d).all():
            raise DataError(
                f"{np.count_nonzero(~np.isfinite(d))} of {d.size} unit differences are not "
                "finite. Clip the probabilities, or drop units that no arm can be scored on."
            )
        if not d.size:
            return self
        n = self.n + d.size
        step = float(d.mean()) - self.mean
        mean = self.mean + step * d.size / n
        squares = (
            self.squares
            + float(((d - d.mean()) ** 2).sum())
            + step**2 * self.n * d.size / n  # Chan, Golub & LeVeque 1979
        )
        differ = self.differ + int(np.count_nonzero(d))
        low, high = self.low, self.high
        if differ >= MIN_UNITS:
            wide = math.sqrt(squares / (n - 1)) * float(radius(n, self.level, self.tuned_at))
            low, high = max(low, mean - wide), min(high, mean + wide)
        return replace(self, n=n, mean=mean, squares=squares, differ=differ, low=low, high=high)

    def effect(self) -> Effect:
        """The effect for `verdict.judge`; its probability is only which side the mean is on."""
        spread = math.inf if self.n < 2 else math.sqrt(self.squares / (self.n - 1) / self.n)
        probability = 0.5
        if self.low > 0 or self.high < 0:
            probability = 1 - self.level / 2 if self.low > 0 else self.level / 2
        low, high = self.low, self.high
        if low > high:  # two looks that exclude each other: one of them was unlucky
            low, high = -math.inf, math.inf
        value = self.mean if self.n else math.nan
        return Effect(value, low, high, self.n, probability, spread, self.level)


def looks(difference: Array, level: float = 0.05, tuned_at: float = TUNED_AT) -> Array:
    """(n, 2) the interval after each unit, as `Watch` gives it if it looks at every one."""
    d = np.asarray(difference, dtype=np.float64)
    n = np.arange(1.0, d.size + 1)
    mean = np.cumsum(d) / n
    squares = np.maximum(np.cumsum(d**2) - n * mean**2, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = np.sqrt(squares / (n - 1)) * radius(n, level, tuned_at)
    early = np.cumsum(d != 0) < MIN_UNITS
    low = np.maximum.accumulate(np.where(early, -math.inf, mean - wide))
    high = np.minimum.accumulate(np.where(early, math.inf, mean + wide))
    return np.column_stack([low, high])

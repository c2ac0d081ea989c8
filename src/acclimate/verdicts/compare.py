"""Compare two arms on the same independent units, with an interval.

Before: `plans` chose an arm, and both arms predicted the judge.  After:
`verdict` turns the effect into an answer.  Every effect points the same way:
positive means that transfer is better.

Source: Efron, JASA 1987 (BCa); DiCiccio & Efron, Statistical Science 1996;
Hesterberg, The American Statistician 2015 (expanded percentile intervals).
Departures, with the figures behind them in docs/decisions/0003-interval.md:

- the acceleration comes from a jackknife over at most 200 groups of units;
- the levels of BCa are expanded as Hesterberg expands those of the percentile
  interval (t quantile times √(n/(n−1)));
- each end of the interval is the wider of BCa and Student's t, because either
  alone adopts too often: BCa on few or zero-heavy units, t on skewed ones;
- t's standard error is the larger of the bootstrap's, raised by its own
  Monte-Carlo error of 1/√(2B), and the jackknife's, which errs upwards (Efron &
  Stein, Annals of Statistics 1981);
- tied replicates count one half in the bias correction;
- past 20,000 units, units are dealt at random into 20,000 blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError, UsageError
from acclimate.rng import Rng

Statistic = Callable[[Array], Array]

GROUPS = 200  # of the jackknife; its acceleration is then good to about 0.002
BLOCKS = 20_000  # units past this are resampled in blocks
CELLS = 100_000  # weights made at once, for the processor's cache; far below 64 MB
MAX_REPLICATES = 20_000
LOST = 0.05  # share of replicates without a score past which nothing is said


@dataclass(frozen=True)
class Contrast:
    """How much better transfer scores than a baseline, as units are reweighted.

    n           independent units, ≥ 0
    statistic   weights (B, n) ≥ 0 → effect (B,), transfer minus baseline; a
                weight of 2 means that the unit occurs twice.  A replicate
                that has no score (say, no positive row) may be NaN.
    difference  (n,) unit score differences when the score is a mean, else None
    weight      (n,) unit weights of that mean, else None

    Made by `of_means`, `of_scores` or, for other statistics, `of_statistic`.
    """

    n: int
    statistic: Statistic
    difference: Array | None = None
    weight: Array | None = None

    @classmethod
    def of_means(cls, difference: Array, weight: Array | None = None) -> Contrast:
        """A score that is a (weighted) mean over units: the fast path.

        difference  (n,)  unit score of transfer minus that of the baseline, finite
        weight      (n,)  > 0, or None for a plain mean

        Raises DataError where the shapes disagree or a number is not finite.
        """
        d = np.asarray(difference, dtype=np.float64)
        if d.ndim != 1:
            raise DataError(
                f"Expected one difference per unit, shape (n,), found shape {d.shape}. "
                "Average the scores of a unit's rows first."
            )
        if not np.isfinite(d).all():
            raise DataError(
                f"{np.count_nonzero(~np.isfinite(d))} of {d.size} unit differences are not "
                "finite. Clip the probabilities, or drop units that no arm can be scored on."
            )
        if weight is None:
            return cls(d.size, lambda w: (w @ d) / w.sum(axis=1), d)
        omega = np.asarray(weight, dtype=np.float64)
        if omega.shape != d.shape or not (np.isfinite(omega).all() and (omega > 0).all()):
            raise DataError(
                f"Expected one finite weight above 0 for each of {d.size} units, found shape "
                f"{omega.shape}. Drop units of no weight from both."
            )
        total = omega * d
        return cls(d.size, lambda w: (w @ total) / (w @ omega), d, omega)

    @classmethod
    def of_statistic(cls, n: int, statistic: Statistic) -> Contrast:
        """Any contrast that weights over `n` units decide, e.g. of two PR-AUCs."""
        if n < 0:
            raise DataError(f"Expected a number of units ≥ 0, found {n}.")
        return cls(int(n), statistic)

    @classmethod
    def of_scores(
        cls,
        transfer: Callable[[Array], float],
        baseline: Callable[[Array], float],
        unit_of_row: Ints,
    ) -> Contrast:
        """Two scores that take row weights, resampled by the rows' units.

        transfer, baseline  weight (rows,) → score, higher is better
        unit_of_row         (rows,) the unit of each row, coded 0 … n−1

        Slower than the other two: one Python call per replicate and arm.
        """
        codes = np.asarray(unit_of_row, dtype=np.int64)
        n = int(codes.max()) + 1 if codes.size else 0

        def statistic(weights: Array) -> Array:
            rows = (w[codes] for w in weights)
            return np.array([transfer(w) - baseline(w) for w in rows], dtype=np.float64)

        return cls(n, statistic)


@dataclass(frozen=True)
class Effect:
    """A contrast with its interval, in the metric's units; positive: transfer is better.

    low, high    two-sided interval at `level`; infinite where nothing can be said
    n            independent units
    probability  [0, 1] that transfer helps: the confidence at which the interval
                 would end at 0.  Above 1 − level/2 exactly when low > 0
    se           cautious standard error, ≥ 0; infinite where nothing can be said
    level        (0, 1) share of intervals that miss, both sides together
    """

    value: float
    low: float
    high: float
    n: int
    probability: float
    se: float
    level: float = 0.05

    @property
    def says_nothing(self) -> bool:
        """Whether the interval excludes no value."""
        return not (math.isfinite(self.low) or math.isfinite(self.high))


def paired_effect(
    contrast: Contrast, rng: Rng, level: float = 0.05, replicates: int = 2000
) -> Effect:
    """The effect with an interval that few, skewed or zero-heavy units do not fool.

    level       (0, 1)  two-sided; the verdict errs towards transfer at level/2
    replicates  ≥ 100   raised, to at most 20,000, until 40 lie beyond each end

    Fewer than two units, or a score that the judge or over 5 % of replicates lack
    (say, no positive row), give an infinite interval and a probability of ½.
    Memory stays below 64 MB beside what the statistic itself takes.

    Raises UsageError for a level or number of replicates out of range.
    """
    if not 0 < level < 1:
        raise UsageError(f"Expected a level between 0 and 1, found {level}. Try 0.05.")
    if replicates < 100:
        raise UsageError(f"Expected at least 100 replicates, found {replicates}. Try 2000.")
    n = contrast.n
    if n == 0:
        return Effect(math.nan, -math.inf, math.inf, 0, 0.5, math.inf, level)
    value = float(contrast.statistic(np.ones((1, n)))[0])
    nothing = Effect(value, -math.inf, math.inf, n, 0.5, math.inf, level)
    if n < 2 or not math.isfinite(value):
        return nothing
    wanted = min(MAX_REPLICATES, max(replicates, math.ceil(80 / level)))
    theta = np.sort(bootstrap(contrast, rng, wanted))
    if theta.size < (1 - LOST) * wanted:
        return nothing
    a, jackknife_se = jackknife(contrast, rng)
    noise = 1 + 1 / math.sqrt(2 * theta.size)
    bootstrap_se = float(np.std(theta, ddof=1)) * math.sqrt(n / (n - 1))
    se = max(bootstrap_se * noise, jackknife_se)
    if se <= 1e-12 * abs(value):  # every unit agrees; the rest is rounding
        sure = 0.5 + 0.5 * float(np.sign(value))
        return Effect(value, value, value, n, sure, 0.0, level)
    low, high = ends(theta, value, se, a, n, level)
    probability = confidence(theta, value, se, a, n)
    # With an atom at 0 (many zero differences) the half-counted ties may disagree
    # with the quantile; the interval, which decides, wins.
    if low <= 0:
        probability = min(probability, 1 - level / 2)
    if high >= 0:
        probability = max(probability, level / 2)
    return Effect(value, low, high, n, probability, se, level)


def bootstrap(contrast: Contrast, rng: Rng, replicates: int) -> Array:
    """Effects under multinomial unit weights (replicates,), those without a score left out."""
    g = rng.child("bootstrap").generator()
    block = dealt(contrast.n, BLOCKS, rng.child("blocks"))
    if block is not None and contrast.difference is not None:
        contrast, block = _summed(contrast.difference, contrast.weight, block), None
    m = contrast.n if block is None else BLOCKS
    step = max(1, CELLS // contrast.n)
    parts = []
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        drawn = g.integers(m, size=(rows, m)) + m * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * m).reshape(rows, m)
        spread = weights if block is None else weights[:, block]
        parts.append(contrast.statistic(spread.astype(np.float64)))
    theta = np.concatenate(parts)
    return theta[np.isfinite(theta)]


def _summed(difference: Array, weight: Array | None, block: Ints) -> Contrast:
    """The mean over units as a weighted mean over their blocks."""
    omega = np.ones(difference.size) if weight is None else weight
    mass = np.bincount(block, omega).astype(np.float64)
    return Contrast.of_means(np.bincount(block, omega * difference) / mass, mass)


def jackknife(contrast: Contrast, rng: Rng) -> tuple[float, float]:
    """Efron's a and the standard error, leaving out one of at most 200 groups of units.

    A group of m units has 1/√m of a unit's skewness and there are 1/m as many,
    so that a is the same in expectation as with single units.
    """
    n = contrast.n
    groups = min(n, GROUPS)
    group = dealt(n, groups, rng.child("jackknife"))
    label = np.arange(n) if group is None else group
    step = max(1, CELLS // n)
    parts = []
    for start in range(0, groups, step):
        left_out = np.arange(start, min(start + step, groups))
        parts.append(contrast.statistic((label != left_out[:, None]).astype(np.float64)))
    theta = np.concatenate(parts)
    theta = theta[np.isfinite(theta)]
    if theta.size < 2:
        return 0.0, 0.0
    u = theta.mean() - theta  # positive: the effect falls without the group
    spread = float(np.sum(u**2))
    if spread == 0:
        return 0.0, 0.0
    a = float(np.sum(u**3)) / (6 * spread**1.5)
    return a, math.sqrt((u.size - 1) / u.size * spread)


def dealt(n: int, groups: int, rng: Rng) -> Ints | None:
    """Units dealt at random into equal groups (n,), or None where each is its own."""
    if n <= groups:
        return None
    return np.asarray(rng.generator().permutation(n) % groups, dtype=np.int64)


def bias(theta: Array, value: float) -> float:
    """Efron's z₀ from sorted replicates, ties counting one half."""
    return float(special.ndtri(_share_below(theta, value)))


def bca_level(z: float, z0: float, a: float) -> float:
    """The level whose bootstrap quantile is the BCa end for the normal quantile z."""
    w = z0 + z
    scale = 1 - a * w
    if scale <= 0:  # past the pole: the end lies beyond every replicate
        return 1.0 if w > 0 else 0.0
    return float(special.ndtr(z0 + w / scale))


def ends(
    theta: Array, value: float, se: float, a: float, n: int, level: float, correct: bool = True
) -> tuple[float, float]:
    """Both ends of the interval; `correct=False` gives plain BCa for comparison.

    theta   (B,) sorted replicates;  n ≥ 2 units
    """
    z0 = bias(theta, value)
    if not correct:
        z = float(special.ndtri(level / 2))
        low, high = np.quantile(theta, [bca_level(z, z0, a), bca_level(-z, z0, a)])
        return float(low), float(high)
    t = float(special.stdtrit(n - 1, level / 2))  # negative
    z = t * math.sqrt(n / (n - 1))
    low, high = np.quantile(theta, [bca_level(z, z0, a), bca_level(-z, z0, a)])
    return min(float(low), value + t * se), max(float(high), value - t * se)


def confidence(theta: Array, value: float, se: float, a: float, n: int) -> float:
    """The level at which the lower end would be 0, from both intervals, as 1 − level.

    The interval is the wider of two, so the confidence is the one nearer to ½,
    and ½ where the two disagree about the sign.
    """
    z0 = bias(theta, value)
    w = float(special.ndtri(_share_below(theta, 0.0))) - z0
    by_t = float(special.stdtr(n - 1, value / se))
    if 1 + a * w <= 0:  # past the pole of the acceleration
        by_bca = 0.0 if w > 0 else 1.0
    else:
        z = w / (1 + a * w) - z0
        by_bca = 1 - float(special.stdtr(n - 1, z * math.sqrt((n - 1) / n)))
    nearer, further = sorted((by_t, by_bca), key=lambda p: abs(p - 0.5))
    return nearer if (nearer - 0.5) * (further - 0.5) > 0 else 0.5


def _share_below(theta: Array, x: float) -> float:
    """Share of sorted replicates below x, ties one half, kept off 0 and 1."""
    rounding = 1e-9 * (theta[-1] - theta[0])  # the same units summed in another order
    left = np.searchsorted(theta, x - rounding, "left")
    right = np.searchsorted(theta, x + rounding, "right")
    edge = 0.5 / theta.size
    return float(np.clip((left + right) / (2 * theta.size), edge, 1 - edge))

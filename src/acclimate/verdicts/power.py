"""What a judge can show before anybody has looked at it.

Before: a target is cut, and two arms were compared on other units.  After: a person knows
whether the judge is large enough to tell the effects that matter.

The effect's estimate is taken as normal with standard error se, as for `units_to_settle`: a
two-sided test at level α finds an effect of Δ with chance Φ(Δ/se − z_{1−α/2}), so that

    Δ = (z_{1−α/2} + z_{power}) · se,   n(Δ) = n · (z_{1−α/2} + z_{power})² · se² / Δ²

Source: Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988, ch. 2.
"""

from __future__ import annotations

import math

from scipy import special

from acclimate.errors import UsageError
from acclimate.verdicts.verdict import MIN_UNITS, POWER


def smallest_effect(se: float, level: float = 0.05, power: float = POWER) -> float:
    """The smallest effect that is found with a chance of `power`.

    se     ≥ 0, standard error of the paired effect on the judge
    level  (0, 1) two-sided, of the look
    power  (0, 1)

    Raises UsageError outside of the ranges.
    """
    for name, share in (("level", level), ("power", power)):
        if not 0 < share < 1:
            raise UsageError(f"Expected a {name} between 0 and 1, found {share}.")
    return float(special.ndtri(1 - level / 2) + special.ndtri(power)) * se


def units_for(effect: float, se: float, n: int, level: float = 0.05) -> int | None:
    """Units at which an effect is found with 80 % chance, ≥ 30; None where none is asked for.

    effect  > 0
    se, n   standard error of the paired effect, and on how many units
    """
    if not (effect > 0 and math.isfinite(se)):
        return None
    return max(MIN_UNITS, math.ceil(n * (smallest_effect(se, level) / effect) ** 2))


def moved(se: float, seen: int, judged: int) -> float:
    """The standard error on so many units of what has it on others: it shrinks as 1/√n."""
    return se * math.sqrt(seen / judged) if judged else math.inf

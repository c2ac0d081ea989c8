"""Whom a transfer hurts: the paired effect on named groups of units, all groups at once.

Before: the verdict compared two arms on all units.  After: it names the groups that lose by
what helps on average.

With m groups each interval has the level α/m (Bonferroni), so that with a chance of 1 − α no
group is named that is not hurt, however many there are and however they overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.rng import Rng
from acclimate.verdicts.compare import Contrast, paired_effect

LEAST = 30  # units of a group, as of a verdict


class Group(NamedTuple):
    """The effect on one group of units; positive: transfer is better for them.

    low, high  at the level of the look shared among all groups
    """

    segment: str
    effect: float
    low: float
    high: float
    n: int

    @property
    def hurt(self) -> bool:
        """Whether transfer is shown to be worse for them."""
        return self.high < 0

    def __str__(self) -> str:
        return (
            f"{self.segment} ({self.effect:+.3g}, {self.low:+.3g} … {self.high:+.3g}, "
            f"n = {self.n:,})"
        )


def groups(
    contrast: Contrast, members: Mapping[str, Ints], rng: Rng, level: float
) -> tuple[Group, ...]:
    """The effect on each group of at least 30 units, the most hurt first.

    contrast  of all units
    members   group → positions of its units
    level     (0, 1) two-sided, for all groups together

    A group that no score tells anything of is left out.
    """
    large = {name: units for name, units in members.items() if len(units) >= LEAST}
    found = []
    for name, units in large.items():
        effect = paired_effect(of_units(contrast, units), rng.child(name), level / len(large))
        if not effect.says_nothing:
            found.append(Group(name, effect.value, effect.low, effect.high, effect.n))
    return tuple(sorted(found, key=lambda group: (group.high, group.segment)))


def of_units(contrast: Contrast, units: Ints) -> Contrast:
    """The same contrast on some of its units alone."""
    if contrast.difference is not None:
        weight = None if contrast.weight is None else contrast.weight[units]
        return Contrast.of_means(contrast.difference[units], weight)

    def statistic(weights: Array) -> Array:
        every = np.zeros((len(weights), contrast.n))
        every[:, units] = weights
        return contrast.statistic(every)

    return Contrast.of_statistic(len(units), statistic)

"""Looking more than once: at data that arrives, and at one judge with ten procedures.

Part of `guard`, whose made problems these are, all at exactly no effect.

Peeking: units arrive one by one up to 3,000 and both intervals are looked at after each, from
the thirtieth that differs on.  "anytime" is `verdicts.anytime`; "fixed" is Student's interval
for one look, the control.  Their power is measured at the end, for an effect of k standard
errors of those 3,000.

Re-runs: ten procedures choose and are judged on one judge, each with answers of its own to its
rows.  "ledger" gives look j the level that `verdicts.ledger` leaves it; "no ledger" gives every
look 5 %, the control.  The ledger promises 5 % over all looks: twice the 2.5 % of the first.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from acclimate.arrays import Bools
from acclimate.rng import Rng
from acclimate.verdicts import Contrast, judge, level_at, paired_effect
from acclimate.verdicts.anytime import looks
from acclimate.verdicts.compare import jackknife
from acclimate.verdicts.verdict import MIN_UNITS
from benchmarks.guard import choose, contrast
from benchmarks.pools import Pool, dealt, draw, planted_at

ARRIVING = 3000
RERUNS = 10
POWERS = (0, 3, 5)  # standard errors of the effect while data arrives


def arriving(pool: Pool, k: int, rng: Rng) -> tuple[bool, bool]:
    """Whether the anytime interval, and the fixed one, ever leave 0 above."""
    g = rng.child("draw").generator()
    rho = planted_at(pool, k, ARRIVING, rng.child("plant").generator())
    arm, baseline, _ = choose(*draw(pool, rho, max(30, pool.n // 2), g), pool.transfer)
    held, _ = draw(pool, rho, ARRIVING, g)
    d = held[:, arm] - held[:, baseline]
    n = np.arange(1, d.size + 1)
    mean = np.cumsum(d) / n
    spread = np.sqrt(np.maximum(np.cumsum(d**2) - n * mean**2, 0.0) / np.maximum(n - 1, 1))
    low = mean - stats.t.ppf(0.975, np.maximum(n - 1, 1)) * spread / np.sqrt(n)
    late = np.cumsum(d != 0) >= MIN_UNITS
    return bool((looks(d)[:, 0] > 0).any()), bool(((low > 0) & late).any())


def rerun(pool: Pool, rng: Rng) -> tuple[bool, bool]:
    """Whether any of ten procedures is adopted on one judge: by the ledger, and without."""
    g = rng.child("draw").generator()
    row = g.integers(len(pool.scores), size=pool.n)
    label = None if pool.label is None else pool.label[row]
    by_ledger = without = False
    for look in range(1, RERUNS + 1):
        arm, baseline, _ = choose(*draw(pool, 0.0, max(30, pool.n // 2), g), pool.transfer)
        held = dealt(pool.scores[row], label, pool.transfer, 0.0, g)
        asked = contrast(held, label, arm, baseline)
        key = rng.child(look)
        without = without or adopted(asked, 0.05, key)
        by_ledger = by_ledger or adopted(asked, level_at(look), key)
    return by_ledger, without


def adopted(asked: Contrast, level: float, rng: Rng) -> bool:
    """Whether the package's test adopts.

    Its lower end is nowhere above that of Student's t with the jackknife's standard error, so
    that most looks at a small level need no bootstrap.
    """
    value = float(asked.statistic(np.ones((1, asked.n)))[0])
    _, se = jackknife(asked, rng)
    if not value + float(stats.t.ppf(level / 2, asked.n - 1)) * se > 0:
        return False
    return judge(paired_effect(asked, rng, level), delta=0.0).answer == "adopt"


def rates(found: list[tuple[bool, bool]]) -> tuple[Bools, Bools]:
    """Both columns of what was found."""
    table = np.array(found, dtype=bool).reshape(-1, 2)
    return table[:, 0], table[:, 1]

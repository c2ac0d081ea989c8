"""Do the numbers of two labelled domains fall alike?  Their Wasserstein distance; high is far.

Source: the distance of order 1 on the line is ∫ |F_s⁻¹(u) − F_t⁻¹(u)| du (Vallender, Theory
of Probability and Its Applications 1974): how far labels must be moved on average to turn
one distribution into the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array
from acclimate.errors import DataError
from acclimate.gaps.gap import Gap, as_matrix, permutation_p
from acclimate.rng import Rng

POINTS = 200  # quantiles at which two distributions are compared
AT_MOST = 5_000  # rows a side; resamples of more would say the same


def label_distance(
    ys: ArrayLike,
    yt: ArrayLike,
    rng: Rng,
    resamples: int = 400,
    *,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """How far a source's labels lie from the target's, in standard deviations of these.

        W = ∫ |F_s⁻¹(u) − F_t⁻¹(u)| du / sd(y_t)

    ys, yt     (n_source,), (n_target,)  finite numbers, at least two a side
    resamples  ≥ 19, bootstrap draws for the interval, and draws of the null
    returns    `value` ≥ 0; `p` and the null band by dealing the pooled labels out again;
               `low`, `high`: value ∓ the 95 % quantile of the distance between the
               difference of quantile functions and those of bootstrap draws, cut at 0

    The integral is taken at 200 quantiles.  W is never below 0, so that sampling alone
    lifts it, and the interval rests on |W(D) − W(δ)| ≤ ∫|D − δ|, as that of `label_shift`.

    Raises DataError as `as_matrix` does, for fewer than 19 resamples, and where the
    target's labels do not vary.
    """
    if resamples < 19:
        raise DataError(f"Expected at least 19 resamples, found {resamples}. Raise resamples.")
    s, t = (
        _some(as_matrix(np.asarray(y)[:, None], side)[:, 0], rng.child(side))
        for y, side in ((ys, "source"), (yt, "target"))
    )
    spread = float(t.std(ddof=1))
    if spread == 0.0:
        raise DataError(
            "Expected target labels that vary, found a single number. Leave this measure out."
        )
    apart = _quantiles(s) - _quantiles(t)
    value = float(np.abs(apart).mean()) / spread
    again = rng.child("numbers/bootstrap").generator()
    reach = np.empty(resamples)
    for draw in range(resamples):
        drawn = _quantiles(again.choice(s, len(s))) - _quantiles(again.choice(t, len(t)))
        reach[draw] = np.abs(drawn - apart).mean() / spread
    far = float(np.quantile(reach, 0.95))
    pooled, dealt = np.concatenate([s, t]), rng.child("numbers/null").generator()
    null = np.empty(resamples)
    for draw in range(resamples):
        mixed = dealt.permutation(pooled)
        moved = _quantiles(mixed[: len(s)]) - _quantiles(mixed[len(s) :])
        null[draw] = np.abs(moved).mean() / spread
    p = permutation_p(value, null)
    null_low, null_high = (float(q) for q in np.quantile(null, [0.025, 0.975]))
    numbers = (
        f"Wasserstein distance {value:.2f} standard deviations, p {p:.2g}, equal labels give "
        f"up to {null_high:.2f}"
    )
    sentence = (
        f"{target}'s labels fall otherwise than {source}'s: the median goes from "
        f"{np.median(s):.4g} to {np.median(t):.4g} ({numbers})"
        if p <= 0.05
        else f"No difference shows between {target}'s labels and {source}'s ({numbers})"
    )
    return Gap(
        measure="label-distance",
        source=source,
        target=target,
        value=value,
        low=max(0.0, value - far),
        high=value + far,
        p=p,
        null_low=null_low,
        null_high=null_high,
        n_source=len(s),
        n_target=len(t),
        sentence=sentence,
    )


def _some(y: Array, rng: Rng) -> Array:
    return y if len(y) <= AT_MOST else rng.generator().choice(y, AT_MOST, replace=False)


def _quantiles(y: Array) -> Array:
    """(POINTS,) the inverse of the distribution function, in the middle of equal steps."""
    ordered = np.sort(y)
    at = (np.arange(POINTS) + 0.5) / POINTS * len(y)
    return np.asarray(ordered[np.minimum(at.astype(np.int64), len(y) - 1)])

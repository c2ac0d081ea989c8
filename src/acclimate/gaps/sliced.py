"""Sliced Wasserstein distance: how far rows must be moved, seen from many directions.

Source: Bonneel, Rabin, Peyré & Pfister, Journal of Mathematical Imaging and Vision 51 (2015);
the distance of order 1 on a line is ∫ |F_s(x) − F_t(x)| dx (Vallender 1974).  Departures: the
columns are first given unit variance over both domains, and p is by permutation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array
from acclimate.errors import DataError
from acclimate.gaps.classifier import unit_variance
from acclimate.gaps.gap import Gap, as_pair, permutation_p
from acclimate.rng import Rng


def sliced_wasserstein(
    xs: ArrayLike,
    xt: ArrayLike,
    rng: Rng,
    directions: int = 50,
    permutations: int = 200,
    at_most: int = 1000,
    *,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """Mean Wasserstein distance of order 1 over random directions, in standard deviations.

        SW = 1/L Σ_l ∫ |F_s(x) − F_t(x)| dx  of the rows along θ_l, ‖θ_l‖ = 1

    xs, xt        (n_source, d), (n_target, d)
    directions    L ≥ 1; the mean over them is good to its spread / √L
    permutations  ≥ 19, of the rows between the domains
    at_most       ≥ 2, rows a side; more are subsampled by `rng`
    returns       `value` ≥ 0, `p`, and the band of the permuted values.  It is never below
                  0, so that sampling alone lifts it: read it beside the band

    Raises DataError as `as_pair` does, and for settings out of range.
    """
    for name, given, least in (
        ("directions", directions, 1),
        ("permutations", permutations, 19),
        ("at_most", at_most, 2),
    ):
        if given < least:
            raise DataError(
                f"Expected {name} of at least {least}, found {given}. Raise {name}."
            )
    s, t = as_pair(xs, xt)
    s, t = (
        x[rng.child(f"sliced/{side}").generator().permutation(len(x))[:at_most]]
        for side, x in (("source", s), ("target", t))
    )
    m, n = len(s), len(t)
    pooled = unit_variance(np.vstack([s, t]))
    generator = rng.child("sliced/directions").generator()
    along = generator.standard_normal((pooled.shape[1], directions))
    seen = pooled @ (along / np.linalg.norm(along, axis=0))  # (m + n, L)

    mass = np.full((m + n, 1 + permutations), -1.0 / n)  # of each row in F_s − F_t
    mass[:m] = 1.0 / m
    generator = rng.child("sliced/permutations").generator()
    mass[:, 1:] = generator.permuted(mass[:, 1:], axis=0)
    values = np.mean([_on_a_line(x, mass) for x in seen.T], axis=0)

    value, null = float(values[0]), values[1:]
    p = permutation_p(value, null)
    low, high = (float(q) for q in np.quantile(null, [0.025, 0.975]))
    numbers = (
        f"sliced Wasserstein {value:.2g} standard deviations, p {p:.2g}, one domain split in "
        f"two stays below {high:.2g}"
    )
    sentence = (
        f"{target}'s rows lie elsewhere than {source}'s ({numbers})"
        if p <= 0.05
        else f"{target}'s rows lie where {source}'s do, as far as shows ({numbers})"
    )
    return Gap(
        "sliced-wasserstein", source, target, value, None, None, p, low, high, m, n, sentence
    )


def _on_a_line(x: Array, mass: Array) -> Array:
    """∫ |F_s − F_t| dx for each way to deal the rows.  x (n,), mass (n, b) → (b,)"""
    order = np.argsort(x, kind="stable")
    steps = np.diff(x[order])
    apart: Array = np.abs(np.cumsum(mass[order], axis=0)[:-1])
    return steps @ apart

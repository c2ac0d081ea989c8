"""Does what a source's model learned hold for the target as it holds at home?

LEEP and LogME rank sources for one target and have no null of their own.  Asked of held-out
rows of the source as well, they have one: were the domains one, rows could change sides, and
the two would differ by chance alone.  So have the shares that a classifier predicts (BBSE).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from acclimate.arrays import Array, Ints
from acclimate.errors import DataError
from acclimate.gaps.gap import Gap, as_codes, as_matrix, permutation_p
from acclimate.gaps.labels import as_probabilities, joint_confusion
from acclimate.gaps.transferability import leep, logme
from acclimate.rng import Rng


def leep_drop(
    home: ArrayLike,
    home_labels: ArrayLike,
    away: ArrayLike,
    away_labels: ArrayLike,
    rng: Rng,
    permutations: int = 200,
    *,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """LEEP on held-out source rows less LEEP on target rows, in nats a row; high is far.

    home, away      (n, k) probabilities by the source's classifier of rows it was not fitted on
    home_labels, away_labels  (n,) class codes ≥ 0
    permutations    ≥ 19, of rows between the domains
    returns         `value`, `p`, and the band of the permuted values

    Raises DataError as `leep` does, and for too few permutations.
    """
    both = np.vstack([as_probabilities(home), as_probabilities(away)])
    y = np.concatenate([np.asarray(home_labels), np.asarray(away_labels)])
    return _drop(
        "leep-drop",
        lambda rows: leep(both[rows], y[rows]),
        (len(np.asarray(home_labels)), len(np.asarray(away_labels))),
        rng,
        permutations,
        (source, target),
    )


def logme_drop(
    home: ArrayLike,
    home_labels: ArrayLike,
    away: ArrayLike,
    away_labels: ArrayLike,
    rng: Rng,
    permutations: int = 100,
    kind: Literal["classify", "regress"] = "classify",
    *,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """LogME on held-out source rows less LogME on target rows, in nats a row; high is far.

    home, away      (n, D) features by the source's model of rows it was not fitted on
    home_labels, away_labels  (n,) class codes, or numbers with kind "regress"

    LogME grows with the number of rows, so that the larger side is cut to the smaller.
    Raises DataError as `logme` does, and for too few permutations.
    """
    x = np.vstack([as_matrix(home, "source"), as_matrix(away, "target")])
    y = np.concatenate([np.asarray(home_labels), np.asarray(away_labels)])
    sizes = len(np.asarray(home_labels)), len(np.asarray(away_labels))
    least = min(sizes)
    generator = rng.child("logme/rows").generator()
    rows = np.concatenate(
        [
            generator.permutation(sizes[0])[:least],
            sizes[0] + generator.permutation(sizes[1])[:least],
        ]
    )
    x, y = x[rows], y[rows]
    return _drop(
        "logme-drop",
        lambda chosen: logme(x[chosen], y[chosen], kind),
        (least, least),
        rng,
        permutations,
        (source, target),
    )


def _drop(
    measure: str,
    score: Callable[[Ints], float],
    sizes: tuple[int, int],
    rng: Rng,
    permutations: int,
    names: tuple[str, str],
) -> Gap:
    if permutations < 19:
        raise DataError(
            f"Expected at least 19 permutations, found {permutations}. Raise permutations."
        )
    m, n = sizes
    source, target = names

    def drop(order: Ints) -> float:
        return score(order[:m]) - score(order[m:])

    value = drop(np.arange(m + n))
    generator = rng.child(f"{measure}/null").generator()
    null = np.array([drop(generator.permutation(m + n)) for _ in range(permutations)])
    p = permutation_p(value, null)
    low, high = (float(q) for q in np.quantile(null, [0.025, 0.975]))
    name = measure.removesuffix("-drop")
    numbers = (
        f"{name} falls by {value:.2g} nats, p {p:.2g}, one domain split in two gives up to "
        f"{high:.2g}"
    )
    sentence = (
        f"What {source}'s model learned tells less of {target}'s labels than at home "
        f"({numbers})"
        if p <= 0.05
        else f"What {source}'s model learned holds for {target} as at home, as far as shows "
        f"({numbers})"
    )
    return Gap(measure, source, target, value, None, None, p, low, high, m, n, sentence)


def predicted_shift(
    predicted_source: ArrayLike,
    truth: ArrayLike,
    predicted_target: ArrayLike,
    n_classes: int,
    rng: Rng,
    permutations: int = 400,
    *,
    source: str = "source",
    target: str = "target",
) -> Gap:
    """Total variation between the source's class shares and the target's by BBSE; high is far.

        TV = ½ ‖A⁻¹(μ_t − μ_s)‖₁,   A[i, j] = P(predicted i | class j) on held-out source rows

    predicted_source  (n,) codes of held-out source rows by the source's classifier
    truth             (n,) their classes
    predicted_target  (n_target,) codes of target rows by the same classifier
    returns           `value` ≥ 0; `p` and the band by dealing the predictions out again under
                      the same A.  Without target labels

    Source: Lipton, Wang & Smola, ICML 2018, whose test is of the predictions' shares; turned
    into class shares by their estimate.  A's own error is not in the band.

    Raises DataError as `as_codes` does, for a class without held-out rows, for an A that cannot
    be inverted, and for too few permutations.
    """
    if permutations < 19:
        raise DataError(
            f"Expected at least 19 permutations, found {permutations}. Raise permutations."
        )
    a = as_codes(predicted_source, "predicted source", n_classes)
    b = as_codes(predicted_target, "predicted target", n_classes)
    joint = joint_confusion(a, truth, n_classes)
    shares = joint.sum(axis=0)
    if (shares == 0).any():
        absent = ", ".join(map(str, np.flatnonzero(shares == 0)))
        raise DataError(
            f"Expected held-out source rows of every class, found none of class {absent}. Hold "
            "out more rows, or leave the class out."
        )
    A = joint / shares
    if np.linalg.cond(A) > 1e6:
        raise DataError(
            "Expected a classifier whose predictions tell the classes apart, found a confusion "
            "that cannot be inverted. Use a better source model, or merge classes."
        )
    back = np.linalg.inv(A)
    in_source, in_target = (np.bincount(x, minlength=n_classes) for x in (a, b))
    m, n = len(a), len(b)

    def variation(counts: Ints) -> Array:
        """(…,) of ways to deal the predictions, by how many of each fall to the source."""
        apart = (in_source + in_target - counts) / n - counts / m
        found: Array = np.abs(apart @ back.T).sum(axis=-1) / 2
        return found

    value = float(variation(in_source))
    generator = rng.child("predicted-shift").generator()
    dealt = generator.multivariate_hypergeometric(in_source + in_target, m, size=permutations)
    null = variation(dealt)
    p = permutation_p(value, null)
    low, high = (float(q) for q in np.quantile(null, [0.025, 0.975]))
    numbers = f"total variation {value:.2f}, p {p:.2g}, equal shares give up to {high:.2f}"
    sentence = (
        f"By {source}'s model {target}'s classes fall otherwise than {source}'s ({numbers})"
        if p <= 0.05
        else f"By {source}'s model {target}'s classes fall as {source}'s do ({numbers})"
    )
    return Gap(
        "predicted-shift", source, target, value, None, None, p, low, high, m, n, sentence
    )

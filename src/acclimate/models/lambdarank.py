"""LambdaRank by LightGBM: trees that put what was hidden from a user before other items.

Source: Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from acclimate.arrays import Array, Bools, Ints
from acclimate.models.boosted import boosted
from acclimate.models.model import Tick
from acclimate.rng import Rng
from acclimate.settings import settings

FEW_PAIRS = 20_000  # below, a second thread costs more than it brings
TRUNCATION = 20  # places at the top of a list whose pairs count


def taught(
    features: Array,
    found: Bools,
    user: Ints,
    own: dict[str, Any],
    rounds: int,
    rng: Rng,
    tick: Tick,
) -> str:
    """The text of `rounds` trees; the same for any number of threads.

    features  (p, f) of each candidate
    found     (p,) whether it is what was hidden
    user      (p,) whose candidate it is, in order
    own       LightGBM's settings that differ between re-rankers
    """
    import lightgbm

    parameters: dict[str, Any] = {
        **own,
        "objective": "lambdarank",
        "lambdarank_truncation_level": TRUNCATION,
        "seed": rng.child("trees").seed,
        "num_threads": threads(len(user)),
        "deterministic": True,
        # By column, each histogram is summed by one thread: any number gives the same.
        "force_col_wise": True,
        "verbosity": -1,
    }
    pairs = lightgbm.Dataset(
        features,
        found.astype(np.float64),
        group=np.unique(user, return_counts=True)[1],
        params=parameters,
    )
    return boosted(pairs, parameters, rounds, tick)


def read(text: str) -> Any:
    """A booster of its text."""
    import lightgbm

    return lightgbm.Booster(model_str=text)


def asked(booster: Any, features: Array) -> Array:
    """(p,) scores, higher is better."""
    score: Array = booster.predict(features, num_threads=threads(len(features)))
    return score


def threads(n: int) -> int:
    """Threads for n candidates."""
    return 1 if n < FEW_PAIRS else settings().threads

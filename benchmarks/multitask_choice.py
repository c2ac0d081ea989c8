"""What to serve where several tasks were learned together and alone: task by task.

A task takes the shared network only where it surely gains.  Alone, few rows say little of
that; so tasks lend each other evidence:

    gain_k ~ N(true_k, e_k²),  true_k ~ N(μ, τ²)

and a task shares where the posterior of true_k lies above 0 by `SURE` of its standard
deviations.  Of several methods the one counts whose sharing tasks gain most.

e_k counts the networks' luck too, which rows do not tell: other rows to train on would have
given other networks.  With k folds the variance over rows is times 1 + k/(k − 1).

Source: DerSimonian & Laird, Controlled Clinical Trials 7, 1986, for τ² by moments; Nadeau &
Bengio, Machine Learning 52, 2003, eq. 9 for e_k², with folds as the resamples.
Departure: τ is at least `LEAST`.  Of three tasks τ² is mostly estimated as 0, and one
that loses would follow the two that gain.  Both numbers were settled on made losses:
`tests/test_multitask.py` tells what others do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array, Bools

SURE = 1.64  # standard deviations: 95 % of a posterior
LEAST = 0.05  # by how much of their loss tasks differ in what they gain, at least


@dataclass(frozen=True)
class Choice:
    """A method and the tasks that take it; without one every task is learned alone."""

    method: str | None
    sharing: tuple[bool, ...]


def chosen(losses: Mapping[str, Sequence[Array]], alone: Sequence[Array], folds: int) -> Choice:
    """The method and the tasks that surely gain by it.

    losses  method → task → (n,) out of fold
    alone   task → (n,) of the preferred single network
    folds   ≥ 2, how many there were
    """
    luck = np.sqrt(1 + folds / (folds - 1))
    best, found = 0.0, Choice(None, (False,) * len(alone))
    for name, tasks in losses.items():
        gaps = [(b - a) / b.mean() for a, b in zip(tasks, alone, strict=True)]
        gain = np.array([gap.mean() for gap in gaps])
        error = luck * np.array([gap.std(ddof=1) / np.sqrt(len(gap)) for gap in gaps])
        mean, spread = shrunk(gain, error)
        sure: Bools = mean - SURE * spread > 0
        total = float(mean[sure].sum())
        if total > best:
            best, found = total, Choice(name, tuple(bool(each) for each in sure))
    return found


def shrunk(gain: Array, error: Array) -> tuple[Array, Array]:
    """(tasks,) mean and standard deviation of the posterior of each task's gain.

    error  > 0, standard errors of the gains
    """
    error = np.maximum(error, 1e-9)
    between = max(between_tasks(gain, error), LEAST**2)
    weight = 1 / (error**2 + between)
    centre, doubt = (weight @ gain) / weight.sum(), 1 / weight.sum()
    own = between / (between + error**2)
    mean = own * gain + (1 - own) * centre
    return mean, np.sqrt(own * error**2 + (1 - own) ** 2 * doubt)


def between_tasks(gain: Array, error: Array) -> float:
    """τ² by the method of moments, at least 0."""
    weight = 1 / error**2
    centre = (weight @ gain) / weight.sum()
    excess = float(weight @ (gain - centre) ** 2) - (len(gain) - 1)
    scale = float(weight.sum() - (weight @ weight) / weight.sum())
    return max(0.0, excess / scale) if scale > 0 else 0.0

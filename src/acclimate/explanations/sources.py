"""Which sources helped: the chosen arm once more without each of them, on `choose`.

The effect is the arm with all its sources minus the arm without one, paired by unit: positive
where the source helps.  Settings stay those that tuning chose with all sources.  Two sources
that know the same stand in for each other, and neither is missed.  The rows of `choose` are
those on which the arm was picked, so that effects are a little kind to its sources; nothing
that ships hangs on them.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple, TypeGuard

from acclimate.domains.problem import Problem
from acclimate.errors import AcclimateError
from acclimate.explanations.asked import Answer, Asked
from acclimate.explanations.columns import ends
from acclimate.explanations.share import Share
from acclimate.plans.budget import OutOfBudget
from acclimate.plans.examine import contrast_of
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.tasks.task import Task
from acclimate.verdicts.compare import paired_effect


class SourceWorth(NamedTuple):
    """What a source brings to the arm, in the metric's units, positive where it helps.

    effect, low, high  None where the arm cannot be fitted without it; `why` says so
    """

    source: str
    effect: float | None
    low: float | None
    high: float | None
    n: int
    why: str = ""


def source_worths(
    arm: Arm,
    whole: Answer,
    asked: Asked,
    task: Task,
    rng: Rng,
    share: Share,
    seconds: float,
) -> tuple[list[SourceWorth], list[str]]:
    """Each source's worth, the most helpful first, and the names there was no time for.

    whole    the arm's answer to what is asked, with all of its sources
    rng      the runner's, so that what differs is the source and not the draw
    seconds  ≥ 0, at most what fitting with all sources takes
    """
    found: list[SourceWorth] = []
    names = [source.name for source in arm.selected(asked.pairs[0][0]).sources]
    try:
        for name in names:
            share.require(seconds)
            start = time.monotonic()
            found.append(_without(name, arm, whole, asked, task, rng, share))
            seconds = time.monotonic() - start
    except OutOfBudget:
        pass
    missed = names[len(found) :]
    # What was refused stands last, without a number.
    found.sort(key=lambda each: -each.effect if _told(each.effect) else math.inf)
    return found, missed


def _told(effect: float | None) -> TypeGuard[float]:
    return effect is not None and math.isfinite(effect)


def _without(
    name: str, arm: Arm, whole: Answer, asked: Asked, task: Task, rng: Rng, share: Share
) -> SourceWorth:
    def rest(problem: Problem) -> Problem:
        return problem.with_sources(
            [s for s in arm.selected(problem).sources if s.name != name]
        )

    n = whole[1].n_units
    why = arm.why_not(rest(asked.pairs[0][0]))
    if why is None:
        try:
            models = asked.fitted(arm, rng, share.tick, rest)
        except AcclimateError as error:
            why = str(error)
    if why is not None:
        return SourceWorth(name, None, None, None, n, why)
    contrast = contrast_of(task, whole, asked.answers(models, task))
    effect = paired_effect(contrast, rng.child("without").child(name))
    return SourceWorth(name, effect.value, *ends(effect), n)

"""How small an effect the judge of a target can show, before anything is judged.

Before: a plan.  After: a person decides whether the run can settle anything, or how many units
to gather first.  `judge` is counted, not looked at: how far answers differ is measured between
target-only and the first way to transfer of the plan, by one model, on `choose` or inner folds.
Two arms that agree more than these leave a smaller error, arms that agree less a larger one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from acclimate.domains.exam import Exam, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.errors import AcclimateError
from acclimate.models.model import Tick
from acclimate.models.popularity import Popularity
from acclimate.plans.examine import contrast_of
from acclimate.plans.learning import scored_on
from acclimate.plans.plan import Plan, Step
from acclimate.plans.tune import tune
from acclimate.rng import Rng
from acclimate.tasks.task import Task, unit_of_task
from acclimate.verdicts.compare import paired_effect
from acclimate.verdicts.ledger import level_at
from acclimate.verdicts.power import moved, smallest_effect, units_for
from acclimate.verdicts.verdict import MIN_UNITS


@dataclass(frozen=True)
class Power:
    """What a judge can show.  Effects are in the metric's units; None: not to be known.

    smallest  the smallest effect that would be found with 80 % chance
    delta     the smallest effect worth having
    wanted    units to judge on that would find δ with 80 % chance
    judged    units there are; unit their plural
    seen      units on which the arms' difference was measured
    level     two-sided, of the next look; looks the number it would have
    between   the two arms whose difference was measured
    """

    metric: str
    smallest: float | None
    delta: float
    wanted: int | None
    judged: int
    unit: str
    seen: int
    level: float
    looks: int
    between: tuple[str, str] | None

    @property
    def sentence(self) -> str:
        """What it means, for whoever decides on the run."""
        if self.judged < MIN_UNITS:
            return (
                f"{self.judged} {self.unit} to judge on can show nothing: at least {MIN_UNITS} "
                "are wanted."
            )
        if self.smallest is None or self.between is None:
            return (
                "How small an effect can be shown is not known: no two arms could be compared."
            )
        enough = (
            f"δ, {self.delta:g}, can be shown"
            if self.smallest <= self.delta
            else f"{self.wanted:,} would show δ, {self.delta:g}"
        )
        return (
            f"{self.judged:,} {self.unit} to judge on show an effect of {self.smallest:.3g} "
            f"{self.metric} or more with 80 % chance (look {self.looks}); {enough}. Measured "
            f"between {self.between[0]} and {self.between[1]} on {self.seen:,} others."
        )


def foresee(
    planned: Plan, task: Task, problem: Problem, exam: Exam, looks: int, rng: Rng, tick: Tick
) -> Power:
    """The power of a judge from the difference of two arms on other units.

    looks  number that the next look at this judge would have
    """
    judged = sum(case.truth.n_units for case in exam.judge)
    level, unit = level_at(looks), unit_of_task(task, problem.fit)
    nothing = Power(
        task.metric.name, None, task.metric.delta, None, judged, unit, 0, level, looks, None
    )
    every = [s for s in planned.steps if not s.arm.strategy.transfers]
    # Popularity answers everybody alike: its arms differ in other ways than those of models.
    tailored = [s for s in every if not isinstance(s.arm.model, Popularity)]
    alone = next(iter(tailored or every), None)
    if alone is None or judged < MIN_UNITS:
        return nothing
    transfers = [
        s for s in planned.steps if s.arm.strategy.transfers and s.arm.strategy.reads_fit
    ]
    kind = alone.arm.model.kind
    ours = next((s for s in transfers if s.arm.model.kind == kind), None)
    if ours is None:
        return nothing
    try:
        cases, rest = scored_on(problem, exam, rng.child("held"))

        def answer(step: Step) -> tuple[Prediction, Truth]:
            encoded = step.arm.encoded(rest)
            tuned = tune(step.arm, task, encoded, rng.child("tune"), tick, cross_fit=False)
            fitted = tuned.arm.fit(encoded, rng.child("fit"), tick)
            return task.join([(fitted.answer(case), case.truth) for case in cases])

        contrast = contrast_of(task, answer(ours), answer(alone))
    except AcclimateError:
        return nothing
    effect = paired_effect(contrast, rng.child("power"), level)
    if not 0 < effect.se < math.inf:
        return nothing
    se = moved(effect.se, effect.n, judged)
    return Power(
        task.metric.name,
        smallest_effect(se, level),
        task.metric.delta,
        units_for(task.metric.delta, se, judged, level),
        judged,
        unit,
        effect.n,
        level,
        looks,
        (ours.arm.name, alone.arm.name),
    )

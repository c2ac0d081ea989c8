"""Harm found on `choose` is answered before giving up: the same arm with fewer sources.

Before: every arm of the plan was tried with all sources.  After: the pick is made
among all trials, remedies included; each is a trial like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from acclimate.domains.problem import Problem
from acclimate.plans.plan import Step
from acclimate.plans.runner import best_baseline
from acclimate.plans.trial import Trial
from acclimate.tasks.task import Task


def remedies(trials: Sequence[Trial], task: Task, problem: Problem) -> list[Step]:
    """One step a source, alone, of the best transfer arm; none where transfer did not hurt."""
    names = [source.name for source in problem.sources]
    sign = task.metric.sign
    done = [t for t in trials if t.status == "done" and np.isfinite(t.value)]
    transfers = [t for t in done if t.arm.strategy.transfers]
    if len(names) < 2 or not transfers:
        return []
    best, baseline = max(transfers, key=lambda t: sign * t.value), best_baseline(trials, sign)
    if not sign * (baseline.value - best.value) > 0:
        return []
    reason = "all sources together hurt on choose: try {} alone"
    alone = [(name, replace(best.arm, only=(name,))) for name in names]
    # An artifact that cannot be used beside others had an arm of its own already.
    tried = {trial.arm.name for trial in trials}
    return [
        Step(arm, reason.format(name))
        for name, arm in alone
        if arm.name not in tried and arm.why_not(arm.selected(problem)) is None
    ]

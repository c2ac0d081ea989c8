"""The plan of a run, shown and not run, and what its judge could show.

Before: markets and options as for `workflow.adapt`.  After: a person runs it, or gathers more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from acclimate.domains.markets import Market
from acclimate.options import Options
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.examine import judge_fingerprint
from acclimate.plans.power import Power, foresee
from acclimate.posing import Listener, Prepared, prepare, silent
from acclimate.rng import Rng
from acclimate.settings import settings
from acclimate.tasks.task import Task
from acclimate.verdicts.ledger import Ledger


@dataclass(frozen=True)
class Planned:
    """What would be tried, and what the judge could show, where that was asked.

    power  None: not asked for, or the budget ended before it was measured
    """

    ready: Prepared
    power: Power | None = None

    def as_row(self) -> dict[str, Any]:
        """JSON types only."""
        ready = self.ready
        power = None if self.power is None else asdict(self.power)
        return {
            "task": ready.posed.task.kind,
            "target": ready.target.name,
            "sources": [source.name for source in ready.sources],
            "plan": ready.plan.as_rows(),
            "refused": [refusal.as_row() for refusal in ready.plan.refused],
            "gap": [each.as_row() for each in ready.gap],
            "notes": list(ready.posed.notes),
            "left_out": ready.left_out,
            "power": power and {**power, "sentence": self.power and self.power.sentence},
        }


def planned(
    task: Task,
    sources: Sequence[Market],
    target: Market,
    *,
    options: Options | None = None,
    power: bool = False,
    listen: Listener = silent,
) -> Planned:
    """What `adapt` would try with these markets and options, in order, each with its reason.

    power  fit two quick arms on what is not judged, to say how small an effect the judge shows;
           no look at it is entered

    Raises AcclimateError with what to do for anything the caller can mend.
    """
    options = options or Options()
    budget, rng = Budget(options.budget_seconds), Rng.of(options.seed)
    with threadpool_limits(settings().threads):
        ready = prepare(task, sources, target, options, rng, listen, budget)
        if not power:
            return Planned(ready)
        posed = ready.posed
        ledger = Ledger(settings().home / "ledger.jsonl")
        looks = ledger.looks(judge_fingerprint(posed.problem.target, posed.exam)) + 1
        try:
            found = foresee(
                ready.plan,
                posed.task,
                posed.problem,
                posed.exam,
                looks,
                rng.child("power"),
                budget.tick,
            )
        except OutOfBudget:
            return Planned(ready)
        return Planned(ready, found)

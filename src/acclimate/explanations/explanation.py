"""Explain a choice within a share of the budget, and say what there was no time for.

Before: the verdict is given and what ships is fitted.  After: the report shows why.  Nothing
is decided here, `judge` is not looked at, and what cannot be told is listed with its reason.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from acclimate.domains.exam import Exam
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.errors import AcclimateError
from acclimate.explanations.asked import Asked
from acclimate.explanations.columns import ColumnWorth, column_worths
from acclimate.explanations.layers import Layer, moved_layers
from acclimate.explanations.reliability import Reliability, reliabilities
from acclimate.explanations.rows import Segment, SourceRows, weighed_rows, weighed_segments
from acclimate.explanations.share import Share
from acclimate.explanations.sources import SourceWorth, source_worths
from acclimate.nearest import some
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.examine import Examined
from acclimate.plans.trial import Trial
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Task

T = TypeVar("T")

NO_TIME = "the share of the budget that is theirs ended before"
ONE_SOURCE = "there is no second source with rows to try the validators on"
NO_LABELS = "the target has no labels to ask by"


@dataclass
class Explanation:
    """What a chosen arm rests on.

    arm, metric  the arm, and the score that effects are in
    on           what was asked: "choose", or "folds" of what is fitted on; "" nothing
    sources      what each source brings
    rows         what weighting left of each source
    segments     of source rows whose share weighting changed most
    layers       how far each layer moved from the sources' network
    columns      what of the gain over target-only shuffling a column loses
    reliability  without target labels: how often each validator was right on the sources
    not_done     what could not be told, and why
    """

    arm: str
    metric: str
    on: str = ""
    sources: list[SourceWorth] = field(default_factory=list)
    rows: list[SourceRows] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    columns: list[ColumnWorth] = field(default_factory=list)
    reliability: list[Reliability] = field(default_factory=list)
    not_done: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def as_row(self) -> dict[str, Any]:
        """JSON types only."""
        parts = ("sources", "rows", "segments", "layers", "columns", "reliability")
        return {
            "arm": self.arm,
            "metric": self.metric,
            "on": self.on,
            **{
                name: [_known(each._asdict()) for each in getattr(self, name)] for name in parts
            },
            "not_done": dict(self.not_done),
            "seconds": round(self.seconds, 3),
        }


def explain(
    examined: Examined,
    task: Task,
    problem: Problem,
    exam: Exam,
    rng: Rng,
    budget: Budget,
    trials: Sequence[Trial] = (),
) -> Explanation | None:
    """Why the chosen arm is what it is; None where no way to transfer was tried.

    rng     the runner's, so that what is fitted again is what was chosen
    budget  a tenth of it, if so much is left, is what this may take
    trials  without target labels: the arms on which validators are tried
    """
    chosen, baseline = examined.chosen, examined.baseline
    if chosen is None:
        return None
    start, share = time.monotonic(), Share.of(budget)
    asked = Asked.of(problem, exam, task, rng.child("explain"))
    found = Explanation(chosen.arm.name, task.metric.name)
    if asked.pairs:
        found.on = "folds" if asked.folds else "choose"

    def tried(what: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except OutOfBudget:
            found.not_done[what] = NO_TIME
        except AcclimateError as error:
            found.not_done[what] = str(error)
        return None

    arm = chosen.arm
    whole = tried("rows", lambda: _rows_and_layers(found, chosen, problem, rng, share))
    wanted = {
        "columns": chosen is not baseline and isinstance(problem.fit, Rows),
        "sources": len(arm.selected(problem).sources) > 1,
    }
    models = None
    if whole is not None and asked.pairs and any(wanted.values()):
        models = tried("folds", lambda: _models(chosen, whole, asked, rng, share))
    if models is None:
        missed = found.not_done.pop("folds", None) or found.not_done.get("rows", NO_TIME)
        missed = missed if asked.pairs else NO_LABELS
        found.not_done |= {what: missed for what, there in wanted.items() if there}
    else:
        if wanted["columns"]:
            tried("columns", lambda: _columns(found, models, baseline, asked, task, rng, share))
        if wanted["sources"]:
            tried("sources", lambda: _sources(found, models, chosen, asked, task, rng, share))
    if not problem.labelled and trials:
        tried(
            "reliability",
            lambda: _reliability(found, trials, examined, task, problem, rng, share),
        )
    found.seconds = time.monotonic() - start
    return found


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """The row with None for what could not be scored, such as an area of a single class."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _fit_seconds(trial: Trial) -> float:
    """What one fit of an arm takes, at most."""
    return trial.fit_seconds or trial.seconds


def _reliability(
    found: Explanation,
    trials: Sequence[Trial],
    examined: Examined,
    task: Task,
    problem: Problem,
    rng: Rng,
    share: Share,
) -> None:
    if sum(source.seen for source in problem.sources) < 2:
        found.not_done["reliability"] = ONE_SOURCE
        return
    done = [trial for trial in trials if trial.status == "done"]
    first = (examined.baseline, examined.chosen)
    done.sort(key=lambda trial: next((at for at, t in enumerate(first) if t is trial), 2))
    found.reliability = reliabilities(done, task, problem, rng.child("reliability"), share)


def _rows_and_layers(
    found: Explanation, chosen: Trial, problem: Problem, rng: Rng, share: Share
) -> Fitted:
    """The chosen arm fitted once more, for what its steps left behind."""
    share.require(_fit_seconds(chosen))
    arm = chosen.arm
    adapted, fitted = arm.taken(problem, rng.child("fit"), share.tick)
    found.rows = weighed_rows(adapted.sources)
    found.segments = weighed_segments(adapted.sources)
    key = rng.child("fit")
    found.layers = moved_layers(arm.strategy, arm.model, fitted.model, adapted, key, share.tick)
    return fitted


def _models(chosen: Trial, whole: Fitted, asked: Asked, rng: Rng, share: Share) -> list[Fitted]:
    """The chosen arm for each case: as it is, or without the fold that is asked about."""
    if not asked.folds:
        return [whole] * len(asked.pairs)
    return asked.fitted(chosen.arm, rng, share.tick, lambda problem: problem)


def _columns(
    found: Explanation,
    models: list[Fitted],
    baseline: Trial,
    asked: Asked,
    task: Task,
    rng: Rng,
    share: Share,
) -> None:
    share.require(_fit_seconds(baseline))
    alone = asked.fitted(baseline.arm, rng, share.tick, lambda problem: problem)
    key = rng.child("columns")
    found.columns, missed = column_worths(models, alone, asked, task, key, share)
    if missed:
        left = number_of(missed, "column was", "columns were")
        found.not_done["columns"] = f"{left} not reached in time, so raise --budget"


def _sources(
    found: Explanation,
    models: list[Fitted],
    chosen: Trial,
    asked: Asked,
    task: Task,
    rng: Rng,
    share: Share,
) -> None:
    whole = asked.answers(models, task)
    found.sources, missed = source_worths(
        chosen.arm, whole, asked, task, rng, share, _fit_seconds(chosen)
    )
    if missed:
        left = some(missed)
        found.not_done["sources"] = f"no time was left for {left}, so raise --budget"

"""A Task: what is predicted, how a prediction is scored, what the independent unit is.

Before: a market's tables.  After: a Problem for the strategies and an Exam for
the runner and the verdict, cut from one target and its sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from acclimate.arrays import Array
from acclimate.domains.domain import Domain
from acclimate.domains.exam import Case, Exam, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Sample
from acclimate.domains.split import Cut
from acclimate.rng import Rng


@dataclass(frozen=True)
class Metric:
    """A score with its direction.

    higher  True where larger is better
    mean    True where the score is a mean over units, so that `unit_scores` exists
    delta   > 0, in the metric's own unit: the smallest effect worth having
    """

    name: str
    higher: bool
    mean: bool
    delta: float

    @property
    def sign(self) -> float:
        """+1 where larger is better, else −1."""
        return 1.0 if self.higher else -1.0


@dataclass(frozen=True)
class Posed:
    """A task on one target.

    task     the task with its metric settled
    problem  what strategies see
    exam     what they do not
    whole    every labelled target row in `fit`, sources up to the target's end:
             what the shipped model is refitted on
    notes    what was decided on the way, in words
    """

    task: Task
    problem: Problem
    exam: Exam
    whole: Problem
    notes: tuple[str, ...] = ()


class Task(Protocol):
    """What every task does."""

    kind: ClassVar[str]
    form: ClassVar[str]

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        ...

    def pose(self, target: Domain, sources: Sequence[Domain], cut: Cut, rng: Rng) -> Posed:
        """Cut a Problem and an Exam; raises DataError where the tables cannot serve."""
        ...

    def protocol(self, case: Case, taken: Sample, seed: int) -> Case:
        """The case as this task asks it; published protocols draw candidates here.

        taken  everything known of the entities asked about, the truth included
        """
        ...

    def score(self, prediction: Prediction, truth: Truth, weight: Array | None = None) -> Array:
        """The primary metric under unit weights.

        weight   (B, n_units) ≥ 0, or None for one row of equal weights
        returns  (B,)
        """
        ...

    def unit_scores(self, prediction: Prediction, truth: Truth) -> Array:
        """(n_units,) each unit's own score; only where `metric.mean`."""
        ...

    def metrics(self, prediction: Prediction, truth: Truth) -> dict[str, float]:
        """Every metric of the task by name."""
        ...

    def join(self, answers: Sequence[tuple[Prediction, Truth]]) -> tuple[Prediction, Truth]:
        """Several answered cases as one, units kept apart."""
        ...


def unit_of_task(task: Task, fit: Sample) -> str:
    """Plural word for the independent unit."""
    if getattr(fit, "entity", None) is not None:
        return "entities"
    return {"items": "users", "tokens": "sentences"}.get(task.form, "rows")


def left_out(sources: Sequence[Domain], problem: Problem, what: str) -> list[str]:
    """A note for each source that has nothing to teach by the target's clock.

    what  a plural: "labelled rows", "events"
    """
    kept = {source.name for source in problem.sources}
    return [
        f"{source.name} is left out: no {what} of it are known where the target's fit ends"
        for source in sources
        if source.name not in kept
    ]

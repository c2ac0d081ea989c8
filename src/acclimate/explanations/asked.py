"""What explanations ask of the target: the cases of `choose`, or folds of `fit` without any.

Before: a small target had its `choose` made by cross-fitting.  After: `columns` and `sources`
ask models that have not seen what they are asked about, either way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from acclimate.domains.exam import Case, Exam, Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.models.model import Tick
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm
from acclimate.strategies.fitted import Fitted
from acclimate.tasks.task import Task

FOLDS = 3

Answer = tuple[Prediction, Truth]


@dataclass(frozen=True)
class Asked:
    """Cases, and with each the problem that lacks it.

    folds  whether these are folds of `fit`, as there is no `choose`
    """

    pairs: tuple[tuple[Problem, Case], ...]
    folds: bool

    @classmethod
    def of(cls, problem: Problem, exam: Exam, task: Task, rng: Rng) -> Asked:
        """Nothing is asked where the target has no labels."""
        if exam.choose or not problem.labelled:
            return cls(tuple((problem, case) for case in exam.choose), False)
        pairs = list[tuple[Problem, Case]]()
        for inner, held in problem.inner(FOLDS, rng.child("folds")):
            seed = rng.child(f"protocol/{len(pairs)}").seed
            pairs.append((inner, task.protocol(held, inner.onto(problem.fit), seed)))
        return cls(tuple(pairs), True)

    def fitted(
        self, arm: Arm, rng: Rng, tick: Tick, given: Callable[[Problem], Problem]
    ) -> list[Fitted]:
        """The arm fitted for each case, on what `given` makes of its problem."""
        made: dict[int, Fitted] = {}
        for problem, _ in self.pairs:
            if id(problem) not in made:
                made[id(problem)] = arm.fit(given(problem), rng.child("fit"), tick)
        return [made[id(problem)] for problem, _ in self.pairs]

    def answers(
        self,
        models: Sequence[Fitted],
        task: Task,
        change: Callable[[Case], Case] = lambda case: case,
    ) -> Answer:
        """What each model says of its case, changed, as one answer."""
        cases = [change(case) for _, case in self.pairs]
        return task.join(
            [(m.answer(case), case.truth) for m, case in zip(models, cases, strict=True)]
        )

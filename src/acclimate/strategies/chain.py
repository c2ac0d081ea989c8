"""A chain of steps that is one arm: `coral + finetune`.

Each step works on what the one before left: a reshaped or weighed problem, or a
fitted model that the next one starts from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.strategy import Adapt, Strategy

JOIN = " + "
# Each setting more is a fit a fold; a chain costs as much as its steps together.
MOST_TRIED = 6


@dataclass(frozen=True)
class Chain(Strategy):
    """Steps in order; the last one adapts.

    The encoder takes the statistics of the first step that adapts.
    """

    steps: tuple[Strategy, ...]

    def __post_init__(self) -> None:
        adapting = [step for step in self.steps if isinstance(step, Adapt)]
        if not adapting or self.steps[-1] is not adapting[-1] or len(self.steps) < 2:
            names = JOIN.join(step.kind for step in self.steps) or "nothing"
            raise StrategyError(
                f"Expected a chain of steps that ends in one which fits a model, found "
                f"{names}. Add one behind it, such as pooled or finetune."
            )
        for step in self.steps:
            if (why := _alone(step, last=step is self.steps[-1])) is not None:
                raise StrategyError(
                    f"Expected steps that can work on one another's results, found "
                    f"{step.kind} in {JOIN.join(each.kind for each in self.steps)}: {why}."
                )
        union: frozenset[str] = frozenset().union(*(step.reads for step in self.steps))
        values = {
            "kind": JOIN.join(step.kind for step in self.steps),
            "reads": union,
            "statistics": adapting[0].statistics,
            "complexity": sum(step.complexity for step in self.steps),
            "reads_fit": any(step.reads_fit for step in self.steps),
            "needs_labels": any(step.needs_labels for step in self.steps),
            "moves": any(step.moves for step in self.steps),
            "unasked": all(step.unasked for step in self.steps),
        }
        for name, value in values.items():
            # Class variables of other strategies, worked out here for each chain.
            object.__setattr__(self, name, value)

    def why_not_source(self, source: Source) -> str | None:
        whys = (step.why_not_source(source) for step in self.steps)
        return next((why for why in whys if why is not None), None)

    def refuses(self, problem: Problem, model: Model) -> str | None:
        whys = (step.refuses(problem, model) for step in self.steps)
        return next((why for why in whys if why is not None), None)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        """Each step's settings, one step at a time from the last to the first.

        Six where one step fits a model, fewer where more do.
        """
        found: list[Strategy] = [self]
        for at, step in reversed([*enumerate(self.steps)]):
            others = [each for each in step.grid(problem) if each != step]
            found += [self._with(at, other) for other in others]
        fitting = sum(isinstance(step, Adapt) for step in self.steps)
        return tuple(found[: MOST_TRIED // fitting])

    def models(self, model: Model) -> tuple[Model, ...]:
        """Those that every step would try."""
        tried = [step.models(model) for step in self.steps]
        return min(tried, key=len)

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        for number, step in enumerate(self.steps):
            tick()
            problem, model = step.step(problem, model, rng.child(f"{number}"), tick)
        return problem, model

    def _with(self, at: int, step: Strategy) -> Chain:
        return replace(self, steps=(*self.steps[:at], step, *self.steps[at + 1 :]))


def _alone(step: Strategy, last: bool) -> str | None:
    """Why a step cannot stand here, and what to do; or None."""
    if isinstance(step, Adapt) and step.statistics == Statistics.EACH:
        return "it reads every market in its own encoding. Let it stand alone"
    if not last and not step.hands_on:
        return "it ends in several models, and none to go on from. Put it last"
    return None

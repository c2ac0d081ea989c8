"""Shared users: what the target's users took in another catalogue says what they take here.

A new category of a shop has other items and the same users.  Nothing moves by items; what
moves is who resembles whom.  The target's EASE is solved over items of both catalogues
(`models.wideease`), those of the sources weighed, and recommends the target's alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from acclimate.domains.beside import BesideEncoder, shared_users, twins
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.view import ItemEncoder, ItemRecipe
from acclimate.models.ease import Ease
from acclimate.models.model import Model, Tick, idle
from acclimate.models.wideease import WideEase
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.strategies.strategy import Adapt, Strategy

FEW = 0.05  # of the target's users: below, a source can change few of their lists


@dataclass(frozen=True)
class SharedUsers(Adapt):
    """EASE over what users took here and elsewhere.

    weight  w ≥ 0 of an item elsewhere beside 1 of the target's; 0 is target-only
    """

    weight: float = 0.3

    kind: ClassVar[str] = "shared-users"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.TARGET
    complexity: ClassVar[int] = 2
    hands_on: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Ease | WideEase):
            return f"{model.kind} has no weights between items that two catalogues could share"
        mine = problem.fit
        assert isinstance(mine, Interactions)
        users = len(set(mine.user))
        most = max(shared_users(other, mine) for other in others(problem).values())
        if most < FEW * users:
            return (
                f"{number_of(most, 'user')} of the target's {users:,} took something in a "
                f"source, fewer than {FEW:.0%}"
            )
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, weight=weight) for weight in (0.3, 0.1, 1.0))

    def models(self, model: Model) -> tuple[Model, ...]:
        """Every other penalty: the weight is tried beside it, and a fit has more columns."""
        return model.grid()[::2] if isinstance(model, Ease) else model.grid()

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        encoder, fit, recipe = problem.encoder, problem.fit, problem.recipe
        assert isinstance(encoder, ItemEncoder) and isinstance(fit, Interactions)
        assert isinstance(recipe, ItemRecipe) and isinstance(model, Ease | WideEase)
        tick()
        both = BesideEncoder.of(encoder, others(problem), fit, recipe.at_most)
        wide = model if isinstance(model, WideEase) else WideEase(model.penalty)
        wide = replace(wide, beside=self.weight)
        fitted = wide.fit(both.encode(fit), rng=rng, tick=tick)
        return replace(problem, encoder=both).knowing(*self._said(problem, fit)), fitted

    def _said(self, problem: Problem, fit: Interactions) -> list[str]:
        users = len(set(fit.user))
        found = []
        for name, other in others(problem).items():
            found.append(
                f"{shared_users(other, fit):,} of {users:,} users are in {name!r} too, "
                f"where an item weighs {self.weight:g}"
            )
            if alike := int(twins(other, fit).sum()):
                found.append(
                    f"items of {name!r} whose users are nearly those of one of the target's, "
                    f"perhaps the same product under two ids: {alike:,}"
                )
        return found

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]


def others(problem: Problem) -> dict[str, Interactions]:
    """What users took in each source, by its name."""
    found = {source.name: source.sample for source in problem.sources}
    return {name: each for name, each in found.items() if isinstance(each, Interactions)}

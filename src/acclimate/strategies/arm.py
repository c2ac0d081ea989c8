"""An Arm: one strategy with one model; what a trial tries and a leaderboard lists."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Numbers
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.domains.view import ItemRecipe
from acclimate.errors import StrategyError
from acclimate.models.model import Costly, Model, Network, ReadsAttributes, Tick, idle
from acclimate.models.quantiles import Quantiles
from acclimate.plurals import number_of
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.strategy import Strategy

FOLDS = 3  # of the target, from whose errors quantiles are taken


@dataclass(frozen=True)
class Arm:
    """A strategy and the specification of a model, not yet fitted.

    only  names of the sources it uses; None: all of them
    """

    strategy: Strategy
    model: Model
    only: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        kinds = f"{self.strategy.kind}/{self.model.kind}"
        return kinds if self.only is None else f"{kinds} from {'+'.join(self.only)}"

    @property
    def effort(self) -> int:
        """How much its model is: 0 a closed form, 1 trees and stacks, 2 a network."""
        if isinstance(self.model, Costly):
            return self.model.effort
        return 2 if isinstance(self.model, Network) else 0

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """What tuning chose, as plain values."""
        return {"strategy": _plain(self.strategy), "model": _plain(self.model)}

    def why_not(self, problem: Problem) -> str | None:
        return self.strategy.why_not(problem, self.model)

    def fit(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Fitted:
        """Encode the problem with this arm's statistics and adapt the model.

        Where answers must hold quantiles, it is adapted again without each fold of the
        target's rows, whose errors give them.
        """
        return self.taken(problem, rng, tick)[1]

    def taken(self, problem: Problem, rng: Rng, tick: Tick = idle) -> tuple[Problem, Fitted]:
        """As `fit`, with the problem as the steps left it: weights of rows, moved views."""
        encoded = problem if problem.encoder is not None else self.encoded(problem)
        adapted, model = self.strategy.step(encoded, self.model, rng, tick)
        assert adapted.encoder is not None
        fitted = Fitted(adapted.encoder, model, adapted.facts)
        if problem.levels:
            around = Quantiles(model, problem.levels)
            away = self._errors(encoded, fitted, rng.child("quantiles"), tick)
            fitted = replace(fitted, model=around.around(away))
        return adapted, fitted

    def _errors(self, encoded: Problem, fitted: Fitted, rng: Rng, tick: Tick) -> Array:
        """(n,) y − ŷ of target rows by fits that have not seen them."""
        fit = encoded.fit
        assert isinstance(fit, Rows)
        asked = [(encoded, fit.case())] if fit.label is not None else []
        if self.strategy.reads_fit:
            asked = encoded.inner(FOLDS, rng.child("folds"))
        if not asked or not fit.n:
            raise StrategyError(
                "Expected labelled target rows of two entities at least to take quantiles "
                f"from; found {number_of(fit.n, 'row')}. Label more, or score by rmse or mae."
            )
        away = []
        for inner, held in asked:
            tick()
            blind = fitted
            if self.strategy.reads_fit:
                blind = self.fit(replace(inner, levels=()), rng.child("fit"), tick)
            answer, label = blind.answer(held), held.truth.label
            assert isinstance(answer, Numbers) and label is not None
            away.append(label - answer.y)
        return np.concatenate(away)

    def encoded(self, problem: Problem) -> Problem:
        """The problem with this arm's sources and statistics."""
        chosen = self.selected(problem)
        if isinstance(self.model, ReadsAttributes) and isinstance(chosen.recipe, ItemRecipe):
            chosen = replace(chosen, recipe=replace(chosen.recipe, unseen=True))
        return chosen.encoded(self.strategy.statistics)

    def selected(self, problem: Problem) -> Problem:
        """The problem with the sources this arm uses."""
        if self.only is None:
            return problem
        return problem.with_sources([s for s in problem.sources if s.name in self.only])

    def with_model(self, model: Model) -> Arm:
        return replace(self, model=model)

    def with_strategy(self, strategy: Strategy) -> Arm:
        return replace(self, strategy=strategy)


def _plain(value: Any) -> dict[str, Any]:
    """The settings of a specification: its plain fields, and those of settings inside it."""
    found: dict[str, Any] = {}
    for each in fields(value):
        setting = getattr(value, each.name)
        if is_dataclass(setting):
            found[each.name] = _plain(setting)
        elif isinstance(setting, tuple) and any(is_dataclass(part) for part in setting):
            found[each.name] = {
                f"{n} {part.kind}": _plain(part) for n, part in enumerate(setting)
            }
        elif setting is not None and not isinstance(setting, np.ndarray):
            # JSON has lists alone, and settings are compared with those of an artifact.
            found[each.name] = list(setting) if isinstance(setting, tuple) else setting
    return found

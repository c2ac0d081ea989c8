"""An Arm: one strategy with one model; what a trial tries and a leaderboard lists."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from acclimate.domains.problem import Problem
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.strategy import Strategy


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
    def settings(self) -> dict[str, dict[str, Any]]:
        """What tuning chose, as plain values."""
        return {"strategy": _plain(self.strategy), "model": _plain(self.model)}

    def why_not(self, problem: Problem) -> str | None:
        return self.strategy.why_not(problem, self.model)

    def fit(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Fitted:
        """Encode the problem with this arm's statistics and adapt the model."""
        encoded = problem if problem.encoder is not None else self.encoded(problem)
        adapted, model = self.strategy.step(encoded, self.model, rng, tick)
        assert adapted.encoder is not None
        return Fitted(adapted.encoder, model, adapted.facts)

    def encoded(self, problem: Problem) -> Problem:
        """The problem with this arm's sources and statistics."""
        return self.selected(problem).encoded(self.strategy.statistics)

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
            found[each.name] = setting
    return found

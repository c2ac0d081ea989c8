"""How long the arms that are still to come may take, by what arms of their models took.

And the best of those that ended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acclimate.plans.trial import Trial


@dataclass
class Pace:
    """Told when each arm begins.

    models  of every arm, in order
    sign    of the metric: 1 where higher is better, −1 where lower is
    """

    models: list[str] = field(default_factory=list)
    sign: float = 1.0
    _took: dict[str, list[float]] = field(default_factory=dict)
    _begun: float | None = None
    _best: Trial | None = None

    def plan(self, models: Sequence[str]) -> None:
        """More arms to come, one a model."""
        self.models += models

    def at(self, done: int, spent: float) -> None:
        """So many arms have ended, after so many seconds."""
        if self._begun is not None and 0 < done <= len(self.models):
            self._took.setdefault(self.models[done - 1], []).append(spent - self._begun)
        self._begun = spent

    def left(self, done: int) -> float | None:
        """Seconds for the arms after so many; None while a model among them is new."""
        ahead = self.models[done:]
        if not ahead or any(model not in self._took for model in ahead):
            return None
        return sum(sum(self._took[m]) / len(self._took[m]) for m in ahead)

    def ended(self, trial: Trial) -> None:
        """An arm has ended; one without a value is never the best."""
        best = -math.inf if self._best is None else self.sign * self._best.value
        if trial.status == "done" and self.sign * trial.value > best:
            self._best = trial

    @property
    def best(self) -> str:
        """The best so far, in words; nothing before there is one."""
        if self._best is None:
            return ""
        return f"best so far {self._best.arm.name}: {self._best.value:.4g}"

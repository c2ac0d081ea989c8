"""How long the arms that are still to come may take, by what arms of their models took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Pace:
    """Told when each arm begins.

    models  of every arm, in order
    """

    models: list[str] = field(default_factory=list)
    _took: dict[str, list[float]] = field(default_factory=dict)
    _begun: float | None = None

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

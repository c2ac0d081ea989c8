"""The share of a budget that explanations may take: they come last and delay nothing."""

from __future__ import annotations

from dataclasses import dataclass

from acclimate.plans.budget import Budget, OutOfBudget

SHARE = 0.1  # of the whole budget, and never more than is left of it


@dataclass(frozen=True)
class Share:
    """Seconds of a budget, from now on.

    until  seconds after the budget's start
    """

    budget: Budget
    until: float

    @classmethod
    def of(cls, budget: Budget) -> Share:
        """A tenth of the whole, or what is left where that is less."""
        return cls(budget, min(budget.spent + SHARE * budget.seconds, budget.seconds))

    def tick(self) -> None:
        """Raises OutOfBudget once the share is used up."""
        if self.budget.spent >= self.until:
            raise OutOfBudget

    def require(self, seconds: float) -> None:
        """Raises OutOfBudget where so much is not left of the whole budget, or no share is.

        A fit that never ticks may pass the share, but not the budget.
        """
        self.tick()
        if not self.budget.allows(seconds):
            raise OutOfBudget

"""Balanced sharing: hard sharing whose balance of tasks is chosen on inner folds.

Before: `lessons` said what the tasks are.  After: `balance` weighs their losses or
gradients, and tuning takes the balance that held-out rows of the target prefer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from acclimate.domains.problem import Problem
from acclimate.strategies.multitask.balance import BALANCES, Balance
from acclimate.strategies.multitask.lessons import Lesson, lessons_of
from acclimate.strategies.multitask.sharing import HardSharing
from acclimate.strategies.strategy import Strategy


@dataclass(frozen=True)
class BalancedSharing(HardSharing):
    """Labels as tasks where the rows have other labels, markets elsewhere.

    One entry of the catalogue for all balances: they differ little, and tuning tells.
    """

    balance: Balance = "uncertainty"

    kind: ClassVar[str] = "balanced-sharing"
    complexity: ClassVar[int] = 6
    unasked: ClassVar[bool] = False

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        others = (each for each in BALANCES if each not in ("equal", self.balance))
        return (self, *(replace(self, balance=each) for each in others))

    def lessons(self, problem: Problem) -> list[Lesson]:
        return self.shared(lessons_of(problem))

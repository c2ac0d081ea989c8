"""A Trial: one arm that was tried, and where it is found again by a run that goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from acclimate.domains.exam import Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.plans.budget import ALONE, Budget
from acclimate.strategies.arm import Arm


@dataclass(frozen=True)
class Trial:
    """One arm that was tried.

    arm     with the settings tuning chose
    status  "done", "abandoned" (budget) or "failed"
    value   the primary metric on `choose`; low, high its 95 % bootstrap interval
    n       units of `choose`; without any the trial has no value and nothing to pick by
    why     why it failed, in words
    facts   what its steps found out, in sentences
    fit_seconds  what the fit took that was answered with, and its answer
    """

    arm: Arm
    status: str
    reason: str
    metric: str
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0
    seconds: float = 0.0
    why: str = ""
    facts: tuple[str, ...] = ()
    answer: tuple[Prediction, Truth] | None = None
    fit_seconds: float = 0.0

    def as_row(self) -> dict[str, object]:
        """The design's leaderboard row; numbers that do not exist are None."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {
            "arm": self.arm.name,
            "strategy": self.arm.strategy.kind,
            "model": self.arm.model.kind,
            "metric": self.metric,
            **{key: float(x) if np.isfinite(x) else None for key, x in numbers.items()},
            "n": self.n,
            "seconds": round(self.seconds, 3),
            "status": self.status,
        }


Ended = Callable[[Trial], None]
"""Called with a trial when it has ended."""


def unheard(trial: Trial) -> None:
    """Hears nothing."""


class Keeps(Protocol):
    """Where finished trials are kept, and found again by a run that goes on."""

    def found(self, arm: Arm, problem: Problem, how: str) -> Trial | None: ...

    def keep(self, arm: Arm, trial: Trial, how: str) -> None: ...


def kept(
    arm: Arm,
    problem: Problem,
    budget: Budget,
    store: Keeps | None,
    how: str,
    trial: Callable[[], Trial],
) -> Trial:
    """The trial as it was finished before, or else as it ends now."""
    found = store.found(arm, problem, how) if store is not None else None
    if found is not None:
        budget.take(found.seconds)
        if found.status == "done" and found.fit_seconds:
            budget.saw_fit(kind_of(found.arm), found.fit_seconds)
        return found
    ended = trial()
    if store is not None and ended.status != "abandoned":
        store.keep(arm, ended, how)
    return ended


def kind_of(arm: Arm) -> str:
    """What the budget measures fits by."""
    return arm.strategy.kind if arm.strategy.transfers else ALONE

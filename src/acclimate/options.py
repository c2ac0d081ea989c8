"""How an adaptation is run: budget, seed, what is tried, how the target is cut."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from acclimate.domains.split import Cut
from acclimate.errors import UsageError
from acclimate.nearest import did_you_mean, expected

UNSURE = ("target-only", "best-guess")


@dataclass(frozen=True)
class Options:
    """How an adaptation is run.

    budget_seconds  > 0, for everything from reading to shipping
    seed            of every random choice
    strategies      kinds to try besides the three baselines; None: all
    models          kinds to try them with; None: all that serve the task
    refuse_harm     keep target-only where transfer is shown to hurt a named group of units
    trials          settings to search beyond the grids, ≥ 1; None: the grids alone
    when_unsure     what ships without a clear answer: "target-only" or "best-guess"
    refit           refit what ships on all target rows
    cut             how the target is cut
    crosswalk       a table of pairs that gives the sources the target's ids, or None
    accept          0 … 1, the confidence from which its unconfirmed pairs are used, or None
    """

    budget_seconds: float = 300.0
    seed: int = 0
    strategies: tuple[str, ...] | None = None
    when_unsure: str = "target-only"
    refit: bool = True
    cut: Cut = field(default_factory=Cut)
    crosswalk: str | None = None
    accept: float | None = None
    models: tuple[str, ...] | None = None
    trials: int | None = None
    refuse_harm: bool = False

    def __post_init__(self) -> None:
        require_seconds(self.budget_seconds)
        if self.when_unsure not in UNSURE:
            raise UsageError(
                f"Expected when_unsure to be {' or '.join(UNSURE)}; found {self.when_unsure!r}."
                f"{did_you_mean(self.when_unsure, UNSURE)}"
            )
        if self.trials is not None and self.trials < 1:
            raise UsageError(
                f"Expected trials to be 1 or more; found {self.trials}. Leave --trials out to "
                "try the grids alone."
            )
        if self.accept is not None and self.crosswalk is None:
            raise UsageError(
                f"Expected a crosswalk beside accept = {self.accept:g}; found none. Name one "
                "with --crosswalk, or leave --accept out."
            )


def require_seconds(seconds: float) -> None:
    """Raises UsageError for a budget that is not finite and above 0."""
    if not 0 < seconds < math.inf:
        raise UsageError(
            f"Expected a budget in seconds, finite and above 0; found {seconds:g}. Name "
            "another with --budget."
        )


def options_of(named: Mapping[str, Any]) -> Options:
    """Options from keywords; an unknown one is answered with the known."""
    known = [each.name for each in fields(Options)]
    strange = sorted(set(named) - set(known))
    if strange:
        raise UsageError(
            f"{expected('options', known, strange)} A label "
            "budget and the way to split go into cut=ac.Cut(labels=…, by=…)."
        )
    return Options(**named)

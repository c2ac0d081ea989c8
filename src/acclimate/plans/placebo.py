"""The placebo: the adopted arm once more, on sources that know nothing.

Before: `examine` found that an arm beats doing without, and adopts it.  After: the verdict
tells beside its answer whether that is owed to the sources.  A way to transfer is also a
method: one more penalty, another model, more rows to take statistics from.  On sources
whose answers were permuted (`domains.shuffled`) it has all of that and nothing to learn,
so that what it loses there is what it had from them.

It is one more contrast like those with source-only and pooled, and no look of its own in
the ledger: the answer is settled before it is made and nothing that ships hangs on it, so
that no second chance to adopt is taken.  Its interval has the level of the look.

The settings stay those that tuning chose on the real sources: what is asked is what the
arm that ships would be without their knowledge.  A weight that trusts real sources may do
harm with shuffled ones, so that the contrast tells whether the arm needs what they know,
and not how much of the gain is theirs; the row of target-only beside it tells of the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from acclimate.domains.exam import Prediction, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.shuffled import shuffled, why_not_shuffled
from acclimate.errors import AcclimateError
from acclimate.models.model import Tick
from acclimate.plans.budget import Budget, OutOfBudget
from acclimate.plans.trial import Trial
from acclimate.rng import Rng

Answer = tuple[Prediction, Truth]
Ask = Callable[[Trial, Problem, Tick], Answer]
"""Fits an arm on a problem and answers `judge`; the tick may end it."""

NO_TIME = "the budget ended before, so raise --budget"
SHIPPING = 2.0  # times what the judge's fit took: on more rows than that


def placebo(
    chosen: Trial, problem: Problem, ask: Ask, rng: Rng, budget: Budget, seconds: float
) -> tuple[Answer | None, str]:
    """The answer of the adopted arm on shuffled sources, or why there is none.

    rng      the runner's; the refit has the arm's own randomness, the permutation its own
    seconds  ≥ 0, what the arm's fit and answer took
    """
    for source in chosen.arm.selected(problem).sources:
        if (why := why_not_shuffled(source)) is not None:
            return None, why
    try:
        blank = shuffled(problem, rng.child("placebo"))
        answer = in_time(chosen, blank, ask, budget, seconds)
    except AcclimateError:
        return None, "it cannot be fitted on them"
    return answer, NO_TIME if answer is None else ""


def in_time(
    trial: Trial, problem: Problem, ask: Ask, budget: Budget, seconds: float
) -> Answer | None:
    """An answer on `judge` beside those that decide, or None where shipping needs the time."""
    kept = SHIPPING * seconds
    if not budget.allows(kept + seconds):
        return None
    try:
        return ask(trial, problem, budget.keeping(kept))
    except OutOfBudget:
        return None

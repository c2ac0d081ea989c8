"""Two-stage TrAdaBoost.R2: boosting of numbers, with source rows that fade step by step.

Source: Pardoe & Stone, ICML 2010, Algorithm 3.  With n source and m target rows, S steps,
every row begins with 1 / (n + m).  At step t a model is boosted with the source's weights
frozen (stage 2), its error is estimated on F folds of the target, and the source fades
(stage 1): a learner h with errors e_i = loss(|y_i − h(x_i)| / max |y − h|) gives

    source rows:  w ← w · β_t^e / Z,   target rows:  w ← w / Z,

β_t by bisection, so that target rows have m/(n+m) + t/(S−1) · (1 − m/(n+m)) in all.  What
ships is the boosted model of the step with the least error.

Stage 2 is AdaBoost.R2 (Drucker, ICML 1997) on target rows: ε = Σ w e, β = ε / (1 − ε),
w ← w · β^(1−e), until ε ≥ ½; the answer is the median weighed by ln(1/β).

Departures: weights of target rows are scaled so that their sum stays, because nothing else
leaves the source's as they are; at the last step, which asks for β = 0, source rows weigh
nothing; folds are of units, and the error is the mean square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views, take_rows
from acclimate.models.ensemble import Ensemble, content
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.instance.boostable import (
    errs_on_nothing,
    left_of_sources,
    weighs_nothing,
)
from acclimate.strategies.instance.tradaboost import Learner, blind_learners
from acclimate.strategies.stacking import row_weights, source_views
from acclimate.strategies.strategy import Adapt, Strategy

LOSSES = ("linear", "square", "exponential")
HALVINGS = 100
LEAST_LOG = -1e12  # of β: squared errors of 1e-4 fade as well


@dataclass(frozen=True)
class TrAdaBoostR2(Adapt):
    """Boost numbers on the target with source rows that fade until folds say stop.

    steps   S ≥ 2, from all of the source to none of it
    rounds  ≥ 1, of boosting at each step
    folds   F ≥ 2, of the target
    loss    "linear", "square" or "exponential", of errors as shares of the largest
    """

    steps: int = 6
    rounds: int = 10
    folds: int = 3
    loss: str = "linear"

    kind: ClassVar[str] = "tradaboost-r2"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 5
    hands_on: ClassVar[bool] = False
    # Hundreds of fits an arm; too many to be tried without being asked for.
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.steps < 2 or self.rounds < 1 or self.folds < 2 or self.loss not in LOSSES:
            raise StrategyError(
                f"Expected at least 2 steps, 1 round and 2 folds and a loss among "
                f"{', '.join(LOSSES)}; found {self.steps}, {self.rounds}, {self.folds} and "
                f"{self.loss!r}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := weighs_nothing(model)) is not None:
            return why
        if not problem.numbers:
            return "it weighs rows by how far a number is off: use tradaboost for classes"
        fits = self.steps * (self.rounds * (self.folds + 1) + 1)
        return errs_on_nothing(problem, model, fits)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, loss="square"))

    def models(self, model: Model) -> tuple[Model, ...]:
        """Three settings, spread over its grid: each costs many fits."""
        grid = model.grid()
        return tuple(dict.fromkeys((grid[0], grid[len(grid) // 2], grid[-1])))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        fit = problem.fit
        assert isinstance(fit, Rows) and fit.label is not None
        target = problem.view(fit)
        assert isinstance(target, RowView)
        sources = [view for view in source_views(problem) if isinstance(view, RowView)]
        both = stack_views([target, *sources])
        m, given = target.n, row_weights(problem.sources)
        start = np.ones(both.n - m) if given is None else given / given.mean()
        w = np.concatenate([np.ones(m), start]) / both.n
        blind = blind_learners(model, both, spread(fit.units(), fit.label, self.folds, rng))
        whole, least = Learner(model, both), math.inf
        for number in range(1, self.steps + 1):
            tick()
            key = rng.child(f"step/{number}")
            error = 0.0
            for fold, (learner, asked) in enumerate(blind):
                found = self.boosted(learner, both, w, m, key.child(f"fold/{fold}"), tick)
                away = content(found.predict(_blind(take_rows(both, asked)))) - fit.label[asked]
                error += float(away @ away) / m
            if error < least:
                least, weight = error, w
                best = self.boosted(whole, both, w, m, key, tick)
            if number < self.steps:
                h = whole.fit(w, key.child("fade"), tick)
                share = m / both.n + number / (self.steps - 1) * (1 - m / both.n)
                w = faded(w, m, self.errors(h, both)[0], share)
        return left_of_sources(problem, sources, weight[m:]), best

    def boosted(
        self, learner: Learner, both: RowView, w: Array, m: int, rng: Rng, tick: Tick
    ) -> Ensemble:
        """AdaBoost.R2 with the weights of all but the first m rows frozen.

        learner  sees all rows or some of them, and none of the others has a say
        """
        seen = np.arange(both.n) if learner.seen is None else learner.seen
        rows, own = take_rows(both, seen), seen < m
        w, members, votes = w.copy(), list[Model](), list[float]()
        for number in range(self.rounds):
            tick()
            h = learner.fit(w, rng.child(f"round/{number}"), tick)
            e, largest = self.errors(h, rows)
            mine = w[seen]
            error = float(mine @ e / mine.sum())
            if largest == 0 or error >= 0.5:
                # As the paper has it boosting ends here; a first learner is kept alone.
                if not members or largest == 0:
                    members, votes = [h], [1.0]
                break
            beta = error / (1 - error)
            members.append(h)
            votes.append(math.log(1 / beta))
            moved = mine[own] * beta ** (1 - e[own])
            mine[own] = moved * (mine[own].sum() / moved.sum())
            w[seen] = mine
        weights = tuple((np.array(votes) / sum(votes)).tolist())
        return Ensemble(tuple(members), weights, median=True)

    def errors(self, h: Model, rows: RowView) -> tuple[Array, float]:
        """(n,) errors between 0 and 1 after the loss, and the largest distance."""
        assert rows.label is not None
        away = np.abs(content(h.predict(_blind(rows))) - rows.label)
        largest = float(away.max())
        e = away / largest if largest > 0 else away
        if self.loss == "square":
            return e**2, largest
        return (1 - np.exp(-e) if self.loss == "exponential" else e), largest


def faded(w: Array, m: int, e: Array, share: float) -> Array:
    """Weights with sum 1 of which the first m rows have `share`.

    w      (m + n,) > 0, of which these rows have at most `share` of the sum
    e      (m + n,) errors between 0 and 1; source rows lose by w · β^e
    share  at most 1, at which source rows get nothing
    """
    other = w[m:]
    if share >= 1:
        return np.concatenate([w[:m] / w[:m].sum(), np.zeros(len(other))])
    wanted = (1 - share) / share * float(w[:m].sum())  # what Σ w β^e over the source must be
    left, right = LEAST_LOG, 0.0
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        if float(other @ np.exp(middle * e[m:])) > wanted:
            right = middle
        else:
            left = middle
    after = np.concatenate([w[:m], other * np.exp((left + right) / 2 * e[m:])])
    scaled: Array = after / after.sum()
    return scaled


def _blind(view: RowView) -> RowView:
    return replace(view, label=None)

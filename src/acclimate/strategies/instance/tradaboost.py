"""TrAdaBoost: source rows that the target keeps contradicting lose their say.

Source: Dai, Yang, Xue & Yu, ICML 2007, Algorithm 1.  With n_s source rows and N rounds,

    β = 1 / (1 + √(2 ln n_s / N)),   ε_t = Σ_target w|h_t − c| / Σ_target w,
    β_t = ε_t / (1 − ε_t);
    source rows:  w ← w · β^|h_t − c|,   target rows:  w ← w · β_t^−|h_t − c|;
    the vote is of the learners ⌈N/2⌉ … N, each with weight ln(1/β_t).

Misclassified source rows lose weight and misclassified target rows gain it; some
texts raise both (decision 0002).

Departures: |h − c| is 1 − p of the true class, which is the paper's for two classes
and h ∈ [0, 1], and serves more; ε_t is taken from folds that the learner has not
seen, because a strong learner is never wrong on rows it was fitted on; the vote is a
share, calibrated on the same folds, and no threshold; both sides begin with half of
the weight, so that many source rows do not drown the target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities, positions
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread
from acclimate.domains.view import RowView
from acclimate.errors import StrategyError
from acclimate.models.design import stack_views, take_rows
from acclimate.models.ensemble import Ensemble, mixed
from acclimate.models.model import FitsOften, Model, Tick, WarmStart, idle
from acclimate.rng import Rng
from acclimate.strategies.instance.boostable import (
    errs_on_nothing,
    left_of_sources,
    weighs_nothing,
)
from acclimate.strategies.stacking import row_weights, source_views
from acclimate.strategies.strategy import Adapt, Strategy


@dataclass(frozen=True)
class Round:
    """One learner.

    learner  fitted on both sides
    beta     β_t, 0 < β_t < 1
    p        (n_target, n_classes) its answers to target rows by folds it has not seen
    weight   (n_s,) of the source's rows when it was fitted
    """

    learner: Model
    beta: float
    p: Array
    weight: Array


@dataclass(frozen=True)
class TrAdaBoost(Adapt):
    """Boost on the target while weighing down the source rows that contradict it.

    rounds  N ≥ 2
    folds   ≥ 2, of the target, from which errors are taken; 0: from the rows the learner was
            fitted on, as in the paper, for learners too simple to know them by heart.  The
            vote is not calibrated then
    """

    rounds: int = 10
    folds: int = 2

    kind: ClassVar[str] = "tradaboost"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 4
    hands_on: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.rounds < 2 or self.folds < 0 or self.folds == 1:
            raise StrategyError(
                "Expected at least 2 rounds, and 0 or at least 2 folds; found "
                f"{self.rounds} and {self.folds}."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := weighs_nothing(model)) is not None:
            return why
        if problem.numbers:
            return "it weighs rows by the chance of their class: use tradaboost-r2 for numbers"
        return errs_on_nothing(problem, model, self.fits(problem))

    def fits(self, problem: Problem) -> int:
        """How many models are fitted."""
        return self.rounds * (self.folds + 1)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, rounds=20))

    def models(self, model: Model) -> tuple[Model, ...]:
        """Three settings, spread over its grid: each costs many fits."""
        grid = model.grid()
        return tuple(dict.fromkeys((grid[0], grid[len(grid) // 2], grid[-1])))

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        """The voting learners, and what the last one's weights leave of each source."""
        fit = problem.fit
        assert isinstance(fit, Rows) and fit.label is not None
        target = problem.view(fit)
        assert isinstance(target, RowView)
        sources = [view for view in source_views(problem) if isinstance(view, RowView)]
        fold = None
        if self.folds:
            fold = spread(fit.units(), fit.label, self.folds, rng.child("folds"))
        rounds = self.boost(
            model, target, stack_views(sources), row_weights(problem.sources), fold, rng, tick
        )
        voting = rounds[vote_from(len(rounds)) :]
        whole = voted(voting)
        if fold is not None:
            answered = mixed([each.p for each in voting], whole.weights)
            whole = whole.calibrated(answered, positions(fit.label))
        return left_of_sources(problem, sources, rounds[-1].weight), whole

    def boost(
        self,
        model: Model,
        target: RowView,
        source: RowView,
        weight: Array | None,
        fold: Ints | None,
        rng: Rng,
        tick: Tick = idle,
    ) -> list[Round]:
        """At most N rounds; fewer where a learner is wrong on half of the target or more.

        weight  (n_s,) what the source rows begin with, relative to each other
        fold    (n_target,) of each target row, or None: errors are of fitted rows
        """
        n_t, n_s = target.n, source.n
        start = np.ones(n_s) if weight is None else weight
        w = np.concatenate([np.full(n_t, 0.5 / n_t), 0.5 * start / start.sum()])
        beta = source_beta(n_s, self.rounds)
        both, rounds = stack_views([target, source]), list[Round]()
        assert both.label is not None
        whole = Learner(model, both)
        blind = [] if fold is None else blind_learners(model, both, fold)
        for number in range(self.rounds):
            tick()
            key = rng.child(f"round/{number}")
            fitted = whole.fit(w, key, tick)
            said = answers(fitted, both)
            p = said[:n_t].copy()
            for each, (learner, asked) in enumerate(blind):
                found = learner.fit(w, key.child(f"fold/{each}"), tick)
                p[asked] = answers(found, take_rows(target, asked))
            wrong = np.concatenate(
                [
                    1 - p[np.arange(n_t), both.label[:n_t]],
                    1 - said[n_t:][np.arange(n_s), both.label[n_t:]],
                ]
            )
            error = target_error(w[:n_t], wrong[:n_t])
            if error >= 0.5:
                # As the paper has it the vote ends here; a first learner is kept alone.
                return rounds or [Round(fitted, 0.5, p, w[n_t:])]
            rounds.append(Round(fitted, error / (1 - error), p, w[n_t:]))
            w = reweighed(w, wrong, n_t, beta, rounds[-1].beta)
        return rounds


class Learner:
    """A model fitted again and again on the same rows with other weights.

    What does not depend on weights is done once, and a fit begins where the last ended
    where the model knows how; neither changes a result.  Trees have fewer bins here, which
    changes theirs a little (`docs/log.md` has what that costs: nothing that could be seen).
    """

    def __init__(self, model: Model, rows: RowView, seen: Ints | None = None) -> None:
        """seen: positions of the rows it may see, None for all of them."""
        self.model, self.seen = model, seen
        prepare = model.prepare_often if isinstance(model, FitsOften) else model.prepare
        self.prepared = prepare(rows if seen is None else take_rows(rows, seen))
        self.last: Model | None = None

    def fit(self, weight: Array, rng: Rng, tick: Tick) -> Model:
        """Fit with weights of all rows, of which those it may see are taken."""
        mine = weight if self.seen is None else weight[self.seen]
        # Penalties and leaves count rows, so the weights keep the rows' number as their sum.
        scaled = mine * (len(mine) / mine.sum())
        warm = isinstance(self.model, WarmStart) and self.model.takes_start
        start = {"start": self.last} if warm else {}
        self.last = self.model.fit(self.prepared, weight=scaled, rng=rng, tick=tick, **start)
        return self.last


def blind_learners(model: Model, both: RowView, fold: Ints) -> list[tuple[Learner, Ints]]:
    """For each fold a learner of all other rows, and the positions it is asked about.

    both  target rows, then rows that every learner may see
    fold  (n_target,)
    """
    pairs = []
    for each in range(int(fold.max()) + 1):
        seen = np.r_[fold != each, np.ones(both.n - len(fold), bool)]
        asked = np.flatnonzero(fold == each)
        pairs.append((Learner(model, both, np.flatnonzero(seen)), asked))
    return pairs


def source_beta(n_source: int, rounds: int) -> float:
    """β = 1 / (1 + √(2 ln n_s / N))."""
    return 1 / (1 + math.sqrt(2 * math.log(n_source) / rounds))


def target_error(weight: Array, wrong: Array) -> float:
    """ε_t, the weighted error on target rows alone, kept off 0 by half a row."""
    return max(float(weight @ wrong / weight.sum()), 0.5 / len(weight))


def reweighed(w: Array, wrong: Array, n_target: int, beta: float, beta_t: float) -> Array:
    """The next weights, target rows first, with sum 1."""
    raised = w[:n_target] * beta_t ** -wrong[:n_target]
    lowered = w[n_target:] * beta ** wrong[n_target:]
    after = np.concatenate([raised, lowered])
    scaled: Array = after / after.sum()
    return scaled


def voted(voting: Sequence[Round]) -> Ensemble:
    """These learners, each with weight ln(1/β_t) as a share of all."""
    votes = np.array([math.log(1 / each.beta) for each in voting])
    shares = tuple((votes / votes.sum()).tolist())
    return Ensemble(tuple(each.learner for each in voting), shares)


def vote_from(rounds: int) -> int:
    """The position of learner ⌈N/2⌉ among N, counted from 0."""
    return math.ceil(rounds / 2) - 1


def answers(model: Model, view: RowView) -> Array:
    """(n, n_classes) probabilities; the labels of a view are not shown."""
    answer = model.predict(replace(view, label=None))
    assert isinstance(answer, Probabilities)
    return answer.p

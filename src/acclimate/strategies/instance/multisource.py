"""MultiSourceTrAdaBoost: of several sources each round follows the one that helps the most.

Source: Yao & Doretto, CVPR 2010, Algorithm 1.  With n_S rows in all sources and M rounds,
in every round a candidate h^k is fitted on the target and source k with the weights of
then, and the one with the least error ε_t on the target's rows is taken as h_t:

    α_S = ½ ln(1 + √(2 ln n_S / M)),   α_t = ½ ln((1 − ε_t) / ε_t);
    source rows:  w ← w · exp(−α_S |h_t − y|),   target rows:  w ← w · exp(α_t |h_t − y|);
    the vote is of all learners, each with weight α_t.

Labels are −1 and 1 there, so that |h − y| is 2 where h is wrong: exp(−2α_S) is the β of
TrAdaBoost, exp(2α_t) is 1/β_t, and both weigh rows alike.  h_t weighs the rows of every
source, and not of its own alone.

Departures: those of `tradaboost` (|h − y| / 2 is 1 − p of the true class; ε_t comes from
folds of the target that no candidate has seen; the vote is a share, calibrated on them),
and each source begins with as much weight as the target, so that a candidate is fitted on
as much of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import positions
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, spread
from acclimate.domains.view import RowView
from acclimate.models.design import stack_views, take_rows
from acclimate.models.ensemble import mixed
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.instance.boostable import left_of_sources
from acclimate.strategies.instance.tradaboost import (
    Learner,
    Round,
    TrAdaBoost,
    answers,
    reweighed,
    source_beta,
    target_error,
    voted,
)
from acclimate.strategies.stacking import row_weights, source_views


@dataclass(frozen=True)
class Taught(Round):
    """A learner and the position of the source that it was fitted on."""

    source: int


@dataclass(frozen=True)
class MultiSourceTrAdaBoost(TrAdaBoost):
    """Boost on the target with the source of each round that leaves the least error.

    rounds  M ≥ 2
    folds   as in `tradaboost`
    """

    kind: ClassVar[str] = "multisource-tradaboost"
    complexity: ClassVar[int] = 5
    # A fit for every source, fold and round.
    unasked: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if (why := super().refuses(problem, model)) is not None:
            return why
        if len(problem.sources) < 2:
            return "it chooses among several sources: use tradaboost for a single one"
        return None

    def fits(self, problem: Problem) -> int:
        return self.rounds * (len(problem.sources) * max(self.folds, 1) + bool(self.folds))

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        """The voting learners, whose sources taught them and what is left of each."""
        fit = problem.fit
        assert isinstance(fit, Rows) and fit.label is not None
        target = problem.view(fit)
        assert isinstance(target, RowView)
        sources = [view for view in source_views(problem) if isinstance(view, RowView)]
        fold = None
        if self.folds:
            fold = spread(fit.units(), fit.label, self.folds, rng.child("folds"))
        rounds = self.taught(
            model, target, sources, row_weights(problem.sources), fold, rng, tick
        )
        whole = voted(rounds)
        if fold is not None:
            answered = mixed([each.p for each in rounds], whole.weights)
            whole = whole.calibrated(answered, positions(fit.label))
        chosen = [each.source for each in rounds]
        fitted_on = [(each.name, chosen.count(at)) for at, each in enumerate(problem.sources)]
        facts = [
            f"{name}: {count} of {len(rounds)} learners were fitted on its rows"
            for name, count in fitted_on
        ]
        left = left_of_sources(problem.knowing(*facts), sources, rounds[-1].weight)
        return left, whole

    def taught(
        self,
        model: Model,
        target: RowView,
        sources: list[RowView],
        weight: Array | None,
        fold: Ints | None,
        rng: Rng,
        tick: Tick = idle,
    ) -> list[Taught]:
        """At most M rounds; fewer where no candidate is right on half of the target.

        weight  (n_S,) what the sources' rows begin with, relative to each other
        fold    (n_target,) of each target row, or None: errors are of fitted rows
        """
        both, n_t = stack_views([target, *sources]), target.n
        assert both.label is not None
        truth, n_s = both.label, both.n - n_t
        of = np.repeat(np.arange(-1, len(sources)), [n_t, *(view.n for view in sources)])
        w = begun(n_t, of[n_t:], weight)
        beta, rounds = source_beta(n_s, self.rounds), list[Taught]()
        candidates = [
            Candidate(model, both, np.flatnonzero((of < 0) | (of == source)), n_t, fold)
            for source in range(len(sources))
        ]
        for number in range(self.rounds):
            key = rng.child(f"round/{number}")
            found = list[tuple[float, Array]]()
            for source, candidate in enumerate(candidates):
                tick()
                p = candidate.tried(w, key.child(source), tick)
                wrong = 1 - p[np.arange(n_t), truth[:n_t]]
                found.append((target_error(w[:n_t], wrong), p))
            best = int(np.argmin([error for error, _ in found]))
            error, p = found[best]
            if rounds and error >= 0.5:
                return rounds  # the paper needs ε < ½
            h = candidates[best].fitted(w, key.child(best), tick)
            if error >= 0.5:
                return [Taught(h, 0.5, p, w[n_t:], best)]  # a first learner is kept alone
            rounds.append(Taught(h, error / (1 - error), p, w[n_t:], best))
            on_target = 1 - p[np.arange(n_t), truth[:n_t]]
            others = take_rows(both, np.arange(n_t, both.n))
            on_sources = 1 - answers(h, others)[np.arange(n_s), truth[n_t:]]
            wrong = np.concatenate([on_target, on_sources])
            w = reweighed(w, wrong, n_t, beta, rounds[-1].beta)
        return rounds


class Candidate:
    """The learner of the target and one source, and those of all folds but one."""

    def __init__(
        self, model: Model, both: RowView, seen: Ints, n_target: int, fold: Ints | None
    ) -> None:
        """seen: positions of the target's rows, which come first, and of the source's."""
        self.own = take_rows(both, np.arange(n_target))
        self.whole = Learner(model, both, seen)
        self.last: Model | None = None
        self.blind = list[tuple[Learner, Ints]]()
        if fold is not None:
            for each in range(int(fold.max()) + 1):
                asked = np.flatnonzero(fold == each)
                rest = Learner(model, both, seen[~np.isin(seen, asked)])
                self.blind.append((rest, asked))

    def tried(self, w: Array, rng: Rng, tick: Tick) -> Array:
        """(n_target, n_classes) answers to target rows, by folds where there are some."""
        if not self.blind:
            self.last = self.whole.fit(w, rng, tick)
            return answers(self.last, self.own)
        p = np.empty((self.own.n, self.own.n_classes))
        for each, (learner, asked) in enumerate(self.blind):
            found = learner.fit(w, rng.child(f"fold/{each}"), tick)
            p[asked] = answers(found, take_rows(self.own, asked))
        return p

    def fitted(self, w: Array, rng: Rng, tick: Tick) -> Model:
        """The learner of all its rows, after `tried` with the same weights."""
        if self.last is None or self.blind:
            self.last = self.whole.fit(w, rng, tick)
        return self.last


def begun(n_target: int, of: Ints, weight: Array | None) -> Array:
    """The first weights, with sum 1: of the target, and of each source for its mean row.

    n_target  > 0
    of        (n_S,) the source of each source row, from 0
    weight    (n_S,) ≥ 0 or None for all equal; a source whose rows weigh twice as much as
              the mean of all begins with twice as much as the target
    """
    given = np.ones(len(of)) if weight is None else weight / weight.mean()
    w = np.concatenate([np.full(n_target, 1 / n_target), given / np.bincount(of)[of]])
    begin: Array = w / w.sum()
    return begin

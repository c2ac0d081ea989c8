"""Without target labels nothing can be judged: validators vote, and labels are asked for.

Before: the runner fitted every arm that does without target labels.  After: what
ships is the arm that every validator puts above serving the sources' model as it is,
provisionally; where they disagree, that model ships and the answer is
not-enough-data.  Either way a list says which rows to label first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread, stack_rows
from acclimate.domains.view import RowView
from acclimate.models.model import Tick, idle
from acclimate.plans.examine import Examined
from acclimate.plans.runner import Trial
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.instance.weighting import DensityRatio, ratios
from acclimate.strategies.stacking import target_view
from acclimate.tasks.task import Task
from acclimate.verdicts.validators import (
    disagreement,
    importance_weighted,
    information,
    neighbourhood_density,
)
from acclimate.verdicts.verdict import Verdict, provisional

# Rows of the target and of held-out sources that validators look at.
AT_MOST = 2_000
FOLDS = 5  # one of which is held out
LABEL_FIRST = 50
WANTED = 200  # labelled rows with which transfer can usually be judged


@dataclass(frozen=True)
class Ballot:
    """One arm's scores by every validator, higher is better, and its answers to the target."""

    trial: Trial
    scores: Array
    p: Array


@dataclass(frozen=True)
class HeldSource:
    """Source rows that the ballots' arms were not fitted on.

    weight  (n,) mean 1, ratio of the target's density to the sources'
    """

    rows: Rows
    weight: Array


def vote(
    trials: Sequence[Trial], task: Task, problem: Problem, rng: Rng, tick: Tick = idle
) -> Examined:
    """The arm that all validators prefer to source-only, or why there is none.

    The arms are fitted once more, on the sources without a fifth of their rows, on
    which the importance-weighted risk is taken.
    """
    rows = problem.unlabelled
    assert isinstance(rows, Rows)
    asked = _some(rows.n, rng.child("asked"))
    part, held = held_out(problem, rng.child("held"), tick)
    ballots = []
    for trial in trials:
        if trial.status == "done":
            fitted = trial.arm.fit(part, rng.child("fit"), tick)
            ballots.append(_ballot(trial, fitted, rows.take(asked), held))
    alone = [b for b in ballots if b.trial.arm.strategy.kind == "source-only"]
    baseline = max(alone, key=lambda ballot: float(ballot.scores[0]))
    others = [ballot for ballot in ballots if ballot is not baseline]
    better = [b for b in others if (b.scores > baseline.scores).all()]
    settled = bool(better) or all((b.scores <= baseline.scores).all() for b in others)
    winner = _first(better) if better else baseline
    if not settled:
        winner = _first(others)
    verdict = _verdict(task, winner, baseline, settled, len(others))
    first = label_first([b.p for b in ballots], asked, rows)
    return Examined(verdict, baseline.trial, winner.trial, {}, first)


def label_first(answers: Sequence[Array], asked: Ints, rows: Rows) -> tuple[int, ...]:
    """Positions of the rows whose labels would tell the arms apart, first things first.

    answers  each arm's (n, k) answers to the rows at
    asked    (n,) positions in `rows`
    returns  at most 50, one of each independent unit
    """
    apart = disagreement(np.stack(answers))
    order = asked[np.argsort(-apart, kind="stable")]
    _, once = np.unique(rows.units()[order], return_index=True)
    return tuple(int(row) for row in order[np.sort(once)][:LABEL_FIRST])


def held_out(
    problem: Problem, rng: Rng, tick: Tick = idle
) -> tuple[Problem, HeldSource | None]:
    """The problem with four fifths of each source's rows, and the others with their weights.

    None where no source shows its rows.
    """
    kept, held = [], []
    for source in problem.sources:
        if not source.seen:
            kept.append(source)
            continue
        rows = source.sample
        assert isinstance(rows, Rows) and rows.label is not None
        fold = spread(rows.units(), rows.label, FOLDS, rng.child(source.name))
        kept.append(replace(source, held=rows.take(np.flatnonzero(fold != 0))))
        held.append(rows.take(np.flatnonzero(fold == 0)))
    part = problem.with_sources(kept)
    if not held:
        return part, None
    some = stack_rows(held)
    some = some.take(_some(some.n, rng.child("some")))
    encoded = part.encoded(Statistics.BOTH)
    view, target = encoded.view(some.unlabelled()), target_view(encoded)
    assert isinstance(view, RowView)
    settings = DensityRatio()
    weight = ratios(view, target, settings.penalty, settings.at_most, rng.child("ratios"), tick)
    return part, HeldSource(some, weight)


def _ballot(trial: Trial, fitted: Fitted, rows: Rows, held: HeldSource | None) -> Ballot:
    p = _answer(fitted, rows)
    scores = [information(p), neighbourhood_density(p)]
    if held is not None:
        assert held.rows.label is not None
        theirs = _answer(fitted, held.rows.unlabelled())
        scores.insert(0, importance_weighted(theirs, held.rows.label, held.weight))
    return Ballot(trial, np.array(scores), p)


def _answer(fitted: Fitted, rows: Rows) -> Array:
    answer = fitted.predict(rows)
    assert isinstance(answer, Probabilities)
    return answer.p


def _some(n: int, rng: Rng) -> Ints:
    """At most 2,000 of n positions, in order."""
    if n <= AT_MOST:
        return np.arange(n)
    return np.sort(rng.generator().choice(n, AT_MOST, replace=False))


def _first(ballots: Sequence[Ballot]) -> Ballot:
    """The ballot with the best mean rank over validators; simpler ones first."""
    scores = np.stack([ballot.scores for ballot in ballots])  # (arms, validators)
    rank = (scores[:, None] < scores[None]).sum(axis=1).mean(axis=1)
    simple = [ballot.trial.arm.strategy.complexity for ballot in ballots]
    return ballots[int(np.lexsort((simple, rank))[0])]


def _verdict(
    task: Task, winner: Ballot, baseline: Ballot, settled: bool, others: int
) -> Verdict:
    names, count = (winner.trial.arm.name, baseline.trial.arm.name), len(winner.scores)
    wanted = f"label about {WANTED} target rows, those listed first, and adapt again"
    if settled:
        over = "every other arm" if winner is baseline else names[1]
        return provisional(
            arm=names[0],
            baseline=names[1],
            metric=task.metric.name,
            reason=f"no target labels to judge on, but all {count} validators prefer it to "
            f"{over}; {wanted}",
            unit="rows",
        )
    reason = (
        f"no target labels to judge on, and for none of {others} other arms do all {count} "
        f"validators agree that it is better; {wanted}"
    )
    undecided = provisional(
        arm=names[0], baseline=names[1], metric=task.metric.name, reason=reason, unit="rows"
    )
    return replace(undecided, answer="not-enough-data", units_wanted=WANTED)

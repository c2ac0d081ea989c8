"""Without target labels nothing can be judged: validators vote, and labels are asked for.

Before: the runner fitted every arm that does without target labels.  After: what
ships, provisionally, is of the arms that know more of the sources' rows than the sources'
model as it is, those rows taken without a journey and come back from the target
(`plans.roundtrip`), the one that knows most; without such an arm the one that most
validators put above that model, the importance-weighted risk among them and by more than
its error, or that model where every validator puts it above all others; else that model
ships and the answer is not-enough-data.  Either way a list says which rows to label first.

The risk is taken on rows of the sources, where adapting to another market costs something;
the round trip asks what the answers to the target's rows are worth.  Two of the validators
look at the target's rows alone and pull against each other: what makes answers surer makes
them less alike.  So both together can hardly prefer an arm to one that is vague, and one of
them is enough (docs/log.md has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.exam import Probabilities, positions
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Rows, spread, stack_rows
from acclimate.domains.view import RowView
from acclimate.errors import AcclimateError
from acclimate.models.model import Tick, idle
from acclimate.plans.ballot import Ballot, foremost, furthest, likeliest, prefers, travels
from acclimate.plans.budget import OutOfBudget
from acclimate.plans.examine import Examined
from acclimate.plans.labelfirst import WANTED, label_first, labels_wanted
from acclimate.plans.roundtrip import round_trips
from acclimate.plans.trial import Trial
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted
from acclimate.strategies.instance.weighting import DensityRatio, ratios
from acclimate.strategies.stacking import target_view
from acclimate.tasks.task import Task
from acclimate.verdicts.validators import (
    gains,
    importance_weighted,
    information,
    neighbourhood_density,
)
from acclimate.verdicts.verdict import Verdict, provisional

# Rows of the target and of held-out sources that validators look at.
AT_MOST = 2_000
FOLDS = 5  # one of which is held out
# Of density ratios, in the risk (Shimodaira 2000; Sugiyama et al. 2007, section 2.3): whole
# ones leave a tenth of the rows' worth between texts of two categories, and decide nothing.
FLATTENED = 0.5


@dataclass(frozen=True)
class HeldSource:
    """Source rows that the ballots' arms were not fitted on.

    weight  (n,) mean 1, root of the ratio of the target's density to the sources'
    """

    rows: Rows
    weight: Array


def vote(
    trials: Sequence[Trial], task: Task, problem: Problem, rng: Rng, tick: Tick = idle
) -> Examined:
    """The arm that most validators prefer to source-only, or why there is none.

    tick  raises OutOfBudget where no other arm can be voted on

    The arms are fitted once more, on the sources without a fifth of their rows, on
    which the importance-weighted risk is taken; source-only arms first, as they are what
    there is to beat.  Then once more on their answers to the target's rows.
    """
    rows = problem.unlabelled
    assert isinstance(rows, Rows)
    asked = _some(rows.n, rng.child("asked"))
    done = [trial for trial in trials if trial.status == "done"]
    done.sort(key=lambda trial: not _serves_as_is(trial))
    ballots = cast(done, problem, rows.take(asked), rng, tick)
    missed = len(trials) - len(ballots)
    elected = elect(ballots)
    if elected is None:
        first = min(filter(_serves_as_is, done), key=lambda t: t.arm.strategy.complexity)
        verdict = _undecided(first, first, task, rows, "the budget ended before a vote")
        return Examined(verdict, first, first, {})
    baseline, chosen, others = elected.baseline, elected.chosen, len(ballots) - 1
    rival = chosen if chosen is not baseline or not others else elected.second
    wanted = labels_wanted(rival, baseline) if others else WANTED
    if elected.settled and others:
        verdict = _settled(chosen, baseline, task, rows, others, elected.home, wanted)
    else:
        verdict = _undecided(
            chosen.trial, baseline.trial, task, rows, _dispute(baseline, others), wanted
        )
    if missed:
        reason = (
            f"{verdict.reason} ({missed} of {len(trials)} arms had no vote; raise --budget)"
        )
        verdict = replace(verdict, reason=reason)
    # Without a row of anybody there is no scale to tell how far rows are apart by.
    seen = any(source.seen for source in problem.sources)
    view = problem.encoded(Statistics.BOTH).view(rows.take(asked)) if seen else None
    assert view is None or isinstance(view, RowView)
    first_rows = label_first([each.p for each in elected.leading], asked, rows, view)
    votes = {ballot.trial.arm.name: ballot.named() for ballot in ballots}
    return Examined(verdict, baseline.trial, chosen.trial, {}, first_rows, votes)


@dataclass(frozen=True)
class Elected:
    """What a vote comes to.

    baseline  source-only, as it is; chosen: what ships, or would if it were settled
    settled   whether the validators agree
    home      whether the round trip decided
    second    the foremost of the other arms, the baseline where there is none
    leading   those between which labels should decide, two at least where there are two
    """

    baseline: Ballot
    chosen: Ballot
    settled: bool
    home: bool
    second: Ballot
    leading: tuple[Ballot, ...]


def elect(ballots: Sequence[Ballot]) -> Elected | None:
    """Which arm the ballots speak for; None where there is none of source-only as it is."""
    alone = [ballot for ballot in ballots if _serves_as_is(ballot.trial)]
    if not alone:
        return None
    baseline = max(alone, key=lambda ballot: float(ballot.scores[0]))
    others = [ballot for ballot in ballots if ballot is not baseline]
    home = [ballot for ballot in others if travels(ballot, baseline)]
    better = [ballot for ballot in others if prefers(ballot, baseline)]
    settled = bool(home or better) or all((b.scores <= baseline.scores).all() for b in others)
    if home:
        chosen = furthest(home)
    elif better:
        chosen = likeliest(better)
    else:
        chosen = baseline if settled else foremost(others)
    leading = [
        b for b in ballots if b is baseline or b is chosen or _one_of(b, [*home, *better])
    ]
    several = tuple(leading) if len(leading) > 1 else tuple(ballots)
    second = foremost(others) if others else baseline
    return Elected(baseline, chosen, settled, bool(home), second, several)


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
        # Rows of a single unit stay together, with those that are fitted on.
        out = fold == 0 if fold.any() else np.zeros(rows.n, bool)
        kept.append(replace(source, held=rows.take(np.flatnonzero(~out))))
        held += [rows.take(np.flatnonzero(out))] if out.any() else []
    part = problem.with_sources(kept)
    if not held:
        return part, None
    some = stack_rows(held)
    some = some.take(_some(some.n, rng.child("some")))
    encoded = part.encoded(Statistics.BOTH)
    view, target = encoded.view(some.unlabelled()), target_view(encoded)
    assert isinstance(view, RowView)
    settings = DensityRatio()
    ratio = ratios(view, target, settings.penalty, settings.at_most, rng.child("ratios"), tick)
    weight = ratio**FLATTENED
    return part, HeldSource(some, weight / weight.mean())


def cast(
    trials: Sequence[Trial], problem: Problem, rows: Rows, rng: Rng, tick: Tick
) -> list[Ballot]:
    """One for each arm that could be fitted again in time."""
    ballots: list[Ballot] = []
    try:
        part, held = held_out(problem, rng.child("held"), tick)
        for trial in trials:
            tick()
            try:
                fitted = trial.arm.fit(part, rng.child("fit"), tick)
            except AcclimateError:
                continue  # what could be fitted on all rows may be too little without a fifth
            ballots.append(_ballot(trial, fitted, rows, held))
    except OutOfBudget:
        pass
    arms, answers = [b.trial.arm for b in ballots], [b.p for b in ballots]
    trips = round_trips(arms, answers, rows, problem, rng.child("back"), tick)
    return [replace(b, home=home) for b, home in zip(ballots, trips, strict=True)]


def _ballot(trial: Trial, fitted: Fitted, rows: Rows, held: HeldSource | None) -> Ballot:
    p = _answer(fitted, rows)
    scores = [information(p), neighbourhood_density(p)]
    if held is None:
        return Ballot(trial, np.array(scores), p)
    theirs, label = _answer(fitted, held.rows.unlabelled()), positions(held.rows.label)
    scores.insert(0, importance_weighted(theirs, label, held.weight))
    right = (theirs.argmax(axis=1) == label).astype(np.float64)
    return Ballot(trial, np.array(scores), p, gains(theirs, label), held.weight, right)


def _one_of(ballot: Ballot, some: Sequence[Ballot]) -> bool:
    return any(ballot is each for each in some)


def _serves_as_is(trial: Trial) -> bool:
    return trial.arm.strategy.kind == "source-only"


def _answer(fitted: Fitted, rows: Rows) -> Array:
    answer = fitted.predict(rows)
    assert isinstance(answer, Probabilities)
    return answer.p


def _some(n: int, rng: Rng) -> Ints:
    """At most 2,000 of n positions, in order."""
    if n <= AT_MOST:
        return np.arange(n)
    return np.sort(rng.generator().choice(n, AT_MOST, replace=False))


def _dispute(baseline: Ballot, others: int) -> str:
    if not others:
        return "nothing else could be tried that validators might prefer"
    count = len(baseline.scores)
    which = "the other arm" if others == 1 else f"any of {others} other arms"
    return f"the {count} validators do not agree that {which} is better"


def _settled(
    chosen: Ballot,
    baseline: Ballot,
    task: Task,
    rows: Rows,
    others: int,
    home: bool,
    wanted: int,
) -> Verdict:
    over = baseline.trial.arm.name
    if chosen is baseline:
        over = "the other arm" if others == 1 else f"each of {others} other arms"
        above = len(chosen.scores)
    else:
        above = int((chosen.scores > baseline.scores).sum())
    why = f"{above} of {len(chosen.scores)} validators prefer it to {over}"
    if home:
        ours, theirs = chosen.named(), baseline.named()
        why = (
            f"learning from its answers gives {ours['return']:.1%} of the sources' rows their "
            f"own label, from those of {over} {theirs['return']:.1%}"
        )
    found = provisional(
        arm=chosen.trial.arm.name,
        baseline=baseline.trial.arm.name,
        metric=task.metric.name,
        reason=f"there are no target labels to judge it on, but {why}; {_wanted(rows, wanted)}",
        unit=_unit(rows),
    )
    return replace(found, units_wanted=wanted)


def _undecided(
    chosen: Trial, baseline: Trial, task: Task, rows: Rows, why: str, wanted: int = WANTED
) -> Verdict:
    found = provisional(
        arm=chosen.arm.name,
        baseline=baseline.arm.name,
        metric=task.metric.name,
        reason=f"there are no target labels to judge on, and {why}; {_wanted(rows, wanted)}",
        unit=_unit(rows),
    )
    return replace(found, answer="not-enough-data", units_wanted=wanted)


def _wanted(rows: Rows, wanted: int) -> str:
    said = f"{wanted:,} {_unit(rows)}"
    return f"label about {said} of the target, those listed first, and adapt again"


def _unit(rows: Rows) -> str:
    return "rows" if rows.entity is None else "entities"

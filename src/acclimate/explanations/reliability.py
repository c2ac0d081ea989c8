"""How far validators can be trusted here: each source in turn is taken for a target.

Before: validators voted on a target without labels.  After: a person sees how often each was
right where the labels are known: on a source whose labels were put aside, with the arms fitted
on the other sources.  Pairs of arms share rows and sources, so that the intervals, which take
pairs for independent, are a little narrow; and sources may be more alike than the target is.

Source of the interval: Wilson, JASA 1927.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from acclimate.domains.exam import Probabilities, Truth
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows
from acclimate.explanations.share import Share
from acclimate.plans.ballot import Ballot, prefers, travels
from acclimate.plans.trial import Trial
from acclimate.plans.vote import AT_MOST, cast, elect
from acclimate.rng import Rng
from acclimate.tasks.task import Task

VOTE = "vote"  # the rule that decides, all validators together
MOST_ARMS = 8
Z = 1.96


class Reliability(NamedTuple):
    """How often a validator told rightly whether an arm is better than source-only as it is.

    right, of  pairs of an arm and source-only, over all sources
    share      right / of, with its 95 % interval; one half is chance
    """

    validator: str
    right: int
    of: int
    share: float
    low: float
    high: float


def reliabilities(
    trials: Sequence[Trial], task: Task, problem: Problem, rng: Rng, share: Share
) -> list[Reliability]:
    """Each validator's record on the sources, the rule of the vote last.

    Raises OutOfBudget where not even one source could be tried.
    """
    counts: dict[str, list[bool]] = {}
    for number, (pretended, rows) in enumerate(pretences(problem, rng)):
        if number == 0 or not counts:
            share.tick()
        key = rng.child(f"{number}")
        ballots = cast(trials[:MOST_ARMS], pretended, rows, key, share.tick)
        for name, was_right in records(ballots, rows, task):
            counts.setdefault(name, []).append(was_right)
    names = sorted(counts, key=lambda name: name == VOTE)
    return [record(name, sum(counts[name]), len(counts[name])) for name in names]


def pretences(problem: Problem, rng: Rng) -> Iterator[tuple[Problem, Rows]]:
    """Each source as the target without labels, and at most 2,000 of its rows with them."""
    for source in problem.sources:
        rest = [other for other in problem.sources if other is not source and other.seen]
        rows = source.sample if source.seen else None
        if not rest or not isinstance(rows, Rows) or rows.label is None or rows.n < 2:
            continue
        if rows.n > AT_MOST:
            generator = rng.child(source.name).generator()
            rows = rows.take(np.sort(generator.choice(rows.n, AT_MOST, replace=False)))
        pretended = replace(
            problem,
            target=source.name,
            sources=tuple(rest),
            unlabelled=rows.unlabelled(),
            encoder=None,
            facts=(),
        )
        yield pretended, rows


def records(ballots: Sequence[Ballot], rows: Rows, task: Task) -> Iterator[tuple[str, bool]]:
    """(validator, whether it was right) for each arm against source-only as it is."""
    elected = elect(ballots)
    if elected is None:
        return
    base = elected.baseline
    truth = Truth(units=rows.units(), label=rows.label)
    for ballot in ballots:
        if ballot is base:
            continue
        ours, theirs = (
            float(task.score(Probabilities(each.p), truth)[0]) for each in (ballot, base)
        )
        gain = task.metric.sign * (ours - theirs)
        if not math.isfinite(gain) or gain == 0:
            continue
        before = base.named()
        for name, score in ballot.named().items():
            if name in before and score != before[name]:
                yield name, (score > before[name]) == (gain > 0)
        yield VOTE, (prefers(ballot, base) or travels(ballot, base)) == (gain > 0)


def record(validator: str, right: int, of: int) -> Reliability:
    """A share with Wilson's 95 % interval; of ≥ 1."""
    p, z2 = right / of, Z**2
    centre = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z / (1 + z2 / of) * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2))
    return Reliability(
        validator, right, of, p, max(0.0, centre - half), min(1.0, centre + half)
    )

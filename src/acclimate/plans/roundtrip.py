"""A round trip: learn from an arm's answers to the target, and ask for the sources' labels.

Before: an arm answered rows of a target without labels.  After: which rows of the sources
come back with the label that they have.  Where an arm is wrong in the target, what it says
there teaches the wrong thing, and the sources' labels, which are known, show it.

Source: reverse validation, Zhong, Fan, Yang, Verscheure & Ren, ECML PKDD 2010, as Ganin et
al., JMLR 17 (2016), section 5.1.2, use it.  Departures: all rows of the sources are asked
about instead of held-out ones, as many as of the target at most, and arms are compared
row by row.

It cannot see a mistake that undoes itself on the way back: a target that is the sources'
mirror image, or classes of other shares that a transport plan mixes both ways.  So
`plans.ballot` asks besides what the arm knows of the sources' rows without the journey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.exam import Probabilities, positions
from acclimate.domains.problem import Problem
from acclimate.domains.sample import Rows, stack_rows
from acclimate.domains.source import Source
from acclimate.errors import AcclimateError
from acclimate.models.model import Tick, idle
from acclimate.plans.budget import OutOfBudget
from acclimate.rng import Rng
from acclimate.strategies.arm import Arm

AT_MOST = 2_000  # rows of the sources that are asked about


def round_trips(
    arms: Sequence[Arm],
    answers: Sequence[Array],
    rows: Rows,
    problem: Problem,
    rng: Rng,
    tick: Tick = idle,
) -> list[Array | None]:
    """For each arm that can go that way in time, (m,) 1 for each row of the sources that came
    back with its own label, else 0.

    answers  what each says of the target's `rows`, (n, k)
    tick     raises OutOfBudget where no other arm can be fitted
    """
    theirs = rows_of_sources(problem, rng.child("theirs"))
    found: list[Array | None] = [None] * len(arms)
    if theirs is None:
        return found
    try:
        for at, (arm, answer) in enumerate(zip(arms, answers, strict=True)):
            tick()
            found[at] = returned(arm, answer, rows, theirs, problem, rng, tick)
    except OutOfBudget:
        pass
    return found


def returned(
    arm: Arm, answer: Array, rows: Rows, theirs: Rows, problem: Problem, rng: Rng, tick: Tick
) -> Array | None:
    """(m,) 1 for each of `theirs` whose label the arm finds by learning from its answers.

    answer  (n, k) what the arm said of the target's `rows`
    theirs  (m,) labelled rows of the sources

    None where the arm cannot go that way.
    """
    told = replace(rows, label=answer.argmax(axis=1).astype(np.int64))
    back = replace(
        problem,
        fit=theirs.take(np.empty(0, np.int64)),
        sources=(Source(problem.target, told),),
        unlabelled=theirs.unlabelled(),
        facts=(),
    )
    try:
        found = arm.fit(back, rng.child("back"), tick).predict(theirs.unlabelled())
    except AcclimateError:
        return None  # its answers may hold a single class, or too few rows of one
    assert isinstance(found, Probabilities)
    home: Array = (found.p.argmax(axis=1) == positions(theirs.label)).astype(np.float64)
    return home


def rows_of_sources(problem: Problem, rng: Rng) -> Rows | None:
    """At most 2,000 rows of the sources that show them; None where none does."""
    samples = [source.sample for source in problem.sources if source.seen]
    shown = [sample for sample in samples if isinstance(sample, Rows) and sample.n]
    if not shown:
        return None
    every = stack_rows(shown)
    if every.n <= AT_MOST:
        return every
    return every.take(np.sort(rng.generator().choice(every.n, AT_MOST, replace=False)))

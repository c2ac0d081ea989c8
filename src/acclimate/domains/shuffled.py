"""Shuffled sources: the same markets with everything they could teach taken out.

Before: an arm was fitted on a problem's sources.  After: it is fitted on these, and what it
still gains is owed to itself.  What is permuted is what pairs a source's observations with
their answers; how many there are of each stays, so that a way to transfer meets sources of
the same size, classes and habits.

Source: permutation of labels as the null of what is learned, Ojala & Garriga, JMLR 2010,
Test 1; Golland & Fischl, IPMI 2003.  Departures: one permutation in the place of many, as
it is one more contrast with an interval over units, and no p-value; a permutation that
leaves nothing in its place, because of few things one would often stay.

What features look like is known all the same: rows keep their columns and sentences their
tokens, and a step that reads those alone (CORAL, a vocabulary) learns as much from them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acclimate.arrays import Bools, Ints, Strings
from acclimate.domains.problem import Problem
from acclimate.domains.ragged import Ragged
from acclimate.domains.sample import Interactions, Rows, Sample
from acclimate.domains.sentences import Sentences
from acclimate.domains.source import Source
from acclimate.rng import Rng


def why_not_shuffled(source: Source) -> str | None:
    """Why a source cannot be shuffled, or None; says what to do."""
    if source.held is None:
        return (
            f"{source.name} is an artifact without rows that could be shuffled, so name the "
            "market that it was learned on"
        )
    return None


def shuffled(problem: Problem, rng: Rng) -> Problem:
    """The same problem whose sources pair nothing with its answer.

    Each source's owner shuffles it, as its owner derives: no row is shown.  Sources that
    are artifacts stay as they are; `why_not_shuffled` tells them.
    """
    sources = [_shuffled(each, problem, rng.child(each.name)) for each in problem.sources]
    return problem.with_sources(sources)


def _shuffled(source: Source, problem: Problem, rng: Rng) -> Source:
    if source.held is None:
        return source
    also = tuple(
        (kind, unpaired(each, problem.fit, rng.child(kind))) for kind, each in source.also
    )
    return replace(source, held=unpaired(source.held, problem.fit, rng), also=also)


def unpaired(sample: Sample, fit: Sample, rng: Rng) -> Sample:
    """A source's observations with their answers permuted.

    fit  the target's observations; ids that it knows change places among themselves

    Rows: labels, and with each its other labels, go to other rows.  Interactions: items
    take each other's places, and so do users, those of the target apart from the rest;
    attributes stay with their ids, so that nothing is known of what they are taken with.
    Sentences: spans go to another sentence of the same length; where none has it, what is
    labelled and what is not change places within the sentence.
    """
    if isinstance(sample, Rows):
        order = displaced(np.ones(sample.n, bool), rng)
        label, also = sample.label, sample.also
        return replace(
            sample,
            label=None if label is None else label[order],
            also=None if also is None else also[order],
        )
    if isinstance(sample, Interactions):
        assert isinstance(fit, Interactions)
        items = displaced(_among(sample.items, fit.items), rng.child("items"))
        users = displaced(_among(sample.users, fit.users), rng.child("users"))
        return replace(sample, item=items[sample.item], user=users[sample.user])
    return _spans_elsewhere(sample, rng)


def displaced(shared: Bools, rng: Rng) -> Ints:
    """(n,) a permutation of positions that leaves none of a group in its place.

    shared   (n,) bool, which of two groups each is in; none leaves its group
    returns  (n,) the position that takes each one's place; a group of one stays
    """
    order = np.arange(len(shared))
    for number, group in enumerate((shared, ~shared)):
        drawn = rng.child(number).generator().permutation(np.flatnonzero(group))
        order[drawn] = np.roll(drawn, 1)
    return order


def _among(ids: Strings, others: Strings) -> Bools:
    known = set(others.tolist())
    return np.fromiter((each in known for each in ids.tolist()), bool, len(ids))


def _spans_elsewhere(sample: Sentences, rng: Rng) -> Sentences:
    if sample.spans is None:
        return sample
    order, alone = np.arange(sample.n), []
    for length in np.unique(sample.lengths):
        rows = np.flatnonzero(sample.lengths == length)
        if len(rows) == 1:
            alone.append(int(rows[0]))
        drawn = rng.child(int(length)).generator().permutation(rows)
        order[drawn] = np.roll(drawn, 1)
    spans = sample.spans.take(order).lists()
    within = rng.child("within").generator()
    for row in alone:
        spans[row] = _within(spans[row], int(sample.lengths[row]), within)
    return replace(sample, spans=Ragged.of(spans, 3))


def _within(
    spans: list[list[int]], length: int, generator: np.random.Generator
) -> list[list[int]]:
    """The spans of one sentence, and the tokens between them, in another order."""
    inside = {at for start, end, _ in spans for at in range(start, end)}
    free = [[at, at + 1, -1] for at in range(length) if at not in inside]
    parts = sorted([*spans, *free])
    found, at = [], 0
    for number in generator.permutation(len(parts)):
        start, end, name = parts[number]
        if name >= 0:
            found.append([at, at + end - start, name])
        at += end - start
    return found

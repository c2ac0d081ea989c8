"""A linear chain over tags: its partition function, marginals, best path and spans' chances.

    p(tags | sentence) ∝ exp( Σ_t score[t, tag_t] + Σ_t move[tag_{t−1}, tag_t] )

over the sequences that BIO allows.  Source: Lafferty, McCallum & Pereira, ICML 2001; sums
are scaled token by token as in Rabiner, Proc. IEEE 1989, so that nothing overflows.
All sentences move on together, the longest first: step t is one product for every
sentence that has a token t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from acclimate.arrays import Array, Bools, Ints
from acclimate.domains.bio import allowed

# exp(−500) is far below the rounding of any sum it enters; without a floor it would be 0.
_FLOOR = -500.0


@dataclass(frozen=True)
class Order:
    """In which order tokens are visited: every first token, every second one, …

    lengths  (n,) ≥ 1 tokens of each sentence
    """

    lengths: Ints

    @cached_property
    def ranks(self) -> Ints:
        """(n,) sentences, the longest first."""
        ranks: Ints = np.argsort(-self.lengths, kind="stable")
        return ranks

    @cached_property
    def bounds(self) -> Ints:
        """(steps + 1,) where each step's tokens begin in the order."""
        longest = int(self.lengths.max(initial=0))
        ending = np.bincount(self.lengths, minlength=longest + 1)
        alive = len(self.lengths) - np.cumsum(ending)[:-1] if longest else np.zeros(0, np.int64)
        return np.asarray(np.r_[0, np.cumsum(alive)], np.int64)

    @cached_property
    def tokens(self) -> Ints:
        """(total,) positions of tokens, sentence after sentence, in the order."""
        starts = (np.cumsum(self.lengths) - self.lengths)[self.ranks]
        sizes = np.diff(self.bounds)
        return np.concatenate(
            [starts[:size] + step for step, size in enumerate(sizes)] or [np.zeros(0, np.int64)]
        ).astype(np.int64)

    @cached_property
    def sentences(self) -> Ints:
        """(total,) the sentence of each token in the order."""
        sizes = np.diff(self.bounds)
        return np.concatenate(
            [self.ranks[:size] for size in sizes] or [np.zeros(0, np.int64)]
        ).astype(np.int64)

    def steps(self) -> list[slice]:
        """Each step's tokens in the order."""
        return [
            slice(int(start), int(stop))
            for start, stop in zip(self.bounds, self.bounds[1:], strict=False)
        ]


@dataclass(frozen=True)
class Sums:
    """What all sequences together say.

    log_z     (n,) logarithm of the partition function of each sentence
    marginal  (total, k) chance of each tag at each token
    moves     (k, k) expected moves, each sentence counted by its weight
    onward    (total, k, k) or None: chance of the tag at a token given the one before;
              undefined at first tokens
    """

    log_z: Array
    marginal: Array
    moves: Array
    onward: Array | None = None


def sums(
    scores: Array,
    move: Array,
    order: Order,
    weight: Array | None = None,
    *,
    conditional: bool = False,
) -> Sums:
    """Sum over every allowed sequence of every sentence.

    scores  (total, k) in the sentences' own order, as are `marginal` and `onward`
    move    (k, k); what BIO does not allow is not read
    weight  (n,) ≥ 0 of the sentences in `moves`; None: 1
    """
    k = scores.shape[1]
    may = allowed(k // 2)
    factor = np.where(may[:-1], np.exp(move), 0.0)
    steps = order.steps()
    # The start allows no tag that goes on; elsewhere the move before decides.
    here = scores[order.tokens]
    if steps:
        here[steps[0]][:, ~may[-1]] = -np.inf
    top = here.max(axis=1, initial=-np.inf)
    local = np.exp(np.maximum(here - top[:, None], _FLOOR))
    if steps:
        local[steps[0]][:, ~may[-1]] = 0.0
    ahead, scale = np.empty_like(local), np.empty(len(local))
    for number, step in enumerate(steps):
        now = local[step]
        if number:
            now = now * (ahead[steps[number - 1]][: len(now)] @ factor)
        scale[step] = now.sum(axis=1)
        ahead[step] = now / scale[step][:, None]
    log_z = np.zeros(len(order.lengths))
    np.add.at(log_z, order.sentences, np.log(scale) + top)
    behind, moves = np.ones_like(local), np.zeros((k, k))
    onward = np.zeros((len(local), k, k)) if conditional else None
    counts = np.ones(len(local)) if weight is None else weight[order.sentences]
    for number in range(len(steps) - 1, 0, -1):
        step, before = steps[number], steps[number - 1]
        size = step.stop - step.start
        arrive = local[step] * behind[step] / scale[step][:, None]  # (size, k)
        earlier = slice(before.start, before.start + size)
        behind[earlier] = arrive @ factor.T
        moves += (counts[step][:, None] * ahead[earlier]).T @ arrive
        if onward is not None:
            given = behind[earlier][:, :, None]
            onward[step] = np.divide(
                factor * arrive[:, None, :],
                given,
                out=np.zeros((size, k, k)),
                where=given > 0,
            )
    moves *= factor
    marginal = np.empty_like(local)
    marginal[order.tokens] = ahead * behind
    if onward is not None:
        placed = np.empty_like(onward)
        placed[order.tokens] = onward
        onward = placed
    return Sums(log_z, marginal, moves, onward)


def best_path(scores: Array, move: Array, order: Order) -> Ints:
    """(total,) tags of the likeliest allowed sequence of each sentence (Viterbi)."""
    may = allowed(scores.shape[1] // 2)
    cost = np.where(may[:-1], move, -np.inf)
    steps = order.steps()
    here = scores[order.tokens]
    total, came = np.empty_like(here), np.zeros(here.shape, np.int64)
    for number, step in enumerate(steps):
        if number == 0:
            total[step] = np.where(may[-1], here[step], -np.inf)
            continue
        size = step.stop - step.start
        ways = total[steps[number - 1]][:size, :, None] + cost  # (size, from, to)
        came[step] = ways.argmax(axis=1)
        total[step] = here[step] + ways.max(axis=1)
    path = np.zeros(len(here), np.int64)
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        chosen = total[step].argmax(axis=1)
        if number + 1 < len(steps):
            later = steps[number + 1]
            size = later.stop - later.start
            chosen[:size] = came[later][np.arange(size), path[later]]
        path[step] = chosen
    placed = np.empty_like(path)
    placed[order.tokens] = path
    return placed


def span_chances(found: Sums, tags: Ints, starts: Bools, ends: Ints, lengths: Ints) -> Array:
    """(m,) chance of exactly each span: that it begins, goes on and ends where it does.

    found   with `onward`
    tags    (total,) the path that holds the spans
    starts  (total,) whether a span begins at the token; m of them
    ends    (m,) position behind the last token of each
    """
    assert found.onward is not None
    begin = np.flatnonzero(starts)
    steady = np.zeros(len(tags))  # ln chance of this tag given the one before
    if len(tags):
        follow = found.onward[np.arange(1, len(tags)), tags[:-1], tags[1:]]
        with np.errstate(divide="ignore"):
            steady[1:] = np.where(tags[1:] % 2 == 0, np.log(np.maximum(follow, 1e-300)), 0.0)
    steady[starts | (tags == 0)] = 0.0
    running = np.r_[0.0, np.cumsum(steady)]
    inner = running[ends] - running[begin + 1]
    last = np.zeros(len(tags) + 1, bool)
    last[np.cumsum(lengths)] = True
    # Where the sentence goes on, it must not go on with the span.
    padded = np.concatenate([found.onward, np.zeros((1, *found.onward.shape[1:]))])
    tag = tags[ends - 1]
    more = padded[ends, tag, tag + tag % 2]
    stops = np.where(last[ends], 1.0, 1.0 - more)
    chance: Array = found.marginal[begin, tags[begin]] * np.exp(inner) * stops
    return np.clip(chance, 0.0, 1.0)

"""Propose for each title of one market the title of another that names the same product.

Before: `evidence` compared the pairs worth comparing.  After: a person confirms, and
`crosswalk` joins the markets.  Two logistic models, one on the other: the first reads a
pair by itself; the second reads the best pair of a source title beside its rivals, and
its probability is the confidence.  Their numbers are in `matchweights`, with where they
come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array, Bools, Ints, Tensor
from acclimate.domains import matchweights
from acclimate.domains.evidence import NAMES, Evidence, compare

_FAR = 8.0  # log odds beyond which nothing changes
_ALIKE = 0.8  # the same words in two shops: one product in 82 % of 1,752 held-out cases
# What two pieces of evidence say together.
PRODUCTS = (
    ("code", "rarest"), ("code", "number"), ("code", "number-other"), ("code", "units"),
    ("code", "units-other"), ("code", "words"), ("code", "extra"), ("code", "variant-other"),
    ("code-other", "words"), ("contained", "words"), ("contained", "number"),
    ("contained", "units"), ("words", "words"), ("runs", "runs"), ("contained", "contained"),
    ("covered", "covered"), ("meaning", "meaning"),
)  # fmt: skip
CHOICES = ("odds", "ahead", "ahead-there", "mutual", "tie")


@dataclass(frozen=True)
class Proposals:
    """The best target of each source title that has any candidate, most confident first.

    source, target  (n,) positions of the titles; each source once
    confidence      (n,) probability that both are one product
    """

    source: Ints
    target: Ints
    confidence: Array


def propose(
    source: Sequence[str],
    target: Sequence[str],
    near: tuple[Tensor, Tensor] | None = None,
) -> Proposals:
    """Match titles.

    near  unit vectors of the titles of both sides (see `embeddings`), or None: then
          titles are matched by their letters and digits alone
    """
    if not source or not target:
        nothing = np.empty(0, np.int64)
        return Proposals(nothing, nothing, np.empty(0))
    weights = matchweights.BY_LETTERS if near is None else matchweights.BY_MEANING
    found = compare(source, target, near)
    if not len(found.source):
        return Proposals(found.source, found.target, np.empty(0))
    read = features(found)
    odds = _bounded(found, read @ np.array(weights.pair) + weights.pair_bias)
    best, choice = choose(found, odds)
    seen = np.column_stack([choice, read[best]])
    confidence = 1 / (1 + np.exp(-(seen @ np.array(weights.choice) + weights.choice_bias)))
    confidence = np.where(_alike(found)[best], np.maximum(confidence, _ALIKE), confidence)
    order = np.lexsort((found.source[best], -confidence))
    best = best[order]
    return Proposals(found.source[best], found.target[best], confidence[order])


def _bounded(evidence: Evidence, odds: Array) -> Array:
    """The log odds where the titles that taught the weights can speak of the pair.

    Titles without a shared token were too few to learn from: meaning alone orders them,
    at even odds at best.  A pair whose quantities differ in every unit that both name, and
    that shares no code, is two sizes of a product.
    """
    at = {name: evidence.values[:, number] for number, name in enumerate(NAMES)}
    odds = np.where(at["contained"] == 0, 2 * _FAR * (at["meaning"] - 1), odds)
    other_size = (at["units-other"] > 0) & (at["units"] == 0) & (at["code"] == 0)
    return np.where(other_size, odds - 2 * _FAR, odds)


def _alike(evidence: Evidence) -> Bools:
    """(n,) whether two titles hold the same words, and no others hold them as well.

    In a small catalogue no word is rare, and nothing else would tell it.
    """
    same: Bools = evidence.values[:, NAMES.index("same")] > 0
    once = [np.bincount(side[same], minlength=1) == 1 for side in _sides(evidence)]
    for side, alone in zip(_sides(evidence), once, strict=True):
        same = same & np.append(alone, False)[np.minimum(side, len(alone))]
    return same


def _sides(evidence: Evidence) -> tuple[Ints, Ints]:
    return evidence.source, evidence.target


def features(evidence: Evidence) -> Array:
    """(n, len(NAMES) + len(PRODUCTS)) the evidence and its products."""
    at = {name: evidence.values[:, number] for number, name in enumerate(NAMES)}
    return np.column_stack([evidence.values, *(at[a] * at[b] for a, b in PRODUCTS)])


def choose(evidence: Evidence, odds: Array) -> tuple[Ints, Array]:
    """The likeliest pair of each source title, and how it stands beside its rivals.

    odds     (n,) log odds of each pair
    returns  (m,) positions of pairs, and (m, len(CHOICES)): log odds, lead over the
             source's next target, lead over the target's next source, whether each is
             the other's best, and whether the source's lead is none
    """
    best, second = _leaders(evidence.source, odds)
    there, second_there = _leaders(evidence.target, odds)
    champion = np.full(int(evidence.target.max()) + 1, -1)
    champion[evidence.target[there]] = np.arange(len(there))
    rank = champion[evidence.target[best]]
    mutual = odds[best] >= odds[there][rank]
    rival = _near(np.where(mutual, second_there[rank], odds[there][rank]))
    mine = _near(odds[best])
    ahead = mine - _near(second)
    return best, np.column_stack([mine, ahead, mine - rival, mutual, ahead < 0.05])


def _near(odds: Array) -> Array:
    return np.clip(odds, -_FAR, _FAR)


def _leaders(group: Ints, odds: Array) -> tuple[Ints, Array]:
    """(m,) the pair with the highest odds of each group, and the odds of the next one."""
    order = np.lexsort((-odds, group))
    ordered = group[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    size = np.diff(np.r_[first, len(order)])
    following = odds[order[np.minimum(first + 1, len(order) - 1)]]
    return order[first], np.where(size > 1, following, -_FAR)

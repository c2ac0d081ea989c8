"""A ballot: what is known of an arm on a target without labels, and which arm it speaks for.

Before: validators looked at the arm's answers, and `plans.roundtrip` sent these round.  After:
`plans.vote` says what ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array
from acclimate.plans.roundtrip import RoundTrip
from acclimate.plans.runner import Trial
from acclimate.verdicts.validators import weighted_error

VALIDATORS = ("likelihood", "information", "density")


@dataclass(frozen=True)
class Ballot:
    """What the validators say of one arm.

    scores  (validators,) higher is better; the importance-weighted risk first, where
            sources show rows
    p       (n, k) its answers to the target's rows
    gain    (m,) log probability of each held-out source row's class, or None
    weight  (m,) of these rows, or None
    trip    how its answers travel, or None where they do not
    """

    trial: Trial
    scores: Array
    p: Array
    gain: Array | None = None
    weight: Array | None = None
    trip: RoundTrip | None = None

    def named(self) -> dict[str, float]:
        """Each score by the validator's name."""
        names = VALIDATORS[len(VALIDATORS) - len(self.scores) :]
        found = dict(zip(names, map(float, self.scores), strict=True))
        if self.trip is not None:
            found |= {"return": float(self.trip.home.mean()), "agreement": self.trip.agrees}
        return found


def travels(ballot: Ballot, baseline: Ballot) -> bool:
    """Whether an arm's answers make a better round trip than another one's, by more than
    its error, and its risk is less or more of its answers are those of all arms' mean."""
    ours, theirs = ballot.trip, baseline.trip
    if ours is None or theirs is None or not ours.beats(theirs):
        return False
    less = ballot.gain is not None and ballot.scores[0] > baseline.scores[0]
    return bool(less or ours.agrees > theirs.agrees)


def prefers(ballot: Ballot, baseline: Ballot) -> bool:
    """Whether most validators put an arm above another one; all, where sources show no rows.

    The importance-weighted risk, the one with a known error, must be among them and say
    so by more than one standard error of the paired difference.
    """
    above = ballot.scores > baseline.scores
    if ballot.gain is None or baseline.gain is None or ballot.weight is None:
        return bool(above.all())
    if above.sum() <= len(above) / 2:
        return False
    apart = ballot.gain - baseline.gain
    by = float(ballot.scores[0] - baseline.scores[0])
    return by > weighted_error(apart, ballot.weight)


def likeliest(ballots: Sequence[Ballot]) -> Ballot:
    """The ballot with the best importance-weighted risk, or `foremost` where there is none."""
    if any(ballot.gain is None for ballot in ballots):
        return foremost(ballots)
    return max(ballots, key=lambda ballot: float(ballot.scores[0]))


def foremost(ballots: Sequence[Ballot]) -> Ballot:
    """The ballot with the best mean rank over validators; simpler ones first."""
    return _best_ranked(ballots, [ballot.scores for ballot in ballots])


def furthest(ballots: Sequence[Ballot]) -> Ballot:
    """The ballot with the best mean rank over risk, round trip and agreement."""
    scores = []
    for ballot in ballots:
        assert ballot.trip is not None
        risk = [] if ballot.gain is None else [float(ballot.scores[0])]
        scores.append(np.array([*risk, float(ballot.trip.home.mean()), ballot.trip.agrees]))
    return _best_ranked(ballots, scores)


def _best_ranked(ballots: Sequence[Ballot], each: Sequence[Array]) -> Ballot:
    scores = np.stack(each)  # (arms, what ranks them)
    rank = (scores[:, None] < scores[None]).sum(axis=1).mean(axis=1)
    simple = [ballot.trial.arm.strategy.complexity for ballot in ballots]
    return ballots[int(np.lexsort((simple, rank))[0])]

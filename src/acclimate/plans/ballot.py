"""A ballot: what is known of an arm on a target without labels, and which arm it speaks for.

Before: validators looked at the arm's answers, and `plans.roundtrip` sent these round.  After:
`plans.vote` says what ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acclimate.arrays import Array
from acclimate.plans.trial import Trial
from acclimate.verdicts.validators import weighted_error

VALIDATORS = ("likelihood", "information", "density")
ERRORS = 2.0  # by which an arm must know more of the sources' rows


@dataclass(frozen=True)
class Ballot:
    """What the validators say of one arm.

    scores  (validators,) higher is better; the importance-weighted risk first, where
            sources show rows
    p       (n, k) its answers to the target's rows
    gain    (m,) log probability of each held-out source row's class, or None
    weight  (m,) of these rows, or None
    right   (m,) 1 where the likeliest class of these rows is their own, else 0, or None
    home    (sources' rows,) 1 for each that `plans.roundtrip` gave its own label back, else 0;
            None where the arm cannot go that way
    """

    trial: Trial
    scores: Array
    p: Array
    gain: Array | None = None
    weight: Array | None = None
    right: Array | None = None
    home: Array | None = None

    def named(self) -> dict[str, float]:
        """Each score by the validator's name."""
        names = VALIDATORS[len(VALIDATORS) - len(self.scores) :]
        found = dict(zip(names, map(float, self.scores), strict=True))
        if self.right is not None and self.weight is not None:
            found["accuracy"] = float(self.weight @ self.right / self.weight.sum())
        if self.home is not None:
            found["return"] = float(self.home.mean())
        return found


def travels(ballot: Ballot, baseline: Ballot) -> bool:
    """Whether an arm knows more of the sources' rows than another one, coming back from the
    target and without the journey taken together: more come home, and the gain of both shares
    is above two standard errors of the paired differences."""
    if ballot.home is None or baseline.home is None:
        return False
    if ballot.right is None or baseline.right is None or ballot.weight is None:
        return False
    home, held = ballot.home - baseline.home, ballot.right - baseline.right
    even = np.ones(len(home))
    error = np.hypot(weighted_error(home, even), weighted_error(held, ballot.weight))
    return bool(home.mean() > 0 and known(ballot) - known(baseline) > ERRORS * error)


def known(ballot: Ballot) -> float:
    """0 … 2, the share of held-out source rows that an arm answers right, weighted towards the
    target, and that of source rows that come home."""
    said = ballot.named()
    return said["accuracy"] + said["return"]


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
    scores = np.stack([ballot.scores for ballot in ballots])  # (arms, validators)
    rank = (scores[:, None] < scores[None]).sum(axis=1).mean(axis=1)
    simple = [ballot.trial.arm.strategy.complexity for ballot in ballots]
    return ballots[int(np.lexsort((simple, rank))[0])]


def furthest(ballots: Sequence[Ballot]) -> Ballot:
    """The ballot of the arm that knows most of the sources' rows both ways."""
    return max(ballots, key=known)

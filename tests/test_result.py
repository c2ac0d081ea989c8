"""What a summary says of arms that cannot be told apart by their answers."""

from __future__ import annotations

import numpy as np

from acclimate.domains.exam import Prediction, Probabilities, Ranking, Truth
from acclimate.models.linear import Linear
from acclimate.plans.trial import Trial
from acclimate.result import _facts
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly


def trial(arm: Arm, answer: Prediction | None, *facts: str) -> Trial:
    truth = Truth(units=np.arange(2), label=np.array([0, 1]))
    given = None if answer is None else (answer, truth)
    return Trial(arm, "done", "", "log-loss", facts=facts, answer=given)


def test_an_arm_that_answers_as_a_better_one_does_says_so() -> None:
    alone, pooled, theirs = (Arm(s(), Linear()) for s in (TargetOnly, Pooled, SourceOnly))
    p = Probabilities(np.array([[0.5, 0.5], [0.2, 0.8]]))
    other = Probabilities(p.p[::-1].copy())
    same = Probabilities(p.p.copy())
    found = _facts([trial(alone, p), trial(pooled, same, "a fact"), trial(theirs, other)])
    said = "it answers exactly as target-only/linear does"
    assert found == {
        "target-only/linear": [],
        "pooled/linear": ["a fact", said],
        "source-only/linear": [],
    }
    items = np.array([[1, 0], [0, 1]])
    rankings = [Ranking(items, scale * np.array([[2.0, 1.0]] * 2), 2) for scale in (1, 9)]
    assert _facts([trial(alone, rankings[0]), trial(pooled, rankings[1])])["pooled/linear"]
    assert not any(_facts([trial(alone, None), trial(pooled, None)]).values())

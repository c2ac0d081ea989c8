"""A second stack on top of `market-stack`, taught by part of what is asked.

Published stacks of the WSDM Cup learn from validation answers, over folds of users: of each
user the trees have seen candidates and answers of other users only.  Such an arm is told
apart by `"fitted_on": "validation-folds"` and compared with such arms alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from acclimate.arrays import Ints
from acclimate.domains.exam import Case, Ranking
from acclimate.domains.view import ItemEncoder, ItemView
from acclimate.models.across import Across, Judgement
from acclimate.models.lessons import Lesson
from acclimate.models.model import idle
from acclimate.rng import Rng
from acclimate.strategies.fitted import Fitted

FOLDS = 5
LEAVES, RATE, ROUNDS = 7, 0.05, 100  # chosen on a source market's lists


def stacked(fitted: Fitted, case: Case, rng: Rng) -> Ranking:
    """Candidates of each user, scored by trees that have seen answers of other users only.

    fitted  an `Across`; its score is a feature beside those it stands on
    case    one right candidate a user
    """
    encoder, model, lists = fitted.encoder, fitted.model, case.query.candidates
    assert isinstance(encoder, ItemEncoder) and isinstance(model, Across)
    assert lists is not None and case.truth.user is not None and case.truth.item is not None
    column = np.full(len(encoder.catalogue) + 1, -1)  # the last stands for −1
    column[encoder.known] = np.arange(len(encoder.known))
    view = encoder.encode(case.context)
    assert isinstance(view, ItemView)
    user, place, features = model.pairs(view, column[lists])
    right = np.full(len(lists), -1)
    right[case.truth.user] = case.truth.item
    once = np.ones(len(lists), np.int64)
    lesson = Lesson(user, features, lists[user, place] == right[user], once, once - 1)
    fold = folds(len(lists), rng)
    scores = np.full(lists.shape, -np.inf)
    trees = replace(model, leaves=LEAVES, rate=RATE, rounds=ROUNDS)
    for number in range(FOLDS):
        text = trees.boost(lesson.of(fold != number), rng.child(f"trees/{number}"), idle)
        asked = lesson.of(fold == number)
        at = fold[user] == number
        scores[user[at], place[at]] = Judgement(features.shape[1] - 1, text).score(
            asked.features
        )
    return Ranking(lists, scores, len(encoder.catalogue), pool=True)


def folds(users: int, rng: Rng) -> Ints:
    """(users,) the fold of each, 0 … FOLDS − 1."""
    dealt: Ints = rng.child("folds").generator().permutation(np.arange(users) % FOLDS)
    return dealt

"""Odds: a few scores weigh for a candidate by their logarithms.

    P(i) ∝ Π_f (x_if + ε_f)^θ_f

among the candidates of a question, which are those that any score names.  Popularity and
likeness multiply so: an item twice as popular has 2^θ times the odds.  θ is what makes the
items that users took likeliest, with a penalty κ/2 ‖θ‖² on standardised logarithms.

By the clock few numbers are better than trees: what was popular in a stretch of time is
learned by heart from any feature that tells items apart.

Source: McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.  Who took
several items answers as many questions, each without the other items taken.
"""

from __future__ import annotations

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.models.behaviours import Choices, deviations, learned
from acclimate.models.lessons import Lesson

SHRINK = 30.0  # κ


def logs(features: Array, columns: Ints, floors: Array) -> Array:
    """(p, f) ln(x + ε) of some columns; below 0 counts as 0.

    columns  (f,)
    floors   (f,) ε > 0
    """
    found: Array = np.log(np.maximum(features[:, columns].astype(np.float64), 0.0) + floors)
    return found


def weights(lesson: Lesson, columns: Ints, floors: Array) -> Array:
    """(f,) θ, of at least one right candidate."""
    asked = questions(lesson, logs(lesson.features, columns, floors))
    return learned([asked], SHRINK, np.zeros(len(columns)), deviations([asked]))


def questions(lesson: Lesson, features: Array) -> Choices:
    """One for each right candidate: it stands first, and its user's wrong ones behind it."""
    wrong, right = np.flatnonzero(~lesson.found), np.flatnonzero(lesson.found)
    user = lesson.user[right]
    begin = np.searchsorted(lesson.user[wrong], user)
    many = np.searchsorted(lesson.user[wrong], user, side="right") - begin
    first = np.cumsum(np.r_[0, many[:-1] + 1])
    place = np.empty(int((many + 1).sum()), np.int64)
    behind = np.ones(len(place), bool)
    behind[first] = False
    place[first] = right
    steps = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    place[behind] = wrong[np.repeat(begin, many) + steps]
    return Choices(features[place], first, np.ones(len(place)))

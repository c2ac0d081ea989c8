"""JDA: components along which the sides' means agree, and the means of each class too.

Source: Long, Wang, Ding, Sun & Yu, ICCV 2013, equations 5 to 8 and Algorithm 1: the
components of TCA, with a term for each class.  The target's classes are guessed by the
nearest source row among the components of the round before; the first round has none.

Departures are those of `components`: lengths of directions and of rows, landmarks.  As in the
authors' published program, and not in the paper, the two sides' means weigh as much as all
classes together, and the matrix M of all terms is divided by its Frobenius norm, so that λ
means the same for few rows as for many: the published figures need both.  A class that no
target row is guessed to be of has no term in that round.  The rounds end early where guesses
repeat, as nothing would change any more.  All sources together are one side, and target rows
with a label are guessed like others.  Text stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array, Ints
from acclimate.domains.problem import Problem
from acclimate.errors import StrategyError
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.feature.components import (
    Components,
    features_of,
    leading,
    require_settings,
    span,
)
from acclimate.strategies.feature.tca import source_rows, why_no_components
from acclimate.strategies.instance.kernels import squared_distances
from acclimate.strategies.stacking import target_view
from acclimate.strategies.strategy import Reshape, Strategy

BLOCK = 4_000_000  # distances that are held at once


@dataclass(frozen=True)
class Jda(Reshape):
    """Drop what tells markets apart, class by class, by guessed labels of the target.

    dimension   ≥ 1 components; at most half as many as there are independent columns are
                taken
    penalty     > 0, λ: what a direction costs beside the differences of means
    iterations  ≥ 1 rounds, each with the guesses of the one before
    kernel      "linear", or "rbf": Gaussian, as wide as rows typically are apart
    landmarks   ≥ 2 rows that a Gaussian kernel is taken with
    """

    dimension: int = 100
    penalty: float = 0.1
    iterations: int = 10
    kernel: str = "linear"
    landmarks: int = 1_000

    kind: ClassVar[str] = "jda"
    complexity: ClassVar[int] = 2
    unasked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_settings("jda", self.dimension, self.penalty, self.kernel, self.landmarks)
        if self.iterations < 1:
            raise StrategyError(
                f"Expected at least one round, found {self.iterations}. With one round jda "
                "guesses no labels."
            )

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if problem.numbers:
            return "the label is a number, and jda aligns by classes; tca does without"
        return why_no_components(problem, model)

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return (self, replace(self, penalty=1.0), replace(self, dimension=10))

    def reshape(self, problem: Problem, rng: Rng, tick: Tick = idle) -> Problem:
        views = source_rows(problem)
        xs = np.concatenate([view.numeric for view in views.values()])
        labels = np.concatenate([np.asarray(view.label, np.int64) for view in views.values()])
        xt = target_view(problem).numeric
        move = joint_components(xs, labels, xt, self, rng, tick)
        return problem.reshaped({name: move(view) for name, view in views.items()}, move)


def joint_components(
    xs: Array, labels: Ints, xt: Array, settings: Jda, rng: Rng, tick: Tick = idle
) -> Components:
    """The map of the last round.

    xs      (n_source, d)
    labels  (n_source,) class of each
    xt      (n_target, d)
    """
    features, values = features_of(xs, xt, settings.kernel, settings.landmarks, rng)
    rows, n = span(features, values), len(xs)
    guesses: Ints | None = None
    dual = settings.kernel != "linear"
    for _ in range(settings.iterations):
        tick()
        apart = differences(rows.rows[:n], labels, rows.rows[n:], guesses)
        directions = leading(rows, apart, settings.penalty, settings.dimension, dual)
        move = Components(features, rows.basis @ directions)
        before, guesses = guesses, nearest(move.of(xt), move.of(xs), labels, tick)
        if before is not None and (before == guesses).all():
            break
    return move


def differences(source: Array, labels: Ints, target: Array, guesses: Ints | None) -> Array:
    """(d, 1 + classes) D with D Dᵀ = XMXᵀ: source mean less target mean of all rows, times
    the root of the number of classes, and of each class; all over the root of ‖M‖.

    guesses  (n_target,) classes, None where there are none yet; a class that one side lacks
             is left out

    M is a sum of outer products of weights of rows, those of two classes without a row in
    common; ‖M‖ is that of the products of these weights with each other, `shared`.
    """
    known = np.unique(labels)
    overall = 1 / len(source) + 1 / len(target)
    found = [np.sqrt(len(known)) * (source.mean(axis=0) - target.mean(axis=0))]
    shared = [len(known) * overall]
    for each in known if guesses is not None else ():
        if (guesses == each).any():
            theirs, mine = source[labels == each], target[guesses == each]
            found.append(theirs.mean(axis=0) - mine.mean(axis=0))
            shared.append(1 / len(theirs) + 1 / len(mine))
    across = 2 * (len(shared) - 1) * len(known) * overall**2
    norm = float(np.sqrt(np.square(shared).sum() + across))
    scaled: Array = np.column_stack(found) / np.sqrt(norm)
    return scaled


def nearest(asked: Array, known: Array, labels: Ints, tick: Tick = idle) -> Ints:
    """(n,) the class of the nearest known row of each that is asked."""
    size = max(BLOCK // len(known), 1)
    found = []
    for first in range(0, len(asked), size):
        tick()
        between = squared_distances(asked[first : first + size], known)
        found.append(labels[between.argmin(axis=1)])
    return np.concatenate(found)

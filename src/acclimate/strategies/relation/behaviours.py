"""Behaviours: views, carts and searches count for what is asked for, at learned weights.

The model is `models.behaviours`.  Its weights are learned for the target from items that its
users took last, hidden, and shrunk to those that it has in common with the sources whose users
do the same; with few orders of its own a market weighs a view as the others do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from acclimate.arrays import Array
from acclimate.domains.beside import BesideEncoder
from acclimate.domains.problem import Problem, Statistics
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.view import ItemEncoder, ItemRecipe
from acclimate.models.behaviours import BehaviourRanker, Choices, Links, deviations, learned
from acclimate.models.ease import Ease
from acclimate.models.model import Model, Tick, idle
from acclimate.rng import Rng
from acclimate.strategies.strategy import Adapt, Strategy

ASKED = 2000  # users of a market, whose last items are hidden
COMMON = 1.0  # κ of the weights that all markets have in common, towards none


@dataclass(frozen=True)
class BehaviourWeights(Adapt):
    """A conditional logit over all that users do.

    shrink  κ > 0, how firmly a market's weights are held to the common ones
    """

    shrink: float = 10.0

    kind: ClassVar[str] = "behaviours"
    reads: ClassVar[frozenset[str]] = frozenset({"rows"})
    statistics: ClassVar[Statistics] = Statistics.BOTH
    complexity: ClassVar[int] = 3
    hands_on: ClassVar[bool] = False

    def refuses(self, problem: Problem, model: Model) -> str | None:
        if not isinstance(model, Ease):
            return f"{model.kind} has no item–item matrix that behaviours could share"
        if not own_kinds(problem):
            return "users of the target do nothing but what is asked for"
        return None

    def grid(self, problem: Problem) -> tuple[Strategy, ...]:
        return tuple(replace(self, shrink=shrink) for shrink in (10.0, 1.0, 100.0))

    def models(self, model: Model) -> tuple[Model, ...]:
        """Half of the penalties: the logit weighs what the matrix says."""
        return model.grid()[1::2]

    def step(
        self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle
    ) -> tuple[Problem, Model]:
        encoder, fit, kinds = problem.encoder, problem.fit, own_kinds(problem)
        assert isinstance(encoder, ItemEncoder) and isinstance(fit, Interactions)
        assert isinstance(model, Ease)
        names = list(kinds)
        doing = {
            source.name: kinds[source.behaviour]
            for source in problem.sources
            if source.behaviour is not None
        }
        mine = questions(encoder, fit, doing, model.penalty, rng.child("own"))
        others = []
        for source in problem.sources:
            tick()
            if (theirs := lesson(source, names, problem, model.penalty, rng)) is not None:
                others.append(theirs)
        theta = self.weights(mine, others)
        both = BesideEncoder.aligned(encoder, doing)
        links = Links.of(both.encode(fit).whole, len(encoder.known), model.penalty)
        fitted = BehaviourRanker(tuple(names), links, theta)
        return replace(problem, encoder=both).knowing(*said(fitted, len(others))), fitted

    def weights(self, mine: Choices, others: list[Choices]) -> Array:
        """The target's weights, shrunk to those of all markets together."""
        scale = deviations([mine, *others])
        common = np.zeros(len(scale))
        if others:
            common = learned([mine, *others], COMMON, common, scale)
        return learned([mine], self.shrink, common, scale)

    def adapt(self, problem: Problem, model: Model, rng: Rng, tick: Tick = idle) -> Model:
        return self.step(problem, model, rng, tick)[1]


def own_kinds(problem: Problem) -> dict[str, Interactions]:
    """What users of the target do besides what is asked for, by kind."""
    return {
        source.behaviour: source.sample
        for source in problem.sources
        if source.behaviour is not None and isinstance(source.sample, Interactions)
    }


def lesson(
    source: Source, names: list[str], problem: Problem, penalty: float, rng: Rng
) -> Choices | None:
    """Questions of another market, or None where its users do not do all of these."""
    fit, also, recipe = source.sample, dict(source.also), problem.recipe
    if source.behaviour is not None or not set(names) <= set(also):
        return None
    assert isinstance(fit, Interactions) and isinstance(recipe, ItemRecipe)
    others = {k: each for k in names if isinstance(each := also[k], Interactions)}
    every = (fit, *others.values())
    items = np.array(sorted({item for each in every for item in each.items}), object)
    encoder = ItemRecipe(items, recipe.at_most).fit([fit], [*others.values()])
    return questions(encoder, fit, others, penalty, rng.child(source.name))


def questions(
    encoder: ItemEncoder,
    fit: Interactions,
    others: dict[str, Interactions],
    penalty: float,
    rng: Rng,
) -> Choices:
    """What some users took last, hidden from all that is asked by."""
    folds = fit.folds(1, rng.child("fold"))
    rest, taken = fit, []
    context = fit.take(np.empty(0, np.int64))
    if folds:
        rest, case = folds[0]
        assert case.truth.user is not None and case.truth.item is not None
        column = encoder.columns_of(rest.items)[case.truth.item]
        if rest.time is not None:  # by the clock, what else they did later is hidden too
            after = float(np.nextafter(rest.time.max(), np.inf))
            others = {name: each.before(after) for name, each in others.items()}
        user = case.truth.user
        drawn = rng.child("users").generator().permutation(len(user))[:ASKED]
        taken = [(int(user[at]), int(column[at])) for at in drawn if column[at] >= 0]
        context = case.context
    both = BesideEncoder.aligned(encoder, others)
    links = Links.of(both.encode(rest).whole, len(encoder.known), penalty)
    return Choices.of(links, both.encode(context).whole, taken, rng.child("drawn"))


def said(fitted: BehaviourRanker, others: int) -> list[str]:
    """What each behaviour is worth, in a sentence."""
    assert fitted.theta is not None
    kinds = len(fitted.kinds)
    alpha, beta = fitted.theta[: kinds + 1], fitted.theta[kinds + 1 : 2 * kinds + 1]
    found = [
        f"an item that a user met by {kind!r} has {np.exp(b):.3g} times the odds, and one like "
        f"it weighs {a:.3g} beside {alpha[0]:.3g} of what is asked for"
        for kind, a, b in zip(fitted.kinds, alpha[1:], beta, strict=True)
    ]
    return [*found, f"other markets that have a share in these weights: {others}"]

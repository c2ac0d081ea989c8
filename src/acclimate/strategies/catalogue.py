"""Everything that can be tried: models and strategies, by name, simplest first.

Plug-ins add theirs through the entry points `acclimate.models` and
`acclimate.strategies`, each naming an instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points

from acclimate.errors import UsageError
from acclimate.models.ease import Ease
from acclimate.models.linear import Linear
from acclimate.models.mixed import MixedNetwork
from acclimate.models.model import Model
from acclimate.models.neighbours import ItemKnn
from acclimate.models.popularity import Popularity
from acclimate.models.trees import Trees
from acclimate.strategies.arm import Arm
from acclimate.strategies.baselines import Pooled, SourceOnly, TargetOnly
from acclimate.strategies.chain import JOIN, Chain
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.relation.itemprior import ItemItemPrior
from acclimate.strategies.strategy import Adapt, Strategy

ALWAYS = ("target-only", "source-only", "pooled")

MODELS: tuple[Model, ...] = (
    Popularity(),
    ItemKnn(),
    Ease(),
    Linear(),
    Trees(),
    MixedNetwork(),
)

STRATEGIES: tuple[Strategy, ...] = (
    TargetOnly(),
    SourceOnly(),
    Pooled(),
    SourcePrior(),
    ItemItemPrior(),
    FineTune(layers="head"),
    FineTune(layers="all"),
    L2SP(),
)


MADE: tuple[Model, ...] = ()
"""Models that strategies put together from others; restored, never tried by themselves."""


@cache
def models() -> dict[str, Model]:
    """Every model by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.models"))
    return {model.kind: model for model in (*MODELS, *plugged)}


def restorable() -> dict[str, Model]:
    """Every model that an artifact may hold, by kind."""
    return models() | {model.kind: model for model in MADE}


@cache
def strategies() -> dict[str, Strategy]:
    """Every strategy by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.strategies"))
    return {strategy.kind: strategy for strategy in (*STRATEGIES, *plugged)}


def arms(form: str, wanted: tuple[str, ...] | None = None) -> list[Arm]:
    """Every strategy with every model that eats this form.

    wanted  kinds of strategies to keep, or None for all; the three baselines stay.
            Kinds joined by " + " are a chain, whether it is in the catalogue or not
    """
    if wanted is None:
        kept = [completed(strategy) for strategy in strategies().values()]
    else:
        asked = {name: named(name) for name in (*ALWAYS, *wanted)}
        kept = [*{strategy.kind: strategy for strategy in asked.values()}.values()]
    fitting = [model for model in models().values() if model.form == form]
    return [Arm(strategy, model) for strategy in kept for model in fitting]


def named(name: str) -> Strategy:
    """The strategy of a kind, or the chain of several joined by "+".

    Raises UsageError for a kind that is not in the catalogue.
    """
    known = strategies()
    if name in known:
        return completed(known[name])
    parts = [part.strip() for part in name.split(JOIN.strip())]
    unknown = [part for part in parts if part not in known]
    if unknown:
        raise UsageError(
            f"Expected strategies among {', '.join(known)}, or a chain of them such as "
            f'"coral + finetune"; found {", ".join(unknown)}.'
        )
    steps = _steps(parts)
    return Chain(steps if isinstance(steps[-1], Adapt) else (*steps, Pooled()))


def _steps(parts: Sequence[str]) -> tuple[Strategy, ...]:
    """The steps of these kinds, those of a chain among them in its place."""
    found: list[Strategy] = []
    for part in parts:
        step = strategies()[part]
        found += step.steps if isinstance(step, Chain) else (step,)
    return tuple(found)


def completed(strategy: Strategy) -> Strategy:
    """The strategy itself; one that only reshapes or weighs is followed by pooling."""
    whole = isinstance(strategy, Adapt | Chain)
    return strategy if whole else Chain((strategy, Pooled()))

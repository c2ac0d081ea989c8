"""Everything that can be tried: models and strategies, by name, simplest first.

Plug-ins add theirs through the entry points `acclimate.models` and
`acclimate.strategies`, each naming an instance.
"""

from __future__ import annotations

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
from acclimate.strategies.parameter.finetune import FineTune
from acclimate.strategies.parameter.l2sp import L2SP
from acclimate.strategies.parameter.prior import SourcePrior
from acclimate.strategies.relation.itemprior import ItemItemPrior
from acclimate.strategies.strategy import Strategy

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


@cache
def models() -> dict[str, Model]:
    """Every model by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.models"))
    return {model.kind: model for model in (*MODELS, *plugged)}


@cache
def strategies() -> dict[str, Strategy]:
    """Every strategy by kind, built-ins first."""
    plugged = (point.load() for point in entry_points(group="acclimate.strategies"))
    return {strategy.kind: strategy for strategy in (*STRATEGIES, *plugged)}


def arms(form: str, wanted: tuple[str, ...] | None = None) -> list[Arm]:
    """Every strategy with every model that eats this form.

    wanted  kinds of strategies to keep, or None for all; the three baselines stay
    """
    known = strategies()
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown:
        raise UsageError(
            f"Expected strategies among {', '.join(known)}; found {', '.join(unknown)}."
        )
    always = {"target-only", "source-only", "pooled"}
    kept = [s for s in known.values() if wanted is None or s.kind in always | set(wanted)]
    fitting = [model for model in models().values() if model.form == form]
    return [Arm(strategy, model) for strategy in kept for model in fitting]

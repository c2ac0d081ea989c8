"""Which layers moved: how far a fine-tuned network went from where the sources left it.

    moved = ‖w − w⁰‖ / ‖w⁰‖   over all parameters of a layer

w⁰ is the network that the sources taught, w what the target made of it.  0 is a layer that
was held; 1 is one that moved as far as it is long.
"""

from __future__ import annotations

import math
from itertools import takewhile
from typing import Any, NamedTuple

from acclimate.domains.problem import Problem
from acclimate.models.model import Model, Tick, idle
from acclimate.models.network import Trainable
from acclimate.rng import Rng
from acclimate.strategies.chain import Chain
from acclimate.strategies.parameter.pretrain import GoOn, begun
from acclimate.strategies.strategy import Adapt, Strategy


class Layer(NamedTuple):
    """One layer from the inputs up: its numbers, and how far they moved, relative, ≥ 0."""

    layer: str
    parameters: int
    moved: float


def moved_layers(
    strategy: Strategy,
    spec: Model,
    fitted: Model,
    adapted: Problem,
    rng: Rng,
    tick: Tick = idle,
) -> list[Layer]:
    """Every layer of a network that went on from the sources'; none for other ways.

    spec     the model before it was fitted
    adapted  the problem as the steps of the strategy left it
    """
    if not isinstance(fitted, Trainable) or not isinstance(spec, Trainable):
        return []
    if not goes_on(strategy):
        return []
    # The start is kept by content: training it again is for what fell out of that memory.
    start: Any = begun(adapted, spec, rng, tick)
    before, after = start.parameters(), fitted.parameters()
    found = []
    for number, names in enumerate(start.layers(), start=1):
        both = sorted(n for n in names if n in after and after[n].shape == before[n].shape)
        if not both:
            continue
        length = math.sqrt(sum(float(before[n].double().square().sum()) for n in both))
        away = math.sqrt(
            sum(float((after[n] - before[n]).double().square().sum()) for n in both)
        )
        count = sum(before[n].numel() for n in both)
        found.append(Layer(called(both, number), count, away / length if length else math.inf))
    return found if all(math.isfinite(layer.moved) for layer in found) else []


def goes_on(strategy: Strategy) -> bool:
    """Whether a strategy starts from the sources' network itself and no step before fitted."""
    if isinstance(strategy, Chain):
        *before, last = strategy.steps
        return isinstance(last, GoOn) and not any(isinstance(s, Adapt) for s in before)
    return isinstance(strategy, GoOn)


def called(names: list[str], number: int) -> str:
    """What the names of a layer's parameters have in common; else its number from below."""
    alike = takewhile(lambda letters: len({*letters}) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike).rstrip("._/ ") or f"{number}"

"""The settings of an arm as ranges to search: what its grids span, and all between.

Before: a model and a strategy name a few settings each that a plan tries.  After: `search`
draws from the ranges.  Nothing outside of what a grid spans is drawn, so that every setting
is one that its author thought of; what is no plain number is chosen among the grid's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from acclimate.domains.problem import Problem
from acclimate.errors import AcclimateError
from acclimate.strategies.arm import Arm

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Variant = TypeVar("Variant")
WIDE = 10  # times the lower end, from where a range is searched by its logarithm
WHICH = "which"


@dataclass(frozen=True)
class Range:
    """The values of one field, from the lowest to the highest of a grid."""

    low: float
    high: float
    whole: bool

    @property
    def log(self) -> bool:
        return self.low > 0 and self.high >= WIDE * self.low


@dataclass(frozen=True)
class Axes:
    """What may vary between the variants of one specification.

    variants  the default first, then the grid
    ranges    field → its values; empty where the variants differ in more than numbers, and
              one of them is chosen as it is
    """

    variants: tuple[Any, ...]
    ranges: Mapping[str, Range]

    @classmethod
    def of(cls, default: Any, grid: Sequence[Any]) -> Axes:
        variants = [default]
        variants += [each for each in grid if not any(_equal(each, one) for one in variants)]
        ranges: dict[str, Range] = {}
        if len({type(each) for each in variants}) == 1:
            for each in fields(default):
                values = [getattr(variant, each.name) for variant in variants]
                if all(_equal(value, values[0]) for value in values):
                    continue
                if not each.init or not all(_number(value) for value in values):
                    return cls(tuple(variants), {})
                whole = all(isinstance(value, int) for value in values)
                ranges[each.name] = Range(min(values), max(values), whole)
        return cls(tuple(variants), ranges)

    def distributions(self, prefix: str) -> dict[str, BaseDistribution]:
        """Optuna's, by parameter."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if not self.ranges:
            if len(self.variants) == 1:
                return {}
            return {f"{prefix}{WHICH}": CategoricalDistribution(range(len(self.variants)))}
        return {
            f"{prefix}{name}": IntDistribution(int(r.low), int(r.high), log=r.log)
            if r.whole
            else FloatDistribution(r.low, r.high, log=r.log)
            for name, r in self.ranges.items()
        }

    def defaults(self, prefix: str) -> dict[str, Any]:
        """The parameters of the default."""
        if not self.ranges:
            return {f"{prefix}{WHICH}": 0} if len(self.variants) > 1 else {}
        return {f"{prefix}{name}": getattr(self.variants[0], name) for name in self.ranges}

    def at(self, params: Mapping[str, Any], prefix: str) -> Any:
        """The specification at these parameters."""
        if not self.ranges:
            return self.variants[params.get(f"{prefix}{WHICH}", 0)]
        named = {name: params[f"{prefix}{name}"] for name in self.ranges}
        return replace(self.variants[0], **named)


@dataclass(frozen=True)
class Space:
    """The settings of one arm.

    number  of its step in the plan; parameters of different arms have different names
    """

    number: int
    arm: Arm
    model: Axes
    strategy: Axes

    @classmethod
    def of(cls, number: int, arm: Arm, problem: Problem) -> Space:
        """What `plans.tune` would choose among, and what lies between.

        problem  the target's, not yet encoded
        """
        own, models = arm.strategy, arm.strategy.models(arm.model)
        try:
            grid = own.grid(arm.encoded(problem))
        except AcclimateError:  # a mistake of the data, which the trial will tell
            grid = (own,)
        return cls(number, arm, Axes.of(arm.model, models), Axes.of(own, grid))

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        model = self.model.distributions(f"{self.number}.model.")
        return model | self.strategy.distributions(f"{self.number}.strategy.")

    @property
    def defaults(self) -> dict[str, Any]:
        model = self.model.defaults(f"{self.number}.model.")
        return model | self.strategy.defaults(f"{self.number}.strategy.")

    def at(self, params: Mapping[str, Any]) -> Arm:
        """The arm at these parameters."""
        model = self.model.at(params, f"{self.number}.model.")
        strategy = self.strategy.at(params, f"{self.number}.strategy.")
        return self.arm.with_model(model).with_strategy(strategy)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(one: Any, other: Any) -> bool:
    """Equality that arrays inside a specification cannot upset."""
    return one is other or (type(one) is type(other) and repr(one) == repr(other))

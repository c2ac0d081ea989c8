"""A Source: a domain's rows under a label, and the one door to source-only work.

What depends on the source alone (Gram matrices, fitted models) is computed on
its own vocabulary, kept by content fingerprint and reused for every target.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from acclimate.domains.sample import Sample

Value = TypeVar("Value")

ALL = frozenset({"rows", "moments", "gram", "fitted", "gradients"})


class Derived:
    """Values computed from sources, the most recently used kept.

    at_most  > 0, values
    """

    def __init__(self, at_most: int = 24) -> None:
        self._values: dict[tuple[str, str, str], Any] = {}
        self._at_most = at_most

    def get(self, key: tuple[str, str, str], compute: Callable[[], Value]) -> Value:
        if key in self._values:
            value = self._values.pop(key)
        else:
            value = compute()
        self._values[key] = value
        while len(self._values) > self._at_most:
            self._values.pop(next(iter(self._values)))
        result: Value = value
        return result


_DERIVED = Derived()


@dataclass(frozen=True)
class Source:
    """One source of a problem.

    sample  its observations, already cut at the target's clock
    shares  what its owner lets be read: ⊆ {rows, moments, gram, fitted, gradients}
    """

    name: str
    sample: Sample = field(repr=False)
    shares: frozenset[str] = ALL

    def derive(self, recipe: Callable[[Sample, Any], Value], settings: Any) -> Value:
        """The value of `recipe(sample, settings)`, computed once per content.

        settings  a frozen dataclass of plain values
        """
        name = f"{recipe.__module__}.{recipe.__qualname__}"
        key = (self.sample.fingerprint, name, json.dumps(asdict(settings), sort_keys=True))
        return _DERIVED.get(key, lambda: recipe(self.sample, settings))

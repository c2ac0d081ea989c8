"""A Source: a domain's rows under a label, and the one door to source-only work.

What depends on the source alone (Gram matrices, fitted models) is computed on
its own vocabulary, kept by content fingerprint and reused for every target.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, TypeVar

import numpy as np

from acclimate.domains.sample import Sample

Value = TypeVar("Value")

ALL = frozenset({"rows", "moments", "gram", "fitted", "gradients"})


class Derived:
    """Values computed once per content, the most recently used kept.

    at_most_bytes  ≥ 0, what the arrays inside may take together; the newest always stays
    """

    def __init__(self, at_most_bytes: int = 2**30) -> None:
        self._values: dict[tuple[str, ...], Any] = {}
        self._at_most_bytes = at_most_bytes

    def get(self, key: tuple[str, ...], compute: Callable[[], Value]) -> Value:
        """The value kept under `key`, computed if there is none."""
        value: Value = self._values.pop(key) if key in self._values else compute()
        self._values[key] = value
        while len(self._values) > 1 and sum(map(_bytes, self._values.values())) > (
            self._at_most_bytes
        ):
            self._values.pop(next(iter(self._values)))
        return value


def _bytes(value: Any) -> int:
    """What the arrays inside a value take; other things count as nothing."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if hasattr(value, "indptr"):
        return int(value.data.nbytes + value.indices.nbytes)
    if is_dataclass(value):
        # Not `fields`: what a value has worked out and kept counts too.
        return sum(map(_bytes, vars(value).values()))
    return sum(map(_bytes, value)) if isinstance(value, tuple | list) else 0


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

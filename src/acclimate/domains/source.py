"""A Source: a domain's rows under a label, and the one door to source-only work.

What depends on the source alone (Gram matrices, fitted models) is computed on
its own vocabulary, kept by content fingerprint and reused for every target.
A source may keep its rows to itself and share its Gram matrix or moments alone;
one that is an artifact has no rows, only what was learned from them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from acclimate.arrays import Array, Strings
from acclimate.domains.sample import Interactions, Sample
from acclimate.errors import StrategyError

Value = TypeVar("Value")
F = TypeVar("F", bound=Callable[..., Any])

ALL = frozenset({"rows", "moments", "gram", "fitted", "gradients"})


def shared(said: Sequence[str] | None) -> frozenset[str]:
    """What a market that declares this lets be read; whoever may read rows may read all."""
    return ALL if said is None or "rows" in said else frozenset(said)


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


def gives(kind: str) -> Callable[[F], F]:
    """Mark a recipe with what its value gives away: one of `ALL`."""
    assert kind in ALL

    def mark(recipe: F) -> F:
        recipe.gives = kind  # type: ignore[attr-defined]
        return recipe

    return mark


@dataclass(frozen=True)
class Source:
    """One source of a problem.

    held     its observations, cut at the target's clock, or None where the source is an
             artifact; strategies read `sample`, which asks whether they are shared
    shares   what its owner lets be read: ⊆ {rows, moments, gram, fitted, gradients}
    fitted   an encoder and a model learned elsewhere (`strategies.fitted.Fitted`), or None
    weight   (n,) ≥ 0, one a row, set by a step that weighs; None for equal weights
    view     what a step that reshapes put in the place of its encoded rows, or None
    behaviour  the kind of events of the target's own users that it holds, where it is no
             other market but what else they do; or None
    also     other kinds of events of its users, by kind, where one kind is asked for
    """

    name: str
    held: Sample | None = field(repr=False)
    shares: frozenset[str] = ALL
    fitted: Any = field(default=None, repr=False)
    weight: Array | None = field(default=None, repr=False)
    view: Any = field(default=None, repr=False)
    behaviour: str | None = None
    also: tuple[tuple[str, Sample], ...] = field(default=(), repr=False)

    @property
    def sample(self) -> Sample:
        """Its observations; raises StrategyError where they are not shared."""
        if self.held is None or "rows" not in self.shares:
            raise StrategyError(
                f"Expected source {self.name!r} to share its rows; it shares "
                f"{', '.join(sorted(self.shares)) or 'nothing'}. Name what the strategy needs "
                "in its `reads`, so that the plan leaves it out."
            )
        return self.held

    @property
    def n(self) -> int:
        """Its observations, 0 where nobody knows how many."""
        return 0 if self.held is None else self.held.n

    @property
    def seen(self) -> bool:
        """Whether its rows may be read."""
        return self.held is not None and "rows" in self.shares

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its observations, weights and reshaped view; caches know it by this."""
        if self.held is None:
            return f"artifact/{self.name}"
        if self.weight is None and self.view is None:
            return self.held.fingerprint
        digest = hashlib.sha256(self.held.fingerprint.encode())
        for part in (self.weight, *(() if self.view is None else self.view.arrays())):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def derive(self, recipe: Callable[[Sample, Any], Value], settings: Any) -> Value:
        """The value of `recipe(sample, settings)`, computed once per content.

        recipe    marked with `gives`: what its value gives away must be shared
        settings  a frozen dataclass of plain values

        Raises StrategyError where the source does not share that.
        """
        given = getattr(recipe, "gives", "rows")
        if self.held is None or given not in self.shares:
            raise StrategyError(
                f"Expected source {self.name!r} to share its {given}; it shares "
                f"{', '.join(sorted(self.shares)) or 'nothing'}. Leave it out."
            )
        held = self.held
        name = f"{recipe.__module__}.{recipe.__qualname__}"
        key = (held.fingerprint, name, json.dumps(asdict(settings), sort_keys=True))
        return _DERIVED.get(key, lambda: recipe(held, settings))

    def until(self, clock: float) -> Source:
        """The same source as it was known at a moment, in seconds since 1970.

        Its owner cuts it, as its owner derives: no row is shown.  Without times, or as an
        artifact, it stays as it is.
        """
        held, after = self.held, float(np.nextafter(clock, np.inf))
        if not isinstance(held, Interactions) or held.time is None:
            return self
        weight = None if self.weight is None else self.weight[held.time < after]
        also = tuple((kind, _known(each, after)) for kind, each in self.also)
        return replace(self, held=_known(held, after), weight=weight, also=also)

    def weighed(self, weight: Array) -> Source:
        """The same source with row weights, times those it has."""
        return replace(self, weight=weight if self.weight is None else self.weight * weight)


def _known(sample: Sample, moment: float) -> Sample:
    """What had happened before a moment, of the users and items met by then."""
    assert isinstance(sample, Interactions)
    known = sample.before(moment)
    return known.of_users(np.unique(known.user)).of_items(np.unique(known.item))


@dataclass(frozen=True)
class ItemCounts:
    """Which items a source holds and how often each was taken; part of any Gram matrix.

    items  (m,) ids
    count  (m,) ≥ 0
    """

    items: Strings
    count: Array


@dataclass(frozen=True)
class NoSettings:
    """For recipes without any."""


@gives("gram")
def item_counts(sample: Sample, settings: NoSettings) -> ItemCounts:
    """How often each item was taken."""
    assert isinstance(sample, Interactions)
    count = np.bincount(sample.item, minlength=len(sample.items)).astype(np.float64)
    return ItemCounts(sample.items, count)

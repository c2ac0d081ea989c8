"""Models that strategies put together from others: restored, asked, and never fitted alone."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from acclimate.arrays import Array
from acclimate.models.model import Tick, idle
from acclimate.rng import Rng


class Made:
    """What such models have in common.  Subclasses are frozen dataclasses."""

    form: ClassVar[str] = "rows"

    def why_not(self) -> str | None:
        return None

    def grid(self) -> tuple[Self, ...]:
        return (self,)

    def prepare(self, view: Any) -> Any:
        return view

    def fit(
        self,
        prepared: Any,
        *,
        weight: Array | None = None,
        start: Any = None,
        prior: Any = None,
        rng: Rng,
        tick: Tick = idle,
    ) -> Self:
        raise AssertionError("it is put together by strategies, not fitted by itself")

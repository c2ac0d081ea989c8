"""What a source alone decides is computed once per content, and forgotten in order of use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from acclimate.domains.sample import Rows
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Derived, Source


@dataclass(frozen=True)
class Power:
    """How much."""

    of: float = 1.0


def rows(*values: float) -> Rows:
    columns = pl.DataFrame({"x": np.array(values)})
    return Rows(columns, {"x": ColumnType.NUMERIC}, ("no", "yes"))


calls: list[tuple[int, float]] = []


def total(sample: Any, settings: Power) -> float:
    calls.append((sample.n, settings.of))
    return float(sample.columns["x"].sum() ** settings.of)


def doubled(sample: Any, settings: Power) -> float:
    return 2 * float(sample.columns["x"].sum())


def test_equal_content_and_settings_are_derived_once() -> None:
    calls.clear()
    us, copy = Source("us", rows(31, 2)), Source("other name", rows(31, 2))
    assert us.derive(total, Power()) == copy.derive(total, Power()) == 33
    assert len(calls) == 1
    assert us.derive(total, Power(2.0)) == 33**2
    assert replace(us, held=rows(31, 3)).derive(total, Power()) == 34
    assert us.derive(doubled, Power()) == 66
    assert len(calls) == 3


def test_the_least_recently_used_value_is_forgotten_first() -> None:
    kept = Derived(at_most_bytes=2 * 80)
    made: list[str] = []

    def ask(name: str) -> None:
        def compute() -> np.ndarray[Any, np.dtype[np.float64]]:
            made.append(name)
            return np.zeros(10)

        kept.get((name,), compute)

    for name in ("a", "b", "a", "c", "a", "b"):
        ask(name)
    assert made == ["a", "b", "c", "b"]


def test_the_newest_value_stays_however_large() -> None:
    kept = Derived(at_most_bytes=0)
    first = kept.get(("a",), lambda: np.zeros(1000))
    assert kept.get(("a",), lambda: np.ones(1000)) is first

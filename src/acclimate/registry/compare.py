"""What differs between two versions: data, sources, way of learning, verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acclimate.registry.version import Version


def diff(a: Version, b: Version) -> list[dict[str, Any]]:
    """Rows {what, a, b}, one for each fact that differs; None where one lacks it.

    Nested facts are named by their path, such as verdict.effect.
    """
    left, right = (_flat({"digest": v.digest, **v.lineage}) for v in (a, b))
    return [
        {"what": what, "a": left.get(what), "b": right.get(what)}
        for what in dict.fromkeys([*left, *right])
        if left.get(what) != right.get(what)
    ]


def _flat(facts: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in facts.items():
        path = f"{before}{key}"
        flat |= _flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat

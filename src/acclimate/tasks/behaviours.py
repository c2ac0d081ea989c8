"""Behaviours: one kind of events is asked for, and the others are what else users do.

A shop asks what its users will order; what they viewed, searched for and put into carts
says much about it, at another strength in every market.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from acclimate.domains.declared import Kinds
from acclimate.domains.domain import Domain
from acclimate.errors import TaskError
from acclimate.nearest import did_you_mean, some


@dataclass(frozen=True)
class Behaviours:
    """A market of events of the kind that is asked for.

    market  with these events, and those that take them back
    others  kind → a market of the same users with events of that kind
    """

    market: Domain
    others: Mapping[str, Domain]


def by_behaviour(market: Domain, asked: str | None) -> Behaviours:
    """The market by kinds of events; as it is where nothing is asked.

    Kinds are compared under the names that its [kinds.names] gives; one of a weight below 0
    takes back what is asked for, and one of weight 0 is left out.

    Raises TaskError where it has no events of that kind.
    """
    if asked is None:
        return Behaviours(market, {})
    events = market.tables["events"]
    found = sorted(events["kind"].drop_nulls().unique()) if "kind" in events.columns else []
    if not found:
        raise TaskError(
            f"Expected a column of kinds of events in {market.name!r}, such as view, cart and "
            "order, to ask for one; found none. Leave --behaviour out, or name the column in "
            "market.toml under [roles.events]."
        )
    if asked not in found:
        raise TaskError(
            f"Expected events of the kind {asked!r} in {market.name!r}; found "
            f"{some(found)}.{did_you_mean(asked, found)} Name one of them as the behaviour, or "
            "declare their names in market.toml under [kinds.names]."
        )
    kinds = market.schema.declared.kinds
    weights = dict.fromkeys(found, 1.0) if kinds is None else dict(kinds.weights)
    taking = [kind for kind, weight in weights.items() if weight < 0]
    alone: Kinds | None = None
    if kinds is not None and taking:
        unit = max(weights[asked], 1e-9)
        own = {asked: unit, **{kind: weights[kind] for kind in taking}}
        alone = Kinds(own, kinds.names, unit)
    mine = _only(market, [asked, *taking], alone)
    others = {
        kind: _only(market, [kind], None)
        for kind in found
        if kind != asked and weights.get(kind, 0.0) > 0
    }
    return Behaviours(mine, others)


def _only(market: Domain, kept: list[str], kinds: Kinds | None) -> Domain:
    events = market.tables["events"].filter(pl.col("kind").is_in(kept))
    declared = replace(market.schema.declared, kinds=kinds)
    schema = replace(market.schema, declared=declared)
    return replace(market, tables={**market.tables, "events": events}, schema=schema)

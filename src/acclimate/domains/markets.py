"""Open several markets at once, under different names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from acclimate.domains.address import parse
from acclimate.domains.domain import Domain
from acclimate.domains.market import open_market, parse_spec
from acclimate.domains.once import Once
from acclimate.domains.rules import under_one_law
from acclimate.domains.schema import SchemaHints
from acclimate.errors import UsageError

Market = Domain | str | Path


def open_markets(
    markets: Sequence[Market],
    hints: SchemaHints | None,
    own: Sequence[SchemaHints | None] = (),
) -> list[Domain]:
    """The markets as domains; files of one name are told apart by their folders.

    Slices of one file, folder or database are read from it once.

    own  hints of the first markets, in the place of those for all
    """
    _require_apart(markets)
    said = [*own, *[hints] * (len(markets) - len(own))]
    places = [None if isinstance(m, Domain) else str(parse_spec(m)[0]) for m in markets]
    once = Once()
    found = [
        market
        if isinstance(market, Domain)
        # What no other slice needs is let go.
        else open_market(market, each, once if places.count(place) > 1 else None)
        for market, each, place in zip(markets, said, places, strict=True)
    ]
    twice = _repeated(found)
    for position, market in enumerate(markets):
        if found[position].name in twice and not isinstance(market, Domain):
            folder = place_of(market)
            found[position] = replace(found[position], name=f"{folder}-{found[position].name}")
    twice = _repeated(found)
    if twice:
        raise UsageError(
            f"Expected markets with different names; found {', '.join(twice)} twice, from "
            "different places. Give one of them another name in its market.toml, or leave it "
            "out."
        )
    return under_one_law(found)


def _require_apart(markets: Sequence[Market]) -> None:
    """Refuse one place under two names before it is read, the target first.

    A market that was given as a Domain has no place; copies of rows are found by `copies`.
    """
    seen: list[object] = []
    for market in markets:
        if isinstance(market, Domain):
            seen.append(market)
            continue
        path, part = parse_spec(market)
        at = (repr(parse(path)) if isinstance(path, str) else path.resolve(), part)
        if at in seen[:1]:
            raise UsageError(
                f"Expected sources other than the target; found {str(market)!r} as both. A "
                "market cannot teach itself: name another source, or make two markets of it "
                "by slices, PATH::column=value."
            )
        if at in seen:
            raise UsageError(
                f"Expected each source once; found {str(market)!r} twice. Leave one of them "
                "out."
            )
        seen.append(at)


def place_of(market: str | Path) -> str:
    """The folder, or the database's host, that a market is in."""
    path = parse_spec(market)[0]
    return parse(path).place if isinstance(path, str) else path.resolve().parent.name


def _repeated(domains: Sequence[Domain]) -> list[str]:
    names = [domain.name for domain in domains]
    return sorted({name for name in names if names.count(name) > 1})

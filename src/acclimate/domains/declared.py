"""What a market declares of itself in market.toml, beside its files, roles and types.

Before: `sections` read it.  After: `door` applies it, once, before anything else
sees the tables; what has to hold for later input too travels with an artifact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeAlias

# (day, how many of the base one unit is worth from that day on), by day; a single rate
# for all times has day None.
Rates: TypeAlias = tuple[tuple[date | None, float], ...]


@dataclass(frozen=True)
class Currency:
    """What the market's money is in, and what it is turned into.

    code   three capital letters: what amounts are written in
    base   what they are turned into; None: they stay as they are
    rates  how many of `base` one of `code` is worth
    money  columns with amounts, besides the value of an event
    """

    code: str
    base: str | None = None
    rates: Rates = ()
    money: tuple[str, ...] = ()

    @property
    def final(self) -> str:
        """What amounts are in behind the door."""
        return self.base or self.code


@dataclass(frozen=True)
class Kinds:
    """What an event of each kind says about interest.

    weights   kind → weight; 0: such events are left out; below 0: they cancel
    names     the market's own word, in lower case → kind
    at_least  > 0: an item counts for a user where the weights add up to this much
    """

    weights: Mapping[str, float]
    names: Mapping[str, str]
    at_least: float


@dataclass(frozen=True)
class Declared:
    """What a market declares.

    timezone    where times without an offset are local, e.g. "Asia/Tokyo"; None: UTC
    language    ISO 639 code, carried along
    holidays    local days, in order; None: not declared
    forbidden   columns that its law does not allow to be used, as written there
    restricted  ids of items that may never be recommended
    shares      as a source: what may be read of it, ⊆ {rows, moments, gram}; None: all.
                Whoever may read rows may work out the rest
    files       names of the files that hold rates, holidays or ids: no tables
    """

    currency: Currency | None = None
    timezone: str | None = None
    language: str | None = None
    holidays: tuple[date, ...] | None = None
    forbidden: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()
    kinds: Kinds | None = None
    shares: tuple[str, ...] | None = None
    files: tuple[str, ...] = field(default=())

    @property
    def lasting(self) -> Declared:
        """What has to hold for input that comes later."""
        return replace(self, language=None, forbidden=(), kinds=None, shares=None, files=())

    def as_row(self) -> dict[str, Any]:
        """What is declared, JSON types only."""
        row: dict[str, Any] = {}
        if self.currency is not None:
            rates = [[None if day is None else str(day), rate] for day, rate in self._rates]
            row["currency"] = {
                "code": self.currency.code,
                "base": self.currency.base,
                "rates": rates,
                "money": list(self.currency.money),
            }
        if self.timezone:
            row["timezone"] = self.timezone
        if self.language:
            row["language"] = self.language
        if self.holidays is not None:
            row["holidays"] = [str(day) for day in self.holidays]
        for name in ("forbidden", "restricted"):
            if found := getattr(self, name):
                row[name] = list(found)
        if self.kinds is not None:
            row["kinds"] = {
                "weights": dict(self.kinds.weights),
                "names": dict(self.kinds.names),
                "at_least": self.kinds.at_least,
            }
        if self.shares is not None:
            row["shares"] = list(self.shares)
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Declared:
        """What `as_row` wrote; raises KeyError, TypeError or ValueError if it is not that."""
        currency, kinds = row.get("currency"), row.get("kinds")
        holidays, shares = row.get("holidays"), row.get("shares")
        return cls(
            currency=None
            if currency is None
            else Currency(
                currency["code"],
                currency["base"],
                tuple((_day(day), float(rate)) for day, rate in currency["rates"]),
                tuple(currency["money"]),
            ),
            timezone=row.get("timezone"),
            language=row.get("language"),
            holidays=None if holidays is None else tuple(map(date.fromisoformat, holidays)),
            forbidden=tuple(row.get("forbidden", ())),
            restricted=tuple(row.get("restricted", ())),
            kinds=None
            if kinds is None
            else Kinds(dict(kinds["weights"]), dict(kinds["names"]), float(kinds["at_least"])),
            shares=None if shares is None else tuple(shares),
        )

    @property
    def words(self) -> list[str]:
        """Each declaration in a few words, for people."""
        said = []
        if self.currency is not None:
            said.append(f"currency {self._money}")
        if self.timezone:
            said.append(f"time zone {self.timezone}")
        if self.language:
            said.append(f"language {self.language}")
        if self.holidays is not None:
            said.append(f"{len(self.holidays):,} holidays")
        if self.forbidden:
            said.append(f"forbidden: {', '.join(self.forbidden)}")
        if self.restricted:
            said.append(f"{len(self.restricted):,} restricted items")
        if self.kinds is not None:
            weights = ", ".join(f"{kind} {w:g}" for kind, w in self.kinds.weights.items())
            said.append(f"kinds: {weights}; an item counts from {self.kinds.at_least:g} on")
        if self.shares is not None:
            said.append(f"shares {' and '.join(self.shares) or 'nothing'}")
        return said

    @property
    def _money(self) -> str:
        assert self.currency is not None
        code, base = self.currency.code, self.currency.base
        if base is None or not self._rates:
            return code
        days = [day for day, _ in self._rates if day is not None]
        span = f"{len(days)} rates, {days[0]} to {days[-1]}" if days else "one rate"
        return f"{code} turned into {base} ({span})"

    @property
    def _rates(self) -> Rates:
        return () if self.currency is None else self.currency.rates


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)

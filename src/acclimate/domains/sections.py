"""What market.toml declares beside files, roles and types: money, time, law, kinds.

Before: `manifest` read the text.  After: `door` applies what is declared.  Files that
are named here hold rates, days or ids, and are no tables of the market.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl

from acclimate.domains import names
from acclimate.domains.currency import in_order, rates_of
from acclimate.domains.declared import Currency, Declared, Kinds, Rates
from acclimate.domains.entries import known, number, section, string, strings, wrong
from acclimate.domains.entries import names as listed
from acclimate.domains.readers import is_table, read_table
from acclimate.domains.times import read_times, recognise
from acclimate.domains.values import identifiers, text
from acclimate.domains.zones import is_zone
from acclimate.errors import DomainError
from acclimate.nearest import some

KEYS = (
    "currency", "timezone", "language", "holidays", "forbidden_columns", "restricted_items",
    "kinds", "shares",
)  # fmt: skip
SHARES = ("rows", "moments", "gram")
_CURRENCY = ("code", "base", "rates", "money")


def declared(found: Mapping[str, object], folder: Path) -> Declared:
    """The declarations among the entries of a market.toml.

    folder  where it stands; the files it names lie there

    Raises DomainError for every entry that cannot be understood.
    """
    files: list[str] = []
    currency = _currency(found["currency"], folder, files) if "currency" in found else None
    holidays = _holidays(found["holidays"], folder, files) if "holidays" in found else None
    forbidden = found.get("forbidden_columns", [])
    restricted = found.get("restricted_items", [])
    return Declared(
        currency=currency,
        timezone=_zone(found["timezone"]) if "timezone" in found else None,
        language=_language(found["language"]) if "language" in found else None,
        holidays=holidays,
        forbidden=listed(forbidden, "forbidden_columns"),
        restricted=_items(restricted, folder, files),
        kinds=_kinds(found["kinds"]) if "kinds" in found else None,
        shares=_shares(found["shares"]) if "shares" in found else None,
        files=tuple(dict.fromkeys(files)),
    )


# ── money ───────────────────────────────────────────────────────────────────


def _currency(found: object, folder: Path, files: list[str]) -> Currency:
    if isinstance(found, str):
        return Currency(_code(found, "currency"))
    entries = section(found, "currency")
    known(entries, _CURRENCY, "key", "[currency]")
    if "code" not in entries:
        raise DomainError(
            "Expected `code` in [currency], what the market's amounts are written in; found "
            f'{", ".join(entries) or "nothing"}. Add for example: code = "JPY".'
        )
    code = _code(entries["code"], "currency.code")
    base = _code(entries["base"], "currency.base") if "base" in entries else None
    money = listed(entries.get("money", []), "currency.money")
    given = entries.get("rates")
    if base == code:
        return Currency(code, base, (), money)
    if given is None and base is not None:
        raise DomainError(
            f"Expected rates to turn {code} into {base}, found none; rates are never fetched. "
            'Add to [currency]: rates = "rates.csv" with date,currency,rate, or leave `base` '
            "out to keep amounts as they are."
        )
    if given is not None and base is None:
        raise DomainError(
            f"Expected `base` in [currency] beside rates of {code}, found none. Say what the "
            'rates turn it into, for example: base = "EUR".'
        )
    rates = () if given is None else _rates(given, code, folder, files)
    return Currency(code, base, rates, money)


def _rates(found: object, code: str, folder: Path, files: list[str]) -> Rates:
    where = "currency.rates"
    if isinstance(found, str):
        return rates_of(_file(found, where, folder, files), code, found)
    if not isinstance(found, dict):
        rate = number(found, where)
        if rate <= 0:
            raise wrong(where, "a rate above 0", found)
        return ((None, rate),)
    rates = [(_day(day, where), number(rate, f"{where}.{day}")) for day, rate in found.items()]
    if not rates:
        raise wrong(where, "at least one rate", found)
    return in_order(rates, where)


def _code(found: object, where: str) -> str:
    code = string(found, where).strip()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise wrong(where, 'a currency of three capital letters such as "EUR"', found)
    return code


# ── time and language ───────────────────────────────────────────────────────


def _zone(found: object) -> str:
    name = string(found, "timezone")
    if not is_zone(name):
        raise wrong("timezone", 'a time zone such as "Asia/Tokyo"', found)
    return name


def _language(found: object) -> str:
    code = string(found, "language")
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", code):
        raise wrong("language", 'an ISO 639 code such as "ja" or "pt-BR"', found)
    return code


def _holidays(found: object, folder: Path, files: list[str]) -> tuple[date, ...]:
    if isinstance(found, str):
        frame = _file(found, "holidays", folder, files)
        column = next((c for c in frame.columns if names.says_time(c)), frame.columns[0])
        stamps = frame[column]
        notation = recognise(stamps, named=True)
        read = None if notation is None else read_times(stamps, notation).cast(pl.Date)
        if read is None or read.null_count():
            bad = text(stamps if read is None else stamps.filter(read.is_null()))
            raise DomainError(
                f"Expected days such as 2024-01-01 in column {column!r} of {found!r}, found "
                f"{(bad.drop_nulls().to_list() or [None])[0]!r}. Write one ISO date a row, "
                "below a header `date`."
            )
        return tuple(sorted(set(read.to_list())))
    if not isinstance(found, list):
        raise wrong("holidays", "a list of days, or the name of a file", found)
    return tuple(sorted({_day(each, "holidays") for each in found}))


def _day(found: object, where: str) -> date:
    if isinstance(found, date) and not isinstance(found, datetime):
        return found
    try:
        return date.fromisoformat(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise wrong(where, 'a day such as "2024-01-31"', found) from None


# ── law ─────────────────────────────────────────────────────────────────────


def _items(found: object, folder: Path, files: list[str]) -> tuple[str, ...]:
    if not isinstance(found, str):
        written = list(listed(found, "restricted_items"))
    else:
        frame = _file(found, "restricted_items", folder, files)
        named = [c for c in frame.columns if names.item(c) is not None]
        if frame.width > 1 and len(named) != 1:
            raise DomainError(
                f"Expected one column of item ids in {found!r}, found: "
                f"{some(frame.columns, 12)}. Keep one, called item_id."
            )
        column = named[0] if named else frame.columns[0]
        # A list without a header starts with an id.
        written = [] if named else [column]
        written += identifiers(frame[column]).cast(pl.String).drop_nulls().to_list()
    ids = identifiers(pl.Series(written, dtype=pl.String)).drop_nulls()
    return tuple(sorted(set(ids.to_list())))


# ── kinds ───────────────────────────────────────────────────────────────────


def _kinds(found: object) -> Kinds:
    entries = dict(section(found, "kinds"))
    called = strings(entries.pop("names", {}), "kinds.names")
    least = entries.pop("at_least", None)
    weights = {kind: number(weight, f"kinds.{kind}") for kind, weight in entries.items()}
    positive = [weight for weight in weights.values() if weight > 0]
    if not positive:
        raise DomainError(
            "Expected a kind with a weight above 0 in [kinds], found "
            f"{', '.join(weights) or 'none'}. Say which events show interest, for example: "
            "order = 1."
        )
    spelled = [kind.strip().lower() for kind in weights]
    if twice := sorted({kind for kind in spelled if spelled.count(kind) > 1}):
        raise DomainError(
            f"Expected each kind once in [kinds], found {', '.join(twice)} twice. Case makes "
            "no difference; keep one of them."
        )
    known(called.values(), weights, "kind", "[kinds.names]")
    at_least = min(positive) if least is None else number(least, "kinds.at_least")
    if at_least <= 0:
        raise wrong("kinds.at_least", "a number above 0", least)
    return Kinds(
        weights, {word.strip().lower(): kind for word, kind in called.items()}, at_least
    )


def _shares(found: object) -> tuple[str, ...]:
    shares = listed(found, "shares")
    known(shares, SHARES, "value", "shares")
    return shares


def _file(name: str, where: str, folder: Path, files: list[str]) -> pl.DataFrame:
    """A file that an entry names, in the folder of the market."""
    if Path(name).name != name or "\\" in name or not is_table(Path(name)):
        raise DomainError(
            f"Expected the name of a .csv file or the like inside the market's folder for "
            f"{where!r}, found {name!r}. Move the file there, and name it without a path."
        )
    files.append(name)
    return read_table(folder / name)

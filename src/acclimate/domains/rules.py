"""Apply what a market declares to its tables, once, at the door.

Before: `tables` gave a table its canonical form.  After: `market` puts the tables
together, and nothing below asks again which currency an amount was in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from acclimate.domains import names
from acclimate.domains.currency import Converted, convert
from acclimate.domains.declared import Currency, Declared, Kinds
from acclimate.domains.domain import Domain
from acclimate.domains.schema import ColumnType, Finding, SchemaHints, TableSchema
from acclimate.domains.zones import to_local
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean, some
from acclimate.plurals import number_of

HOLIDAY = "holiday"
_RATINGS = {"rating", "ratings", "rate", "overall", "stars", "score"}
_SHOWN = 12

Table = tuple[pl.DataFrame, TableSchema]


def without_forbidden(
    frames: Mapping[str, pl.DataFrame], hints: SchemaHints
) -> tuple[dict[str, pl.DataFrame], list[Finding]]:
    """The tables of a market without the columns that its law forbids to use.

    Case and signs make no difference: `gender` forbids "Gender", too.

    Raises DomainError where a forbidden column was given a role, a type or amounts, or
    where a table has no other.
    """
    forbidden = hints.declared.forbidden
    if not forbidden:
        return dict(frames), []
    law = {_plain(name): name for name in forbidden}
    currency = hints.declared.currency
    told = {c: f"the role {role!r}" for r in hints.roles.values() for role, c in r.items()}
    told |= {column: f"the type {str(kind)!r}" for column, kind in hints.types.items()}
    told |= dict.fromkeys(currency.money if currency else (), "amounts of money")
    for column, use in told.items():
        if _plain(column) in law:
            raise DomainError(
                f"Expected another column for {use} than one of forbidden_columns, found "
                f"{column!r}. Name another one, or take it off the forbidden ones."
            )
    left: dict[str, pl.DataFrame] = {}
    findings: list[Finding] = []
    met: set[str] = set()
    for table, frame in frames.items():
        gone = [column for column in frame.columns if _plain(column) in law]
        if len(gone) == frame.width:
            raise DomainError(
                f"Expected a column of {table!r} that is not forbidden, found only "
                f"{', '.join(gone)}. Take one off forbidden_columns, or remove the table."
            )
        met.update(map(_plain, gone))
        left[table] = frame.drop(gone)
        if gone:
            findings.append(
                Finding("note", table, f"forbidden, never read: {', '.join(gone)}.")
            )
    if missed := [name for plain, name in law.items() if plain not in met]:
        message = (
            f"Forbidden columns that no table has: {', '.join(missed)}. Check the spelling; "
            "a column under another name is used."
        )
        findings.append(Finding("warning", "market", message))
    return left, findings


def under_one_law(domains: Sequence[Domain]) -> list[Domain]:
    """Markets of one problem without the columns that any of them forbids."""
    law = {_plain(column) for domain in domains for column in domain.schema.declared.forbidden}
    return [_without(domain, law) for domain in domains]


def _without(domain: Domain, law: set[str]) -> Domain:
    tables, schemas = dict(domain.tables), dict(domain.schema.tables)
    findings: list[Finding] = []
    for table, schema in domain.schema.tables.items():
        free = {"value", "quantity"} if table == "events" else set()
        roles = {r: c for r, c in schema.roles.items() if not (r in free and _plain(c) in law)}
        types = {c: kind for c, kind in schema.types.items() if _plain(c) not in law}
        gone = [*schema.types.keys() - types.keys(), *schema.roles.keys() - roles.keys()]
        if not gone or table not in tables:
            continue
        tables[table] = tables[table].drop(gone, strict=False)
        schemas[table] = replace(schema, roles=roles, types=types)
        message = f"forbidden in another market, so left out here: {', '.join(sorted(gone))}."
        findings.append(Finding("note", table, message))
    if not findings:
        return domain
    schema_ = replace(domain.schema, tables=schemas)
    return Domain(domain.name, tables, schema_, (*domain.findings, *findings))


def apply(
    table: str, frame: pl.DataFrame, schema: TableSchema, declared: Declared
) -> tuple[pl.DataFrame, TableSchema, list[Finding]]:
    """A table under what its market declares: kinds, money, holidays.

    frame  (n, d) in canonical form, times in naive UTC
    """
    findings: list[Finding] = []
    if declared.kinds is not None and table == "events":
        frame = _kinds(frame, declared.kinds, findings)
    elif table == "events" and "kind" in frame.columns:
        frame = frame.with_columns(_common_kinds(frame["kind"], findings))
    if declared.currency is not None:
        frame = _money(table, frame, schema, declared, findings)
    if declared.holidays is not None and table == "rows":
        frame, schema = _holidays(frame, schema, declared, findings)
    return frame, schema, findings


def beside_tables(
    tables: Mapping[str, pl.DataFrame], schemas: Mapping[str, TableSchema], declared: Declared
) -> list[Finding]:
    """What is said of the declarations as a whole.

    Raises DomainError where amounts are declared for a column that holds no numbers.
    """
    findings = []
    currency = declared.currency
    for column in currency.money if currency else ():
        if not any(_is_amount(schema, column) for schema in schemas.values()):
            columns = sorted({c for schema in schemas.values() for c in schema.types})
            raise DomainError(
                f"Expected a column of numbers under `money` in [currency], found {column!r}."
                f"{did_you_mean(column, columns)} The columns are: {some(columns, 12)}. Name "
                "one with numbers, or "
                'declare its type "numeric".'
            )
    if declared.restricted:
        ids = [frame["item"] for frame in tables.values() if "item" in frame.columns]
        present = set(pl.concat(ids).unique().to_list()) if ids else set()
        known = sum(item in present for item in declared.restricted)
        n = len(declared.restricted)
        message = f"{known:,} of {n:,} restricted items are here; they are never recommended."
        if ids and not known:
            message = (
                f"None of {n:,} restricted items is in a table, for example "
                f"{declared.restricted[0]!r}. Check that they are written as in the items."
            )
        findings.append(Finding("note" if known else "warning", "market", message))
    return findings


# ── kinds ───────────────────────────────────────────────────────────────────


def _kinds(frame: pl.DataFrame, kinds: Kinds, findings: list[Finding]) -> pl.DataFrame:
    """Events under the kinds' own names, without those of weight 0."""
    if "kind" not in frame.columns:
        raise DomainError(
            "Expected a column with the kind of each event for [kinds], found none. Name it in "
            'market.toml: [roles.events] kind = "COLUMN"; or remove [kinds].'
        )
    spelled = {kind.strip().lower(): kind for kind in kinds.weights} | dict(kinds.names)
    written = frame["kind"]
    named = written.str.strip_chars().str.to_lowercase()
    found = named.replace_strict(spelled, default=None, return_dtype=pl.String).alias("kind")
    common = _common_kinds(written.set(found.is_not_null(), None), findings)
    found = found.fill_null(
        common.replace_strict(spelled, default=None, return_dtype=pl.String)
    )
    unknown = written.filter(found.is_null() & written.is_not_null())
    if unknown.len():
        counts = unknown.value_counts(sort=True, name="n").head(_SHOWN)
        listed = ", ".join(f"{kind!r} ({n:,})" for kind, n in counts.iter_rows())
        raise DomainError(
            f"Expected a weight for every kind of event, found none for: {listed}. Add it to "
            "[kinds], with 0 to leave such events out, or map the word in [kinds.names]."
        )
    weight = found.replace_strict(dict(kinds.weights), default=0.0, return_dtype=pl.Float64)
    keep = weight != 0
    if lost := int(found.is_null().sum()):
        message = f"{lost:,} of {frame.height:,} events have no kind and were left out."
        findings.append(Finding("warning", "events", message))
    if zero := int((~keep).sum()) - lost:
        message = f"{zero:,} of {frame.height:,} events are of weight 0 and were left out."
        findings.append(Finding("note", "events", message))
    if not keep.any():
        raise DomainError(
            f"Expected events with a weight, found {frame.height:,} of weight 0 or without a "
            "kind. Give one of their kinds a weight in [kinds]."
        )
    return frame.with_columns(found).filter(keep)


def _common_kinds(written: pl.Series, findings: list[Finding]) -> pl.Series:
    """(n,) `view`, `cart`, `order`, … for words of several languages, others as written."""
    words = written.drop_nulls().unique().sort().to_list()
    meant = {
        word: kind for word in words if (kind := names.event_kind(word)) not in (None, word)
    }
    if meant:
        said = ", ".join(f"{word!r} read as {kind}" for word, kind in [*meant.items()][:_SHOWN])
        findings.append(Finding("note", "events", f"Kinds of events: {said}."))
    return written.replace(meant)


# ── money ───────────────────────────────────────────────────────────────────


def _money(
    table: str,
    frame: pl.DataFrame,
    schema: TableSchema,
    declared: Declared,
    findings: list[Finding],
) -> pl.DataFrame:
    currency = declared.currency
    assert currency is not None
    columns = [c for c in frame.columns if c in currency.money and _is_amount(schema, c)]
    called = schema.roles.get("value") if table == "events" else None
    # Ratings are values too, and no money.
    if called and (called in currency.money or not _RATINGS & set(names.words(called))):
        columns.append("value")
    if not currency.rates or not columns:
        return frame
    days = to_local(frame["time"], declared.timezone) if "time" in frame.columns else None
    for column in columns:
        done = convert(frame[column], days, currency)
        shown = called if column == "value" and called else column
        findings += [
            Finding(level, table, message)
            for level, message in _of_money(shown, done, frame.height, days, currency)
        ]
        if frame[column].null_count() < frame.height == done.values.null_count():
            first = next(day for day, _ in currency.rates if day is not None)
            raise DomainError(
                f"Expected a rate of {currency.code} for the amounts in {shown!r} of {table}, "
                f"found none on or before any of their days: the first rate is of {first}. "
                "Add earlier rates."
            )
        frame = frame.with_columns(done.values.alias(column))
    return frame


def _of_money(
    column: str, done: Converted, n: int, days: pl.Series | None, currency: Currency
) -> list[tuple[str, str]]:
    """(level, message) for what came of the amounts in a column."""
    code, base = currency.code, currency.base
    dated = [day for day, _ in currency.rates if day is not None]
    if not dated or days is None:
        which = f"the last rate, of {dated[-1]}, as there are no times" if dated else "one rate"
        said = [("note", f"{column!r}: {code} turned into {base} at {which}.")]
    else:
        said = [("note", f"{column!r}: {code} turned into {base} at the rate of each day.")]
    if done.early:
        message = (
            f"{done.early:,} of {n:,} amounts in {column!r} lie before {dated[0]}, the first "
            f"rate of {code}, and were left empty. Add earlier rates."
        )
        said.append(("warning", message))
    if done.dateless:
        message = (
            f"{done.dateless:,} of {n:,} amounts in {column!r} have no day to take a rate of "
            f"{code} for, and were left empty. Mend their times, or give one rate for all."
        )
        said.append(("warning", message))
    if done.stale:
        message = (
            f"The last rate of {code} is {done.stale:,} days older than the latest amount in "
            f"{column!r}, which was turned into {base} with it. Add newer rates."
        )
        said.append(("warning", message))
    return said


def _is_amount(schema: TableSchema, column: str) -> bool:
    return schema.types.get(column) == ColumnType.NUMERIC or schema.roles.get("value") == column


# ── holidays ────────────────────────────────────────────────────────────────


def _holidays(
    frame: pl.DataFrame, schema: TableSchema, declared: Declared, findings: list[Finding]
) -> Table:
    message = None
    if "time" not in frame.columns:
        message = "holidays are declared, but rows have no time; they are not used."
    elif HOLIDAY in frame.columns:
        message = f"{HOLIDAY!r} is the table's own column; the declared holidays are not used."
    if message:
        findings.append(Finding("note", "rows", message))
        return frame, schema
    column = on_holiday(frame["time"], declared)
    marked = number_of(int((column == "1").sum()), "row")
    findings.append(Finding("note", "rows", f"{HOLIDAY!r} was added: {marked}."))
    types = {**schema.types, HOLIDAY: ColumnType.CATEGORY}
    return frame.with_columns(column), replace(schema, types=types)


def on_holiday(moments: pl.Series, declared: Declared) -> pl.Series:
    """(n,) "1" where the local day of a moment is a declared holiday, "0" elsewhere."""
    days = to_local(moments, declared.timezone).cast(pl.Date)
    listed = pl.Series(declared.holidays or (), dtype=pl.Date)
    told = days.is_in(listed.implode()).replace_strict(
        {True: "1", False: "0"}, return_dtype=pl.String
    )
    return told.set(days.is_null(), None).alias(HOLIDAY)


def _plain(column: str) -> str:
    return names.squeeze(column) or column

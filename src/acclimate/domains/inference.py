"""What each column of a table means: a role by its name, a type by its values.

Before: `readers` gave the table as written.  After: `tables` gives it its
canonical form.  Everything is decided on the whole file, so that two slices of
it are understood alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from acclimate.domains import names
from acclimate.domains.columntypes import type_of
from acclimate.domains.couldbe import may_be_ids
from acclimate.domains.schema import ColumnType, Finding
from acclimate.domains.texts import holds_texts, text_roles
from acclimate.domains.times import Notation, read_times, recognise
from acclimate.domains.values import (
    Commas,
    canonical,
    leaning_of,
    numbers,
    single,
    text,
)
from acclimate.errors import DomainError
from acclimate.nearest import did_you_mean, some

ROLES: dict[str, tuple[str, ...]] = {
    "events": ("user", "item", "time", "kind", "value", "quantity"),
    "items": ("item",),
    "users": ("user",),
    "rows": ("label", "time", "entity"),
    "texts": ("tokens", "spans", "time", "entity"),
}
MOST_LEVELS = 20  # a label found by name alone has at most this many
_MOST_KINDS = 50


@dataclass(frozen=True)
class Understanding:
    """How one table is read.

    table      `events`, `items`, `users` or `rows`
    roles      role → column
    types      column → type, for the columns without a role
    notations  column → how it writes time, for every column read as time
    findings   what was decided between several candidates
    leaning    what commas mean in columns of numbers that leave it open
    """

    table: str
    roles: Mapping[str, str]
    types: Mapping[str, ColumnType]
    notations: Mapping[str, Notation]
    findings: tuple[Finding, ...] = ()
    leaning: Commas = Commas.NONE


@dataclass
class _Table:
    """A table being understood."""

    frame: pl.DataFrame
    table: str
    types: Mapping[str, ColumnType]
    roles: dict[str, str] = field(default_factory=dict)
    notations: dict[str, Notation] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    seen: dict[tuple[str, bool], Notation | None] = field(default_factory=dict)

    def note(self, message: str, level: str = "note") -> None:
        self.findings.append(Finding(level, self.table, message))

    def free(self, reserved: Iterable[str] = ()) -> list[str]:
        """Columns that play no role yet."""
        taken = {*self.roles.values(), *reserved}
        return [name for name in self.frame.columns if name not in taken]

    def notation(self, column: str, named: bool | None = None) -> Notation | None:
        """How a column writes time, or None; remembered once found."""
        if column in self.notations:
            return self.notations[column]
        says = names.says_time(column) if named is None else named
        if (column, says) not in self.seen:
            self.seen[column, says] = recognise(self.frame[column], says)
            if found := self.seen[column, says]:
                self.notations[column] = found
        return self.seen[column, says]


def understand(
    frame: pl.DataFrame,
    table: str,
    roles: Mapping[str, str] | None = None,
    types: Mapping[str, ColumnType] | None = None,
    reserved: Iterable[str] = (),
) -> Understanding:
    """Decide what every column of a table is.

    table     one of `ROLES`
    roles     role → column, from a person; each beats what names suggest
    types     column → type, from a person; columns not in the frame are ignored
    reserved  columns that may get no role by name

    Raises DomainError for a role or column that does not exist, and for a named
    column whose values do not fit its role.
    """
    view = _Table(frame, table, types or {})
    reserved = tuple(reserved)
    _take_hints(view, roles or {})
    if table == "events":
        _event_roles(view, reserved)
    elif table in ("items", "users"):
        role = table[:-1]
        _by_name(view, role, getattr(names, role), reserved)
        _require(view, role)
    elif table == "texts":
        _text_roles(view, reserved)
    else:
        _row_roles(view, reserved)
    column_types = {name: _type_of(view, name) for name in view.free()}
    used = {*view.roles.values(), *(n for n, t in column_types.items() if t == "time")}
    return Understanding(
        table,
        {role: view.roles[role] for role in ROLES[table] if role in view.roles},
        column_types,
        {name: notation for name, notation in view.notations.items() if name in used},
        tuple(view.findings),
        leaning_of(frame),
    )


def table_by_columns(frame: pl.DataFrame) -> str:
    """The table that a file holds by the roles its columns can play."""
    if holds_texts(frame):
        return "texts"
    columns = [name for name in frame.columns if single(frame[name])]
    item = _best(columns, names.item)
    user = _best(columns, names.user)
    if user is None and all(names.label(column, edge=False) is None for column in columns):
        user = _basket(frame, columns)
    if user and item:
        return "events"
    for table, column in (("items", item), ("users", user)):
        if column and frame[column].drop_nulls().n_unique() == frame.height:
            return table
    return "rows"


def table_by_roles(frame: pl.DataFrame, roles: Mapping[str, Mapping[str, str]]) -> str | None:
    """The one table of those a person gave roles whose columns a file has; None if several."""
    fitting = [t for t in roles if roles[t] and {*roles[t].values()} <= {*frame.columns}]
    return fitting[0] if len(fitting) == 1 else None


def _best(columns: Iterable[str], rank: names.Rank) -> str | None:
    ranked = [(r, i, c) for i, c in enumerate(columns) if (r := rank(c)) is not None]
    return min(ranked)[2] if ranked else None


def _basket(frame: pl.DataFrame, columns: Iterable[str]) -> str | None:
    """What holds several items each, where nothing names users: baskets, sessions, orders."""
    return _best(
        [c for c in columns if names.basket(c) is not None and _repeats(frame[c])], names.basket
    )


def _take_hints(view: _Table, roles: Mapping[str, str]) -> None:
    for role, column in roles.items():
        if role not in ROLES[view.table]:
            raise DomainError(
                f"Expected a role of {view.table!r} ({', '.join(ROLES[view.table])}), "
                f"found {role!r}.{did_you_mean(role, ROLES[view.table])} Use one of these."
            )
        if column not in view.frame.columns:
            raise DomainError(
                f"Expected column {column!r} for the role {role!r} of {view.table!r}, "
                f"found: {some(view.frame.columns, 12)}."
                f"{did_you_mean(column, view.frame.columns)} Name one of these."
            )
        if column in view.roles.values():
            raise DomainError(
                f"Expected one role per column, found {column!r} named twice for "
                f"{view.table!r}. Name another column for {role!r}."
            )
        if view.table != "texts" and not single(view.frame[column]):
            raise DomainError(
                f"Expected single values in column {column!r} for the role {role!r} of "
                f"{view.table!r}, found {view.frame[column].dtype}. Name another column."
            )
        view.roles[role] = column
    stamp = view.roles.get("time")
    if stamp and not view.notation(stamp, named=True):
        example = text(view.frame[stamp]).drop_nulls().head(1).to_list()
        raise DomainError(
            f"Expected times in column {stamp!r}, found values such as "
            f"{example[0] if example else None!r}. Write ISO times "
            "(2015-02-24 22:55:00), or name another column."
        )


def _by_name(
    view: _Table,
    role: str,
    rank: names.Rank,
    reserved: tuple[str, ...],
    fits: Callable[[pl.Series], bool] = lambda series: True,
) -> None:
    if role in view.roles:
        return
    named = [c for c in view.free(reserved) if rank(c) is not None and single(view.frame[c])]
    named = [c for c in named if fits(view.frame[c])]
    if column := _best(named, rank):
        view.roles[role] = column


def _mostly_numbers(series: pl.Series) -> bool:
    return numbers(series).share >= 0.5


def _names_kinds(series: pl.Series) -> bool:
    return 0 < _levels(series) <= _MOST_KINDS


def _require(view: _Table, role: str) -> None:
    if role not in view.roles:
        raise DomainError(
            f"Expected a column naming the {role} in {view.table!r}, "
            f"found: {some(view.frame.columns, 12)}.{may_be_ids(view.frame, view.roles)} Name "
            f'it in market.toml: [roles.{view.table}] {role} = "COLUMN".'
        )


def _event_roles(view: _Table, reserved: tuple[str, ...]) -> None:
    _by_name(view, "user", names.user, reserved)
    _by_name(view, "item", names.item, reserved)
    if "user" not in view.roles and (basket := _basket(view.frame, view.free(reserved))):
        view.roles["user"] = basket
        view.note(f"No column names users: each {basket!r} stands for one.")
    _require(view, "user")
    _require(view, "item")
    if "time" not in view.roles:
        named = [c for c in view.free(reserved) if names.says_time(c) and view.notation(c)]
        column = _best(named, names.time)
        if column is None:
            free = [c for c in view.free(reserved) if not names.is_other_date(c)]
            dated = [c for c in free if view.notation(c)]
            column = dated[0] if len(dated) == 1 else None
        if column:
            view.roles["time"] = column
    _by_name(view, "value", names.value, reserved, _mostly_numbers)
    _by_name(view, "quantity", names.quantity, reserved, _mostly_numbers)
    _by_name(view, "kind", names.kind, reserved, _names_kinds)


def _text_roles(view: _Table, reserved: tuple[str, ...]) -> None:
    for role, column in text_roles(view.frame.select(view.free(reserved))).items():
        view.roles.setdefault(role, column)
    _require(view, "tokens")
    for role, rank in (("time", names.time), ("entity", names.entity)):
        fitting = [
            c
            for c in view.free(reserved)
            if (view.notation(c) if role == "time" else _repeats(view.frame[c]))
        ]
        if role not in view.roles and (best := _best(fitting, rank)):
            view.roles[role] = best


def _row_roles(view: _Table, reserved: tuple[str, ...]) -> None:
    if "label" not in view.roles:
        _find_label(view, reserved)
    if "entity" not in view.roles:
        repeating = [
            c
            for c in view.free(reserved)
            if names.entity(c) is not None and _repeats(view.frame[c])
        ]
        if column := _best(repeating, names.entity):
            view.roles["entity"] = column
    if "time" not in view.roles:
        medians = []
        for column in view.free(reserved):
            if names.is_other_date(column) or not (notation := _timely(view, column)):
                continue
            moments = read_times(view.frame[column], notation)
            middle = moments.median()
            if moments.null_count() * 2 <= moments.len() and middle is not None:
                medians.append((middle, column))
        if medians:
            # A row is known only when its last stamp has passed.
            latest = max(medians, key=lambda pair: pair[0])[1]
            view.roles["time"] = latest
            if len(medians) > 1:
                others = [column for _, column in medians if column != latest]
                view.note(
                    f"{latest!r} is the time of a row, as the latest of its times; "
                    f"{', '.join(map(repr, others))} became features."
                )


def _timely(view: _Table, column: str) -> Notation | None:
    if view.types.get(column, ColumnType.TIME) != ColumnType.TIME:
        return None
    return view.notation(column)


def _find_label(view: _Table, reserved: tuple[str, ...]) -> None:
    free = view.free(reserved)
    edges = {view.frame.columns[0], view.frame.columns[-1]}
    found = []
    for position, column in enumerate(free):
        rank = names.label(column, edge=column in edges)
        if rank is not None and _may_be_label(view.frame[column]):
            found.append((rank, position, column))
    if not found:
        return
    chosen = min(found)[2]
    view.roles["label"] = chosen
    if others := [column for _, _, column in sorted(found) if column != chosen]:
        view.note(
            f"{chosen!r} was taken as the label; {', '.join(map(repr, others))} could also be "
            'one, and may give it away. Give such columns the type "ignored", or name the '
            "label.",
            "warning",
        )


def _may_be_label(series: pl.Series) -> bool:
    levels = _levels(series)
    return 1 <= levels <= MOST_LEVELS and levels <= max(2, series.len() // 2)


def _levels(series: pl.Series) -> int:
    if not single(series):
        return series.len()
    return int(canonical(series.unique()).drop_nulls().n_unique())


def _repeats(series: pl.Series) -> bool:
    present = series.drop_nulls()
    return single(series) and 2 < present.n_unique() < present.len()


def _type_of(view: _Table, name: str) -> ColumnType:
    if name in view.types:
        if view.types[name] == ColumnType.TIME and not view.notation(name, named=True):
            raise DomainError(
                f"Expected times in column {name!r}, which was declared a time, found other "
                "values. Write ISO times (2015-02-24 22:55:00), or declare another type."
            )
        return view.types[name]
    if view.table in ("events", "texts"):
        return ColumnType.IGNORED
    return type_of(view.frame[name], name, view.notation)

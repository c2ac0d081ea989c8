"""The canonical form of a table, and what was seen on the way.

Before: `inference` decided what each column is.  After: `market` puts the
tables together.  Columns are converted on the whole file and rows chosen
afterwards, so that all slices of a file are read alike; findings count the
chosen rows only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from acclimate.domains.couldbe import roles_by_values
from acclimate.domains.inference import Understanding
from acclimate.domains.nobody import nobody
from acclimate.domains.schema import ColumnType, Finding, TableSchema
from acclimate.domains.texts import read_texts
from acclimate.domains.times import Order, impossible, read_times
from acclimate.domains.values import (
    BLANK,
    MISSING,
    Figures,
    canonical,
    identifiers,
    numbers,
    text,
)
from acclimate.domains.zones import to_utc
from acclimate.errors import DomainError
from acclimate.nearest import some

_NUMBERS = 0.99  # the share of a label's values that make it numbers
_FEW_LEVELS, _ENOUGH_ROWS = 20, 50  # a renamed label is looked for within these


@dataclass
class _Door:
    """A table on its way in."""

    frame: pl.DataFrame
    understood: Understanding
    keep: pl.Series | None
    zone: str | None = None
    findings: list[Finding] = field(default_factory=list)
    notations: dict[str, str] = field(default_factory=dict)  # by the file's columns
    called: dict[str, str] = field(init=False)  # column of the file → of the table

    def __post_init__(self) -> None:
        self.called = {column: role for role, column in self.understood.roles.items()}

    def find(self, message: str, level: str = "note") -> None:
        self.findings.append(Finding(level, self.understood.table, message))

    def kept(self, series: pl.Series) -> pl.Series:
        return series if self.keep is None else series.filter(self.keep)

    def refuse(self, column: str, read: pl.Series, expected: str) -> pl.Series:
        """The kept values; a finding if present ones could not be read."""
        raw, read = self.kept(self.frame[column]), self.kept(read)
        if read.null_count() == raw.null_count():
            return read
        raw = text(raw)
        bad = raw.filter(raw.is_not_null() & ~raw.is_in(MISSING) & read.is_null())
        if bad.len():
            self.find(
                f"{bad.len():,} of {raw.len():,} values of {column!r} are not {expected}, for "
                f"example {bad[0]!r}; they were left empty. Mend them, or declare another "
                "type.",
                "warning",
            )
        return read

    def numeric(self, column: str) -> pl.Series:
        found = numbers(self.frame[column], leaning=self.understood.leaning)
        if found.figures != Figures():
            self.notations[column] = found.figures.name
            self.find(f"{column!r}: {found.figures.said}.")
        return self.refuse(column, found.values, "finite numbers")

    def amounts(self, column: str) -> None:
        """Keep how a column writes numbers, should they be what a task predicts."""
        if self.frame[column].dtype == pl.String:
            found = numbers(self.frame[column], leaning=self.understood.leaning)
            if found.figures != Figures() and found.share >= _NUMBERS:
                self.notations[column] = found.figures.name

    def time(self, column: str) -> pl.Series:
        notation = self.understood.notations[column]
        self.notations[column] = notation.name
        written = self.frame[column]
        read = to_utc(read_times(written, notation), written, self.zone, bool(notation.unit))
        moments = self.refuse(column, read, "times")
        if notation.ambiguous:
            order = "day/month" if notation.order == Order.DAY else "month/day"
            self.find(
                f"{column!r} can be read as day/month or month/day; it was read as {order}. "
                "Write ISO dates (2015-02-24) to be sure.",
                "warning",
            )
        if strange := impossible(moments):
            self.find(
                f"{strange:,} times in {column!r} lie before 1990 or in the future, of "
                f"{moments.min()!s} to {moments.max()!s}. Check the clock or the notation.",
                "warning",
            )
        return moments


def build(
    frame: pl.DataFrame,
    understood: Understanding,
    origin: str,
    keep: pl.Series | None = None,
    sliced_by: str | None = None,
    zone: str | None = None,
) -> tuple[pl.DataFrame, TableSchema, list[Finding]]:
    """A table in canonical form, what its columns are, and findings.

    frame      (n, d) as written
    keep       (n,) which rows are wanted, or all
    sliced_by  the column that chose them; it is no feature
    zone       where times without an offset are local; None: UTC
    returns    (m <= n, .), see `Domain.tables`

    Raises DomainError if no usable row is left.
    """
    door = _Door(frame, understood, keep, zone, list(understood.findings))
    types = dict(understood.types)
    if sliced_by in types:
        types[sliced_by] = ColumnType.IGNORED
        door.find(f"{sliced_by!r} chose the rows of this slice, so it is not a feature.")
    if understood.table == "events":
        table = _events(door)
    elif understood.table == "rows":
        table, types = _rows(door, types)
    elif understood.table == "texts":
        table = _texts(door)
    else:
        table, types = _things(door, types, understood.table[:-1])
    if not table.height:
        why = next((f.message for f in reversed(door.findings) if "dropped" in f.message), "")
        raise DomainError(
            f"Expected usable rows in {origin!r}, found none{': ' if why else '.'}{why} Fill "
            "the columns that hold them, or name others in market.toml."
        )
    _constant(door, sliced_by)
    if understood.table in ("events", "rows"):
        # By a hash of 64 bits: ten million rows have two alike once in a million tables.
        twice = table.height - table.hash_rows(seed=0).n_unique()
        if twice:
            door.find(
                f"{twice:,} of {table.height:,} rows repeat another row exactly; kept. Remove "
                "them if they are one thing written twice."
            )
    notations = {door.called.get(column, column): n for column, n in door.notations.items()}
    return table, TableSchema(understood.roles, types, origin, notations), door.findings


def _texts(door: _Door) -> pl.DataFrame:
    roles = door.understood.roles
    spans = door.frame[roles["spans"]] if "spans" in roles else None
    read = read_texts(door.frame[roles["tokens"]], spans)
    door.notations[roles["tokens"]] = str(read.how)
    for level, message in read.said:
        door.find(message, level)
    columns = [door.kept(each) for each in (read.tokens, read.spans) if each is not None]
    if "time" in roles:
        columns.append(door.time(roles["time"]).alias("time"))
    if "entity" in roles:
        columns.append(door.kept(identifiers(door.frame[roles["entity"]])).alias("entity"))
    table = pl.DataFrame(columns)
    known = table.filter(pl.col("tokens").is_not_null())
    if lost := table.height - known.height:
        door.find(f"{lost:,} of {table.height:,} rows have no text; dropped.", "warning")
    return known


def _events(door: _Door) -> pl.DataFrame:
    roles = door.understood.roles
    users = identifiers(door.frame[roles["user"]])
    if filler := nobody(users):
        users = users.set(users.is_in(filler), None)
        door.find(
            f"{roles['user']!r} is {' or '.join(map(repr, filler))} for too many events to be "
            "one user: these have no user. Name users as they are where this is one.",
            "warning",
        )
    columns = [
        door.kept(users).alias("user"),
        door.kept(identifiers(door.frame[roles["item"]])).alias("item"),
    ]
    if "kind" in roles:
        columns.append(door.kept(text(door.frame[roles["kind"]])).alias("kind"))
    if "time" in roles:
        columns.append(door.time(roles["time"]).alias("time"))
    columns += [
        door.numeric(roles[role]).alias(role) for role in ("value", "quantity") if role in roles
    ]
    table = pl.DataFrame(columns)
    said = {"user": "no user", "item": "no item"}
    lacking = [said[role] for role in said if table[role].null_count()]
    known = table.drop_nulls(["user", "item"]) if lacking else table
    if lost := table.height - known.height:
        what = " or ".join(lacking)
        door.find(
            f"{lost:,} of {table.height:,} events have {what} and were dropped.", "warning"
        )
    if others := list(door.understood.types):
        door.find(f"Columns of events without a role were left out: {some(others, 12)}.")
        if could := roles_by_values(door.understood.types, door.frame, roles):
            door.find(
                f"By their values these may have a role: {some(could)}. Name those that do "
                "under [roles.events] in market.toml."
            )
    return known


def _things(
    door: _Door, types: dict[str, ColumnType], role: str
) -> tuple[pl.DataFrame, dict[str, ColumnType]]:
    ids = door.kept(identifiers(door.frame[door.understood.roles[role]])).alias(role)
    table, types = _features(door, types, {role: ids})
    table = table.select(role, pl.exclude(role))
    known = table.filter(pl.col(role).is_not_null())
    if lost := table.height - known.height:
        door.find(
            f"{lost:,} of {table.height:,} {role}s have no id and were dropped.", "warning"
        )
    once = known.unique(role, keep="first", maintain_order=True)
    if twice := known.height - once.height:
        door.find(
            f"{twice:,} of {known.height:,} rows repeat the id of another {role}; "
            "the first of each was kept.",
            "warning",
        )
    return once, types


def _rows(
    door: _Door, types: dict[str, ColumnType]
) -> tuple[pl.DataFrame, dict[str, ColumnType]]:
    roles = door.understood.roles
    columns: dict[str, pl.Series] = {}
    if "label" in roles:
        label = door.kept(canonical(door.frame[roles["label"]]))
        columns["label"] = label.set(label.is_in(BLANK), None).alias("label")
        door.amounts(roles["label"])
    if "time" in roles:
        columns["time"] = door.time(roles["time"]).alias("time")
    if "entity" in roles:
        columns["entity"] = door.kept(identifiers(door.frame[roles["entity"]])).alias("entity")
    table, types = _features(door, types, columns)
    if "label" in roles:
        _judge_label(door, table, types)
    else:
        door.find(
            "No column was understood as the label; rows serve as unlabelled ones. "
            'Name it in market.toml ([roles.rows] label = "COLUMN") or as an argument.'
        )
    return table, types


def _features(
    door: _Door, types: dict[str, ColumnType], roles: dict[str, pl.Series]
) -> tuple[pl.DataFrame, dict[str, ColumnType]]:
    """All columns in file order: roles under their role's name, others under their own."""
    role_of = dict(door.called)
    columns: list[pl.Series] = []
    named: dict[str, ColumnType] = {}
    for column in door.frame.columns:
        if column in role_of:
            columns.append(roles[role_of[column]])
            continue
        series = _feature(door, column, types[column])
        if series is None:
            named[column] = ColumnType.IGNORED
            door.find(f"{column!r} holds nested or binary values and was left out.")
            continue
        name = column
        while name in roles or (name != column and name in door.frame.columns):
            name += "_"
        if name != column:
            door.called[column] = name
            door.find(f"{column!r} was renamed {name!r}, as {column!r} names a role here.")
        named[name] = types[column]
        columns.append(series.alias(name))
    return pl.DataFrame(columns), named


def _feature(door: _Door, column: str, kind: ColumnType) -> pl.Series | None:
    series = door.frame[column]
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        return None
    if kind == ColumnType.NUMERIC:
        return door.numeric(column)
    if kind == ColumnType.TIME:
        return door.time(column)
    if kind == ColumnType.ID:
        return door.kept(identifiers(series))
    if kind == ColumnType.CATEGORY:
        return door.kept(canonical(series))
    return door.kept(text(series))


def _constant(door: _Door, sliced_by: str | None) -> None:
    """Say which columns cannot tell rows apart."""
    if door.understood.table in ("events", "texts"):
        return
    constant: list[str] = []
    empty: list[str] = []
    for column, kind in door.understood.types.items():
        series = door.frame[column]
        if column == sliced_by or series.dtype.is_nested() or series.dtype == pl.Object:
            continue
        if kind != ColumnType.IGNORED and door.keep is None:
            continue  # a whole file's constants were recognised as such
        kept = door.kept(series)
        levels = int(kept.drop_nulls().n_unique())
        if levels == 1 and kind == ColumnType.CATEGORY and kept.null_count():
            continue  # one value or nothing tells rows apart
        if levels < 2:
            (constant if levels else empty).append(column)
    if empty:
        door.find(f"Empty columns: {', '.join(empty)}. They are not used; fill or drop them.")
    if constant:
        door.find(f"Constant columns: {', '.join(constant)}. They are not used.")


def _judge_label(door: _Door, table: pl.DataFrame, types: dict[str, ColumnType]) -> None:
    label = table["label"]
    column = door.understood.roles["label"]
    if missing := label.null_count():
        door.find(
            f"{missing:,} of {label.len():,} rows ({missing / label.len():.1%}) have no label "
            f"({column!r}); they serve as unlabelled ones."
        )
    levels = int(label.drop_nulls().n_unique())
    if levels == 0:
        door.find(f"The label {column!r} is empty in every row.", "warning")
    elif levels == 1:
        door.find(
            f"The label {column!r} has one class only, {label.drop_nulls()[0]!r}. "
            "Nothing can be learned or judged from it.",
            "warning",
        )
    else:
        _look_for_leaks(door, table, types, levels)


def _look_for_leaks(
    door: _Door, table: pl.DataFrame, types: dict[str, ColumnType], levels: int
) -> None:
    known = table.filter(pl.col("label").is_not_null())
    renamed = levels <= _FEW_LEVELS and known.height >= _ENOUGH_ROWS
    for name, kind in types.items():
        if kind == ColumnType.IGNORED or name not in known.columns:
            continue
        pair = known.select("label", pl.col(name).alias("value"))
        # Nearly every column already differs within the first rows.
        if all(_says_the_same(part, renamed) for part in (pair.head(_ENOUGH_ROWS), pair)):
            door.find(
                f"{name!r} says the same as the label {door.understood.roles['label']!r} in "
                'every row, and gives it away. Give it the type "ignored".',
                "warning",
            )


def _says_the_same(pair: pl.DataFrame, renamed: bool) -> bool:
    """Whether `value` equals `label`, or, if `renamed`, is another name for each label.

    A gap may be such a name: "yes" for every "1" and nothing for every "0".
    """
    label, values = pair["label"], canonical(pair["value"])
    if not values.null_count() and bool((values == label).all()):
        return True
    pairs = pl.DataFrame([label, values]).n_unique()
    return renamed and pairs == label.n_unique() == values.n_unique()

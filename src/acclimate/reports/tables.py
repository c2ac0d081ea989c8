"""The tables of the report: what each row of a summary reads like.

Before: a summary of plain JSON values, any of which may be missing.  After: the
template lays the cells out.  Cells are text; only the template makes markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.reports.figures import compared
from acclimate.reports.wording import (
    UNKNOWN,
    count,
    finite,
    interval,
    number,
    percent,
    plain_value,
    seconds,
    shorten,
    signed,
)

Row = Mapping[str, Any]

SHOWN_COLUMNS = 30
SHOWN_SAMPLES = 50
SAMPLE_WIDTH = 300


@dataclass(frozen=True)
class Column:
    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Line:
    """One row of cells; `mark` is a class that only repeats what the cells say."""

    cells: tuple[str, ...]
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """What a table is about, its columns, its rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Line, ...]


def columns(*names: str) -> tuple[Column, ...]:
    """Columns by name; `#` in front marks one of numbers."""
    return tuple(Column(name.removeprefix("#"), name.startswith("#")) for name in names)


def contrasts(verdict: Row) -> Table | None:
    """The chosen arm against each baseline on `judge`; None where nothing was compared."""
    rows = [row for row in compared(verdict) if finite(row.get("effect")) is not None]
    if not rows:
        return None
    caption = (
        f"{plain_value(verdict.get('arm'))} on judge: {plain_value(verdict.get('metric'))}, "
        f"{count(verdict.get('n'))} {verdict.get('unit') or 'units'}, "
        f"{sure(verdict)} intervals, look {count(verdict.get('looks'))}"
    )
    lines = tuple(
        Line(
            (
                plain_value(row.get("baseline")),
                signed(row.get("effect")),
                interval(row.get("low"), row.get("high"), sign=True),
                _reading(row),
            )
        )
        for row in rows
    )
    return Table(caption, columns("Against", "#Effect", "#Interval", "Reading"), lines)


def facts(verdict: Row) -> list[tuple[str, str]]:
    """What stands beside the verdict: name and value."""
    found = [
        ("Effect", f"{signed(verdict.get('effect'))} {verdict.get('metric') or ''}".strip()),
        (f"{sure(verdict)} interval", interval(verdict.get("low"), verdict.get("high"), True)),
        ("Chance that transfer helps", percent(verdict.get("probability"))),
        ("Judged on", f"{count(verdict.get('n'))} {verdict.get('unit') or 'units'}"),
        ("Smallest gain worth having (δ)", number(verdict.get("delta"))),
        ("Looks at this judge", count(verdict.get("looks"))),
    ]
    if finite(verdict.get("units_wanted")) is not None:
        unit = verdict.get("unit") or "units"
        found.append(("Would settle it", f"about {count(verdict['units_wanted'])} {unit}"))
    return [(name, value) for name, value in found if not value.startswith(UNKNOWN)]


def sure(verdict: Row) -> str:
    """How sure the verdict's intervals are, e.g. `95 %`."""
    level = finite(verdict.get("level"))
    return percent(1 - level) if level is not None else "95 %"


def leaderboard(rows: Sequence[Row], chosen: str | None) -> Table:
    lines = tuple(
        Line(
            (
                plain_value(row.get("arm")) + (" (chosen)" if row.get("arm") == chosen else ""),
                plain_value(row.get("metric")),
                number(row.get("value")),
                interval(row.get("low"), row.get("high")),
                count(row.get("n")),
                seconds(row.get("seconds")),
                plain_value(row.get("status")),
            ),
            "off" if row.get("status") != "done" else _standing(row, chosen),
        )
        for row in rows
    )
    names = columns("Arm", "Metric", "#Value", "#Interval", "#n", "#Time", "Status")
    return Table("Every arm on choose, best first, with 95 % intervals", names, lines)


def judged(scores: Mapping[str, Row]) -> Table | None:
    """Every metric of the arms that sat the exam."""
    metrics = list(dict.fromkeys(metric for row in scores.values() for metric in row))
    if not metrics:
        return None
    lines = tuple(
        Line((arm, *(number(row.get(metric)) for metric in metrics)))
        for arm, row in scores.items()
    )
    caption = "Every metric on judge; the verdict rests on its own metric alone"
    return Table(caption, columns("Arm", *(f"#{metric}" for metric in metrics)), lines)


def gap(rows: Sequence[Row]) -> Table | None:
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                plain_value(row.get("source")),
                plain_value(row.get("measure")),
                number(row.get("value")),
                interval(row.get("low"), row.get("high")),
                interval(row.get("null_low"), row.get("null_high")),
                number(row.get("p")),
                count(row.get("n_source") or None),
                count(row.get("n_target") or None),
            )
        )
        for row in rows
    )
    names = columns(
        "Source",
        "Measure",
        "#Value",
        "#95 % interval",
        "#Were both one",
        "#p",
        "#n source",
        "#n target",
    )
    return Table("Each measure between a source and the target", names, lines)


def plan(rows: Sequence[Row]) -> Table | None:
    if not rows:
        return None
    lines = tuple(
        Line((str(place), plain_value(row.get("arm")), plain_value(row.get("reason"))))
        for place, row in enumerate(rows, start=1)
    )
    return Table("Arms in the order they were tried", columns("#Order", "Arm", "Reason"), lines)


def refused(rows: Sequence[Row]) -> Table | None:
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                plain_value(row.get("strategy")),
                plain_value(row.get("model")),
                plain_value(row.get("why")),
            )
        )
        for row in rows
    )
    return Table("What does not apply here", columns("Strategy", "Model", "Why"), lines)


def unfinished(rows: Sequence[Row], failed: Mapping[str, Any]) -> Table | None:
    """Arms that failed, with why, and those the budget ended."""
    lines = [Line((str(arm), "failed", plain_value(why))) for arm, why in failed.items()]
    for row in rows:
        if row.get("status") == "abandoned":
            why = "the budget ended first; a larger one may finish it"
            lines.append(Line((plain_value(row.get("arm")), "abandoned", why)))
        elif row.get("status") != "done" and row.get("arm") not in failed:
            lines.append(
                Line((plain_value(row.get("arm")), plain_value(row.get("status")), UNKNOWN))
            )
    if not lines:
        return None
    return Table("Arms without a score", columns("Arm", "Status", "Why"), tuple(lines))


def market(found: Row) -> Table | None:
    """What was understood of one market, table by table."""
    lines = tuple(
        Line(
            (
                name,
                count(table.get("rows")),
                plain_value(table.get("roles") or None),
                _types(table.get("types") or {}),
                plain_value(table.get("origin")),
            )
        )
        for name, table in (found.get("tables") or {}).items()
    )
    if not lines:
        return None
    names = columns("Table", "#Rows", "Roles", "Other columns", "From")
    return Table(f"Tables of {plain_value(found.get('name'))}", names, lines)


def samples(rows: Sequence[Any]) -> Table | None:
    """Example predictions, with whatever keys they have."""
    shown = [row if isinstance(row, Mapping) else {"value": row} for row in rows]
    names = list(dict.fromkeys(key for row in shown for key in row))
    if not names:
        return None
    numeric = {name: all(_is_number(row.get(name)) for row in shown) for name in names}
    lines = tuple(
        Line(tuple(shorten(plain_value(row.get(name)), SAMPLE_WIDTH) for name in names))
        for row in shown[:SHOWN_SAMPLES]
    )
    more = len(shown) - SHOWN_SAMPLES
    caption = "What the shipped model answers"
    if more > 0:
        caption += f" (first {SHOWN_SAMPLES} rows; {more:,} more in run.json)"
    return Table(caption, tuple(Column(name, numeric[name]) for name in names), lines)


def settings(found: Mapping[str, Any]) -> Table | None:
    """What tuning chose for every arm that finished."""
    lines = tuple(
        Line((arm, "; ".join(_flat(chosen)) or "none to choose"))
        for arm, chosen in found.items()
    )
    if not lines:
        return None
    return Table("Settings that tuning chose", columns("Arm", "Settings"), lines)


def _reading(row: Row) -> str:
    low, high = finite(row.get("low")), finite(row.get("high"))
    if low is None or high is None:
        return "unknown"
    return "better" if low > 0 else "worse" if high < 0 else "cannot be told apart"


def _standing(row: Row, chosen: str | None) -> str:
    return "picked" if row.get("arm") == chosen else ""


def _types(types: Mapping[str, Any]) -> str:
    """`numeric: price, weight; ignored: notes`, each kind cut after thirty names."""
    kinds: dict[str, list[str]] = {}
    for column, kind in types.items():
        kinds.setdefault(str(kind), []).append(column)
    parts = []
    for kind, names in kinds.items():
        more = len(names) - SHOWN_COLUMNS
        rest = f" and {more:,} more" if more > 0 else ""
        parts.append(f"{kind}: {', '.join(names[:SHOWN_COLUMNS])}{rest}")
    return "; ".join(parts) or UNKNOWN


def _flat(value: Any, name: str = "") -> list[str]:
    """`model.k = 200` for every leaf."""
    if isinstance(value, Mapping):
        return [
            leaf
            for key, each in value.items()
            for leaf in _flat(each, f"{name}.{key}" if name else str(key))
        ]
    return [f"{name} = {plain_value(value)}"] if name else []


def _is_number(value: object) -> bool:
    return value is None or finite(value) is not None

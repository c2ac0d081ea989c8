"""The tables of the report: what each row of a summary reads like.

Before: a summary of plain JSON values, any of which may be missing.  After: the
template lays the cells out.  Cells are text; only the template makes markup.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.reports.figures import compared
from acclimate.reports.language import ENGLISH, Language
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


def columns(say: Language, *names: str) -> tuple[Column, ...]:
    """Columns by their English name; `#` in front marks one of numbers."""
    return tuple(Column(say(name.removeprefix("#")), name.startswith("#")) for name in names)


def contrasts(verdict: Row, say: Language = ENGLISH) -> Table | None:
    """The chosen arm against each baseline on `judge`; None where nothing was compared."""
    rows = [row for row in compared(verdict) if finite(row.get("effect")) is not None]
    if not rows:
        return None
    caption = say(
        "{arm} on judge: {metric}, {n} {unit}, {sure} intervals, look {look}",
        arm=plain_value(verdict.get("arm")),
        metric=plain_value(verdict.get("metric")),
        n=count(verdict.get("n")),
        unit=say.unit(verdict.get("unit") or "units"),
        sure=sure(verdict, say),
        look=count(verdict.get("looks")),
    )
    lines = tuple(
        Line(
            (
                say.word(plain_value(row.get("baseline"))),
                signed(row.get("effect")),
                interval(row.get("low"), row.get("high"), True, say),
                _reading(row, say),
            )
        )
        for row in rows
    )
    names = columns(say, "Against", "#Effect", "#Interval", "Reading")
    return Table(caption, names, lines)


def facts(verdict: Row, say: Language = ENGLISH) -> list[tuple[str, str]]:
    """What stands beside the verdict: name and value."""
    effect = f"{signed(verdict.get('effect'))} {verdict.get('metric') or ''}".strip()
    span = interval(verdict.get("low"), verdict.get("high"), True, say)
    unit = say.unit(verdict.get("unit") or "units")
    judged_on = say("{n} {unit}", n=count(verdict.get("n")), unit=unit)
    found = [
        (say("Effect"), effect),
        (say("{sure} interval", sure=sure(verdict, say)), span),
        (say("Chance that transfer helps"), percent(verdict.get("probability"), say)),
        (say("Judged on"), judged_on),
        (say("Smallest gain worth having (δ)"), number(verdict.get("delta"))),
        (say("Looks at this judge"), count(verdict.get("looks"))),
    ]
    if finite(verdict.get("units_wanted")) is not None:
        wanted = say("about {n} {unit}", n=count(verdict["units_wanted"]), unit=unit)
        found.append((say("Would settle it"), wanted))
    return [(name, value) for name, value in found if not value.startswith(UNKNOWN)]


def sure(verdict: Row, say: Language = ENGLISH) -> str:
    """How sure the verdict's intervals are, e.g. `95 %`."""
    level = finite(verdict.get("level"))
    return percent(1 - level if level is not None else 0.95, say)


def leaderboard(
    rows: Sequence[Row],
    chosen: str | None,
    say: Language = ENGLISH,
    tied: Collection[str] = (),
) -> Table:
    """Every arm; tied: those that cannot be told from the best."""
    lines = tuple(
        Line(
            (
                plain_value(row.get("arm"))
                + (say(" (chosen)") if row.get("arm") == chosen else "")
                + (say(" (tied)") if row.get("arm") in tied else ""),
                plain_value(row.get("metric")),
                number(row.get("value")),
                interval(row.get("low"), row.get("high"), say=say),
                count(row.get("n")),
                seconds(row.get("seconds"), say),
                say.word(plain_value(row.get("status"))),
            ),
            "off" if row.get("status") != "done" else _standing(row, chosen),
        )
        for row in rows
    )
    names = columns(say, "Arm", "Metric", "#Value", "#Interval", "#n", "#Time", "Status")
    caption = say("Every arm on choose, best first, with 95 % intervals")
    return Table(caption, names, lines)


def judged(scores: Mapping[str, Row], say: Language = ENGLISH) -> Table | None:
    """Every metric of the arms that sat the exam."""
    metrics = list(dict.fromkeys(metric for row in scores.values() for metric in row))
    if not metrics:
        return None
    lines = tuple(
        Line((arm, *(number(row.get(metric)) for metric in metrics)))
        for arm, row in scores.items()
    )
    caption = say("Every metric on judge; the verdict rests on its own metric alone")
    names = (*columns(say, "Arm"), *(Column(say.name(metric), True) for metric in metrics))
    return Table(caption, names, lines)


def gap(rows: Sequence[Row], say: Language = ENGLISH) -> Table | None:
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                plain_value(row.get("source")),
                say.name(plain_value(row.get("measure"))),
                number(row.get("value")),
                interval(row.get("low"), row.get("high"), say=say),
                interval(row.get("null_low"), row.get("null_high"), say=say),
                number(row.get("p")),
                count(row.get("n_source") or None),
                count(row.get("n_target") or None),
            )
        )
        for row in rows
    )
    names = columns(
        say,
        "Source",
        "Measure",
        "#Value",
        "#95 % interval",
        "#Were both one",
        "#p",
        "#n source",
        "#n target",
    )
    return Table(say("Each measure between a source and the target"), names, lines)


def plan(rows: Sequence[Row], say: Language = ENGLISH) -> Table | None:
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                str(place),
                plain_value(row.get("arm")),
                say.sentence(plain_value(row.get("reason"))),
            )
        )
        for place, row in enumerate(rows, start=1)
    )
    names = columns(say, "#Order", "Arm", "Reason")
    return Table(say("Arms in the order they were tried"), names, lines)


def put_off(rows: Sequence[Row], say: Language = ENGLISH) -> Table | None:
    """Arms that apply and were put off, or stopped early, with why."""
    lines = tuple(
        Line((plain_value(row.get("arm")), say.sentence(plain_value(row.get("why")))))
        for row in rows
    )
    names = columns(say, "Arm", "Why")
    return Table(say("Put off, or stopped early"), names, lines) if lines else None


def found(facts: Mapping[str, Sequence[str]], say: Language = ENGLISH) -> Table | None:
    """What the steps of arms found out, a sentence a line."""
    lines = tuple(
        Line((arm, say.sentence(fact))) for arm, told in facts.items() for fact in told
    )
    names = columns(say, "Arm", "Found")
    return Table(say("What the steps of arms found out"), names, lines) if lines else None


def unfinished(
    rows: Sequence[Row], failed: Mapping[str, Any], say: Language = ENGLISH
) -> Table | None:
    """Arms that failed, with why, and those the budget ended."""
    lines = [
        Line((str(arm), say.word("failed"), say.sentence(plain_value(why))))
        for arm, why in failed.items()
    ]
    for row in rows:
        if row.get("status") == "abandoned":
            why = say("the budget ended first; a larger one may finish it")
            lines.append(Line((plain_value(row.get("arm")), say.word("abandoned"), why)))
        elif row.get("status") != "done" and row.get("arm") not in failed:
            status = say.word(plain_value(row.get("status")))
            lines.append(Line((plain_value(row.get("arm")), status, UNKNOWN)))
    if not lines:
        return None
    names = columns(say, "Arm", "Status", "Why")
    return Table(say("Arms without a score"), names, tuple(lines))


def market(found: Row, say: Language = ENGLISH) -> Table | None:
    """What was understood of one market, table by table."""
    lines = tuple(
        Line(
            (
                say.word(name),
                count(table.get("rows")),
                plain_value(_roles(table.get("roles") or None, say)),
                _types(table.get("types") or {}, say),
                plain_value(table.get("origin")),
            )
        )
        for name, table in (found.get("tables") or {}).items()
    )
    if not lines:
        return None
    names = columns(say, "Table", "#Rows", "Roles", "Other columns", "From")
    return Table(say("Tables of {name}", name=plain_value(found.get("name"))), names, lines)


def samples(rows: Sequence[Any], say: Language = ENGLISH) -> Table | None:
    """Example predictions, with whatever keys they have."""
    shown = [row if isinstance(row, Mapping) else {"value": row} for row in rows]
    names = list(dict.fromkeys(key for row in shown for key in row))
    if not names:
        return None
    numeric = {name: all(_is_number(row.get(name)) for row in shown) for name in names}
    lines = tuple(
        Line(tuple(shorten(plain_value(row.get(name), say), SAMPLE_WIDTH) for name in names))
        for row in shown[:SHOWN_SAMPLES]
    )
    more = len(shown) - SHOWN_SAMPLES
    caption = say("What the shipped model answers")
    if more > 0:
        caption += say(
            " (first {n} rows; {more} more in run.json)", n=SHOWN_SAMPLES, more=f"{more:,}"
        )
    return Table(caption, tuple(Column(name, numeric[name]) for name in names), lines)


def settings(found: Mapping[str, Any], say: Language = ENGLISH) -> Table | None:
    """What tuning chose for every arm that finished."""
    lines = tuple(
        Line((arm, say("; ").join(_flat(chosen, say)) or say("none to choose")))
        for arm, chosen in found.items()
    )
    if not lines:
        return None
    return Table(say("Settings that tuning chose"), columns(say, "Arm", "Settings"), lines)


def _reading(row: Row, say: Language) -> str:
    low, high = finite(row.get("low")), finite(row.get("high"))
    if low is None or high is None:
        return say("unknown")
    if low > 0:
        return say("better")
    return say("worse") if high < 0 else say("cannot be told apart")


def _standing(row: Row, chosen: str | None) -> str:
    return "picked" if row.get("arm") == chosen else ""


def _roles(roles: Mapping[str, Any] | None, say: Language) -> dict[str, Any] | None:
    """`user = household_id`, the role in the reader's words."""
    return {say.word(role): column for role, column in roles.items()} if roles else None


def _types(types: Mapping[str, Any], say: Language) -> str:
    """`numeric: price, weight; ignored: notes`, each kind cut after thirty names."""
    kinds: dict[str, list[str]] = {}
    for column, kind in types.items():
        kinds.setdefault(str(kind), []).append(column)
    parts = []
    for kind, names in kinds.items():
        more = len(names) - SHOWN_COLUMNS
        rest = say(" and {n} more", n=f"{more:,}") if more > 0 else ""
        listed = say(", ").join(names[:SHOWN_COLUMNS])
        parts.append(say("{kind}: {names}{rest}", kind=say.word(kind), names=listed, rest=rest))
    return say("; ").join(parts) or UNKNOWN


def _flat(value: Any, say: Language, name: str = "") -> list[str]:
    """`model.k = 200` for every leaf."""
    if isinstance(value, Mapping):
        return [
            leaf
            for key, each in value.items()
            for leaf in _flat(each, say, f"{name}.{key}" if name else str(key))
        ]
    return [f"{name} = {plain_value(value, say)}"] if name else []


def _is_number(value: object) -> bool:
    return value is None or finite(value) is not None

"""The learning curve: its headlines in words, its figure, its table.

Before: `curves` fitted on more and more labels.  After: the report and the command show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.svg import Scale, at, figure, tag, words
from acclimate.reports.tables import Column, Line, Table, columns
from acclimate.reports.wording import count, finite, interval, number, seconds

Row = Mapping[str, Any]
ROLES = ("transfer", "target-only", "source-only")
CLASSES = {"transfer": "plain", "target-only": "alone", "source-only": "other"}
TOP, HEIGHT, BOTTOM = 70, 240, 30  # pixels


def headline(curve: Row, say: Language = ENGLISH) -> list[str]:
    """What transfer is worth, in sentences."""
    unit = say.word(curve["unit"])
    here = count(curve["here"])
    said = []
    read = curve.get("worth")
    if read is None:
        said.append(
            say(
                "Scores at fewer than four numbers of {unit}: no curve can be drawn through "
                "them, so that nothing is said of labels that are not there.",
                unit=unit,
            )
        )
    else:
        said += [_worth(read["labels"], here, unit, say), _saving(read, curve, unit, say)]
        said += [_stops(read["stops"], curve, unit, say)]
    said.append(
        say(
            "Scored on {n} {scored} of {where}, on {draws} random draws of labels; judge was "
            "not looked at.",
            n=count(curve["scored"]),
            scored=unit,
            where=say.word(curve["where"]),
            draws=count(curve["draws"]),
        )
    )
    if curve["where"] == "choose":
        said.append(
            say(
                "The arm was chosen there too, so that this flatters it a little: the verdict "
                "alone is the proof."
            )
        )
    if curve.get("changed"):
        said.append(say("The markets have changed since the run."))
    if curve.get("left_out"):
        said.append(say("Some numbers of {unit} are left out: no fit was possible.", unit=unit))
    return said


def _worth(read: Row, here: str, unit: str, say: Language) -> str:
    value, low = finite(read["value"]), finite(read["low"])
    spread = _spread(read, say)
    if value is None:
        return say(
            "With {here} {unit} here, transfer is worth more than {times} times as many: "
            "target-only's curve does not reach it ({spread} more).",
            here=here,
            unit=unit,
            times="100",
            spread=spread,
        )
    if value > 0 and low is not None and low > 0:
        return say(
            "With {here} {unit} here, transfer is worth {n} more of the target ({spread}).",
            here=here,
            unit=unit,
            n=count(value),
            spread=spread,
        )
    return say(
        "With {here} {unit} here, transfer is not shown to be worth any more of the target "
        "({n}, {spread}).",
        here=here,
        unit=unit,
        n=count(value),
        spread=spread,
    )


def _saving(read: Row, curve: Row, unit: str, say: Language) -> str:
    parity, saving = finite(read["parity"]["value"]), finite(read["saving"]["value"])
    if parity is None or saving is None:
        return say(
            "Transfer does not reach what target-only scores with all {unit}, by its curve.",
            unit=unit,
        )
    fewest = min(point["labels"] for point in curve["points"])
    if saving < 1:
        return say(
            "It needs {parity} {unit} for what target-only scores with those here.",
            parity=count(parity),
            unit=unit,
        )
    at_least = say("at least ") if parity <= fewest else ""
    training = curve.get("training") or {}
    return say(
        "It reaches target-only's score with {parity} {unit}: {at_least}{k} × fewer "
        "({spread}), in {ours} of training against {theirs}.",
        parity=count(parity),
        unit=unit,
        at_least=at_least,
        k=number(float(f"{saving:.2g}")),
        spread=_spread(read["saving"], say, whole=False),
        ours=seconds(training.get("transfer"), say),
        theirs=seconds(training.get("target-only"), say),
    )


def _stops(read: Row, curve: Row, unit: str, say: Language) -> str:
    value = finite(read["value"])
    fewest = min(point["labels"] for point in curve["points"])
    if value is None:
        return say(
            "By these curves it pays beyond {times} times the {unit} here ({spread}).",
            times="100",
            unit=unit,
            spread=_spread(read, say),
        )
    if value <= fewest:
        return say("By these curves it pays at no number of {unit} seen.", unit=unit)
    return say(
        "It stops paying, with a gain below δ, at about {n} {unit} ({spread}).",
        n=count(value),
        unit=unit,
        spread=_spread(read, say),
    )


def _spread(read: Row, say: Language, whole: bool = True) -> str:
    """The 95 % interval, whose ends may be beyond what curves are followed to."""
    write = count if whole else (lambda x: number(float(f"{float(x):.2g}")))
    low, high = finite(read["low"]), finite(read["high"])
    ends = [say("no end") if x is None else write(x) for x in (low, high)]
    return say("{low} to {high}", low=ends[0], high=ends[1])


def table(curve: Row, say: Language = ENGLISH) -> Table:
    """Every point with its band, and the curves continued."""
    rows = [*curve["points"], *curve.get("ahead", [])]
    cells = []
    for row in sorted(rows, key=lambda r: (ROLES.index(r["role"]), r["labels"])):
        known = "seconds" in row
        cells.append(
            Line(
                (
                    say.word(row["role"]),
                    count(row["labels"]),
                    number(row["value"]),
                    interval(row["low"], row["high"], say=say),
                    seconds(row["seconds"], say) if known else say("by the curve"),
                )
            )
        )
    names = [*columns(say, "Arm", "#Labels", "#Interval", "#Training")]
    names.insert(2, Column(str(curve["metric"]), True))
    caption = say(
        "{metric} by the number of labels, with 95 % bands over draws of labels and of what is "
        "scored on",
        metric=str(curve["metric"]),
    )
    return Table(caption, tuple(names), tuple(cells))


def drawing(curve: Row, say: Language = ENGLISH) -> Markup | None:
    """Score against labels on a log axis; dashes continue a curve past what was seen."""
    rows: Sequence[Row] = [*curve["points"], *curve.get("ahead", [])]
    labels = [math.log10(float(row["labels"])) for row in rows]
    up = Scale.around([finite(row[key]) for row in rows for key in ("value", "low", "high")])
    across = Scale.around(labels)
    if up is None or across is None:
        return None

    def y(value: float) -> float:
        return TOP + HEIGHT * (up.high - value) / (up.high - up.low)

    def x(row: Row) -> str:
        return at(across.x(math.log10(float(row["labels"]))))

    parts: list[str] = []
    for value, label in up.ticks(5):
        parts.append(tag("line", x1="7%", x2="93%", y1=y(value), y2=y(value), class_="grid"))
        parts.append(words(label, "0", round(y(value)) - 4, "tick"))
    for value, label in _powers(across):
        place = at(across.x(value))
        parts.append(tag("line", x1=place, x2=place, y1=TOP, y2=TOP + HEIGHT, class_="grid"))
        parts.append(words(label, place, TOP + HEIGHT + 15, "tick", "middle"))
    shown = [role for role in ROLES if any(row["role"] == role for row in rows)]
    for number_, role in enumerate(shown):
        class_ = CLASSES[role]
        beside = f"translate({3 * (number_ - 1)} 0)"  # bands of arms that score alike
        own = sorted((r for r in rows if r["role"] == role), key=lambda r: r["labels"])
        for a, b in pairwise(own):
            dashed = "seconds" not in b
            parts.append(
                tag(
                    "line",
                    x1=x(a),
                    x2=x(b),
                    y1=y(a["value"]),
                    y2=y(b["value"]),
                    class_=f"curve {class_}" + (" ahead" if dashed else ""),
                )
            )
        for row in own:
            if finite(row["low"]) is not None and finite(row["high"]) is not None:
                band = tag("line", x1=x(row), x2=x(row), y1=y(row["low"]), y2=y(row["high"]))
                parts.append(tag("g", band, class_=f"whisker {class_}", transform=beside))
            if "seconds" in row:
                parts.append(
                    tag("circle", cx=x(row), cy=y(row["value"]), r=4, class_=f"mark {class_}")
                )
        name = (curve.get("arms") or {}).get(role, role)
        parts.append(
            tag("circle", cx="1.5%", cy=12 + 20 * number_, r=5, class_=f"mark {class_}")
        )
        parts.append(words(str(name), "4%", 16 + 20 * number_, "label"))
    title = say("{metric} by the number of labels", metric=str(curve["metric"]))
    description = say(
        "One line an arm, on a log axis of labels; dashed where the fitted curve is continued. "
        "The table below holds every number."
    )
    return figure("curve", title, description, TOP + HEIGHT + BOTTOM, *parts)


def _powers(across: Scale) -> list[tuple[float, str]]:
    """1, 2, 5 times powers of ten on the axis; fewer where they would crowd."""
    low, high = across.low, across.high
    digits = (1, 2, 5) if high - low < 2 else (1,)
    found = []
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in digits:
            value = power + math.log10(digit)
            if low <= value <= high:
                found.append((value, count(10**value)))
    return found

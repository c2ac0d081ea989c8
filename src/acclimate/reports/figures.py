"""Three figures: the leaderboard, the verdict's contrasts, and the gap.

Before: a summary, with numbers that may be unknown.  After: the page shows each
figure above its table.  A value's place is the linear image of the value;
shape and words carry what colour carries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from acclimate.reports.effects import Bar, effects
from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.svg import (
    ROW,
    THROUGH_DASHED,
    Scale,
    at,
    axis,
    dot,
    figure,
    square,
    tag,
    upright,
    whisker,
    words,
)
from acclimate.reports.wording import finite, interval, number, plain_value, shorten, signed

Row = Mapping[str, Any]

# A figure says what a table cannot while it can be taken in; the table has the rest.
SHOWN_ARMS = 30
SHOWN_GAPS = 40

GAP_ROW, HEADING, LABEL_WIDTH = 62, 36, 36  # pixels; the last in letters

# Measures that live on a known range are drawn on all of it.
RANGES = {"a-distance": (0.0, 2.0), "label-shift": (0.0, 1.0)}


def leaderboard(
    rows: Sequence[Row],
    chosen: str | None,
    say: Language = ENGLISH,
    tied: Collection[str] = (),
) -> Markup | None:
    """Value and interval of every arm that finished; the others listed below in grey.

    rows    of the leaderboard, best first
    chosen  arm that was picked, or None
    tied    arms that cannot be told from the best

    None where no arm has a value.
    """
    known = [row for row in rows if finite(row.get("value")) is not None]
    others = [row for row in rows if finite(row.get("value")) is None]
    scale = Scale.around(_numbers(known, "value", "low", "high"))
    if scale is None:
        return None
    drawn = _most_telling(known, chosen)
    below = others[: max(0, SHOWN_ARMS - len(drawn))]
    bottom = 8 + ROW * len(drawn)
    parts: list[str] = [*axis(scale, 8, bottom)]
    best_alone = next((row for row in known if _is_alone(row)), None)
    if best_alone is not None:
        best_at = float(best_alone["value"])
        parts.append(upright(scale, best_at, 8, bottom, "reference", THROUGH_DASHED))
    for position, row in enumerate(drawn):
        parts.append(_arm(row, scale, 8 + ROW * position, chosen, tied, say))
    for position, row in enumerate(below):
        y = bottom + 42 + 20 * position
        name = shorten(plain_value(row.get("arm")), LABEL_WIDTH)
        parts.append(words(name, "0", y, "label off"))
        status = plain_value(row.get("status"))
        status = say("not known") if status == "done" else say.word(status)
        parts.append(words(status, "100%", y, "off", "end"))
    metric = str(known[0].get("metric"))
    best = known[0]
    description = say(
        "One line an arm, best first. Best: {arm} with {value} ({interval}). "
        "Squares learn from the target alone. The table below holds every number.",
        arm=plain_value(best.get("arm")),
        value=number(best.get("value")),
        interval=interval(best.get("low"), best.get("high"), say=say),
    )
    height = bottom + 24 + (20 * len(below) + 12 if below else 0)
    title = say("{metric} of each arm on choose, with 95 % intervals", metric=metric)
    return figure("leaderboard", title, description, height, *parts)


def left_out(rows: Sequence[Row]) -> int:
    """How many arms of the leaderboard its figure leaves to the table."""
    return max(0, len(rows) - SHOWN_ARMS)


def contrasts(verdict: Row, say: Language = ENGLISH) -> Markup | None:
    """What the chosen arm gains over each baseline on `judge`, beside zero and δ.

    None where nothing could be compared.
    """
    rows = [row for row in compared(verdict) if finite(row.get("effect")) is not None]
    if not rows:
        return None
    metric = plain_value(verdict.get("metric"))
    said = say("; ").join(
        say(
            "against {baseline} {effect} ({interval})",
            baseline=_baseline(row, say),
            effect=signed(row.get("effect")),
            interval=interval(row.get("low"), row.get("high"), True, say),
        )
        for row in rows
    )
    arm = plain_value(verdict.get("arm"))
    title = say("What {arm} gains in {metric} on judge", arm=arm, metric=metric)
    description = say("{said}. Right of zero is better.", said=said)
    bars = [
        Bar.of(say("against {baseline}", baseline=_baseline(row, say)), row, "effect")
        for row in rows
    ]
    delta = finite(verdict.get("delta")) or 0.0
    return effects("contrasts", title, description, bars, say, delta)


def _baseline(row: Row, say: Language) -> str:
    return say.word(plain_value(row.get("baseline")))


def compared(verdict: Row) -> list[Row]:
    """The binding baseline first, then the others, each with effect, low and high."""
    binding = {
        "baseline": verdict.get("baseline") or "target-only",
        **{key: verdict.get(key) for key in ("effect", "low", "high")},
    }
    return [binding, *(verdict.get("against") or ())]


def gaps(rows: Sequence[Row], say: Language = ENGLISH) -> Markup | None:
    """Every measure's value on its own axis, with its null band or interval, by source.

    One measure has one axis for all sources, so that sources can be compared.
    None where no measure has a value.
    """
    known = [row for row in rows if finite(row.get("value")) is not None][:SHOWN_GAPS]
    if not known:
        return None
    axes = {
        plain_value(row.get("measure")): _axis_of(plain_value(row.get("measure")), known)
        for row in known
    }
    parts: list[str] = []
    y = 0
    for source in dict.fromkeys(plain_value(row.get("source")) for row in known):
        parts.append(words(shorten(source, LABEL_WIDTH + 8), "0", y + 20, "heading"))
        y += HEADING
        for row in known:
            if plain_value(row.get("source")) == source:
                parts.append(_gap(row, axes[plain_value(row.get("measure"))], y, say))
                y += GAP_ROW
        y += 8
    description = say(
        "One line a measure, grouped by source. The shaded band is where the value would lie "
        "were both markets one; the line is the 95 % interval. The table below holds every "
        "number."
    )
    title = say("How far each source is from the target")
    return figure("gaps", title, description, y, *parts)


def _arm(
    row: Row, scale: Scale, y: int, chosen: str | None, tied: Collection[str], say: Language
) -> Markup:
    alone, picked = _is_alone(row), row.get("arm") == chosen
    value = float(row["value"])
    class_ = "alone" if alone else "picked" if picked else "plain"
    marks = say(" · chosen") if picked else ""
    marks += say(" · tied") if row.get("arm") in tied else ""
    label = shorten(plain_value(row.get("arm")), LABEL_WIDTH - len(marks)) + marks
    mark = square if alone else dot
    return tag(
        "g",
        words(label, "0", y + 10, "label strong" if picked else "label"),
        words(number(value), "100%", y + 10, "label", "end"),
        whisker(scale, finite(row.get("low")), finite(row.get("high")), y + 23, class_),
        mark(scale, value, y + 23, class_),
        class_="row",
    )


def _gap(row: Row, scale: Scale | None, y: int, say: Language) -> Markup:
    name = shorten(say.name(plain_value(row.get("measure"))), LABEL_WIDTH)
    if scale is None:
        return words(name, "0", y + 10, "label")
    value = float(row["value"])
    null_low, null_high = finite(row.get("null_low")), finite(row.get("null_high"))
    said = number(value)
    within = False
    parts = [
        tag(
            "line",
            x1=at(scale.x(scale.low)),
            x2=at(scale.x(scale.high)),
            y1=y + 25,
            y2=y + 25,
            class_="grid",
        )
    ]
    if null_low is not None and null_high is not None:
        within = value <= null_high  # every measure with a null grows with the distance
        said += say(" · within chance") if within else say(" · beyond chance")
        left, right = scale.x(null_low), scale.x(null_high)
        parts.append(
            tag("rect", x=at(left), y=y + 17, width=at(right - left), height=16, class_="null")
        )
    class_ = "hollow" if within else "plain"
    parts.append(
        whisker(scale, finite(row.get("low")), finite(row.get("high")), y + 25, class_)
    )
    parts.append(dot(scale, value, y + 25, class_))
    return tag(
        "g",
        words(name, "0", y + 10, "label"),
        words(said, "100%", y + 10, "label", "end"),
        *parts,
        words(number(scale.low), at(scale.x(scale.low)), y + 44, "tick", "middle"),
        words(number(scale.high), at(scale.x(scale.high)), y + 44, "tick", "middle"),
        class_="row",
    )


def _axis_of(measure: str, rows: Sequence[Row]) -> Scale | None:
    same = [row for row in rows if plain_value(row.get("measure")) == measure]
    share = measure.endswith("overlap") or measure.startswith("column: ")
    natural = RANGES.get(measure, (0.0, 1.0) if share else (0.0, 0.0))
    found = _numbers(same, "value", "low", "high", "null_low", "null_high")
    return Scale.around([*natural, *found], room=0.0)


def _most_telling(rows: Sequence[Row], chosen: str | None) -> list[Row]:
    """The best arms, and always the chosen one and the best that learns alone."""
    if len(rows) <= SHOWN_ARMS:
        return list(rows)
    alone = next((row for row in rows if _is_alone(row)), None)
    must = [row for row in rows if row.get("arm") == chosen or row is alone]
    keep = {id(row) for row in must}
    for row in rows:
        if len(keep) >= SHOWN_ARMS:
            break
        keep.add(id(row))
    return [row for row in rows if id(row) in keep]


def _is_alone(row: Row) -> bool:
    return row.get("strategy") == "target-only"


def _numbers(rows: Sequence[Row], *keys: str) -> list[float | None]:
    return [finite(row.get(key)) for row in rows for key in keys]

"""Figures of rows on one axis: effects beside zero, and shares from zero up.

Before: a summary holds numbers, some of them unknown.  After: `figures` and `why` show them.
Above each mark stand its words, so that names have room on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.svg import (
    ROW,
    THROUGH_DASHED,
    Scale,
    at,
    axis,
    dot,
    figure,
    tag,
    upright,
    whisker,
    words,
)
from acclimate.reports.wording import finite, shorten, signed

LABEL_WIDTH = 36  # letters
TOP = 28  # pixels, room for what zero and δ are called


@dataclass(frozen=True)
class Bar:
    """A named value, with an interval where one is known."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, name: str, row: Mapping[str, Any], key: str) -> Bar:
        """That of a row which holds a number under `key`."""
        return cls(name, float(row[key]), finite(row.get("low")), finite(row.get("high")))

    @property
    def reading(self) -> str:
        """Whether its interval lies on one side of zero."""
        if self.low is not None and self.low > 0:
            return "better"
        return "worse" if self.high is not None and self.high < 0 else "plain"


def effects(
    name: str,
    title: str,
    description: str,
    bars: Sequence[Bar],
    say: Language = ENGLISH,
    delta: float = 0.0,
) -> Markup | None:
    """Effects with their intervals beside zero, and δ where it is above zero.

    name  unique on the page

    None where no axis can hold them.
    """
    values = [v for bar in bars for v in (bar.value, bar.low, bar.high)]
    scale = Scale.around([0.0, delta, *values])
    if scale is None:
        return None
    bottom = TOP + ROW * len(bars)
    parts: list[str] = [*axis(scale, TOP, bottom)]
    parts.append(upright(scale, 0.0, TOP, bottom, "zero"))
    # Left of its line and right of its line: the two cannot meet.
    parts.append(words("0 ", at(scale.x(0.0)), 13, "tick", "end"))
    if delta > 0:
        parts.append(upright(scale, delta, TOP, bottom, "delta", THROUGH_DASHED))
        parts.append(words("δ", at(scale.x(delta)), 13, "tick", "start"))
    for position, bar in enumerate(bars):
        y = TOP + ROW * position
        parts.append(
            tag(
                "g",
                words(shorten(bar.name, LABEL_WIDTH), "0", y + 10, "label"),
                words(signed(bar.value), "100%", y + 10, "label", "end"),
                whisker(scale, bar.low, bar.high, y + 25, bar.reading),
                dot(scale, bar.value, y + 25, bar.reading),
                class_="row",
            )
        )
    parts.append(words(say("← worse"), "0", bottom + 34, "tick"))
    parts.append(words(say("better →"), "100%", bottom + 34, "tick", "end"))
    return figure(name, title, description, bottom + 42, *parts)


def amounts(
    name: str,
    title: str,
    description: str,
    rows: Sequence[tuple[str, str, Sequence[float]]],
) -> Markup | None:
    """Values from zero up on one axis; the first of a row is filled, a second is hollow.

    rows  (name, its values in words, one or two values ≥ 0)

    None where no axis can hold them.
    """
    scale = Scale.around([0.0, *(value for _, _, values in rows for value in values)])
    if scale is None:
        return None
    bottom = 8 + ROW * len(rows)
    parts: list[str] = [*axis(scale, 8, bottom)]
    for position, (label, said, values) in enumerate(rows):
        y = 8 + ROW * position
        marks = [
            dot(scale, value, y + 25, class_)
            for value, class_ in zip(values, ("plain", "hollow"), strict=False)
        ]
        parts.append(
            tag(
                "g",
                words(shorten(label, LABEL_WIDTH), "0", y + 10, "label"),
                words(said, "100%", y + 10, "label", "end"),
                whisker(scale, min(values), max(values), y + 25, "plain")
                if len(values) > 1
                else whisker(scale, 0.0, values[0], y + 25, "plain"),
                *reversed(marks),
                class_="row",
            )
        )
    return figure(name, title, description, bottom + 24, *parts)

"""Small pieces of SVG that fit any width: x in percent, y and letters in pixels.

A picture drawn with a view box shrinks its letters on a phone; one drawn in
percent does not.  Strings are escaped on their way in, so that a column called
`<script>` stays a name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from acclimate.reports.wording import number

# Room at both sides, in percent of the width, for the halves of the outer labels.
MARGIN = 7.0

# Pixels of a row: a line of words, and below it what is drawn.
ROW = 38
# Uprights begin at the first row and pass over its words, so that none is crossed out.
THROUGH = "0 15 20 3"
THROUGH_DASHED = "0 15 4 4 4 4 4 3"
assert sum(map(int, THROUGH.split())) == sum(map(int, THROUGH_DASHED.split())) == ROW


@dataclass(frozen=True)
class Scale:
    """A linear map of values to percent of the width.

    low, high  ends of the axis, low < high
    """

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float | None], room: float = 0.04) -> Scale | None:
        """The smallest axis that shows every known value.

        None where none is known, or no axis can hold them (a span above 1e308).

        room  ≥ 0, added at each end as a share of the span
        """
        known = [value for value in values if value is not None]
        if not known:
            return None
        low, high = min(known), max(known)
        if not math.isfinite(1.1 * high - 1.1 * low):
            return None
        # A span lost in rounding would put every tick on one spot.
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            half = 0.1 * abs(low) or 0.5
            return cls(low - half, high + half)
        return cls(low - room * (high - low), high + room * (high - low))

    def x(self, value: float) -> float:
        """Percent of the width, MARGIN … 100 − MARGIN on the axis."""
        return MARGIN + (100 - 2 * MARGIN) * (value - self.low) / (self.high - self.low)

    def ticks(self, at_most: int = 6) -> list[tuple[float, str]]:
        """Round values on the axis, 1, 2 or 5 times a power of ten apart, and their labels.

        A label has the decimals of the step: four places would call 0.69312 and
        0.69314 the same.
        """
        raw = (self.high - self.low) / at_most
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        fixed = decimals <= 6 and max(abs(self.low), abs(self.high)) < 1e15
        values = [k * step for k in range(first, last + 1)]
        return [(x, f"{x:,.{decimals}f}" if x and fixed else number(x)) for x in values]


def tag(name: str, *children: str, **attributes: object) -> Markup:
    """One element; `class_` and `aria_label` become `class` and `aria-label`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{given}>{inner}</{name}>")  # every part was escaped above


def at(percent: float) -> str:
    return f"{percent:.3f}%"


def figure(name: str, title: str, description: str, height: int, *parts: str) -> Markup:
    """A picture with a name and a description for those who cannot see it.

    name    unique on the page
    height  pixels
    """
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *parts,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        width="100%",
        height=height,
        id=name,
    )


def words(text: str, x: str, y: int, class_: str, anchor: str = "start") -> Markup:
    return tag("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def upright(
    scale: Scale, value: float, top: int, bottom: int, class_: str, dashes: str = THROUGH
) -> Markup:
    """A line at a value, drawn beside the words of each row.

    top  pixels, where the first row begins
    """
    x = at(scale.x(value))
    return tag("line", x1=x, x2=x, y1=top, y2=bottom, class_=class_, stroke_dasharray=dashes)


def axis(scale: Scale, top: int, bottom: int) -> list[Markup]:
    """Thin lines at round values, labelled below."""
    parts = []
    for value, label in scale.ticks():
        parts.append(upright(scale, value, top, bottom, "grid"))
        parts.append(words(label, at(scale.x(value)), bottom + 15, "tick", "middle"))
    return parts


def whisker(scale: Scale, low: float | None, high: float | None, y: int, class_: str) -> Markup:
    """The interval as a line with ends; nothing where it is not known."""
    if low is None or high is None:
        return Markup("")
    left, right = at(scale.x(low)), at(scale.x(high))
    return tag(
        "g",
        tag("line", x1=left, x2=right, y1=y, y2=y, class_="interval"),
        tag("line", x1=left, x2=left, y1=y - 4, y2=y + 4),
        tag("line", x1=right, x2=right, y1=y - 4, y2=y + 4),
        class_=f"whisker {class_}",
    )


def dot(scale: Scale, value: float, y: int, class_: str) -> Markup:
    return tag("circle", cx=at(scale.x(value)), cy=y, r=5, class_=f"mark {class_}")


def square(scale: Scale, value: float, y: int, class_: str) -> Markup:
    """A square on the value: the shift is in pixels, the place in percent."""
    return tag(
        "rect",
        x=at(scale.x(value)),
        y=y,
        width=10,
        height=10,
        transform="translate(-5 -5)",
        class_=f"mark {class_}",
    )

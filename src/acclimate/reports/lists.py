"""Tables on lists: whom they serve how well, and what making them less alike costs.

Before: `plans.beyond` counted.  After: the template lays the cells out.
"""

from __future__ import annotations

from collections.abc import Sequence

from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.tables import Line, Row, Table, columns
from acclimate.reports.wording import UNKNOWN, count, interval, number, plain_value, signed


def segments(rows: Sequence[Row], say: Language = ENGLISH) -> Table | None:
    """Who is served how well, and by what kind of lists."""
    if not rows:
        return None
    shown = ("novelty", "diversity", "lift", "coverage")
    lines = tuple(
        Line(
            (
                plain_value(row.get("arm")),
                say.word(row.get("segment") or UNKNOWN),
                count(row.get("n")),
                number(row.get("value")),
                interval(row.get("low"), row.get("high"), say=say),
                *(number(row.get(name)) for name in shown),
            )
        )
        for row in rows
    )
    names = columns(
        say,
        "Arm",
        "Users",
        "#n",
        "#nDCG",
        "#95 % interval",
        "#Novelty",
        "#Diversity",
        "#Popularity lift",
        "#Coverage",
    )
    caption = say(
        "Lists by the length of a history: new has one item, light two to four, heavy five or "
        "more. Novelty is in bits; diversity is one less the mean cosine within a list; lift "
        "is how much more popular a list is than its user's history"
    )
    return Table(caption, names, lines)


def spreads(rows: Sequence[Row], say: Language = ENGLISH) -> Table | None:
    """What lists that repeat themselves less cost."""
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                number(row.get("spread")),
                count(row.get("n")),
                number(row.get("value")),
                signed(row.get("change")),
                interval(row.get("low"), row.get("high"), sign=True, say=say),
                number(row.get("diversity")),
            )
        )
        for row in rows
    )
    names = columns(say, "#Spread", "#n", "#nDCG", "#Change", "#95 % interval", "#Diversity")
    caption = say(
        "What re-ranking for diversity costs {arm} on judge", arm=str(rows[0].get("arm"))
    )
    return Table(caption, names, lines)

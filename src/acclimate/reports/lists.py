"""Tables on lists, whom they serve how well and what making them less alike costs; and the
refusals of arms, those of one kind together.

Before: `plans.beyond` counted, and the plan refused.  After: the template lays it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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


class Refusal(NamedTuple):
    """A reason, how many arms it holds for, and which."""

    why: str
    counted: str
    arms: str


def refused(rows: Sequence[Row], say: Language = ENGLISH) -> list[Refusal]:
    """One a reason, most arms first; what is said of several models counts as one."""
    arms: dict[tuple[str, bool], list[tuple[str, str]]] = {}
    for row in rows:
        model, why = plain_value(row.get("model")), plain_value(row.get("why"))
        own = why.startswith(f"{model} ")
        key = why.removeprefix(f"{model} ") if own else why
        arms.setdefault((key, own), []).append((plain_value(row.get("strategy")), model))
    found = []
    for (why, own), those in sorted(arms.items(), key=lambda each: -len(each[1])):
        models = {model for _, model in those}
        subject = f"{next(iter(models)) if len(models) == 1 else say('the model')} "
        names = say(", ").join(f"{strategy}/{model}" for strategy, model in those)
        counted = say("1 arm") if len(those) == 1 else say("{n} arms", n=len(those))
        found.append(Refusal(say.sentence(subject * own + why), counted, names))
    return found

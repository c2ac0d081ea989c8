"""Why the choice: which sources, rows, layers and columns it rests on, drawn and told.

Before: `explanations` asked the chosen arm again.  After: the template lays figures and tables
out.  What could not be told is said to be so, with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from acclimate.reports.effects import Bar, amounts, effects
from acclimate.reports.language import ENGLISH, Language
from acclimate.reports.tables import Line, Row, Table, columns
from acclimate.reports.wording import (
    count,
    finite,
    interval,
    percent,
    plain_value,
    signed,
)

SHOWN = 10  # columns in a figure; the table has the rest


class Told(NamedTuple):
    """One finding: its heading, a sentence on how to read it, a figure and a table."""

    heading: str
    how: str
    drawn: Markup | None
    table: Table


def why(found: Mapping[str, Any], say: Language = ENGLISH) -> list[Told]:
    """What was found out, part by part."""
    made = [
        _sources(found, say),
        _columns(found, say),
        *_rows(found, say),
        _layers(found, say),
        _reliability(found, say),
    ]
    return [each for each in made if each is not None]


def undone(found: Mapping[str, Any], say: Language = ENGLISH) -> list[tuple[str, str]]:
    """What was not found out, and why."""
    called = {
        "sources": say("Which sources helped"),
        "rows": say("Which source rows count"),
        "layers": say("Which layers moved"),
        "columns": say("Which columns carry the gain"),
        "reliability": say("How far the validators can be trusted"),
    }
    missed = found.get("not_done") or {}
    return [
        (called.get(what, str(what)), say.sentence(str(reason)))
        for what, reason in missed.items()
    ]


def asked(found: Mapping[str, Any], say: Language = ENGLISH) -> str:
    """On which of the target's rows, in words."""
    if found.get("on") == "folds":
        return say("folds of what is fitted on")
    return say("choose")


def _sources(found: Mapping[str, Any], say: Language) -> Told | None:
    rows: Sequence[Row] = found.get("sources") or []
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                plain_value(row.get("source")),
                signed(row.get("effect")),
                interval(row.get("low"), row.get("high"), True, say),
                say.sentence(str(row["why"])) if row.get("why") else _helped(row, say),
            )
        )
        for row in rows
    )
    metric = plain_value(found.get("metric"))
    caption = say(
        "What {arm} gains in {metric} by each source, on {asked}, n = {n}",
        metric=metric,
        arm=plain_value(found.get("arm")),
        asked=asked(found, say),
        n=count(rows[0].get("n")),
    )
    table = Table(caption, columns(say, "Source", "#Brings", "#Interval", "Reading"), lines)
    known = [row for row in rows if finite(row.get("effect")) is not None]
    bars = [Bar.of(plain_value(row.get("source")), row, "effect") for row in known]
    title = say("What each source brings in {metric}", metric=metric)
    drawn = effects("why-sources", title, caption, bars, say) if bars else None
    how = say(
        "The chosen arm was fitted once more without each source. Right of zero, it is better "
        "with the source than without; sources that know the same stand in for each other."
    )
    return Told(say("Which sources helped"), how, drawn, table)


def _helped(row: Row, say: Language) -> str:
    low, high = finite(row.get("low")), finite(row.get("high"))
    if low is None or high is None:
        return say("unknown")
    if low > 0:
        return say("helps")
    return say("hurts") if high < 0 else say("cannot be told apart")


def _columns(found: Mapping[str, Any], say: Language) -> Told | None:
    rows: Sequence[Row] = found.get("columns") or []
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                plain_value(row.get("column")),
                signed(row.get("adapted")),
                signed(row.get("alone")),
                signed(row.get("worth")),
                interval(row.get("low"), row.get("high"), True, say),
            )
        )
        for row in rows
    )
    metric = plain_value(found.get("metric"))
    caption = say(
        "What shuffling a column costs in {metric} on {asked}",
        metric=metric,
        asked=asked(found, say),
    )
    names = columns(
        say, "Column", "#Adapted", "#Target-only", "#Carries of the gain", "#95 % interval"
    )
    known = [row for row in rows if finite(row.get("worth")) is not None][:SHOWN]
    bars = [Bar.of(plain_value(row.get("column")), row, "worth") for row in known]
    title = say("What of the gain each column carries, in {metric}", metric=metric)
    drawn = effects("why-columns", title, caption, bars, say) if bars else None
    how = say(
        "A column was shuffled, and both models asked again: what the adapted one loses more "
        "than target-only is what of the gain the column carries. Columns that say the same "
        "stand in for each other."
    )
    return Told(say("Which columns carry the gain"), how, drawn, Table(caption, names, lines))


def _rows(found: Mapping[str, Any], say: Language) -> list[Told]:
    rows: Sequence[Row] = found.get("rows") or []
    if not rows:
        return []
    lines = tuple(
        Line(
            (
                plain_value(row.get("source")),
                count(row.get("rows")),
                count(row.get("effective")),
                percent(_rounded(row.get("share_of_rows")), say),
                percent(_rounded(row.get("share_of_weight")), say),
            )
        )
        for row in rows
    )
    names = columns(
        say, "Source", "#Rows", "#Worth equal rows", "#Share of rows", "#Share of weight"
    )
    caption = say("What weighting left of each source's rows")
    how = say(
        "The arm weighs rows of the sources. Fewer equal rows than there are means that few "
        "of them count."
    )
    told = [
        Told(say("Which source rows count"), how, None, Table(caption, names, lines)),
    ]
    return [*told, *_segments(found, say)]


def _segments(found: Mapping[str, Any], say: Language) -> list[Told]:
    rows: Sequence[Row] = found.get("segments") or []
    if not rows:
        return []
    shares = [
        (
            finite(row.get("share_of_weight")) or 0.0,
            finite(row.get("share_of_rows")) or 0.0,
        )
        for row in rows
    ]
    said = [f"{percent(_rounded(b), say)} → {percent(_rounded(a), say)}" for a, b in shares]
    named = [f"{plain_value(r.get('source'))}: {plain_value(r.get('segment'))}" for r in rows]
    lines = tuple(
        Line((plain_value(row.get("source")), plain_value(row.get("segment")), told))
        for row, told in zip(rows, said, strict=True)
    )
    names = columns(say, "Source", "Rows with", "#Share of rows → of weight")
    caption = say("The kinds of source rows that weighting raised or lowered most")
    drawn = amounts(
        "why-segments",
        caption,
        say("The hollow dot is the share of a source's rows, the filled one of its weight."),
        [(name, text, pair) for name, text, pair in zip(named, said, shares, strict=True)],
    )
    how = say("The hollow dot is the share of a source's rows, the filled one of its weight.")
    return [Told(say("Which kinds of rows"), how, drawn, Table(caption, names, lines))]


def _layers(found: Mapping[str, Any], say: Language) -> Told | None:
    rows: Sequence[Row] = found.get("layers") or []
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                plain_value(row.get("layer")),
                count(row.get("parameters")),
                percent(_rounded(row.get("moved")), say),
            )
        )
        for row in rows
    )
    caption = say("How far each layer moved from the sources' network, from the inputs up")
    names = columns(say, "Layer", "#Numbers", "#Moved by")
    moved = [
        (
            plain_value(row.get("layer")),
            percent(_rounded(row.get("moved")), say),
            [finite(row.get("moved")) or 0.0],
        )
        for row in rows
    ]
    drawn = amounts("why-layers", caption, caption, moved)
    how = say("The distance a layer moved, as a share of its own length; 0 % was held.")
    return Told(say("Which layers moved"), how, drawn, Table(caption, names, lines))


def _reliability(found: Mapping[str, Any], say: Language) -> Told | None:
    rows: Sequence[Row] = found.get("reliability") or []
    if not rows:
        return None
    lines = tuple(
        Line(
            (
                say.word(plain_value(row.get("validator"))),
                say("{n} of {all}", n=count(row.get("right")), all=count(row.get("of"))),
                percent(_rounded(row.get("share")), say),
                interval(_rounded(row.get("low")), _rounded(row.get("high")), say=say),
            )
        )
        for row in rows
    )
    caption = say("Each validator on the sources, each in turn taken for a target")
    how = say(
        "With the labels of one source put aside and the arms fitted on the others: how often "
        "each validator told rightly whether an arm is better than source-only as it is. Half "
        "is chance. The vote is the rule that decided here."
    )
    names = columns(say, "Validator", "#Right", "#Share", "#95 % interval")
    return Told(
        say("How far the validators can be trusted"), how, None, Table(caption, names, lines)
    )


def _rounded(share: object) -> float | None:
    """A share to a tenth of a percent; smaller ones keep two places."""
    x = finite(share)
    if x is None:
        return None
    return round(x, 3) if x >= 0.01 or x == 0 else float(f"{x:.2g}")

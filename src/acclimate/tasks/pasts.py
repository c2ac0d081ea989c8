"""What is known of events at a moment: of a source, of returns, of what else users do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from acclimate.domains.about import described
from acclimate.domains.declared import Kinds
from acclimate.domains.domain import Domain
from acclimate.domains.interest import counting, standing
from acclimate.domains.pairs import Past
from acclimate.domains.sample import Interactions
from acclimate.domains.source import Source
from acclimate.domains.split import EventParts
from acclimate.errors import TaskError

# At a moment, None being everything; and whether to say when each was taken.
Known = Callable[[datetime | None, bool], Interactions]


def events_of(domain: Domain) -> pl.DataFrame:
    """The events of a market, in time order where every one has a time; ties keep file order.

    Raises TaskError that says what is missing.
    """
    events = require_events(domain)
    if "time" in events.columns and events["time"].null_count() == 0:
        return events.sort("time", maintain_order=True)
    return events


def require_events(domain: Domain) -> pl.DataFrame:
    events = domain.tables.get("events")
    if events is None or events.height == 0:
        found = ", ".join(domain.tables) or "no tables"
        raise TaskError(
            f"Expected an events table with a user and an item column in {domain.name!r} to "
            f"recommend from; found {found if events is None else 'an empty events table'}. "
            "Add one, or name its columns in market.toml under [roles.events]."
        )
    return events


def past_of(source: Domain) -> Known:
    """A moment → what users of a source had taken by then, of what counts, and when."""
    kinds = source.schema.declared.kinds
    past = Past.of(source.tables["events"]).until if kinds is None else None

    def known(clock: datetime | None, timed: bool) -> Interactions:
        if past is not None:
            return past(clock, timed)
        cut = source.before(clock)
        if not cut.tables["events"].height:
            return Past.of(cut.tables["events"]).until(None, timed)
        events = events_of(cut)
        return Past.of(standing(counting(events, kinds), events, kinds)).until(None, timed)

    return lambda clock, timed: described(known(clock, timed), source)


def beside(
    parts: EventParts, pasts: Sequence[tuple[Source, Known, Mapping[str, Known]]]
) -> dict[str, Interactions] | None:
    """What users had done in each source when the judge asks; None: nothing has a time."""
    asked = _asked(parts)
    return (
        None
        if asked is None
        else {source.name: past(asked, False) for source, past, _ in pasts}
    )


def _asked(parts: EventParts) -> datetime | None:
    """What is known when the judge asks is known until then; None: nothing says when."""
    asked = parts.context["time"].max() if parts.clock is not None else None
    return asked if isinstance(asked, datetime) else None


def without_returned(
    parts: EventParts, events: pl.DataFrame, kinds: Kinds | None
) -> EventParts:
    """The parts without what was returned, so far as it was known where each part ends."""
    if kinds is None:
        return parts
    known = _asked(parts)
    return replace(
        parts,
        fit=standing(parts.fit, events, kinds, parts.clock),
        context=standing(parts.context, events, kinds, known),
        choose=standing(parts.choose, events, kinds, known),
        judge=standing(parts.judge, events, kinds),
    )

"""How much of the target does the source know?  Users, items, columns, and events.

Before: both domains name their users and items.  After: little overlap closes the
way for what is carried by id, and leaves what is carried by attributes.  High is
near: 1 means that the source knows all of the target.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from acclimate.errors import DataError
from acclimate.gaps.gap import Gap


@dataclass(frozen=True)
class Overlap:
    """What two sets of ids share.

    shared          ids in both
    jaccard         in [0, 1], shared / ids in either
    target_covered  in [0, 1], shared / ids of the target
    n_source        distinct ids of the source
    n_target        distinct ids of the target
    """

    shared: int
    jaccard: float
    target_covered: float
    n_source: int
    n_target: int

    def gap(self, what: str, *, source: str = "source", target: str = "target") -> Gap:
        """The covered share of the target as a Gap; `what` is `"users"`, `"items"`, ….

        The ids are all there are, no sample: no interval and no p.
        """
        return _exact(
            f"{what}-overlap",
            self.target_covered,
            self.n_source,
            self.n_target,
            f"{source} knows {self.shared:,} of {target}'s {self.n_target:,} {what} "
            f"({self.target_covered:.0%}; Jaccard {self.jaccard:.2f})",
            source,
            target,
        )


def overlap(source_ids: Iterable[Hashable], target_ids: Iterable[Hashable]) -> Overlap:
    """What two collections of ids share; repeats count once.

    source_ids, target_ids  ids from outside (users, items) or column names

    Raises DataError if the target has no id, an id is missing, or one side holds
    strings and the other numbers, which could share nothing.
    """
    a, b = _ids(source_ids, "source"), _ids(target_ids, "target")
    if not b:
        raise DataError(
            "Expected at least one target id, found none. "
            "Leave the overlap of an absent table out."
        )
    _same_kind(a, b)
    shared = len(a & b)
    return Overlap(shared, shared / len(a | b), shared / len(b), len(a), len(b))


def event_overlap(
    source_ids: Iterable[Hashable],
    target_event_ids: Iterable[Hashable],
    weight: ArrayLike | None = None,
    *,
    what: str = "items",
    source: str = "source",
    target: str = "target",
) -> Gap:
    """Share of the target's events whose item (or user) the source knows; high is near.

    source_ids        ids that the source knows; repeats count once
    target_event_ids  (n_events,)  the id of each event; repeats count each time
    weight            (n_events,)  ≥ 0, e.g. money or quantity; default 1 an event
    returns           `value` in [0, 1]; `n_source` in ids, `n_target` in events.
                      No interval: events of one user are not independent.

    Few known items may carry most events, so this often tells more than `overlap`.

    Raises DataError if there is no event, an id is missing, one side holds strings
    and the other numbers, or the weights do not fit or are all 0.
    """
    known = _ids(source_ids, "source")
    events = _listed(target_event_ids)
    distinct = _ids(events, "target")
    if not events:
        raise DataError(
            "Expected at least one target event, found none. "
            "Leave the overlap of an absent table out."
        )
    _same_kind(known, distinct)
    w = np.ones(len(events)) if weight is None else np.asarray(weight, dtype=np.float64)
    if w.shape != (len(events),) or not np.isfinite(w).all() or w.min() < 0 or w.sum() <= 0:
        raise DataError(
            f"Expected {len(events)} weights of 0 or more, not all 0, found shape {w.shape} "
            f"with sum {w.sum():.3g}. Returns below 0 are events of their own: drop them first."
        )
    covered = np.fromiter((event in known for event in events), np.bool_, len(events))
    value = float(w[covered].sum() / w.sum())
    measured = "events" if weight is None else "weighted events"
    sentence = f"{value:.0%} of {target}'s {measured} are on {what} that {source} knows"
    return _exact(
        f"{what}-event-overlap", value, len(known), len(events), sentence, source, target
    )


def _exact(
    measure: str,
    value: float,
    n_source: int,
    n_target: int,
    sentence: str,
    source: str,
    target: str,
) -> Gap:
    return Gap(
        measure=measure,
        source=source,
        target=target,
        value=value,
        low=None,
        high=None,
        p=None,
        null_low=None,
        null_high=None,
        n_source=n_source,
        n_target=n_target,
        sentence=sentence,
    )


def _listed(ids: Iterable[Hashable]) -> list[Hashable]:
    # NumPy scalars of one array are of one type; `tolist` makes them plain and quick.
    return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)


def _ids(ids: Iterable[Hashable], side: str) -> frozenset[Hashable]:
    distinct = frozenset(_listed(ids))
    if any(i is None or i != i for i in distinct):  # NaN is not itself
        raise DataError(
            f"Expected an id in every {side} row, found missing ones. Drop those rows first."
        )
    return distinct


def _same_kind(a: frozenset[Hashable], b: frozenset[Hashable]) -> None:
    strings = [{isinstance(i, str) for i in ids} for ids in (a, b)]
    if strings in ([{True}, {False}], [{False}, {True}]):
        raise DataError(
            "Expected ids of one kind on both sides, found strings on one and numbers on "
            "the other, which share nothing. Read ids as strings on both."
        )

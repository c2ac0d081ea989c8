"""Cut a target into `fit`, `choose` and `judge` before anything is fitted.

Where there is time, the judge is the latest part and nothing from after the
clock reaches a fit.  Where the target is small, `choose` is made by
cross-fitting inside `fit` and no rows are set aside for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.coding import coded, places_from_last
from acclimate.domains.problem import Claim
from acclimate.domains.sample import Rows, known, strata
from acclimate.errors import UsageError
from acclimate.nearest import expected
from acclimate.plurals import number_of
from acclimate.rng import Rng

WAYS = ("auto", "time", "last", "random")


@dataclass(frozen=True)
class Cut:
    """How a target is cut.

    judge        0 … 1, share of the target kept for the verdict; None: `judge_share`
    choose       0 … 1, share of the rest on which the plan chooses
    labels       ≥ 2 or None: labelled target rows that `fit` and `choose` may use
                 together; the others before the judge are seen without labels
    by           "time", "last" (leave the last per user out), "random", or "auto":
                 time where there is one
    cross_below  rows: with fewer in `fit` and `choose` together, cross-fit
    """

    judge: float | None = None
    choose: float = 0.25
    labels: int | None = None
    by: str = "auto"
    cross_below: int = 2000

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise UsageError(expected("a split", WAYS, self.by))
        for name, share in (("judge", self.judge), ("choose", self.choose)):
            if share is not None and not 0 < share < 1:
                raise UsageError(f"Expected {name} between 0 and 1, a share; found {share}.")
        if self.labels is not None and self.labels < 2:
            raise UsageError(
                f"Expected a label budget of at least 2 rows; found {self.labels}. "
                "Leave it out to use every labelled row."
            )

    def judge_share(self, rows: int, by_time: bool = False) -> float:
        """The share of the target kept for the verdict, of so many labelled rows.

        0.3; half where a label budget leaves labels that nothing else may use.  A cut
        at random then gives up to 0.7, as long as one row is seen without its label
        for each with one.  A cut by time does not: a longer judge is an earlier clock,
        and takes from the sources.
        """
        if self.judge is not None:
            return self.judge
        if self.labels is None or self.labels >= rows / 2:
            return 0.3
        return 0.5 if by_time else float(np.clip(1 - 2 * self.labels / rows, 0.5, 0.7))


@dataclass(frozen=True)
class RowParts:
    """Positions of a target's rows in each part.

    clock  the last moment a fit may know, or None where there is no time
    """

    fit: Ints
    choose: Ints
    judge: Ints
    unlabelled: Ints
    clock: datetime | None
    claim: Claim
    notes: tuple[str, ...] = ()


def cut_rows(rows: Rows, cut: Cut, rng: Rng) -> RowParts:
    """Cut labelled rows: by time where there is one, by unit otherwise.

    rows  every row of the target; those without a label have label −1, or NaN, here only,
          at the door, and never leave this function in a labelled part
    """
    assert rows.label is not None
    labelled = np.flatnonzero(known(rows.label))
    if cut.by == "last":
        raise UsageError(
            "Expected a split by time or random for rows; found 'last', which is for events."
        )
    timed = rows.time is not None and bool(np.isfinite(rows.time[labelled]).all())
    if cut.by == "time" and not timed:
        raise UsageError(
            "Expected a time on every labelled row for a split by time; some or all have none. "
            "Name the time column in market.toml, or split at random."
        )
    by_time = cut.by != "random" and timed and len(labelled) > 1
    units = rows.units()
    clock, notes, share = None, [], cut.judge_share(len(labelled), by_time)
    known_until = np.nan
    if rows.time is not None and not timed:
        notes.append("cut at random, as some labelled rows have no time")
    if by_time:
        assert rows.time is not None
        order = labelled[np.argsort(rows.time[labelled], kind="stable")]
        boundary = rows.time[order[int(len(order) * (1 - share))]]
        early = rows.time < boundary
        pool, judge = labelled[early[labelled]], labelled[~early[labelled]]
        if len(pool) == 0:
            if cut.by == "time":
                raise UsageError(
                    f"Expected fewer than {1 - share:.0%} of the labelled rows at the earliest "
                    "time for a split by time; found more at "
                    f"{_naive(float(boundary)):%Y-%m-%d %H:%M}. "
                    "Check the time column, or split at random."
                )
            at_random = cut_rows(rows, replace(cut, by="random"), rng)
            note = "cut at random, as too many labelled rows have the earliest time"
            return replace(at_random, notes=(note, *at_random.notes))
        known_until = float(rows.time[pool].max())
        unlabelled = np.flatnonzero(~known(rows.label))
        claim = Claim.LATER
    else:
        judge = _share(labelled, units, rows.label, share, rng.child("judge"))
        pool = np.setdiff1d(labelled, judge)
        unlabelled = np.flatnonzero(~known(rows.label))
        claim = Claim.NEW
    if cut.labels is not None and cut.labels < len(pool):
        chosen = rng.child("labels").generator().permutation(pool)[: cut.labels]
        unlabelled = np.union1d(unlabelled, np.setdiff1d(pool, chosen))
        pool = np.sort(chosen)
        notes.append(
            f"label budget: {number_of(cut.labels, 'target row')} for fit and choose together"
        )
    choose = np.empty(0, np.int64)
    if len(pool) >= cut.cross_below:
        if by_time:
            assert rows.time is not None
            order = pool[np.argsort(rows.time[pool], kind="stable")]
            choose = np.sort(order[max(1, int(len(order) * (1 - cut.choose))) :])
        else:
            choose = _share(pool, units, rows.label, cut.choose, rng.child("choose"))
    fit = np.setdiff1d(pool, choose)
    if by_time:
        assert rows.time is not None
        if len(choose):
            known_until = float(rows.time[fit].max())
        clock = _naive(known_until)
        # What came later, while `choose` was collected or after, no fit may see.
        unlabelled = unlabelled[~(rows.time[unlabelled] > known_until)]
    return RowParts(fit, choose, judge, unlabelled, clock, claim, tuple(notes))


@dataclass(frozen=True)
class EventParts:
    """A target's events in each part, in time order where there is time.

    context  what a judge question may know beyond `fit`
    """

    fit: pl.DataFrame
    choose: pl.DataFrame
    judge: pl.DataFrame
    context: pl.DataFrame
    clock: datetime | None
    claim: Claim = Claim.LATER
    notes: tuple[str, ...] = field(default=())


def cut_events(events: pl.DataFrame, cut: Cut, rng: Rng, repeats: bool = False) -> EventParts:
    """Cut events (user, item, time?) into fit, choose and judge.

    repeats  whether a user's later events on the same item count too; published
             protocols keep them

    "auto" cuts by time where enough users have something on both sides, and
    otherwise leaves each user's last items out.  What a user took at one moment has no
    order that can be relied on (an order's file ends with its postage): which of it is
    last is drawn, but with `repeats`, where ties keep file order.
    """
    if cut.labels is not None:
        raise UsageError(
            "Expected no label budget for recommend: it counts labelled rows only."
        )
    timed = "time" in events.columns and events["time"].null_count() == 0
    if cut.by == "time" and not timed:
        raise UsageError(
            "Expected a time on every target event for a split by time; some or all have none. "
            "Name the time column in market.toml, or split by 'last'."
        )
    events = events.with_row_index("_row")
    if timed and not events["time"].is_sorted():
        events = events.sort("time", "_row")
    first = events
    if not repeats:
        first = events.unique(["user", "item"], keep="first", maintain_order=True)
    by_time = _cut_at_times(first, cut) if timed and cut.by in ("auto", "time") else None
    if by_time is not None and cut.by == "time":
        return by_time
    if timed and not repeats:
        # The same draw for every seed, or each seed would be judged on other items.
        first = _without_order(first, Rng.of(0).child("ties"))
    by_last = _cut_last(first, timed and cut.by != "random", rng)
    if by_time is None or cut.by in ("last", "random"):
        return by_last
    # A global cut is the honest one, unless nearly nobody has events on both sides of it.
    judged = by_time.judge.join(by_time.fit.select("user").unique(), on="user", how="semi")
    enough = judged["user"].n_unique() >= max(50, 0.2 * by_last.judge["user"].n_unique())
    return by_time if enough else by_last


def _cut_at_times(events: pl.DataFrame, cut: Cut) -> EventParts | None:
    times = events["time"].sort()
    n, share = len(times), cut.judge_share(0)
    if n < 3:
        return None
    judge_from = times[int(n * (1 - share))]
    choose_from = times[int(n * (1 - share) * (1 - cut.choose))]
    fit = events.filter(pl.col("time") < choose_from)
    choose = events.filter((pl.col("time") >= choose_from) & (pl.col("time") < judge_from))
    judge = events.filter(pl.col("time") >= judge_from)
    if not (fit.height and choose.height and judge.height):
        return None
    clock = fit["time"].max()
    assert isinstance(clock, datetime)
    note = (
        f"fit before {choose_from:%Y-%m-%d}, choose before {judge_from:%Y-%m-%d}, judge after"
    )
    return EventParts(fit, choose, judge, pl.concat([fit, choose]), clock, notes=(note,))


def _without_order(events: pl.DataFrame, rng: Rng) -> pl.DataFrame:
    """Events by time, those of one moment in any order."""
    drawn = pl.Series("_drawn", rng.generator().permutation(events.height))
    return events.with_columns(drawn).sort("time", "_drawn").drop("_drawn")


def _cut_last(events: pl.DataFrame, timed: bool, rng: Rng) -> EventParts:
    if not timed:
        order = rng.child("order").generator().permutation(events.height)
        events = events[order]
    left, each = places_from_last(coded(events["user"])[0])
    enough = each >= 3
    judge, choose, fit = (
        events.filter(pl.Series(rows))
        for rows in (enough & (left == 0), enough & (left == 1), ~enough | (left >= 2))
    )
    which = "last" if timed else "random"
    note = (
        f"each user's {which} item is judged and one more is chosen on; there is no single "
        "clock, so sources are not cut"
    )
    return EventParts(fit, choose, judge, fit, None, notes=(note,))


def _share(pool: Ints, units: Ints, label: Ints | Array, share: float, rng: Rng) -> Ints:
    """A share of the pool, whole units, each class or tenth in proportion within one unit."""
    distinct, first = np.unique(units[pool], return_index=True)
    n = len(distinct)
    if n < 2:
        return pool[:0]
    wanted = min(max(1, round(share * n)), n - 1)
    generator = rng.generator()
    shuffled = generator.permutation(n)
    by_class = shuffled[np.argsort(strata(label[pool][first])[shuffled], kind="stable")]
    # Every n/wanted-th unit from a random start on: no class, however rare, falls by its
    # place in the order into one part alone.
    passed = (np.arange(n + 1) * wanted + generator.integers(n)) // n
    taken = distinct[by_class[np.diff(passed) > 0]]
    return pool[np.isin(units[pool], taken)]


def _naive(seconds: float) -> datetime:
    """Seconds since 1970 as the naive UTC that tables hold."""
    return datetime(1970, 1, 1) + timedelta(microseconds=round(seconds * 1e6))

"""Episodes: small tasks drawn from rows, each with rows to learn from and rows to be asked.

Before: a problem's sources, or its users, or the values of a column, are many tasks of
one kind.  After: meta-learning trains for what a learner makes of a few rows.

All episodes have as many rows to learn from (support) and to be asked (query), so that
they can be stacked.  Each task is drawn equally often; in an episode the classes are
balanced as far as there are rows, and weights give each class the share back that it
has in its task: a rare class is always seen, and chances stay calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from acclimate.arrays import Array, Ints
from acclimate.domains.sample import Rows, known
from acclimate.domains.schema import ColumnType
from acclimate.domains.source import Source
from acclimate.errors import StrategyError
from acclimate.rng import Rng

By: TypeAlias = Literal["domain", "entity", "category"]

WAYS: tuple[By, ...] = ("domain", "entity", "category")
FEWEST = 2  # rows to learn from, and rows to be asked
TASKS = 2  # one task alone teaches nothing about others


@dataclass(frozen=True)
class Group:
    """The rows of one task.

    name    source, or source and user or value
    rows    (n,) positions in the stacked views of the sources, the target's behind them
    label   (n,) class positions, or numbers
    weight  (n,) > 0: rows are drawn in proportion to it; None for equal chances
    """

    name: str
    rows: Ints
    label: Ints | Array
    weight: Array | None = None

    @property
    def n(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Drawn:
    """n episodes.

    task                          (n,) positions among the groups
    support, query                (n, shots) and (n, queries) positions of rows, disjoint
    support_weight, query_weight  of the same shapes, > 0, of mean 1 in each episode: what
                                  gives a class its share in the task back
    """

    task: Ints
    support: Ints
    query: Ints
    support_weight: Array
    query_weight: Array


@dataclass(frozen=True)
class Episodes:
    """Tasks with enough rows, and how many of them an episode shows.

    by              what a task is
    groups          every task with at least `shots + queries` rows
    shots, queries  ≥ 2; what was asked for, halved until two tasks have as many rows
    """

    by: By
    groups: tuple[Group, ...]
    shots: int
    queries: int
    rng: Rng

    def why_not(self) -> str | None:
        """Why there are too few tasks to learn from, or None."""
        if len(self.groups) >= TASKS:
            return None
        whose = {
            "domain": "sources",
            "entity": "users of the sources",
            "category": "values of one category column in the sources",
        }[self.by]
        return (
            f"learning across tasks takes at least {TASKS} {whose} with {2 * FEWEST} labelled "
            f"rows each, and {len(self.groups) or 'none'} {_has(len(self.groups))} as many"
        )

    def draw(self, n: int) -> Drawn:
        """n episodes, each task as often as any other, or once more.

        Raises StrategyError where there is no task.
        """
        if not self.groups:
            raise StrategyError(
                f"Expected tasks to draw episodes from; {self.why_not()}. "
                "Ask `why_not` first, or take tasks by something else."
            )
        g = self.rng.child("episodes").generator()
        rounds = -(-n // len(self.groups))
        task = np.concatenate([g.permutation(len(self.groups)) for _ in range(rounds)])[:n]
        dealt = [_Dealt.of(group, self.shots, self.queries) for group in self.groups]
        parts = [dealt[number].draw(g) for number in task]
        support, query, support_weight, query_weight = zip(*parts, strict=True)
        return Drawn(
            task,
            np.stack(support),
            np.stack(query),
            np.stack(support_weight),
            np.stack(query_weight),
        )


def episodes(
    sources: Sequence[Source],
    by: By,
    shots: int,
    queries: int,
    rng: Rng,
    *,
    column: str | None = None,
    own: Rows | None = None,
) -> Episodes:
    """Episodes over the labelled rows of sources.

    by       "domain": each source is a task; "entity": each user of a source; "category":
             each value of a category column within a source
    shots    ≥ 2, rows to learn from
    queries  ≥ 2, rows to be asked
    column   the category column; None: the one with most values that have enough rows
    own      rows of the target that are tasks like the sources'; None: none

    Rows of weight 0, without a label, or of nobody are left out.
    """
    if by not in WAYS or shots < FEWEST or queries < FEWEST:
        raise StrategyError(
            f"Expected tasks by {', '.join(WAYS)} with at least {FEWEST} shots and queries; "
            f"found {by!r}, {shots} and {queries}."
        )
    samples = [(source.name, source.sample, source.weight) for source in sources]
    if own is not None and own.n:
        samples.append(("target", own, None))
    parts: list[tuple[str, Rows, Array | None, int]] = []
    start = 0
    for name, sample, weight in samples:
        if isinstance(sample, Rows) and sample.label is not None:
            parts.append((name, sample, weight, start))
        start += sample.n
    if by == "category":
        found = _by_column(parts, column, shots + queries)
    else:
        found = [
            group
            for name, rows, weight, at in parts
            for group in _groups(name, _keys(rows, by), rows, weight, at)
        ]
    sizes = np.sort([group.n for group in found])[::-1]
    wanted = min(TASKS, max(len(sizes), 1))
    while (shots, queries) != (FEWEST, FEWEST) and not (
        len(sizes) and sizes[wanted - 1] >= shots + queries
    ):
        shots, queries = max(FEWEST, shots // 2), max(FEWEST, queries // 2)
    enough = tuple(group for group in found if group.n >= shots + queries)
    return Episodes(by, enough, shots, queries, rng)


# ── which rows make a task ──────────────────────────────────────────────────


def _keys(rows: Rows, by: By) -> pl.Series:
    """(n,) the task of each row within its source; null for none."""
    if by == "domain":
        return pl.Series(np.zeros(rows.n, np.int64))
    if rows.entity is None:
        return pl.Series([None] * rows.n, dtype=pl.String)
    return pl.Series(rows.entity.tolist(), dtype=pl.String)


def _by_column(
    parts: Sequence[tuple[str, Rows, Array | None, int]], column: str | None, enough: int
) -> list[Group]:
    """Tasks by the values of one category column: that with most tasks of enough rows."""
    names = [
        name
        for name, kind in (parts[0][1].types.items() if parts else ())
        if kind == ColumnType.CATEGORY and column in (None, name)
    ]
    if column is not None and parts and not names:
        raise StrategyError(
            f"Expected a category column {column!r} to take tasks from; found "
            f"{', '.join(n for n, k in parts[0][1].types.items() if k == ColumnType.CATEGORY)}."
        )
    tried = [
        [
            group
            for source, rows, weight, at in parts
            for group in _groups(source, rows.columns[name].cast(pl.String), rows, weight, at)
        ]
        for name in names
    ]
    # Where no value has enough rows, the column with most rows in values that recur.
    return max(
        tried,
        key=lambda groups: (
            sum(group.n >= enough for group in groups),
            sum(group.n >= 2 * FEWEST for group in groups),
        ),
        default=[],
    )


def _groups(
    source: str, key: pl.Series, rows: Rows, weight: Array | None, start: int
) -> list[Group]:
    """The rows of a source by key; keys in order, those with too few rows left out."""
    assert rows.label is not None
    used = key.is_not_null().to_numpy() & (True if weight is None else weight > 0)
    at = np.flatnonzero(used & known(rows.label))
    distinct, place = np.unique(key.gather(at).to_numpy(), return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=len(distinct)))
    found = []
    for number, members in enumerate(np.split(at[order], ends[:-1]) if len(at) else []):
        if len(members) >= 2 * FEWEST:
            name = source if len(distinct) == 1 else f"{source} {distinct[number]}"
            part = None if weight is None else weight[members]
            found.append(Group(name, members + start, rows.label[members], part))
    return found


# ── which rows make an episode ──────────────────────────────────────────────


@dataclass(frozen=True)
class _Dealt:
    """How many rows of each class an episode of one task shows.

    rows    the rows of each class the task has
    chance  their chances, None where equal
    share   (c,) weight of each class in the task
    """

    rows: tuple[Ints, ...]
    chance: tuple[Array | None, ...]
    share: Array
    support: Ints
    query: Ints

    @classmethod
    def of(cls, group: Group, shots: int, queries: int) -> _Dealt:
        numbers = group.label.dtype.kind == "f"  # drawn as they fall
        kind = np.zeros(group.n, np.int64) if numbers else group.label
        members = [np.flatnonzero(kind == c) for c in np.unique(kind)]
        weight = np.ones(group.n) if group.weight is None else group.weight
        mass = np.array([weight[m].sum() for m in members])
        taken = allot(shots + queries, np.array([len(m) for m in members]))
        room = -(-taken * shots // (shots + queries))
        support = allot(shots, room)
        chance = [
            None if group.weight is None else weight[m] / w
            for m, w in zip(members, mass, strict=True)
        ]
        rows = tuple(group.rows[m] for m in members)
        return cls(rows, tuple(chance), mass / mass.sum(), support, taken - support)

    def draw(self, g: np.random.Generator) -> tuple[Ints, Ints, Array, Array]:
        support, query = [], []
        counts = zip(self.rows, self.chance, self.support, self.query, strict=True)
        for rows, chance, first, second in counts:
            drawn = g.choice(rows, first + second, replace=False, p=chance)
            support.append(drawn[:first])
            query.append(drawn[first:])
        return (
            np.concatenate(support),
            np.concatenate(query),
            _weights(self.share, self.support),
            _weights(self.share, self.query),
        )


def allot(total: int, room: Ints) -> Ints:
    """Deal a total out as evenly as there is room; what is odd goes where most is left.

    room     (c,) ≥ 0, their sum at least `total`
    returns  (c,) summing to `total`, none above its room
    """
    dealt = np.zeros(len(room), np.int64)
    while (left := total - int(dealt.sum())) > 0:
        free = room - dealt
        open_ = np.flatnonzero(free)
        open_ = open_[np.argsort(-free[open_], kind="stable")][:left]
        dealt[open_] += np.minimum(free[open_], max(1, left // len(open_)))
    return dealt


def _weights(share: Array, count: Ints) -> Array:
    """(count.sum(),) of mean 1: each class as heavy as its share, rows of a class alike."""
    each = np.repeat(share / np.maximum(count, 1), count)
    weights: Array = each / each.mean()
    return weights


def _has(count: int) -> str:
    return "has" if count == 1 else "have"

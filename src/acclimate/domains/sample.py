"""Samples: the raw observations a Problem is made of, in three forms.

`Rows` are labelled feature rows (classify, regress); `Interactions` say who took what
(recommend); `sentences` has the third.  All can be cut into folds and tell their
fingerprint.  None is what a model eats: a recipe in `view` encodes them with one
arm's statistics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from acclimate.arrays import Array, Bools, Ints, Strings
from acclimate.domains.attributes import Attributes
from acclimate.domains.exam import Case, RankQuery, Truth
from acclimate.domains.origins import by_clock, by_user
from acclimate.domains.schema import ColumnType
from acclimate.rng import Rng

if TYPE_CHECKING:
    from acclimate.domains.sentences import Sentences


OWN = "label"  # the other label that holds a source's own classes; no column is called so


@dataclass(frozen=True)
class Rows:
    """Feature rows under one vocabulary of columns and classes.

    columns  n rows; Float64 for numeric, String for category and text,
             Datetime for time columns; missing values are null
    types    column → how a view reads it
    classes  the label's values, in the order of their positions; none: it is a number
    label    (n,) positions in `classes`, or float64 numbers; None where labels are unknown
    entity   (n,) the independent unit of a row, None inside where it is unknown
             (guests who buy once); None: every row is its own
    time     (n,) float seconds since 1970, NaN where unknown, or None
    ahead    (n,) seconds by which the market's clocks are ahead of UTC, or None: not at all
    also     n rows of other labels by name, as text, null where unknown; or None.  They
             are no features: strategies that learn several tasks together read them.  Rows
             of a source that tells other classes apart than the target hold them as `OWN`
    """

    columns: pl.DataFrame
    types: Mapping[str, ColumnType]
    classes: tuple[str, ...]
    label: Ints | Array | None = None
    entity: Strings | None = None
    time: Array | None = None
    ahead: Array | None = None
    also: pl.DataFrame | None = None

    @property
    def n(self) -> int:
        return self.columns.height

    @property
    def numbers(self) -> bool:
        """Whether the label is a number, and no class."""
        return not self.classes

    @property
    def elsewhere(self) -> bool:
        """Whether what they are labelled by are classes of another set than `classes`."""
        return self.also is not None and OWN in self.also.columns

    @property
    def clock(self) -> Array | None:
        """(n,) what the market's clocks show, in seconds like `time`."""
        return self.time if self.time is None or self.ahead is None else self.time + self.ahead

    def take(self, rows: Ints) -> Rows:
        """The rows at these positions, in this order."""
        return replace(
            self,
            columns=self.columns[rows],
            label=None if self.label is None else self.label[rows],
            entity=None if self.entity is None else self.entity[rows],
            time=None if self.time is None else self.time[rows],
            ahead=None if self.ahead is None else self.ahead[rows],
            also=None if self.also is None else self.also[rows],
        )

    def unlabelled(self) -> Rows:
        """The same rows with all their labels taken away."""
        return replace(self, label=None, also=None)

    def under(self, name: str, classes: tuple[str, ...]) -> Rows:
        """The rows whose other label of this name is known, labelled by it.

        classes  the values to tell apart; rows with another one are left out
        """
        assert self.also is not None, "these rows have no other labels"
        places = self.also[name].replace_strict(
            list(classes), list(range(len(classes))), default=-1, return_dtype=pl.Int64
        )
        label = places.fill_null(-1).to_numpy().astype(np.int64)
        known = replace(self, label=label, classes=classes, also=None)
        return known.take(np.flatnonzero(label >= 0))

    def units(self) -> Ints:
        """(n,) the position of each row's independent unit; a row of nobody is its own."""
        return units_of(self.entity, self.n)

    def folds(self, k: int, rng: Rng) -> list[tuple[Rows, Case]]:
        """Cut into k folds by unit, spreading the classes, or small and large numbers, evenly.

        k        ≥ 2; lowered to the number of units where there are fewer
        returns  k pairs (the rest, the fold as a labelled Case)
        """
        if self.label is None:
            return []
        units = self.units()
        fold = spread(units, self.label, k, rng)
        pairs = []
        for number in range(int(fold.max(initial=-1)) + 1):
            held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
            if len(held) and len(rest):
                pairs.append((self.take(rest), self.take(held).case()))
        return pairs

    def case(self) -> Case:
        """These rows as a question: features asked, labels kept as the truth."""
        if self.label is None:
            raise ValueError("rows without labels cannot be a case")
        return Case(None, self.unlabelled(), Truth(label=self.label, units=self.units()))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of columns and how they are read, labels, units and times."""
        types = sorted((name, str(kind)) for name, kind in self.types.items())
        digest = hashlib.sha256(repr((self.columns.schema, types, self.classes)).encode())
        digest.update(self.columns.hash_rows(seed=0).to_numpy().tobytes())
        for part in (self.label, self.time, self.ahead):
            digest.update(b"-" if part is None else part.tobytes())
        if self.entity is not None:
            digest.update(id_text(self.entity))
        if self.also is not None:
            digest.update(repr(self.also.columns).encode())
            digest.update(self.also.hash_rows(seed=0).to_numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Interactions:
    """Who took what: one entry per distinct (user, item), in time order.

    user   (n,) positions in `users`
    item   (n,) positions in `items`
    users  ids of users; a user may have no interaction
    items  ids of the catalogue; an item may have none
    about_users, about_items
           what is known of each of them beside that, or None
    time   (n,) float seconds since 1970, −inf where unknown, of what is examined by the
           clock; None: the exam asks for what each user took last, whenever that was
    beside  source → what the same users do there, as it is known where this is asked; None:
            as the sources have it
    """

    user: Ints
    item: Ints
    users: Strings
    items: Strings
    about_users: Attributes | None = field(default=None, repr=False)
    about_items: Attributes | None = field(default=None, repr=False)
    time: Array | None = None
    beside: Mapping[str, Interactions] | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        return len(self.user)

    def folds(self, k: int, rng: Rng) -> list[tuple[Interactions, Case]]:
        """Roll the origin back k times, so that inner folds claim what the exam claims.

        By the clock, fold j asks what users took in the j-th last stretch of time
        (`domains.origins`), and knows what happened before it alone: items not seen by
        then are in no catalogue.  Otherwise it asks for each user's j-th last item, and
        what a user took from then on is hidden.  At least one item of each user stays.
        """
        return by_user(self, k) if self.time is None else by_clock(self, k)

    def take(self, rows: Ints) -> Interactions:
        """The interactions at these positions, same users and items."""
        time = None if self.time is None else self.time[rows]
        return replace(self, user=self.user[rows], item=self.item[rows], time=time)

    def before(self, moment: float) -> Interactions:
        """What had happened before a moment, in seconds; all of it where there is no clock."""
        return self if self.time is None else self.take(np.flatnonzero(self.time < moment))

    def of_items(self, items: Ints) -> Interactions:
        """The interactions with these items only, renumbered in this order."""
        new = np.full(len(self.items), -1)
        new[items] = np.arange(len(items))
        kept = self.take(np.flatnonzero(new[self.item] >= 0))
        about = self.about_items
        return replace(
            kept,
            item=new[kept.item],
            items=self.items[items],
            about_items=None if about is None else about.take(items),
        )

    def of_users(self, users: Ints) -> Interactions:
        """The interactions of these users only, renumbered in this order."""
        new = np.full(len(self.users), -1)
        new[users] = np.arange(len(users))
        kept, about = self.take(np.flatnonzero(new[self.user] >= 0)), self.about_users
        return replace(
            kept,
            user=new[kept.user],
            users=self.users[users],
            about_users=None if about is None else about.take(users),
        )

    def ask(self, later: Interactions, unknown: Ints | None = None) -> Case:
        """The question: given these histories, what came later?

        later    interactions over the same users and items
        unknown  (n_users,) later items outside of the catalogue; they count as misses
        returns  a Case over the users that have something later and a history
        """
        unknown = np.zeros(len(self.users), np.int64) if unknown is None else unknown
        wanted = np.bincount(later.user, minlength=len(self.users)) + unknown
        history = np.bincount(self.user, minlength=len(self.users))
        asked = np.flatnonzero((wanted > 0) & (history > 0))
        truth = later.of_users(asked)
        return Case(
            self.of_users(asked),
            RankQuery(self.users[asked]),
            Truth(
                user=truth.user,
                item=truth.item,
                missed=unknown[asked],
                units=np.arange(len(asked)),
            ),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the pairs, their times, the ids and what is known of them."""
        digest = hashlib.sha256()
        for part in (self.user, self.item, self.time):
            digest.update(b"-" if part is None else part.tobytes())
        for ids in (self.users, self.items):
            digest.update(id_text(ids))
        for about in (self.about_users, self.about_items):
            if about is not None:
                digest.update(about.fingerprint.encode())
        for name, other in (self.beside or {}).items():
            digest.update(name.encode() + other.fingerprint.encode())
        return digest.hexdigest()


Sample: TypeAlias = "Rows | Interactions | Sentences"


def units_of(entity: Strings | None, n: int) -> Ints:
    """(n,) the position of each row's independent unit; a row of nobody is its own."""
    if entity is None:
        return np.arange(n)
    names = pl.Series(entity.tolist(), dtype=pl.String)
    known = names.is_not_null().to_numpy()
    distinct, position = np.unique(entity[known].astype(str), return_inverse=True)
    units = len(distinct) + np.cumsum(~known) - 1
    units[known] = position
    return units.astype(np.int64)


def id_text(ids: Strings) -> bytes:
    """Ids as one text that no other ids give, whatever characters they hold."""
    return json.dumps(ids.tolist(), ensure_ascii=False).encode()


def known(label: Ints | Array) -> Bools:
    """(n,) whether a row has a label; at the door −1, or NaN of numbers, says that not."""
    found: Bools = np.isfinite(label) if label.dtype.kind == "f" else label >= 0
    return found


def strata(label: Ints | Array) -> Ints:
    """(n,) what parts of a sample hold in proportion: classes, or tenths of numbers.

    label    (n,) class positions, or numbers, NaN where unknown
    returns  (n,) for numbers how many of the nine deciles of the known ones lie below
    """
    if label.dtype.kind != "f":
        return label.astype(np.int64, copy=False)
    there = label[np.isfinite(label)]
    if not len(there):
        return np.zeros(len(label), np.int64)
    deciles = np.quantile(there, np.arange(1, 10) / 10)
    return np.searchsorted(deciles, label).astype(np.int64)


def spread(units: Ints, label: Ints | Array, k: int, rng: Rng) -> Ints:
    """Deal units into k folds so that every fold sees every class, or every tenth of numbers.

    units    (n,) unit of each row; all rows of a unit share a fold
    label    (n,) class positions, or numbers
    returns  (n,) fold of each row, 0 … min(k, number of units) − 1
    """
    distinct, first = np.unique(units, return_index=True)
    k = min(k, len(distinct))
    if k < 2:
        return np.zeros(len(units), np.int64)
    shuffled = rng.child("spread").generator().permutation(len(distinct))
    by_class = shuffled[np.argsort(strata(label[first])[shuffled], kind="stable")]
    fold = np.empty(len(distinct), np.int64)
    fold[by_class] = np.arange(len(distinct)) % k
    return fold[np.searchsorted(distinct, units)]


def stack_rows(parts: Sequence[Rows]) -> Rows:
    """One Rows from several under the same columns and classes."""
    first = parts[0]
    if len(parts) == 1:
        return first
    label = [part.label for part in parts]
    entity = [part.entity for part in parts]
    time = [part.time for part in parts]
    ahead = [np.zeros(part.n) if part.ahead is None else part.ahead for part in parts]
    also = [part.also for part in parts if part.also is not None]
    return replace(
        first,
        columns=pl.concat([part.columns.select(first.columns.columns) for part in parts]),
        label=None if any(x is None for x in label) else np.concatenate(label),  # type: ignore[arg-type]
        entity=None if any(x is None for x in entity) else np.concatenate(entity),  # type: ignore[arg-type]
        time=None if any(x is None for x in time) else np.concatenate(time),  # type: ignore[arg-type]
        ahead=None if all(part.ahead is None for part in parts) else np.concatenate(ahead),
        also=pl.concat(also) if len(also) == len(parts) else None,
    )

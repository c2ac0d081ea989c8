"""Made domains: markets drawn from a known truth, with dials for what differs.

After: tests and benchmarks pose them like any market and know the answer: the
true probability of a label, the distance between features, how often an item is
taken and with which others.  With every dial at 0 two domains are exchangeable,
and each dial moves one thing and leaves the others where they were.

    rows     x ~ N(covariate·e₂, I),  P(1 | x) = σ(2·w·x + category + mood),
             w = (cos π·concept, sin π·concept, 0, …); half of the labels are "1"
    events   a user likes one group of items: an item is drawn ∝ popularity, from
             the liked group with probability AFFINITY and from everything otherwise
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from scipy.special import expit

from acclimate.arrays import Array, Ints
from acclimate.domains.domain import Domain
from acclimate.domains.schema import ColumnType, Schema, TableSchema
from acclimate.domains.truth import (
    AFFINITY,
    MOODS,
    MadeEvents,
    MadeRows,
    effects_of,
    means_of,
    weights_of,
)
from acclimate.errors import UsageError
from acclimate.rng import Rng

START = datetime(2024, 1, 1)
DAYS = 120.0
WORDS = ("parcel", "colour", "delivery", "gift", "size", "box", "return", "price")


def make_rows(
    rng: Rng,
    n: int,
    *,
    covariate: float = 0.0,
    label: float = 0.0,
    concept: float = 0.0,
    numeric: int = 4,
    levels: int = 4,
    missing: float = 0.0,
    text: bool = False,
    time: bool = False,
    other: bool = False,
    name: str = "made",
) -> MadeRows:
    """A market of labelled rows.

    n          > 0, rows
    covariate  any number, standard deviations: moves the mean of x2, which tells nothing
               about the label; P(label | features) and P(label) stay
    label      above −½, below ½: the share of "1" is ½ + label; P(features | label) stays
    concept    0 … 1: turns the effects of x0 by concept·180° towards x1 and then to their
               opposite, and shrinks those of categories by cos; P(features), P(label) stay
    numeric    ≥ 3, numeric columns; from x3 on they are noise
    levels     ≥ 0, levels of the category column `group`; 0: no such column
    missing    0 … < 1, share of feature values that are missing at random
    text       a column `note` whose words hold one that matters, "good" or "bad"
    time       a column `time`, increasing over 120 days, of which nothing depends
    other      a column `other`, another label: the third of x0 that a row is in, "low",
               "mid" or "high", unknown for a fifth of the rows
    """
    _require("covariate", covariate, -np.inf, np.inf)
    _require("label", label, -0.5, 0.5)
    _require("concept", concept, 0.0, 1.0, closed=True)
    if n < 1 or numeric < 3 or levels < 0 or not 0 <= missing < 1:
        raise UsageError(
            "Expected at least 1 row, 3 numeric columns, 0 levels and a share missing from 0 "
            f"to below 1; found {n}, {numeric}, {levels} and {missing}."
        )
    ones = rng.child("label").generator().random(n) < 0.5 + label
    truth = MadeRows(
        Domain(name, {}, Schema({})), covariate, label, concept, numeric, levels, text
    )
    pool = _pool(rng.child("pool"), int((~ones).sum()), int(ones.sum()), truth)
    x = np.empty((n, numeric))
    group, mood = np.empty(n, np.int64), np.empty(n, np.int64)
    for at, (xs, groups, moods) in ((ones, pool[1]), (~ones, pool[0])):
        x[at], group[at], mood[at] = xs, groups, moods
    x += means_of(numeric, covariate)
    columns = [pl.Series(f"x{j}", x[:, j]) for j in range(numeric)]
    types = {f"x{j}": ColumnType.NUMERIC for j in range(numeric)}
    if levels:
        columns.append(pl.Series("group", [f"g{g}" for g in group]))
        types["group"] = ColumnType.CATEGORY
    if text:
        columns.append(pl.Series("note", _notes(mood, rng.child("note"))))
        types["note"] = ColumnType.TEXT
    if missing:
        columns = [_hide(column, missing, rng.child("missing")) for column in columns]
    columns.append(pl.Series("label", ones.astype(int)).cast(pl.String))
    roles = {"label": "label"}
    if time:
        columns.append(_times(n, rng.child("time")))
        roles["time"] = "time"
    if other:
        columns.append(_hide(_thirds(x[:, 0]), 0.2, rng.child("other")))
    schema = Schema({"rows": TableSchema(roles, types, "made")})
    domain = Domain(name, {"rows": pl.DataFrame(columns)}, schema)
    return replace(truth, domain=domain)


Draw = tuple[Array, Ints, Ints]


def _pool(rng: Rng, zeros: int, ones: int, truth: MadeRows) -> tuple[Draw, Draw]:
    """Features of zeros and of ones, drawn from P(features | label) by rejection."""
    weights, turn = weights_of(truth.numeric, truth.concept), np.cos(np.pi * truth.concept)
    # An absent column has one level without effect.
    group_effects = effects_of(truth.levels) if truth.levels else np.zeros(1)
    mood_effects = np.array(list(MOODS.values())) if truth.text else np.zeros(1)
    found: tuple[list[Draw], list[Draw]] = ([], [])
    wanted, chunk = (zeros, ones), 0
    while any(sum(len(d[0]) for d in found[c]) < wanted[c] for c in (0, 1)):
        g = rng.child(chunk).generator()
        size = 2 * (zeros + ones) + 64
        x = g.standard_normal((size, truth.numeric))
        group = g.integers(0, len(group_effects), size)
        mood = g.integers(0, len(mood_effects), size)
        score = x @ weights + turn * (group_effects[group] + mood_effects[mood])
        label = g.random(size) < expit(score)
        for c in (0, 1):
            at = label == bool(c)
            found[c].append((x[at], group[at], mood[at]))
        chunk += 1
    return _first(found[0], zeros), _first(found[1], ones)


def _first(draws: list[Draw], n: int) -> Draw:
    x, group, mood = (np.concatenate(part)[:n] for part in zip(*draws, strict=True))
    return x, group, mood


def _notes(mood: Ints, rng: Rng) -> list[str]:
    g = rng.generator()
    around = g.integers(0, len(WORDS), (len(mood), 3))
    moods = list(MOODS)
    return [
        f"{WORDS[a]} {moods[m]} {WORDS[b]} {WORDS[c]}"
        for m, (a, b, c) in zip(mood, around, strict=True)
    ]


def _hide(column: pl.Series, share: float, rng: Rng) -> pl.Series:
    """The column with a share of its values missing, whatever they were."""
    gone = rng.child(column.name).generator().random(len(column)) < share
    values = column.to_list()
    kept = [None if hidden else value for hidden, value in zip(gone, values, strict=True)]
    return pl.Series(column.name, kept, column.dtype)


def _thirds(x: Array) -> pl.Series:
    """Which third of a standard normal each value is in."""
    third = np.searchsorted([-0.43, 0.43], x)
    return pl.Series("other", np.array(["low", "mid", "high"])[third], pl.String)


def _times(n: int, rng: Rng) -> pl.Series:
    """n distinct moments in order, naive UTC as tables hold them."""
    seconds = np.sort(rng.generator().random(n)) * DAYS * 86_400
    seconds = np.maximum.accumulate(seconds) + np.arange(n) * 1e-3
    moments = [START + timedelta(seconds=float(each)) for each in seconds]
    return pl.Series("time", moments, pl.Datetime("us"))


# ── events ──────────────────────────────────────────────────────────────────


def make_events(
    rng: Rng,
    users: int,
    items: int,
    *,
    catalogue: float = 0.0,
    taste: float = 0.0,
    popularity: float = 0.0,
    per_user: float = 8.0,
    groups: int = 4,
    time: bool = True,
    table: bool = False,
    world: int = 0,
    name: str = "made",
) -> MadeEvents:
    """A market of events over the items of a world.

    users, items  > 0; users are the market's own, items are the world's
    catalogue     0 … 1, share of the items that have an id of their own here
    taste         0 … 1, share of the items that are liked together with others; how often
                  each is taken stays
    popularity    0 … 1: how often items are taken is mixed with its reverse within each
                  group; at 1 the rarest is the most taken.  What is liked together stays
    per_user      ≥ 1, mean number of events of a user; repeats are possible
    groups        > 0, groups of the world
    time          events carry a time, spread over 120 days
    table         with an `items` table that lists the whole catalogue
    world         the seed of what all its markets share
    """
    for dial, value in (("catalogue", catalogue), ("taste", taste), ("popularity", popularity)):
        _require(dial, value, 0.0, 1.0, closed=True)
    if users < 1 or items < 1 or groups < 1 or per_user < 1:
        raise UsageError(
            "Expected at least one user, item, group and event of a user; found "
            f"{users}, {items}, {groups} and {per_user}."
        )
    shared = Rng.of(world).child("world")
    home = np.arange(items) % groups
    chance = _chances(home, items, popularity)
    moved = shared.child("taste").generator()
    order, other = moved.permutation(items), moved.permutation(home)
    away = order[: round(taste * items)]
    group = home.copy()
    group[away] = other[away]
    own = shared.child("catalogue").generator().permutation(items)[: round(catalogue * items)]
    ids = [f"i{item}" for item in range(items)]
    for item in own:
        ids[item] = f"{name}-i{item}"
    user, item = _take(rng, users, chance, group, per_user)
    order_of = rng.child("order").generator().permutation(len(user))
    user, item = user[order_of], item[order_of]
    columns = [
        pl.Series("user", [f"{name}-u{u}" for u in user]),
        pl.Series("item", [ids[i] for i in item]),
    ]
    roles = {"user": "user", "item": "item"}
    if time:
        columns.append(_times(len(user), rng.child("time")))
        roles["time"] = "time"
    tables = {"events": pl.DataFrame(columns)}
    schemas = {"events": TableSchema(roles, {}, "made")}
    if table:
        tables["items"] = pl.DataFrame({"item": ids})
        schemas["items"] = TableSchema({"item": "item"}, {}, "made")
    return MadeEvents(Domain(name, tables, Schema(schemas)), tuple(ids), chance, group)


def _chances(home: Ints, items: int, popularity: float) -> Array:
    """(n_items,) falling with the root of the rank, mixed with its reverse in each group."""
    weight = 1.0 / np.sqrt(1.0 + np.arange(items))
    weight /= weight.sum()
    reverse = weight.copy()
    for each in np.unique(home):
        members = np.flatnonzero(home == each)
        # Within a group, so that its mass and with it every lift stays.
        reverse[members] = weight[members[::-1]]
    chance: Array = (1 - popularity) * weight + popularity * reverse
    return chance


def _take(
    rng: Rng, users: int, chance: Array, group: Ints, per_user: float
) -> tuple[Ints, Ints]:
    """Who took what, user by user."""
    g = rng.child("take").generator()
    present = np.unique(group)
    mass = np.array([chance[group == each].sum() for each in present])
    # Liked ∝ mass: then an event is about item i with exactly its popularity.
    liked = _draw(present, mass, g.random(users))
    count = 1 + g.poisson(per_user - 1, users)
    user = np.repeat(np.arange(users), count)
    inside, u = g.random(len(user)) < AFFINITY, g.random(len(user))
    item = _draw(np.arange(len(chance)), chance, u)
    for each in present:
        at = inside & (liked[user] == each)
        members = np.flatnonzero(group == each)
        item[at] = _draw(members, chance[members], u[at])
    return user, item


def _draw(items: Ints, chance: Array, u: Array) -> Ints:
    at = np.searchsorted(np.cumsum(chance) / chance.sum(), u)
    return items[np.minimum(at, len(items) - 1)]


def _require(dial: str, value: float, low: float, high: float, *, closed: bool = False) -> None:
    inside = low <= value <= high if closed else low < value < high
    if not inside:
        raise UsageError(f"Expected the dial {dial} from {low:g} to {high:g}; found {value}.")
